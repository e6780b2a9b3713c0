"""A pot without options has the commands issued that it had before there were any."""

from __future__ import annotations

import commands
import linux_world
import pytest


def before(name: str) -> str:
    return (commands.DATA / f"{name}.txt").read_text("utf-8")


def test_pots_without_options_are_as_before() -> None:
    assert commands.freebsd().splitlines() == before("freebsd").splitlines(), commands.__doc__


@pytest.mark.parametrize("only", ["public-bridge, ipv4", pytest.param(None, marks=pytest.mark.slow)])
def test_pots_on_linux_without_options_are_as_before(only: str | None) -> None:
    if reason := linux_world.obstacle():
        pytest.skip(reason)
    wanted = before("linux")
    if only is not None:
        wanted = commands.life(wanted, only)
    assert commands.linux(only).splitlines() == wanted.splitlines(), commands.__doc__
