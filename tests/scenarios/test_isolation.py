"""Isolated pots: kept apart from one another on their bridge, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netaddr import IPNetwork
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.host.findings import Kind
from potnet.model.pots import Ipv6, Pot
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge, set_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.info import bridge_info, info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NOTHING = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None}
ISOLATE = NetworkOptions(isolate=True)
CAGED = NetworkOptions(internet=False)


def pot(world: World, name: str, bridge: str, isolate: bool = False) -> str:
    """A pot that runs on a private bridge; its address."""
    made = world.create(name, "private-bridge", bridge=bridge, network=NetworkOptions(isolate=isolate))
    world.do(start, [name])
    return str(made.ipv4)


def address6(pot: Pot) -> str:
    assert pot.home is not None
    return next(str(each) for each in pot.home.addresses if each.version == 6)


def _made(pot: Pot) -> int:
    return ["one", "two", "open"].index(pot.name)


@both_hosts
def test_only_isolated_pots_are_kept_from_one_another(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    for name, options in (("one", ISOLATE), ("two", ISOLATE), ("open", NetworkOptions())):
        world.create(name, "private-bridge", bridge="stove", network=options)
    fresh = world.snapshot()
    world.do(start, ["one", "two", "open"])
    one, two, open_ = (str(pot.ipv4) for pot in sorted(world.records()["pots"], key=_made))
    assert not world.reaches("one", two, 80)
    assert not world.reaches("two", one, 80)
    assert world.reaches("one", open_, 80)
    assert world.reaches("open", two, 80)
    assert world.reaches("host", one, 80)
    assert world.do(info, "one")["isolated"] and not world.do(info, "open")["isolated"]
    assert world.do(check, [], None) == ()
    world.do(stop, ["one", "two", "open"])
    assert world.snapshot() == fresh


@both_hosts
@pytest.mark.parametrize("given", ["nat", "routed"])
def test_running_bridges_are_kept_from_later_networks(world: World, given: str) -> None:
    """The public bridge has no rules of its own that would keep a private one from it."""
    world.do(create_private_bridge, BridgeRequest("stove", 5, ipv6="2001:db8:1::/64"))
    inner = world.create("inner", "private-bridge", bridge="stove", stack="dual")
    world.create("caged", "private-bridge", bridge="stove", stack="dual", network=CAGED)
    world.do(start, ["inner", "caged"])
    prefix = IPNetwork("2001:db8:2::/64") if given == "routed" else None
    world.config = replace(world.config, ipv6=Ipv6(given), public6=prefix)
    outer = world.create("outer", "public-bridge", stack="dual")
    # The rules need it only when its bridge is there.
    assert world.do(check, [], None) == ()
    world.do(start, ["outer"])
    assert world.do(check, [], None) == ()
    assert not world.reaches("inner", address6(outer), 80)
    assert not world.reaches("outer", address6(inner), 80)
    world.do(create_private_bridge, BridgeRequest("oven", 5, ipv6="2001:db8:3::/64"))
    world.do(vnet_start, "oven")
    assert world.do(check, [], None) == ()
    world.do(vnet_stop, "oven")
    world.do(destroy_bridge, "oven")
    assert world.do(check, [], None) == ()
    assert world.do(repair, [], None).mended == ()


@both_hosts
def test_a_bridge_isolates_all_its_pots(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5, isolate=True))
    pot(world, "one", "stove")
    two = pot(world, "two", "stove")
    assert not world.reaches("one", two, 80)
    assert world.do(bridge_info, "stove")["isolated"]
    assert world.do(check, [], None) == ()


@both_hosts
def test_a_bridge_can_be_made_to_isolate_and_back(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    assert not world.do(set_bridge, "stove", isolate=True)
    pot(world, "one", "stove")
    two = pot(world, "two", "stove")
    assert not world.reaches("one", two, 80)
    assert world.do(set_bridge, "stove", isolate=False)
    assert [found.kind for found in world.do(check, [], None)] == [Kind.MEMBER_DIFFERS] * 2
    world.do(repair, [], "stove")
    assert world.reaches("one", two, 80)


@both_hosts
def test_set_holds_from_the_next_start(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    pot(world, "one", "stove", isolate=True)
    two = pot(world, "two", "stove")
    assert world.do(set_options, "two", SettingsRequest(**NOTHING, network=ISOLATE))
    assert world.reaches("one", two, 80)
    assert world.do(check, [], None) == ()
    world.do(stop, ["two"])
    world.do(start, ["two"])
    assert not world.reaches("one", two, 80)
    assert not world.do(set_options, "two", SettingsRequest(**NOTHING, network=ISOLATE))


@both_hosts
def test_isolation_comes_back_with_the_bridge_and_by_repair(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    pot(world, "one", "stove", isolate=True)
    two = pot(world, "two", "stove", isolate=True)
    bridge = world.do(bridge_info, "stove")["interface"]
    world.remove_interface(bridge)
    world.do(vnet_start, "stove")
    assert world.do(check, [], None) == ()
    assert not world.reaches("one", two, 80)
    # Somebody opens the members.
    for end in sorted(world.members(bridge)):
        if world.kind == "linux":
            world.do_there("ip", "link", "set", "dev", end, "type", "bridge_slave", "isolated", "off")
        else:
            world.do_there("ifconfig", bridge, "-private", end)
    assert world.reaches("one", two, 80)
    assert [found.kind for found in world.do(check, [], None)] == [Kind.MEMBER_DIFFERS] * 2
    world.do(repair, [], None)
    assert not world.reaches("one", two, 80)
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("kind", ["inherit", "alias"])
def test_a_pot_without_a_bridge_cannot_be_isolated(world: World, kind: str) -> None:
    with pytest.raises(PotnetError, match="--isolate is for pots on bridges"):
        world.create("one", kind, network=ISOLATE)
    world.create("one", kind)
    records = world.records()
    with pytest.raises(PotnetError, match=f"network type {kind} shares the host's network"):
        world.do(set_options, "one", SettingsRequest(**NOTHING, network=ISOLATE))
    assert world.records() == records


def test_the_configuration_isolates_all(world: World) -> None:
    world.config = replace(world.config, isolate=True)
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    pot(world, "one", "stove")
    assert not world.reaches("one", pot(world, "two", "stove"), 80)
    assert world.do(info, "one")["isolated"]
