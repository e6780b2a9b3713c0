"""Private bridges whose network the administrator chose, inside network.public and outside it."""

from __future__ import annotations

from typing import Any

import pytest
from made_up import MadeUp
from on_linux import LinuxWorld
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.host.findings import Kind
from potnet.model.bridges import Bridge
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.lan.create_bridge import LanRequest, create_bridge
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.networks.policies import add
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.reports.info import bridge_info
from potnet.operations.reports.used_addresses import show_bridge, show_network
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NET = "172.30.1.0/24"


def chosen(world: World, network: str = NET, name: str = "stove", **more: Any) -> Bridge:
    made: Bridge = world.do(create_private_bridge, BridgeRequest(name, network=network, **more))
    return made


def pot(world: World, name: str, bridge: str = "stove", **more: Any) -> str:
    if bridge == "public":
        return str(world.create(name, "public-bridge", **more).ipv4)
    return str(world.create(name, "private-bridge", bridge=bridge, **more).ipv4)


@both_hosts
def test_pots_there_are_as_on_any_private_bridge(world: World) -> None:
    bridge = chosen(world)
    assert (str(bridge.network), str(bridge.gateway), bridge.size) == (NET, "172.30.1.1", 253)
    world.do(create_private_bridge, BridgeRequest("oven", 4))
    one, two, other = (
        pot(world, "one"),
        pot(world, "two", addresses=("172.30.1.77",)),
        pot(world, "other", "oven"),
    )
    open_ = pot(world, "open", "public")
    pot(world, "closed", network=NetworkOptions(internet=False))
    assert (one, two) == ("172.30.1.2", "172.30.1.77")
    world.do(export_ports, "one", ExportRequest(["80:30080"]))
    fresh = world.snapshot()
    world.do(start, ["one", "two", "other", "open", "closed"])
    assert world.do(check, [], None) == ()
    assert world.reaches("one", two, 80)
    assert world.reaches("host", one, 80)
    for outer, address in (("other", other), ("open", open_)):
        assert not world.reaches(outer, two, 80)
        assert not world.reaches("one", address, 80)
        assert not world.reaches("closed", address, 80)
        assert world.reaches(outer, world.address, 30080)
    assert world.reaches("two", world.address, 30080)
    assert world.reaches("closed", two, 80)
    assert world.reaches("one", outside(world), 80)
    assert not world.reaches("closed", outside(world), 80)
    assert not world.reaches("outside", two, 80)
    assert world.reaches("outside", world.address, 30080)
    world.do(stop, ["one", "two", "other", "open", "closed"])
    assert world.snapshot() == fresh


def outside(world: World) -> str:
    return f"{world.prefix}{9 if isinstance(world, LinuxWorld) else 1}"


@both_hosts
def test_rules_follow_the_networks_of_other_bridges(world: World) -> None:
    """Bridges that are up are kept from networks that come later, and forget those that go."""
    web = pot(world, "web", "public")
    world.do(create_private_bridge, BridgeRequest("oven", 4))
    tray = pot(world, "tray", "oven", network=NetworkOptions(internet=False))
    world.do(start, ["web", "tray"])
    before = world.lasting()
    chosen(world)
    assert world.do(check, [], None) == ()
    db = pot(world, "db")
    world.do(start, ["db"])
    assert world.do(check, [], None) == ()
    for one, address in (("tray", db), ("db", tray), ("web", db), ("db", web)):
        assert not world.reaches(one, address, 80)
    assert not world.reaches("outside", db, 80)
    assert world.reaches("db", outside(world), 80)
    world.do(stop, ["db"])
    world.do(destroy_pot, "db")
    world.do(destroy_bridge, "stove")
    assert world.do(check, [], None) == ()
    assert world.do(repair, [], None).mended == ()
    assert world.lasting() == before


@both_hosts
def test_policies_and_exports_hold_between_such_networks(world: World) -> None:
    chosen(world, name="front", ipv6="auto")
    chosen(world, "172.31.0.128/26", "back")
    web, db = pot(world, "web", "front", stack="dual"), pot(world, "db", "back")
    world.do(export_ports, "db", ExportRequest(["80:30080"]))
    world.do(add, "web", "db", None, False)
    world.do(start, ["web", "db"])
    assert world.do(check, [], None) == ()
    assert world.reaches("web", db, 80)
    assert not world.reaches("db", web, 80)
    assert world.reaches("web", world.address, 30080)


@both_hosts
def test_repair_and_reboot_bring_the_rules_back(world: World) -> None:
    chosen(world)
    pot(world, "one")
    world.do(start, ["one"])
    world.do(vnet_start, "stove")
    held = world.lasting()
    world.flush_rules()
    assert Kind.RULES_MISSING in {each.kind for each in world.do(check, [], None)}
    world.do(repair, [], None)
    assert world.lasting() == held
    assert world.do(check, [], None) == ()
    world.do(stop, ["one"])
    world.do(vnet_stop, "stove")


def test_a_failed_start_leaves_nothing(world: World) -> None:
    chosen(world)
    web = pot(world, "web", "public")
    pot(world, "one")
    world.do(start, ["web"])
    world.do(start, ["one"])
    world.do(stop, ["one"])
    before = world.snapshot()
    for _ in world.failing_starts("one"):
        assert world.snapshot() == before
    assert world.reaches("web", outside(world), 80) and web


def test_a_part_of_the_public_network(world: World) -> None:
    bridge = chosen(world, "10.200.0.0/24")
    assert str(bridge.gateway) == "10.200.0.1"
    assert pot(world, "one") == "10.200.0.2"
    world.do(start, ["one"])
    assert world.do(check, [], None) == ()
    assert world.do(bridge_info, "stove")["network"] == "10.200.0.0/24"
    with pytest.raises(PotnetError, match=r"10.200.0.0/16 overlaps network stove \(10.200.0.0/24\)"):
        chosen(world, "10.200.0.0/16", "oven")
    world.do(stop, ["one"])
    world.do(destroy_pot, "one")
    records = world.records()
    world.do(destroy_bridge, "stove")
    chosen(world, "10.200.0.0/24")
    assert world.records()["leases"] == records["leases"]


def test_lists_name_its_addresses(world: World) -> None:
    chosen(world)
    pot(world, "one")
    shown = {each["address"]: each["owner"] for each in world.do(show_bridge, "stove")["addresses"]}
    assert shown["172.30.1.2"] == "one"
    assert {"172.30.1.1", "172.30.1.255"} <= {*shown}
    everything = {each["address"] for each in world.do(show_network)["addresses"]}
    assert {"172.30.1.2", "10.192.0.1"} <= everything
    assert world.do(show_bridge, "stove")["free"] == 252


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("192.168.178.0/24", "overlaps the host's route to 192.168.178.0/24 by em0"),
        ("192.168.0.0/16", "overlaps the host's route to 192.168.178.0/24 by em0"),
        ("192.168.178.16/28", "overlaps the host's route to 192.168.178.0/24 by em0"),
        ("10.192.0.0/29", "includes 10.192.0.1, which is kept for the gateway"),
        ("10.192.0.8/29", r"overlaps network oven \(10.192.0.8/29\)"),
        ("10.192.0.0/24", "overlaps network oven"),
        ("10.255.255.0/24", "includes the network or broadcast address of network public"),
        ("10.192.1.0/24", "includes 10.192.1.7, which is in use by pot held"),
        ("10.192.0.0/15", "overlaps network oven"),
        ("172.20.0.0/16", r"overlaps network lan \(172.20.5.0/24\)"),
        ("172.20.5.64/26", "overlaps network lan"),
        ("172.16.0.0/12", "too large for a bridge"),
        ("172.30.1.0/31", "has no room for pots"),
        ("172.30.1.1/24", "is an address inside a network"),
        ("172.30.1.0", "is not a network with a prefix length"),
        ("fd00::/64", "is an IPv6 network"),
        ("127.0.0.0/24", "is not a network for hosts"),
        ("169.254.0.0/24", "is not a network for hosts"),
        ("224.0.0.0/24", "is not a network for hosts"),
        ("", "is not a network"),
        ("172.30.1.0/24\n", "is not a network"),
        ("auto", "is not a network"),
    ],
)
def test_networks_in_use_and_bad_ones_are_refused(world: World, network: str, message: str) -> None:
    world.do(create_private_bridge, BridgeRequest("oven", 4))
    world.do(create_bridge, LanRequest("lan", "em0", "172.20.5.0/24"))
    world.create("held", "public-bridge", addresses=("10.192.1.7",))
    before = world.records()
    with pytest.raises(PotnetError, match=message):
        chosen(world, network)
    assert world.records() == before


def test_an_interface_that_is_down_counts(world: World) -> None:
    world.do_there("ifconfig", "tap", "create", "name", "vpn0")
    world.do_there("ifconfig", "vpn0", "inet", "172.30.1.9/30")
    world.do_there("ifconfig", "vpn0", "down")
    with pytest.raises(PotnetError, match=r"network 172.30.1.0/24 overlaps .*vpn0"):
        chosen(world)


def test_later_networks_do_not_overlap_it(world: World) -> None:
    chosen(world)
    with pytest.raises(PotnetError, match=r"overlaps network stove \(172.30.1.0/24\)"):
        world.do(create_bridge, LanRequest("lan", "em0", "172.30.0.0/16"))
    with pytest.raises(PotnetError, match=r"overlaps network stove \(172.30.1.0/24\)"):
        chosen(world, "172.30.1.0/25", "oven")
    world.configure(
        'network.public = "172.16.0.0/12"\nnetwork.gateway = "172.16.0.1"\ndns.address = "172.16.0.2"\n'
    )
    with pytest.raises(PotnetError, match=r"network public \(172.16.0.0/12\) overlaps network stove"):
        pot(world, "web", "public")


def test_a_route_that_came_later_is_refused_at_start(world: World) -> None:
    chosen(world)
    pot(world, "one")
    world.do_there("route", "add", "-net", "172.30.0.0/16", "192.168.178.9")
    with pytest.raises(PotnetError, match=r"overlaps the host's route to 172.30.0.0/16") as raised:
        world.do(start, ["one"])
    assert raised.value.hint == "remove that route, or give the pots a bridge with another network"


def test_networks_of_pot_are_refused(world: World) -> None:
    made = MadeUp.at(world.directory)
    made.bridge("oven", "10.192.0.40/29")
    made.private("pan", "10.192.0.43", "oven")
    made.public("wok", "10.192.0.70")
    with pytest.raises(PotnetError, match=r"overlaps bridge oven \(10.192.0.40/29\) of .*/bin/pot"):
        chosen(world, "10.192.0.32/27")
    with pytest.raises(PotnetError, match=r"includes 10.192.0.70, which pot wok of .*/bin/pot holds"):
        chosen(world, "10.192.0.64/27")
