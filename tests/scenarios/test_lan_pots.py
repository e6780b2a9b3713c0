"""Pots on a LAN: on a bridge with an interface of the host, or on a bridge of the host's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from on_linux import LinuxWorld
from test_lan_bridges import WorldWithSpare, bridged, members
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.host.findings import Kind
from potnet.model.bridges import Bridge
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.lan.create_bridge import LanRequest, create_bridge
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.policies import add
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.dns import zones
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import info, list_bridges
from potnet.operations.reports.metrics import metrics
from potnet.operations.reports.used_addresses import show_bridge
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

PREFIX6 = "2001:db8:7::/64"


def net(world: World) -> str:
    return f"{world.prefix}0/24"


def outside(world: World) -> str:
    """A machine of the LAN, which is the router."""
    return f"{world.prefix}{9 if isinstance(world, LinuxWorld) else 1}"


def lan(world: World, join: str = "", **more: Any) -> Bridge:
    """A bridge of the LAN around the host's external interface, which is a bridge itself on Linux."""
    if isinstance(world, LinuxWorld) and not join:
        bridged(world, "lanbr")
        join = "lanbr"
    more.setdefault("gateways", (outside(world),))
    more.setdefault("ranges", (f"{world.prefix}60-{world.prefix}62",))
    request = LanRequest("lan", join or world.external, net(world), **more)
    made: Bridge = world.do(create_bridge, request)
    return made


def create(world: World, name: str, *addresses: str, stack: str = "ipv4", **more: Any) -> Any:
    return world.create(name, "bridge", stack, bridge="lan", addresses=addresses, **more)


@both_hosts
def test_a_pot_is_a_machine_of_the_lan(world: World) -> None:
    bridge = lan(world)
    web = create(world, "web", "auto")
    create(world, "db", f"{world.prefix}70")
    assert str(web.ipv4) == f"{world.prefix}60"
    before = world.snapshot()
    world.do(start, ["web", "db"])
    assert world.reaches("web", outside(world), 80)
    assert world.reaches("outside", str(web.ipv4), 80)
    assert world.reaches("web", f"{world.prefix}70", 80)
    assert world.reaches("host", str(web.ipv4), 80)
    assert world.do(check, [], None) == ()
    view = next(each for each in world.do(list_bridges) if each["name"] == "lan")
    assert (view["kind"], view["state"], view["joins"]) == ("lan", "up", bridge.joined or world.external)
    assert world.do(info, "web")["addresses"][0]["address"] == str(web.ipv4)
    up = next(each for each in world.do(metrics) if each["name"] == "potnet_bridge_up")
    assert [sample["value"] for sample in up["samples"]] == [1]
    drawn = next(each for each in world.do(graph)["bridges"] if each["name"] == "lan")
    assert drawn["uplink"] == "member"
    world.do(stop, ["web", "db"])
    assert world.snapshot() == before
    assert world.do(check, [], None) == ()


def test_it_goes_without_a_trace(world: World) -> None:
    lan(world)
    records = world.records()
    create(world, "web", "auto")
    with pytest.raises(PotnetError, match="bridge lan is in use by web"):
        world.do(destroy_bridge, "lan")
    world.do(destroy_pot, "web")
    assert world.records() == records
    world.do(destroy_bridge, "lan")
    assert world.records()["bridges"] == ()
    lan(world, join="lanbr" if isinstance(world, LinuxWorld) else "")


def test_taken_addresses_are_refused(world: World) -> None:
    lan(world)
    create(world, "db", f"{world.prefix}70")
    for address, who in (
        (world.address, "the host, on"),
        (outside(world), "the gateway of the LAN"),
        (f"{world.prefix}70", "pot db"),
    ):
        with pytest.raises(PotnetError, match=f"{address} is in use by {who}"):
            create(world, "web", address)
    with pytest.raises(PotnetError, match="is outside network lan"):
        create(world, "web", "172.31.0.9")
    assert [pot.name for pot in world.records()["pots"]] == ["db"]


@both_hosts
def test_a_machine_that_answers_keeps_its_address(world: World) -> None:
    lan(world, gateways=(), ranges=(f"{world.prefix}9-{world.prefix}11",))
    taken = f"{world.prefix}{9 if isinstance(world, LinuxWorld) else 99}"
    with pytest.raises(PotnetError, match=f"{taken} is in use by the machine with the MAC address"):
        create(world, "web", taken)
    machine(world, f"{world.prefix}10")
    web = create(world, "web", "auto")
    assert str(web.ipv4).rpartition(".")[2] == ("11" if isinstance(world, LinuxWorld) else "9")


def machine(world: World, address: str) -> None:
    """Let a machine of the LAN have an address, too."""
    if isinstance(world, LinuxWorld):
        plen = 64 if ":" in address else 24
        extra = ("nodad",) if ":" in address else ()
        argv = ("ip", "addr", "add", f"{address}/{plen}", "dev", "wire", *extra)
        world.machine.run(*world.machine.within("outside", *argv))
    else:
        world.host.add_machine("", f"{address}/{64 if ':' in address else 24}")


@both_hosts
def test_a_start_asks_again(world: World) -> None:
    lan(world)
    create(world, "web", "auto")
    world.do(start, ["web"])
    world.do(stop, ["web"])
    world.do(start, ["web"])
    world.do(stop, ["web"])
    machine(world, f"{world.prefix}60")
    before = world.snapshot()
    with pytest.raises(PotnetError, match=f"{world.prefix}60 is in use by the machine with"):
        world.do(start, ["web"])
    assert world.snapshot() == before
    world.do(set_options, "web", SettingsRequest(addresses=("auto",)))
    world.do(start, ["web"])
    assert world.do(info, "web")["addresses"][0]["address"] == f"{world.prefix}61"


@both_hosts
def test_duplicates_are_detected(world: World) -> None:
    lan(world, ipv6=PREFIX6)
    create(world, "web", f"{world.prefix}70", "2001:db8:7::70", stack="dual")
    world.do(start, ["web"])
    assert world.reaches("outside", "2001:db8:7::70", 80)
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])


@both_hosts
def test_a_duplicate_undoes_the_start(world: World) -> None:
    """The host has no address in that network, so only the pot itself finds the other machine."""
    lan(world, ipv6="fd00:77::/64")
    create(world, "web", "fd00:77::70", stack="ipv6")
    machine(world, "fd00:77::70")
    before = world.snapshot()
    with pytest.raises(PotnetError, match="another machine of the LAN has fd00:77::70"):
        world.do(start, ["web"])
    assert world.snapshot() == before
    assert any("could not ask" in notice for notice in world.notices)


def test_exports_are_ignored(world: World) -> None:
    lan(world)
    create(world, "web", "auto")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    world.notices.clear()
    world.do(start, ["web"])
    assert not world.reaches("outside", world.address, 30080)
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"join": "nosuch0"}, "the host has no interface nosuch0"),
        ({"join": "lo0"}, "lo0 leads to no LAN"),
        ({"join": "a b"}, "invalid interface name 'a b'"),
        ({"network": "192.168.178.0"}, "is not a network with a prefix length"),
        ({"network": "192.168.178.7/24"}, "is an address inside a network"),
        ({"network": "192.168.178.0/31"}, "has no room for pots"),
        ({"network": "10.192.0.0/16", "gateways": (), "ranges": ()}, "overlaps network public"),
        ({"network": "224.0.0.0/24"}, "is not a network for hosts"),
        ({"gateways": ("10.0.0.1",)}, "--gateway 10.0.0.1 is outside 192.168.178.0/24"),
        ({"gateways": ("192.168.178.255",)}, "is the broadcast address"),
        ({"gateways": ("192.168.178.1", "192.168.178.2")}, "takes one of each family"),
        ({"gateways": ("fe80::1",)}, "the bridge has no IPv6 network"),
        ({"ranges": ("192.168.179.5-192.168.179.9",)}, "--range 192.168.179.5 is outside 192.168.178.0/24"),
        ({"ranges": ("192.168.178.9-192.168.178.5",)}, "it ends before it begins"),
        ({"ranges": ("192.168.178.9",)}, "not two addresses with a dash between"),
        ({"ranges": ("192.168.178.60-192.168.178.255",)}, "is the broadcast address"),
        ({"ranges": ("192.168.178.60-2001:db8::1",)}, "of different families"),
        ({"ranges": ("192.168.178.60-192.168.178.61",) * 2}, "given twice for one family"),
        ({"ranges": ("192.168.178.2-192.168.178.30",)}, "192.168.178.20, which the host has on"),
        ({"gateways": ("192.168.178.60",)}, "the gateway 192.168.178.60 is inside --range"),
        ({"ipv6": "2001:db8:7::1/64"}, "is an address inside a network"),
        ({"name": "public"}, "the name public is reserved"),
        ({"name": "a b"}, "invalid bridge name"),
        ({"mtu": 9000}, "9000"),
        ({"mtu": 10}, "invalid MTU 10"),
    ],
)
def test_bad_input_is_refused(world: World, options: dict[str, Any], message: str) -> None:
    given = {
        "name": "lan", "join": world.external, "network": "192.168.178.0/24",
        "gateways": ("192.168.178.1",), "ranges": ("192.168.178.60-192.168.178.62",),
    }  # fmt: skip
    with pytest.raises(PotnetError, match=message):
        world.do(create_bridge, LanRequest(**{**given, **options}))
    assert world.records()["bridges"] == ()


def test_two_bridges_over_one_interface(world: World) -> None:
    lan(world)
    request = LanRequest("other", world.external, "10.5.0.0/24")
    with pytest.raises(PotnetError, match=f"bridge lan joins {world.external} already"):
        world.do(create_bridge, request)
    with pytest.raises(PotnetError, match="overlaps network lan"):
        world.do(create_bridge, LanRequest("other", "em0", net(world)))


def test_names_of_bridges_and_types_fit(world: World) -> None:
    lan(world)
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    with pytest.raises(PotnetError, match="lan is a bridge of a LAN"):
        world.create("web", "private-bridge", bridge="lan")
    with pytest.raises(PotnetError, match="stove is a private bridge"):
        world.create("web", "bridge", bridge="stove")
    with pytest.raises(PotnetError, match="-N bridge needs a bridge"):
        world.create("web", "bridge")
    with pytest.raises(PotnetError, match="carries IPv4 only"):
        create(world, "web", "auto", stack="ipv6")
    with pytest.raises(PotnetError, match="--no-internet cannot hold"):
        from potnet.operations.networks.network_options import NetworkOptions

        create(world, "web", "auto", network=NetworkOptions(internet=False))


def test_auto_requires_a_range(world: World) -> None:
    lan(world, ranges=())
    with pytest.raises(PotnetError, match="has no range to choose addresses from"):
        create(world, "web", "auto")


def test_a_full_range(world: World) -> None:
    lan(world)
    for name in ("one", "two", "three"):
        create(world, name, "auto")
    with pytest.raises(PotnetError, match="has no free address"):
        create(world, "four", "auto")


@pytest.mark.plain_interface
def test_the_interface_removed_from_the_bridge(world: World) -> None:
    if world.release != "14.3":
        return
    lan(world)
    create(world, "web", "auto")
    world.do(start, ["web"])
    world.do_there("ifconfig", "bridge0", "deletem", "em0")
    findings = world.do(check, [], None)
    assert [each.kind for each in findings] == [Kind.MEMBER_MISSING]
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert "em0" in members(world, "bridge0")
    world.do_there("ifconfig", "bridge0", "deletem", "em0")
    create(world, "db", "auto")
    world.do(start, ["db"])
    assert "em0" in members(world, "bridge0")


@pytest.mark.plain_interface
def test_the_bridge_vanished(world: World) -> None:
    if world.release != "14.3":
        return
    lan(world)
    create(world, "web", "auto")
    world.do(start, ["web"])
    world.do_there("ifconfig", "bridge0", "destroy")
    assert Kind.BRIDGE_MISSING in [each.kind for each in world.do(check, [], None)]
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert world.reaches("outside", f"{world.prefix}60", 80)


@both_hosts
def test_the_host_bridge_vanished(world: World) -> None:
    if not isinstance(world, LinuxWorld):
        bridged(world, "lanbr") if world.release == "14.3" else None
    join = "lanbr" if isinstance(world, LinuxWorld) or world.release == "14.3" else world.external
    lan(world, join="" if isinstance(world, LinuxWorld) else join)
    create(world, "web", "auto")
    world.remove_interface(join)
    with pytest.raises(PotnetError, match=f"the host's bridge {join}, which lan joins, does not exist"):
        world.do(start, ["web"])


@pytest.mark.plain_interface
def test_addresses_of_the_host_stay_on_the_bridge(world: World) -> None:
    """An administrator moves the host's address to the bridge; it must not go with the last pot."""
    if world.release != "14.3":
        return
    lan(world)
    create(world, "web", "auto")
    world.do(start, ["web"])
    world.do_there("ifconfig", "em0", "inet", world.address, "-alias")
    world.do_there("ifconfig", "bridge0", "inet", f"{world.address}/24")
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    assert world.address in world.addresses("bridge0")
    with pytest.raises(PotnetError, match="has addresses of the host on bridge0"):
        world.do(vnet_stop, "lan")
    world.do(start, ["web"])
    assert world.reaches("outside", f"{world.prefix}60", 80)


def test_the_host_takes_the_address_of_a_pot(world: World) -> None:
    lan(world)
    create(world, "web", "auto")
    world.do(start, ["web"])
    world.do_there("ifconfig", "em0", "inet", f"{world.prefix}60/32", "alias")
    assert [each.kind for each in world.do(check, [], None)] == [Kind.ADDRESS_TAKEN]


def test_isolated_pots_reach_the_lan(world: World) -> None:
    lan(world, isolate=True)
    create(world, "web", "auto")
    create(world, "db", "auto")
    world.do(start, ["web", "db"])
    assert not world.reaches("web", f"{world.prefix}61", 80)
    assert world.reaches("web", outside(world), 80)
    assert world.reaches("outside", f"{world.prefix}60", 80)
    assert world.do(check, [], None) == ()


@both_hosts
def test_antispoof_on_a_lan(world: World) -> None:
    world.configure("network.antispoof = true")
    lan(world)
    create(world, "web", "auto")
    world.do(start, ["web"])
    assert world.reaches("web", outside(world), 80)
    assert world.reaches("outside", f"{world.prefix}60", 80)
    assert world.do(check, [], None) == ()


def test_nat_over_the_lan_is_refused_with_antispoof(world: World) -> None:
    world.configure("network.antispoof = true")
    lan(world)
    create(world, "web", "auto")
    rule = f"nat on em0 inet from {net(world)} to any -> (em0:0)"
    if world.release == "15.0":
        rule = rule.replace("on em0", "on igb0")
    load(world, rule)
    before = world.snapshot()
    with pytest.raises(PotnetError, match="it would cut pots on lan off from the LAN"):
        world.do(start, ["web"])
    assert world.snapshot() == before
    load(world, "nat on em0 inet from 172.16.0.0/16 to any -> (em0:0)")
    world.do(start, ["web"])
    load(world, rule)
    assert Kind.TRAFFIC_BLOCKED in [each.kind for each in world.do(check, [], None)]


def load(world: World, nat: str) -> None:
    rules = f"{nat}\n" + 'nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\n'
    world.do_there("pfctl", "-f", "-", stdin=rules + 'anchor "pot-filter/*"\npass\n')


def test_the_bridge_can_stay_up(world: World) -> None:
    lan(world)
    create(world, "web", "auto")
    before = world.snapshot()
    world.do(vnet_start, "lan")
    world.do(start, ["web"])
    world.do(stop, ["web"])
    world.do(vnet_stop, "lan")
    assert world.snapshot() == before


def test_taps_of_a_machine(world: World) -> None:
    """The example: the host has 172.16.0.2 on a bridge of its own, and alice's machine 172.16.0.3."""
    world.do_there("ifconfig", "bridge9", "create")
    world.do_there("ifconfig", "bridge9", "inet", "172.16.0.2/24", "up")
    world.do(create_bridge, LanRequest("lan", "bridge9", "172.16.0.0/24", ("172.16.0.1",)))
    pot = create(world, "vm", "172.16.0.3", tap=True, owner="alice")
    world.do(start, ["vm"])
    assert pot.taps[0] in members(world, "bridge9")
    tap = world.do(info, "vm")["taps"][0]
    assert tap["addresses"] == [{"family": 4, "address": "172.16.0.3/24", "gateway": "172.16.0.1"}]
    assert world.do(check, [], None) == ()
    world.do(stop, ["vm"])
    assert members(world, "bridge9") == set()


def test_slaac_beside_an_address(world: World) -> None:
    lan(world, slaac=True)
    create(world, "web", "auto", stack="dual")
    create(world, "six", stack="ipv6")
    world.do(start, ["web", "six"])
    learnt = {}
    for _ in range(3):
        # The router's advertisement comes later.
        learnt = {each["family"]: each["address"] for each in world.do(info, "web")["addresses"]}
    assert learnt[4] == f"{world.prefix}60"
    assert str(learnt[6]).startswith("2001:db8:7:")
    assert world.do(check, [], None) == ()


def test_reports_list_the_addresses(world: World) -> None:
    lan(world, ipv6=PREFIX6)
    create(world, "web", "auto", "2001:db8:7::70", stack="dual")
    found = {each["address"]: each["owner"] for each in world.do(show_bridge, "lan")["addresses"]}
    assert found == {outside(world): "lan", f"{world.prefix}60": "web", "2001:db8:7::70": "web"}
    records = world.do(zones, "lan")[0]["records"]
    assert [each["address"] for each in records] == [f"{world.prefix}60", "2001:db8:7::70"]
    # The IPv6 network has no range, so its address stays.
    world.do(set_options, "web", SettingsRequest(addresses=("auto",)))
    assert [str(each) for each in world.records()["pots"][0].leased][1:] == ["2001:db8:7::70"]


def test_policies_on_a_lan(world: World) -> None:
    world.configure("network.antispoof = true")
    lan(world)
    create(world, "web", "auto")
    create(world, "db", "auto")
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create("pan", "private-bridge", bridge="stove")
    world.do(add, "web", "db", None, True)
    with pytest.raises(PotnetError, match="web is on a bridge of a LAN"):
        world.do(add, "pan", "web", None, False)
    world.do(start, ["web", "db", "pan"])
    assert not world.reaches("web", f"{world.prefix}61", 80)
    assert world.reaches("db", f"{world.prefix}60", 80)
    assert world.reaches("web", outside(world), 80)
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.plain_interface
def test_each_failure_leaves_the_host_as_it_was(world: World, after: bool) -> None:
    if world.release != "14.3":
        return
    lan(world, ipv6=PREFIX6)
    create(world, "web", f"{world.prefix}70", "2001:db8:7::70", stack="dual")
    before = world.snapshot()
    for _ in world.failing_starts("web", after=after):
        assert world.snapshot() == before


@pytest.mark.plain_interface
def test_freebsd_15_refuses_an_interface_with_addresses(world15: World) -> None:
    with pytest.raises(PotnetError, match="while it has addresses") as refused:
        lan(world15)
    assert "cloned_interfaces" in refused.value.message
    assert "join that bridge" in str(refused.value.hint)


@pytest.fixture
def world15(tmp_path: Path) -> World:
    """A FreeBSD 15 with addresses on em0 itself."""
    return WorldWithSpare(tmp_path)


def test_a_wireless_interface_is_refused(world: World) -> None:
    world.do_there("ifconfig", "em0" if world.release == "14.3" else "igb0", "group", "wlan")
    interface = "em0" if world.release == "14.3" else "igb0"
    if interface == "igb0":
        return
    with pytest.raises(PotnetError, match="is a wireless interface"):
        lan(world)


def _command(text: str) -> Command:
    return Command(tuple(text.split()), changes_host=False)
