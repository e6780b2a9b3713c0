"""Options that are given twice, and the options that every command takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from potnet.cli.main import COMMANDS, cli
from potnet.cli.options import command_options


def every_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {word}", each) for word, each in command.commands.items())


EVERY = dict(every_command())


def once(command: click.Command) -> Iterator[click.Option]:
    for param in command.params:
        flag = isinstance(param, click.Option) and param.is_flag and not param.secondary_opts
        if isinstance(param, click.Option) and not (param.multiple or param.count or flag):
            yield param


def some_value(option: click.Option) -> list[str]:
    return [] if option.is_flag else [next(iter(getattr(option.type, "choices", ["1"])))]


@pytest.mark.parametrize("name", ["", *EVERY])
def test_an_option_that_takes_one_value_refuses_a_second(
    stage: Any, potnet: Callable[..., Any], name: str
) -> None:
    command = EVERY.get(name, cli)
    for option in once(command):
        value = some_value(option)
        for first in (*option.opts, *option.secondary_opts):
            for second in (*option.opts, *option.secondary_opts):
                result = potnet(*name.split(), first, *value, second, *value, *([] if name else ["list"]))
                # Whatever else the line lacks is reported first.
                missing = "missing" in result.err or "requires" in result.err
                assert result.code == 2, (name, first, second)
                assert missing or "can be given only once" in result.err
    assert not stage.calls


@pytest.mark.parametrize(
    "line",
    [
        "destroy -p a -p b", "destroy -p a -p a", "destroy -B a --bridge b",
        "export-ports -p no -p web -e 80", "set -p a --boot --no-boot", "set -p a --no-boot --no-boot",
        "create --isolate --no-isolate", "create -S dual --stack ipv4", "policy add --from a --to b --to c",
        "vnet-start -B a -B b",
        "copy-in -p a -s x -s y -d /z", "set-hook -p a -s x -s y", "info -p a -p b", "next -b a -b b",
        "--host sim --host linux list", "list --host sim --host linux", "--host sim list --host linux",
        "-o json list -o text", "--state-dir a --state-dir a list", "--config a list --config b",
        "--via a rootless --via b status", "rootless --host sim status --host sim",
    ],
)  # fmt: skip
def test_no_option_is_silently_the_last_one(stage: Any, potnet: Callable[..., Any], line: str) -> None:
    result = potnet(*line.split())
    assert (result.code, stage.settings) == (2, [])
    assert result.err.startswith("potnet: option -")
    assert "can be given only once\nhint: see potnet" in result.err


@pytest.mark.parametrize("line", ["-n -n vnet-start -n -v -vv", "start --all --all", "-q stop -q --all"])
def test_flags_may_be_repeated(stage: Any, potnet: Callable[..., Any], line: str) -> None:
    stage.answers |= {"start": (), "stop": ()}
    assert potnet(*line.split()).code == 0


def test_help_is_answered_before_a_second_value(potnet: Callable[..., Any]) -> None:
    assert potnet("destroy", "-p", "a", "-p", "b", "--help").code == 0


@pytest.mark.parametrize("name", list(EVERY))
def test_every_command_takes_the_global_options(name: str) -> None:
    own = {word for param in EVERY[name].params for word in param.opts}
    assert {word for option in command_options() for word in option.opts} <= own
