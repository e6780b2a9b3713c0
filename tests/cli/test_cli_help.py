"""Help, version, the settings in force, and what importing the command line costs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from potnet import __version__
from potnet.cli.command_table import COMMANDS, GROUPS, OTHER_WORDS
from potnet.cli.main import cli
from potnet.cli.options import Options

#: A command remembers the names of its help option from the first context: those of the whole program.
GROUP = click.Context(cli, **cli.context_settings)

#: What no command may import before it is called.
HEAVY = {"netaddr", "jinja2", "sqlite3", "toml", "tabulate", "potnet.config", "potnet.model"}


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_everywhere(potnet: Callable[..., Any], command: str, flag: str) -> None:
    result = potnet(*command.split(), flag)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: potnet {command}".rstrip())


def test_help_lists_every_command(potnet: Callable[..., Any]) -> None:
    out = potnet("-h").out
    assert all(f"\n  {command} " in out for command in COMMANDS)
    assert "..." not in out.split("Pots:")[1]
    assert [out.index(f"\n{group}:\n") for group in GROUPS] == sorted(out.index(f"\n{g}:\n") for g in GROUPS)


def test_the_help_of_each_command_fits_a_line(
    potnet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = potnet("-h").out.splitlines()
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        row = next(line for line in lines if line.startswith(f"  {name} "))
        assert row.split(maxsplit=1)[1] == command.get_short_help_str()
        assert len(row) <= 80


def test_the_name_alone_prints_the_help(potnet: Callable[..., Any]) -> None:
    alone = potnet()
    assert (alone.code, alone.out, alone.err) == (2, potnet("--help").out, "")


def commands_below(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command with its words, and every command below it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands_below(below, (*words, name))


def test_every_help_ends_with_examples_that_can_be_typed(potnet: Callable[..., Any]) -> None:
    for words, command in commands_below(cli, ("potnet",)):
        if command is cli:
            continue
        out = potnet(*words[1:], "--help").out
        assert 1 <= len(command.examples) <= 2, words
        assert "\nExamples:\n" in out, words
        for example in command.examples:
            assert f"\n  {example}\n" in out
            typed = shlex.split(re.split(r" [>|] ", example)[0])
            assert tuple(typed[: len(words)]) == words
            if not isinstance(command, click.Group):
                command.make_context(words[-1], typed[len(words) :], GROUP, obj=Options()).close()


@pytest.mark.parametrize("word", [*OTHER_WORDS, "strat"])
def test_a_word_of_another_tool_gets_the_command_that_does_it(potnet: Callable[..., Any], word: str) -> None:
    result = potnet(word, "web")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"potnet: unknown command {word!r}\nhint: ")
    named = re.search(r"`potnet (\S+?)[ `]", result.err)
    assert named is not None
    assert named[1] in (*COMMANDS, "--version")


def test_a_word_that_nobody_has_gets_the_list(potnet: Callable[..., Any]) -> None:
    assert (
        potnet("xyzzy").err == "potnet: unknown command 'xyzzy'\nhint: `potnet --help` lists the commands\n"
    )


def test_help_opens_the_page_that_is_installed(tmp_path: Path) -> None:
    pages = tmp_path / "share" / "man" / "man8"
    pages.mkdir(parents=True)
    (pages / "potnet-start.8").write_text(".Dd today\n")
    viewer = tmp_path / "man"
    viewer.write_text('#!/bin/sh\necho "viewer: $@"\n')
    viewer.chmod(0o755)
    script = (
        "import sys; sys.prefix = sys.argv[1]\n"
        "from potnet.cli import main\nfrom potnet.cli.commands import manual\n"
        "manual.SYSTEM = (sys.argv[1],)\nsys.exit(main.run(['help', *sys.argv[2:]]))"
    )

    def said(*words: str) -> str:
        argv = [sys.executable, "-c", script, str(tmp_path), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    for topic in ("start", "potnet-start"):
        assert said(topic) == f"viewer: {pages / 'potnet-start.8'}\n"
    assert said("stop").startswith("Usage: potnet stop ")
    assert said("potnet-stop") == said("stop")
    assert said("potnet") == said()
    assert said().startswith("Usage: potnet [OPTIONS]")


def test_help_refuses_a_topic_without_a_page(potnet: Callable[..., Any]) -> None:
    for topic in (
        "nothing",
        "../../etc",
        "potnet/../../etc",
        "potnet-nothing",
        "create/../create",
        "create\nstart",
    ):
        assert potnet("help", topic).code == 2


def test_help_is_asked_for_without_the_host(stage: Any, potnet: Callable[..., Any]) -> None:
    for command in COMMANDS:
        potnet(command, "-h")
    assert not stage.settings


def test_version(potnet: Callable[..., Any]) -> None:
    assert potnet("--version") == (0, f"potnet {__version__}\n", "")


def loaded(code: str) -> set[str]:
    """The modules that a fresh Python has after running this."""
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_nothing_heavy_is_imported_for_the_version() -> None:
    modules = loaded("from potnet.cli.main import run\nrun(['--version'])")
    assert "click" in modules
    assert not HEAVY & modules
    own = {name for name in modules if name.startswith("potnet.cli.")}
    light = ("main", "options", "command_table", "terminal")
    assert own == {f"potnet.cli.{name}" for name in light}


def test_nothing_heavy_is_imported_by_the_commands_themselves() -> None:
    assert not HEAVY & loaded(f"from potnet.cli.main import run\nfor c in {list(COMMANDS)}: run([c, '-h'])")


def test_config_says_what_is_in_force_and_why(
    tmp_path: Path, potnet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "potnet.toml"
    text = '[potnet]\nvia = "doas"\n[network.extra_interfaces]\nem1 = "10.0.0.0/8"\n'
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("POTNET_HOST", "sim")
    result = potnet("--config", str(file), "config", "--state-dir", "/d", "-o", "json")
    rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(result.out)}
    assert rows["potnet.host"] == ("sim", "environment, POTNET_HOST")
    assert rows["potnet.state_dir"] == ("/d", "command line")
    assert rows["potnet.output"] == ("json", "command line")
    assert rows["potnet.via"] == ("doas", str(file))
    assert rows["network.extra_interfaces"] == ({"em1": "10.0.0.0/8"}, str(file))
    assert rows["network.public"] == ("10.192.0.0/10", "default")
    assert rows["ports.first"] == (None, "default")


def test_config_as_text(tmp_path: Path, potnet: Callable[..., Any]) -> None:
    file = tmp_path / "potnet.toml"
    file.write_text('[network.extra_interfaces]\nem1 = "10.0.0.0/8"\n', encoding="utf-8")
    lines = [line.split() for line in potnet("config", "--config", str(file)).out.splitlines()]
    assert lines[0] == ["key", "value", "origin"]
    assert ["network.isolate", "false", "default"] in lines
    assert ["ports.first", "-", "default"] in lines
    assert ["network.extra_interfaces", "em1=10.0.0.0/8", str(file)] in lines


def test_python_m_potnet() -> None:
    command = [sys.executable, "-m", "potnet", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"potnet {__version__}\n"
