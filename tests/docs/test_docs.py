"""The documents are what the program does: their sessions run, and everything that there is has its place."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from forks import Forks
from rows import MDOC_BEGIN, MDOC_END
from transcripts import DRAWN, PICTURE, TOP, Exchange, comparable, exchanges, replay, work
from uplinks import capabilities

from potnet.cli.command_table import GROUPS, PAGES_OF
from potnet.cli.main import cli, run
from potnet.cli.options import group_options
from potnet.config.configuration import KEYS, load
from potnet.host.findings import Kind
from potnet.rootless.uplinks.choose import KINDS as UPLINK_KINDS

README = TOP / "README.md"
MAN = TOP / "man"
POTNET_8, POTNET_TOML_5, JSON_5 = MAN / "potnet.8", MAN / "potnet.toml.5", MAN / "potnet-json.5"
ROOTLESS_7, TROUBLESHOOTING_7 = MAN / "potnet-rootless.7", MAN / "potnet-troubleshooting.7"
PAGES = sorted(MAN.iterdir())
#: The documents with sessions, each of which is run on a host of its own.
DOCUMENTS = [path for path in (README, *PAGES) if exchanges(path)]

Replayed = dict[Path, list[tuple[Exchange, tuple[str, ...]]]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """Where the host of each document is."""
    return {document: tmp_path_factory.mktemp("docs") / "fresh" for document in DOCUMENTS}


@pytest.fixture(scope="module")
def replayed(folders: dict[Path, Path]) -> Replayed:
    """What the sessions of each document give, each document on a host of its own."""
    with Forks() as forks, ThreadPoolExecutor() as pool:
        answers = pool.map(partial(replay, forks=forks), folders.keys(), folders.values())
        return dict(zip(DOCUMENTS, answers, strict=True))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_sessions_run_as_documented(document: Path, replayed: Replayed) -> None:
    documented, answered = [], []
    for exchange, answer in replayed[document]:
        documented += [f"$ {exchange.command}", *map(comparable, exchange.output)]
        answered += [f"$ {exchange.command}", *map(comparable, answer)]
    difference = unified_diff(documented, answered, document.name, "the program", lineterm="")
    assert documented == answered, "\n".join(difference)


def test_the_readme_shows_the_picture_that_its_sessions_draw(
    replayed: Replayed, folders: dict[Path, Path]
) -> None:
    assert README in replayed
    assert f"]({PICTURE.relative_to(TOP)})" in README.read_text("utf-8")
    drawn = (work(folders[README]) / DRAWN).read_text("utf-8")
    assert drawn == PICTURE.read_text("utf-8"), "write it anew: python tests/docs/transcripts.py README.md"


def test_the_readme_names_every_room() -> None:
    text = README.read_text("utf-8").partition("\n## Development\n")[2]
    rooms = re.findall(r"^(\w+)  +\S", text.split("```")[1], flags=re.MULTILINE)
    loose = {path.stem for path in (TOP / "potnet").glob("*.py")} - {"__init__", "__main__"}
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == loose | {path.parent.name for path in (TOP / "potnet").glob("*/__init__.py")}


@pytest.mark.parametrize("document", [README, MAN / "potnet-tutorial.7"], ids=lambda path: path.name)
def test_documents_have_sessions(document: Path) -> None:
    assert len(exchanges(document)) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_manual_pages_are_clean(page: Path) -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(
        [mandoc, "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _parts(page: Path, macro: str) -> dict[str, str]:
    """The sections (Sh) or subsections (Ss) of a page, by their headings."""
    pieces = re.split(rf"^\.{macro} (.*)\n", page.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _option_items(text: str) -> set[str]:
    """The options that have an item of a list: ``.It Fl p Ar POT , Fl -pot Ar POT``."""
    items = re.findall(r"^\.It (Fl .*)", text, flags=re.MULTILINE)
    return {f"-{name}" for item in items for name in re.findall(r"\bFl (\S+)", item)}


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command


def _options(command: click.Command) -> set[str]:
    """What may be typed, but for the options of potnet itself, which each command repeats."""
    own = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    return {name for option in own for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("name", [name for name, _ in _commands()])
def test_command_is_in_the_manual(name: str) -> None:
    """Each command has a page, and the calls of pot's helper a part of one."""
    command, page = dict(_commands())[name], MAN / f"potnet-{PAGES_OF.get(name, name)}.8"
    text = _parts(page, "Ss")[name].partition("\n.Sh ")[0] if name in PAGES_OF else page.read_text("utf-8")
    assert _option_items(text) == _options(command)
    assert f".Nm potnet\n.Ic {name}\n" in text


def test_manual_has_no_other_pages() -> None:
    commands = {PAGES_OF.get(name, name) for name, _ in _commands()}
    assert {path.name for path in PAGES if path.suffix == ".8"} == {
        "potnet.8", *(f"potnet-{name}.8" for name in commands),
    }  # fmt: skip


def test_every_command_is_listed_in_its_group() -> None:
    section = _parts(POTNET_8, "Sh")["COMMANDS"]
    pieces = re.split(r"^\.Ss (.*)\n", section, flags=re.MULTILINE)
    listed = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    assert list(listed) == list(GROUPS)
    for group, names in GROUPS.items():
        items = re.findall(r"^\.It (?:Xr potnet-(\S+) 8|Ic (\S+))$", listed[group], flags=re.MULTILINE)
        assert ["".join(item) for item in items] == list(names)


def test_the_overview_is_short() -> None:
    assert POTNET_8.read_text("utf-8").count("\n") <= 300


def test_references_lead_to_pages() -> None:
    reference = re.compile(r"^\.(?:It )?Xr (potnet\S*) (\d)", re.MULTILINE)
    for page in PAGES:
        for name, section in reference.findall(page.read_text("utf-8")):
            assert (MAN / f"{name}.{section}").is_file(), f"{page.name}: {name}({section})"


def test_every_page_is_installed() -> None:
    build = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    installed = {source for source in build["targets"]["wheel"]["shared-data"] if source.startswith("man/")}
    assert installed == {f"man/{path.name}" for path in PAGES}


def test_global_options_are_in_the_manual() -> None:
    sections = _parts(POTNET_8, "Sh")
    wanted = {name for option in group_options() for name in option.opts}
    assert _option_items(sections["OPTIONS"]) == wanted | {"-h", "--help", "--version"}
    variables = {str(option.envvar) for option in group_options() if option.envvar}
    assert len(variables) == len(group_options())
    assert variables <= set(re.findall(r"POTNET_\w+", sections["ENVIRONMENT"]))


def test_every_variable_of_the_environment_is_in_the_manual() -> None:
    sources = [path.read_text("utf-8") for path in (TOP / "potnet").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r"[\"'](POTNET_[A-Z]\w*)[\"']", text)}
    assert {"POTNET_POT", "POTNET_SIM_BARE"} <= used
    assert used <= set(re.findall(r"POTNET_\w+", _parts(POTNET_8, "Sh")["ENVIRONMENT"]))


def test_every_key_of_the_configuration_is_in_the_manual() -> None:
    documented = [
        f"{heading.strip('[]')}.{key}"
        for heading, text in _parts(POTNET_TOML_5, "Ss").items()
        for key in re.findall(r"^\.It Va (\S+)$", text.partition("\n.Sh ")[0], flags=re.MULTILINE)
    ]
    assert documented == [key.name for key in KEYS]


def test_defaults_of_the_configuration_are_in_the_manual() -> None:
    config, text = load(None), POTNET_TOML_5.read_text("utf-8")
    defaults = {str(getattr(config, key.attribute)) for key in KEYS} - {"None", "()", "False", "True"}
    assert {value for value in defaults if value not in text} == set()


def test_examples_of_the_configuration_are_valid(tmp_path: Path) -> None:
    displays = re.findall(
        r"^\.Bd -literal.*?\n(.*?)^\.Ed", POTNET_TOML_5.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    assert len(displays) > 1
    for number, text in enumerate(displays):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, "utf-8")
        load(path, explicit=True)


def test_what_each_uplink_has_is_in_the_manual() -> None:
    """What was measured is as the machine was; the rest is as the drivers say."""
    table = ROOTLESS_7.read_text("utf-8").partition(MDOC_BEGIN)[2].partition(MDOC_END)[0]
    names, *rows = (line.removeprefix(".It ") for line in table.splitlines() if line.startswith(".It "))
    assert names.split(" Ta ")[1:] == [*(kind.name for kind in UPLINK_KINDS), "veth"]
    told, measured = rows[: len(capabilities())], rows[len(capabilities()) :]
    assert told == [" Ta ".join((*row, "")).rstrip() for row in capabilities()]
    assert {row.partition(" Ta ")[0] for row in measured} == {
        f"{way}, MTU {mtu}" for way in ("out", "in") for mtu in (1500, 65520)
    }


def _keys(view: Any) -> set[str]:
    if isinstance(view, list):
        return {key for element in view for key in _keys(element)}
    if isinstance(view, dict):
        return set(view) | {key for value in view.values() for key in _keys(value)}
    return set()


#: What is typed, and the part of JSON that has its keys; pots, bridges and exports are there to be shown.
JSON_SESSION = (
    ("init", "Commands that change something"),
    ("create-private-bridge -B stove -S 4", "Commands that change something"),
    ("create -p casserole -N private-bridge -B stove", "Commands that change something"),
    ("export-ports -p casserole -e 80:30080", "Commands that change something"),
    ("start casserole", "Commands that change something"),
    ("set -p casserole --hostname oven", "Commands that change something"),
    ("vnet-start", "Commands that change something"),
    ("store backup {0}/backup.db", "Commands that change something"),
    ("store restore {0}/backup.db", "Commands that change something"),
    ("show", "show"),
    ("show -b stove", "show -b"),
    ("graph", "graph"),
    ("metrics", "metrics"),
    ("dns", "dns"),
    ("dhcp", "dhcp"),
    ("list", "info -p, and each element of list"),
    ("info -p casserole", "info -p, and each element of list"),
    ("show -p casserole", "show -p, and each element of show -a"),
    ("list --bridges", "info -B, and each element of list --bridges"),
    ("info -B stove", "info -B, and each element of list --bridges"),
    ("config", "config"),
    ("doctor", "doctor"),
    ("create-private-bridge -B oven -S 4", "Commands that change something"),
    ("policy add --from stove --to oven", "Commands that change something"),
    ("policy list", "policy list"),
)


def test_every_json_key_is_in_the_manual(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = _parts(JSON_5, "Ss")
    documented = {heading: set(re.findall(r"\w+", _values(text))) for heading, text in parts.items()}
    documented["show -b"] |= documented["show"]
    documented["graph"] |= documented["info -p, and each element of list"]
    documented["graph"] |= documented["info -B, and each element of list --bridges"]
    documented["show -p, and each element of show -a"] |= documented["info -p, and each element of list"]
    documented["info -B, and each element of list --bridges"] |= documented["show"]
    options = ["--host", "sim", "--state-dir", str(tmp_path / "host"), "-q", "-o", "json"]
    missing = {}
    for typed, heading in JSON_SESSION:
        assert run([*options, *typed.format(tmp_path).split()]) == 0
        keys = _keys(json.loads(capsys.readouterr().out))
        assert keys
        missing[typed] = keys - documented[heading]
    assert not any(missing.values()), missing


def test_every_json_key_of_check_and_repair_is_in_the_manual(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = _parts(JSON_5, "Ss")
    words = [set(re.findall(r"\w+", _values(parts[h]))) for h in ("check", "Commands that change something")]
    options = ["--host", "sim", "--state-dir", str(tmp_path / "host"), "-q", "-o", "json"]
    for typed in ("create -p casserole -N public-bridge -b 14.2", "start casserole"):
        assert run([*options, *typed.split()]) == 0
    assert run([*options, *["exec", "casserole", "--", "route", "delete", "default"]]) == 0
    capsys.readouterr()
    assert run([*options, "check"]) == 1
    assert len(_keys(json.loads(capsys.readouterr().out)) & words[0]) == 8
    assert run([*options, "repair"]) == 0
    keys = _keys(json.loads(capsys.readouterr().out))
    assert "mended" in keys
    assert keys <= words[0] | words[1]


def test_every_kind_of_difference_is_in_the_manual() -> None:
    section = _parts(TROUBLESHOOTING_7, "Sh")["FINDINGS OF CHECK"]
    kinds = [
        kind
        for line in re.findall(r"^\.It Cm (.*)", section, flags=re.MULTILINE)
        for kind in line.split(" , ")
    ]
    assert sorted(kinds) == sorted(Kind)


def test_quoted_messages_are_those_of_the_program() -> None:
    section = _parts(TROUBLESHOOTING_7, "Sh")["DIAGNOSTICS"]
    quoted = re.findall(r'^\.It "(.*)"$', section, flags=re.MULTILINE)
    parts = {part.strip(" .:;") for message in quoted for part in message.split("...")} - {""}
    said = [text for path in (TOP / "potnet").rglob("*.py") for text in _texts(path)]
    assert len(quoted) > 10
    assert {part for part in parts if not any(part in text for text in said)} == set()


def _texts(source: Path) -> Iterator[str]:
    """The texts of a module, with x for each value in them."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=values):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in values)


def _values(text: str) -> str:
    """The words of a page's part that are marked as variables."""
    return " ".join(re.findall(r"^\.(?:It )?Va (.*)", text.partition("\n.Sh ")[0], flags=re.MULTILINE))
