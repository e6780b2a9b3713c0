"""A pot is given as an argument or with -p, in every command that takes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pytest

from potnet.cli.command_table import COMMANDS
from potnet.cli.main import cli
from potnet.cli.options import Options

#: A command remembers the names of its help option from the first context: those of the whole program.
GROUP = click.Context(cli, **cli.context_settings)


def takes_a_pot(command: click.Command) -> bool:
    return any("--pot" in param.opts for param in command.params)


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


#: `exec` takes all that follows -p as the command.
TAKING = [name for name in COMMANDS if takes_a_pot(command(name)) and name != "exec"]
#: What else a line of a command requires.
REST = {
    "copy-in": ["-s", "file", "-d", "/file"],
    "export-ports": ["-e", "80"],
    "import": [],
    "serve": ["--socket", "/tmp/socket"],
    "set": ["--boot"],
    "set-hook": ["-s", "file"],
}
SEVERAL = [name for name in TAKING if any(each.nargs == -1 for each in command(name).params)]
ONE = [name for name in TAKING if name not in SEVERAL]


def test_the_commands_that_take_a_pot() -> None:
    assert set(TAKING) == {
        "attach", "check", "copy-in", "create", "destroy", "detach", "export-ports", "import", "info",
        "jail-conf", "logs", "repair", "restart", "run", "serve", "set", "set-hook", "show", "start",
        "stop",
    }  # fmt: skip
    for name in COMMANDS:
        shown = [each.make_metavar(click.Context(cli)) for each in command(name).params]
        assert any("POT]" in each for each in shown) == (name in TAKING), name


def given(name: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pot, or pots, that the function of a command gets."""
    found = command(name)
    seen: dict[str, Any] = {}
    inner = found.callback
    assert inner is not None

    def look(*args: Any, **values: Any) -> None:
        seen.update(values)

    monkeypatch.setattr(inner, "__wrapped__", look, raising=False)
    cell = next(each for each in inner.__closure__ or () if callable(each.cell_contents))
    before = cell.cell_contents
    cell.cell_contents = look
    try:
        source = ["pot"] if name == "import" else []
        with found.make_context(
            name, [*source, *words, *REST.get(name, [])], GROUP, obj=Options()
        ) as context:
            found.invoke(context)
    finally:
        cell.cell_contents = before
    return seen["pots" if name in SEVERAL else "pot"]


@pytest.mark.parametrize("name", ONE)
def test_one_pot_is_an_argument_or_an_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["web"], ["-p", "web"], ["--pot", "web"], ["web", "-p", "web"]):
        assert given(name, *words, monkeypatch=monkeypatch) == "web"


@pytest.mark.parametrize("name", SEVERAL)
def test_several_pots_are_arguments_and_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["web", "db"], ["-p", "web", "db"], ["-p", "web", "--pot", "db"]):
        assert given(name, *words, monkeypatch=monkeypatch) == ("web", "db")


@pytest.mark.parametrize("name", ONE)
def test_two_pots_where_one_is_meant_are_refused(stage: Any, potnet: Callable[..., Any], name: str) -> None:
    result = potnet(name, "web", "-p", "db", *REST.get(name, []))
    assert (result.code, result.out, stage.calls) == (2, "", [])
    assert result.err == f"potnet: two pots are given: web and -p db\nhint: see potnet {name} --help\n"
    assert potnet(name, "web", "db", *REST.get(name, [])).code == 2


@pytest.mark.parametrize("name", ["attach", "copy-in", "detach", "jail-conf", "run", "set-hook"])
def test_a_pot_that_is_missing_is_reported(stage: Any, potnet: Callable[..., Any], name: str) -> None:
    result = potnet(name, *REST.get(name, []))
    assert (result.code, stage.calls) == (2, [])
    assert result.err.startswith("potnet: missing pot: give POT or -p POT\n")


def test_an_argument_wins_over_the_environment(
    stage: Any, potnet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POTNET_POT", "db")
    potnet("-q", "export-ports", "web", "-e", "80")
    assert stage.call[1][0] == "web"
