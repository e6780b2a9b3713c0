"""Every command with every option, given text that nobody would type."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox import NASTY, Said, Sandbox, hold

from potnet.cli.main import cli

#: What makes sense somewhere, so that a command gets past its first check.
SENSIBLE = (
    "casserole", "kettle", "dns", "wok", "stove", "public", "auto", "10.192.0.50", "10.192.0.10", "80:30080",
    "udp:53", "443", "8080:1024", "em0|192.168.178.200", "192.168.178.201", "2001:db8:7::80", "off",
    "pot", "custom:plain", "14.2", "root", "script", "plain", "/etc", "/root/x", "4", "sleep 9", "h.example",
    "backup", "restore", "saved", "ipv4", "dual", "alias", "public-bridge", "private-bridge", "json", "text",
    "ifconfig", "sim", "freebsd",
)  # fmt: skip

LIFE = (
    "create-private-bridge -B stove -S 4",
    "create -p casserole -N public-bridge -S dual -b 14.2",
    "export-ports -p casserole -e 80:30080",
    "create -p kettle -N private-bridge -B stove",
    "create -p ladle -N alias -i em0|192.168.178.210",
    "start casserole ladle",
    "store backup saved",
)

#: What would leave the sandbox because it is told to: a prefix runs programs, a store is made where one says.
UNSAFE = frozenset({"--via", "--state-dir"})


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command


COMMANDS = dict(commands())

TEXT = st.one_of(
    st.sampled_from(NASTY),
    st.sampled_from(SENSIBLE),
    st.sampled_from(SENSIBLE),
    st.text(st.characters(), max_size=30),
    st.builds("".join, st.lists(st.sampled_from([*NASTY[:60], *SENSIBLE]), max_size=3)),
)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command line: options of the command itself and of potnet, with whatever behind them."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    options = [p for p in COMMANDS[name].params if isinstance(p, click.Option) and UNSAFE.isdisjoint(p.opts)]
    words = [name]
    for option in draw(st.lists(st.sampled_from(options), max_size=5)):
        words.append(draw(st.sampled_from([*option.opts, *option.secondary_opts])))
        if not option.is_flag and not option.count:
            choices = getattr(option.type, "choices", ())
            words.append(draw(st.one_of(st.sampled_from(sorted(choices)), TEXT) if choices else TEXT))
    words += draw(st.lists(TEXT, max_size=3))
    return [word for word in words if word != "linux"]


#: What is done with pots, to have a word or two replaced.
USUAL = (
    *LIFE,
    "create -p wok -N public-bridge -i 10.192.0.50 --hostname h.example -d custom:plain",
    "create -p wok --path root --cmd 'sleep 9'",
    "create -N alias -S dual -i em0|192.168.178.200 -i 2001:db8:7::80",
    "start kettle ladle", "stop casserole", "stop --all", "destroy -p kettle", "destroy -B stove",
    "set -p kettle -i auto --hostname x -d off", "set -p casserole --cmd x --boot",
    "set-hook -p kettle -s script", "copy-in -p kettle -s plain -d /etc/motd", "exec casserole -- ifconfig",
    "export-ports -p casserole -e 80:30080 -e udp:53 -e 443", "vnet-start -B stove", "vnet-stop",
    "-n start kettle", "-o json info -p casserole", "show -p casserole", "show -b stove", "info -E -p ladle",
    "store restore saved -f", "store backup other", "init --apply --loopback", "list -b",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> list[str]:
    """A command line of every day with words of it replaced, glued to others, or said twice."""
    words = draw(st.sampled_from(USUAL)).split()
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(words) - 1))
        text = draw(TEXT)
        words[place : place + 1] = draw(
            st.sampled_from([[text], [words[place] + text], [text + words[place]], [words[place]] * 2])
        )
    return [word for word in words if word not in ("linux", "--via", "--state-dir")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox in which some pots live, to be copied."""
    sandbox = Sandbox(tmp_path_factory.mktemp("prepared"))
    for line in LIFE:
        assert sandbox.potnet("--host", "sim", "--state-dir", str(sandbox.state), *line.split()).code == 0
    return sandbox.state


def attempt(prepared: Path, typed: list[list[str]]) -> list[Said]:
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory))
        sandbox.copy_state(prepared)
        options = ["--host", "sim", "--state-dir", str(sandbox.state)]
        return [sandbox.potnet(*options, *map(sandbox.confined, words)) for words in typed]


def count(figure: Callable[..., None], said: list[Said]) -> None:
    figure(
        "hostile command lines",
        tried=len(said),
        done=sum(each.code == 0 for each in said),
        refused=sum(each.code != 0 for each in said),
        failures=0,
    )


#: The same inputs each time, so that a failure is found again.
CHECKS = {"suppress_health_check": list(HealthCheck), "deadline": None, "derandomize": True}


def fuzz(prepared: Path, figure: Callable[..., None], examples: int) -> None:
    @settings(max_examples=examples, **CHECKS)  # type: ignore[arg-type]
    @given(st.lists(st.one_of(lines(), mutated()), min_size=1, max_size=3))
    def tried(typed: list[list[str]]) -> None:
        count(figure, attempt(prepared, typed))

    tried()


def test_a_sample_of_command_lines(prepared: Path, figure: Callable[..., None]) -> None:
    fuzz(prepared, figure, 25)


@pytest.mark.slow
def test_thousands_of_command_lines(prepared: Path, figure: Callable[..., None]) -> None:
    fuzz(prepared, figure, 1200)


@pytest.mark.parametrize("share", [40, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_with_each_nasty_text(
    prepared: Path, name: str, share: int, figure: Callable[..., None]
) -> None:
    """Each place of a command gets its share of the texts, one at a time."""
    options = [p for p in COMMANDS[name].params if isinstance(p, click.Option) and not p.is_flag]
    places = [[option.opts[0]] for option in options if UNSAFE.isdisjoint(option.opts)] + [[], ["--"]]
    typed = [
        [name, *place, text]
        for number, place in enumerate(places)
        for text in NASTY[(number * 11 + len(name)) % share :: share]
    ]
    count(figure, attempt(prepared, typed))


def test_a_sample_as_processes(tmp_path: Path, figure: Callable[..., None]) -> None:
    """As a shell starts them: bytes that are no UTF-8, other locales, a store that is made on the way."""
    sandbox = Sandbox(tmp_path)
    samples: list[tuple[list[bytes], dict[str, str]]] = [
        ([b"create", b"-p", b"\xff\xfe"], {}),
        ([b"create", b"--path", b"/\xff\xfe"], {}),
        ([b"create", b"-p", b"wok", b"--hostname", b"\x80\x1b[31m"], {"LC_ALL": "C"}),
        ([b"create", b"--cmd", b"echo \xff", b"-p", b"wok"], {}),
        ([b"\xff"], {}),
        ([b"--config", b"\xff", b"list"], {}),
        ([b"--config", b"binary", b"list"], {}),
        ([b"store", b"backup", b"\xff.db"], {}),
        ([b"store", b"restore", b"binary"], {}),
        ([b"set-hook", b"-p", b"wok", b"-s", b"\xff"], {}),
        ([b"list"], {"POTNET_VERBOSE": "\udcff"}),
        ([b"list"], {"POTNET_OUTPUT": "\x1b[31m"}),
        ([b"create", b"-d", b"custom:binary"], {"PYTHONIOENCODING": "ascii"}),
        ([b"create", b"-p", b"\xc3\xa9"], {"PYTHONIOENCODING": "ascii"}),
    ]
    for words, environment in samples:
        done = subprocess.run(
            [sys.executable.encode(), b"-m", b"potnet", *words],
            cwd=sandbox.work,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                "POTNET_HOST": "sim",
                "POTNET_STATE_DIR": str(sandbox.state),
                **environment,
            },
            capture_output=True,
            check=False,
        )
        said = Said(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))
        hold(said, [os.fsdecode(word) for word in words])
        count(figure, [said])
