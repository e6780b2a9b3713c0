"""Anchors with tables: one that is gone is a difference, and one that pf has yet to purge is none."""

from __future__ import annotations

from world import World

from potnet.executors.base import Command
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import Report, repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ANCHOR = "pot-filter/stove"


def running(world: World) -> None:
    """A pot on a private bridge, whose filter has a table."""
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    world.create("pan", "private-bridge", bridge="stove")
    world.do(start, ("pan",))
    assert world.do(check, (), None) == ()


def listed(world: World) -> str:
    return str(world.host.run(Command(("pfctl", "-a", "pot-filter", "-s", "Anchors"))).out)


def test_a_table_that_is_gone_is_found_and_comes_back(world: World) -> None:
    running(world)
    world.do_there("pfctl", "-a", ANCHOR, "-t", "others", "-T", "kill")
    shown = world.host.run(Command(("pfctl", "-a", ANCHOR, "-t", "others", "-T", "show")))
    assert (shown.code, shown.err) == (255, "pfctl: Unknown error: -1.\n")
    (found,) = world.do(check, (), None)
    assert (str(found.kind), found.bridge) == ("rules-differ", "stove")
    world.do(repair, (), None)
    assert world.do(check, (), None) == ()


def test_an_emptied_anchor_that_is_still_listed_is_no_difference(world: World) -> None:
    running(world)
    world.do(stop, ("pan",))
    assert ANCHOR in listed(world)
    assert world.host.run(Command(("pfctl", "-a", ANCHOR, "-s", "rules", "-P"))).err == ""
    assert world.do(check, (), None) == ()
    assert world.do(repair, (), None) == Report()
    world.host.advance(60)
    assert ANCHOR not in listed(world)


def test_rules_that_are_left_are_found(world: World) -> None:
    running(world)
    rules = "table <others> { 10.0.0.1 }\nblock in quick on bridge1 from any to <others>\n"
    world.do(stop, ("pan",))
    for anchor in (ANCHOR, "pot-rdr/pan", "pot-filter/nobody"):
        world.do_there("pfctl", "-a", anchor, "-f", "-", stdin=rules)
    found = {found.expected: str(found.kind) for found in world.do(check, (), None)}
    left = {f"no rules in {ANCHOR}": "rules-left", "no rules in pot-rdr/pan": "rules-left"}
    assert found == left | {"no rules in pot-filter/nobody": "rules-foreign"}
    world.do(repair, (), None)
    assert [str(each.kind) for each in world.do(check, (), None)] == ["rules-foreign"]
