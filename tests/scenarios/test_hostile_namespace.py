"""What a pot on Linux can say of itself: names, aliases and further names of links, and its mark."""

from __future__ import annotations

import pytest
from on_linux import LinuxWorld
from world import World

from potnet.executors.base import Command, CommandResult
from potnet.operations.maintenance.check import check
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import info, list_pots
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ALIASES = (
    'x\n\tinet 10.192.0.99 "q\\ \x01 \x1b[31m \'', "potnet-root:/somewhere/else",
    "potnet-uplink:eth0 promisc", "\udcff",
)  # fmt: skip
NAMES = ("a'b", 'q"u', "ba\\ck", "\x1b[31m", "\x01", "\udcff", "\u2028", "-a", "{x", "a@b")

linux = pytest.mark.parametrize("world", ["linux"], indirect=True)


@pytest.fixture
def kitchen(world: World) -> World:
    assert isinstance(world, LinuxWorld)
    for name in ("web", "db"):
        world.create(name, "public-bridge")
    world.do(start, ("web", "db"))
    assert world.do(check, (), None) == ()
    return world


def inside(world: World, *argv: str) -> None:
    world.do_there("ip", "netns", "exec", "web", "ip", *argv)


@linux
@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_changes_nothing_that_potnet_believes(kitchen: World, alias: str) -> None:
    before = kitchen.do(list_pots), kitchen.do(info, "db"), kitchen.do(graph)
    inside(kitchen, "link", "set", "dev", "epair0b", "alias", alias)
    inside(kitchen, "link", "property", "add", "dev", "epair0b", "altname", "alt'\"\\x")
    assert kitchen.do(check, (), None) == ()
    assert (kitchen.do(list_pots), kitchen.do(info, "db"), kitchen.do(graph)) == before
    kitchen.do(stop, ("web",))
    assert kitchen.jails() == ["db"]


@linux
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_about_that_pot_alone(kitchen: World, name: str) -> None:
    inside(kitchen, "link", "set", "dev", "epair0b", "down", "name", name)
    assert {found.pot for found in kitchen.do(check, (), None)} == {"web"}
    kitchen.do(stop, ("web",))
    assert kitchen.jails() == ["db"]
    assert kitchen.do(check, (), None) == ()


@linux
def test_a_pot_that_cannot_be_read_is_a_finding_about_it_alone(kitchen: World) -> None:
    run = kitchen.executor.inner.run

    def spoilt(command: Command) -> CommandResult:
        in_web = command.argv[:2] == ("nsenter", "--net=/run/netns/web") and not command.changes_host
        return CommandResult(0, "[{", "Dump was interrupted") if in_web else run(command)

    kitchen.executor.inner.run = spoilt  # type: ignore[method-assign]
    found = kitchen.do(check, (), None)
    assert [(str(each.kind), each.pot) for each in found] == [("jail-unreadable", "web")]
    assert {each["state"] for each in kitchen.do(list_pots)} == {"running"}
    kitchen.do(stop, ("web",))
    assert kitchen.jails() == ["db"]
