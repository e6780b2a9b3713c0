"""The life of a pot, for each network type and stack."""

from __future__ import annotations

from dataclasses import replace

import pytest
from world import World, both_hosts, both_hosts_with

from potnet.errors import PotnetError
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

KINDS = [
    (kind, stack)
    for kind in ("inherit", "alias", "public-bridge", "private-bridge")
    for stack in ("ipv4", "ipv6", "dual")
    if (kind, stack) != ("private-bridge", "ipv6")
]
#: Each kind and each stack, and what has most commands.
FEW_KINDS = [
    ("inherit", "dual"),
    ("alias", "ipv6"),
    ("public-bridge", "dual"),
    ("private-bridge", "ipv4"),
]
every_kind = both_hosts_with(("kind", "stack"), KINDS, FEW_KINDS)


def prepare(world: World, kind: str, stack: str, name: str = "casserole", **more: object) -> None:
    """A pot of a kind, with exports where it can have them."""
    if kind == "private-bridge":
        if "stove" not in [b.name for b in world.records()["bridges"]]:
            world.do(create_private_bridge, BridgeRequest("stove", 4))
        more["bridge"] = "stove"
    world.create(name, kind, stack, **more)
    if kind in ("public-bridge", "private-bridge") and stack != "ipv6":
        world.do(export_ports, name, ExportRequest(["80:30080", "udp:53"]))


@both_hosts
@pytest.mark.parametrize(("kind", "stack"), KINDS)
def test_stop_leaves_the_host_as_it_was_before_start(world: World, kind: str, stack: str) -> None:
    check_that_stop_leaves_nothing(world, kind, stack, None)


@pytest.mark.parametrize(("kind", "stack"), KINDS)
def test_stop_leaves_a_host_whose_pots_have_a_base_as_it_was(world: World, kind: str, stack: str) -> None:
    check_that_stop_leaves_nothing(world, kind, stack, world.base)


def check_that_stop_leaves_nothing(world: World, kind: str, stack: str, base: str | None) -> None:
    prepare(world, kind, stack, base=base)
    before, records = world.snapshot(), world.records()
    (outcome,) = world.do(start, ["casserole"])
    assert outcome.changed
    assert "casserole" in world.jails()
    assert world.snapshot() != before
    (again,) = world.do(start, ["casserole"])
    assert not again.changed
    (outcome,) = world.do(stop, ["casserole"])
    assert outcome.changed
    assert world.snapshot() == before
    after = world.records()
    # A host port that start chose stays chosen.
    pots = tuple(replace(p, exports=q.exports) for p, q in zip(records["pots"], after["pots"], strict=True))
    # So does the bridge of the host that pots joined, until another interface is external.
    pairs = zip(records["bridges"], after["bridges"], strict=True)
    bridges = tuple(replace(bridge, joined=now.joined) for bridge, now in pairs)
    assert after == records | {"pots": pots, "bridges": bridges}
    (again,) = world.do(stop, ["casserole"])
    assert not again.changed


@every_kind
def test_address_and_mac_are_the_same_after_stop_and_start(world: World, kind: str, stack: str) -> None:
    prepare(world, kind, stack)
    world.do(start, ["casserole"])
    pots = world.records()["pots"]
    world.do(stop, ["casserole"])
    world.do(start, ["casserole"])
    assert world.records()["pots"] == pots


@every_kind
def test_destroy_leaves_nothing_of_a_pot(world: World, kind: str, stack: str) -> None:
    before = world.without_folders(world.snapshot())
    prepare(world, kind, stack, base=world.base)
    world.do(start, ["casserole"])
    with pytest.raises(PotnetError, match="running"):
        world.do(destroy_pot, "casserole")
    world.do(stop, ["casserole"])
    world.do(destroy_pot, "casserole")
    if kind == "private-bridge":
        world.do(destroy_bridge, "stove")
    assert world.records()["pots"] == ()
    assert world.without_folders(world.snapshot()) == before


def test_a_pot_reaches_the_outside_while_it_runs(world: World) -> None:
    world.create("web", "public-bridge")
    world.do(start, ["web"])
    assert world.reaches("web", "198.51.100.7", 443)
    world.do(stop, ["web"])
    assert not world.reaches("web", "198.51.100.7", 443)
