"""Pots on several bridges: whom they reach, which way leads out, and what is left when they stop."""

from __future__ import annotations

import pytest
from netaddr import IPAddress
from on_linux import LinuxWorld
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.model.pots import NetworkType, Pot
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.addresses import Networks
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.dns import zones
from potnet.operations.reports.info import environment, info
from potnet.operations.running.attach import attach, detach
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

PUBLIC, PRIVATE = NetworkType.PUBLIC_BRIDGE, NetworkType.PRIVATE_BRIDGE


def bridges(world: World, *names: str, ipv6: str | None = None) -> None:
    for name in names:
        world.do(create_private_bridge, BridgeRequest(name, 4, ipv6))


def web(world: World, *networks: tuple[NetworkType, str | None], stack: str = "ipv4") -> Pot:
    """A pot on these, the first of which has the default route."""
    (kind, bridge), *more = networks
    return world.create("web", str(kind), stack, bridge=bridge, more=tuple(more))


def outside(world: World) -> str:
    """A machine of the LAN; on FreeBSD it is the router."""
    return f"{world.prefix}{9 if isinstance(world, LinuxWorld) else 1}"


@both_hosts
def test_a_pot_on_two_bridges_reaches_both_neighbours_and_the_outside(world: World) -> None:
    bridges(world, "front", "back")
    pot = web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    client = world.create("client", "private-bridge", bridge="front")
    database = world.create("database", "private-bridge", bridge="back")
    if isinstance(world, LinuxWorld):
        world.machine.serve("outside", 80)
    before, records = world.snapshot(), world.records()
    world.do(start, ["web", "client", "database"])
    first, second = (str(a.address) for a in pot.attachments)
    assert world.reaches("web", str(client.ipv4), 80)
    assert world.reaches("web", str(database.ipv4), 80)
    assert world.reaches("client", first, 80)
    assert world.reaches("database", second, 80)
    assert world.reaches("web", outside(world), 80)
    # The pot joins its bridges for itself only.
    for source, other in (("client", database), ("database", client)):
        assert not world.reaches(source, str(other.ipv4), 80)
    assert not world.reaches("client", second, 80)
    assert not world.reaches("database", first, 80)
    assert world.do(check, [], None) == ()
    if not isinstance(world, LinuxWorld):
        world.do(stop, ["web", "client", "database"])
        assert world.without_folders(world.snapshot()) == world.without_folders(before)
        assert world.records() == records


@both_hosts
@pytest.mark.parametrize("kinds", [(PUBLIC, PRIVATE), (PRIVATE, PUBLIC)])
def test_exports_lead_to_the_first_network(world: World, kinds: tuple[NetworkType, NetworkType]) -> None:
    bridges(world, "back")
    pot = web(world, *((kind, "back" if kind is PRIVATE else None) for kind in kinds))
    world.create("other", "public-bridge")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    before = world.snapshot()
    world.do(start, ["web", "other"])
    assert world.redirections("web") == [("tcp", 30080)]
    assert world.reaches("other", world.address, 30080)
    assert world.do(info, "web")["bridges"] == [a.bridge for a in pot.attachments]
    assert world.do(check, [], None) == ()
    if not isinstance(world, LinuxWorld):
        rule = next(rule for rule in world.host.anchor("pot-rdr/web") if rule.startswith("rdr"))
        assert f"-> {pot.attachments[0].address} port 80" in rule
        world.do(stop, ["web", "other"])
        assert world.snapshot() == before


@pytest.mark.parametrize("stack", ["ipv4", "ipv6", "dual"])
def test_only_the_first_network_of_a_family_has_the_default_route(world: World, stack: str) -> None:
    bridges(world, "front", "back", ipv6="auto")
    before = world.host.snapshot()
    web(world, (PRIVATE, "front"), (PRIVATE, "back"), stack=stack)
    world.do(start, ["web"])
    front = next(b for b in world.records()["bridges"] if b.name == "front")
    defaults = [line for line in world.host.routes("web") if line.startswith("default")]
    assert [line.split()[1] for line in defaults] == [
        str(subnet.gateway)
        for subnet in front.subnets
        if stack == "dual" or f"ipv{subnet.network.version}" == stack
    ]
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    assert world.host.snapshot()["interfaces"] == before["interfaces"]


def test_a_network_that_comes_by_slaac_gives_no_second_default_route(world: World) -> None:
    bridges(world, "front", ipv6="auto")
    pot = web(world, (PRIVATE, "front"), (PUBLIC, None), stack="dual")
    assert [a.bridge for a in pot.attachments] == ["front", "public", "public6"]
    world.do(start, ["web"])
    for _ in range(3):
        # Each look brings an advertisement nearer.
        found = world.do(info, "web")
    learnt = [a for a in found["addresses"] if a["interface"] == pot.attachments[2].jail_end]
    assert learnt[0]["address"].startswith("2001:db8:7:")
    gateways = [line.split()[1] for line in world.host.routes("web") if line.startswith("default")]
    front = next(b for b in world.records()["bridges"] if b.name == "front")
    assert gateways == [str(subnet.gateway) for subnet in front.subnets]
    assert world.do(check, [], None) == ()


def test_the_first_network_may_be_the_one_that_learns_its_router(world: World) -> None:
    bridges(world, "back", ipv6="auto")
    web(world, (PUBLIC, None), (PRIVATE, "back"), stack="dual")
    world.do(start, ["web"])
    gateways = [line.split()[1] for line in world.host.routes("web") if line.startswith("default")]
    assert gateways == ["10.192.0.1"]
    for _ in range(3):
        world.do(info, "web")
    gateways = [line.split()[1] for line in world.host.routes("web") if line.startswith("default")]
    assert [gateway.partition("%")[0] for gateway in gateways] == ["10.192.0.1", "fe80::5054:ff:fe00:1"]
    assert world.do(check, [], None) == ()


def test_addresses_are_given_to_the_networks_that_they_are_of(world: World) -> None:
    bridges(world, "front", "back")
    networks: Networks = ((PRIVATE, "back"), (PUBLIC, None))
    pot = world.create(
        "web",
        "private-bridge",
        bridge="front",
        more=networks,
        addresses=("10.192.0.21", "10.192.0.5", "auto"),
    )
    assert {a.bridge: str(a.address) for a in pot.attachments} == {
        "front": "10.192.0.10", "back": "10.192.0.21", "public": "10.192.0.5",
    }  # fmt: skip
    changes = {"resolver": None, "hostname": None, "command": None, "boot": None}
    world.do(set_options, "web", SettingsRequest(addresses=("10.192.0.12",), **changes))
    pot = world.records()["pots"][0]
    assert [str(a.address) for a in pot.attachments] == ["10.192.0.12", "10.192.0.21", "10.192.0.5"]
    with pytest.raises(UsageError, match="a bridge takes one -i of each family"):
        world.do(set_options, "web", SettingsRequest(addresses=("10.192.0.12", "10.192.0.11"), **changes))
    with pytest.raises(PotnetError, match=r"10\.192\.0\.3"):
        world.create("other", "private-bridge", bridge="front", addresses=("10.192.0.3",))


def test_neighbours_of_all_bridges_are_known_by_name(world: World) -> None:
    bridges(world, "front", "back")
    pot = web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    world.do(start, ["web"])
    world.create("client", "private-bridge", bridge="front")
    world.create("database", "private-bridge", bridge="back")
    world.do(start, ["client", "database"])
    first, second = (str(a.address) for a in pot.attachments)
    text = world.etc("web", "hosts")
    assert all(f" {name}\n" in text for name in ("client", "database"))
    assert f"{first} web" in world.etc("client", "hosts")
    assert second not in world.etc("client", "hosts")
    assert f"{second} web" in world.etc("database", "hosts")
    records = {(r["name"], r["address"]) for zone in world.do(zones) for r in zone["records"]}
    assert {("web.front", first), ("web.back", second)} <= records
    world.do(stop, ["database"])
    found = world.do(environment, "web")
    assert (found["_POT_IP"], found["_POT_BRIDGE"]) == (first, "front")
    assert (found["_POT_IP_1"], found["_POT_BRIDGE_1"], found["_POT_NIC_1"]) == (
        second, "back", pot.attachments[1].jail_end,
    )  # fmt: skip


@both_hosts
@pytest.mark.parametrize("position", [0, 1])
def test_what_is_broken_of_a_network_is_mended(world: World, position: int) -> None:
    bridges(world, "front", "back")
    pot = web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    database = world.create("database", "private-bridge", bridge="back")
    world.do(start, ["web", "database"])
    whole = world.snapshot()
    world.remove_interface(pot.attachments[position].host_end)
    assert [finding.interface for finding in world.do(check, [], None)] == [
        pot.attachments[position].host_end
    ]
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert world.reaches("web", str(database.ipv4), 80)
    if not isinstance(world, LinuxWorld):
        after = world.snapshot()
        assert set(after["interfaces"]) == set(whole["interfaces"])
        assert {k: sorted(v) for k, v in after["routes"].items()} == {
            k: sorted(v) for k, v in whole["routes"].items()
        }


def test_the_default_route_alone_is_the_first_networks(world: World) -> None:
    bridges(world, "front", "back")
    web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    world.do(start, ["web"])
    world.do_there("route", "-j", "web", "delete", "default")
    assert [(str(f.kind), f.bridge) for f in world.do(check, [], None)] == [("route-missing", "front")]
    world.do_there("route", "-j", "web", "add", "default", "10.192.0.17")
    assert [(str(f.kind), f.bridge) for f in world.do(check, [], None)] == [("route-differs", "front")]
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()


def test_pots_on_several_bridges_start_in_groups(world: World) -> None:
    bridges(world, "front", "back")
    names = [f"web{number}" for number in range(4)]
    for name in names:
        world.create(name, "private-bridge", bridge="front", more=((PRIVATE, "back"),))
    before = world.host.snapshot()
    world.do(start, names)
    assert set(world.host.jails()) == set(names)
    assert world.host.interface("bridge0").members == ("epair0a", "epair2a", "epair4a", "epair6a")
    assert world.do(check, [], None) == ()
    world.do(stop, names)
    assert world.host.snapshot() == before


def test_a_pot_that_resolves_names_may_have_the_address_on_its_second_network(world: World) -> None:
    bridges(world, "back")
    world.create("dns", "private-bridge", bridge="back", more=((PUBLIC, None),))
    world.create("client", "public-bridge", resolver="pot")
    world.do(start, ["client"])
    assert set(world.jails()) == {"dns", "client"}
    assert world.reaches("client", "10.192.0.2", 53)
    world.notices.clear()
    world.create("both", "private-bridge", bridge="back", more=((PUBLIC, None),), resolver="pot")
    world.do(start, ["both"])
    assert world.notices == []


def test_a_jail_that_something_else_makes_gets_all_networks(world: World) -> None:
    bridges(world, "front", "back")
    pot = web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    world.do_there("jail", "-c", "name=web", f"path={pot.root}", "persist", "vnet")
    before = world.host.snapshot()
    world.do(attach, "web", None, True)
    ends = {a.jail_end for a in pot.attachments}
    assert ends <= set(world.host.interfaces("web"))
    world.do(detach, ["web"])
    after = world.host.snapshot()
    assert after["interfaces"].keys() == before["interfaces"].keys()


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        (((PRIVATE, "front"), (PRIVATE, "front")), "front is given twice"),
        (((PUBLIC, None), (PUBLIC, None)), "the public bridge is given twice"),
        (((PUBLIC, None), (NetworkType.INHERIT, None)), "-N inherit shares the host's network"),
        (((NetworkType.INHERIT, None), (PRIVATE, "front")), "-N inherit shares the host's network"),
        (((PRIVATE, "front"), (PRIVATE, None)), "needs a bridge"),
        (((PRIVATE, "front"), (PRIVATE, "nosuch")), "bridge 'nosuch' not found"),
        (((PRIVATE, "front"), (PRIVATE, "public")), "public is a public bridge"),
    ],
)
def test_refusals(world: World, networks: Networks, words: str) -> None:
    bridges(world, "front")
    world.create("first", "public-bridge")
    before, records = world.host.snapshot(), world.records()
    with pytest.raises(PotnetError, match=words):
        web(world, *networks)
    assert world.host.snapshot() == before
    assert world.records() == records


def test_an_alias_stands_alone(world: World) -> None:
    with pytest.raises(UsageError, match="-N alias shares the host's network"):
        world.create("web", "alias", more=((PUBLIC, None),))


def test_a_full_bridge_leaves_nothing_reserved_on_the_others(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("front", 4))
    world.do(create_private_bridge, BridgeRequest("small", 1))
    world.create("first", "private-bridge", bridge="small")
    records = world.records()
    with pytest.raises(PotnetError, match="full"):
        web(world, (PRIVATE, "front"), (PRIVATE, "small"))
    assert world.records() == records
    free = world.create("next", "private-bridge", bridge="front")
    assert free.attachments[0].address == IPAddress("10.192.0.10")


def test_a_failed_start_takes_all_networks_back(world: World) -> None:
    bridges(world, "front", "back")
    web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    before, records = world.host.snapshot(), world.records()
    for number in world.failing_starts("web"):
        assert world.host.snapshot() == before, number
        assert world.records() == records, number


def test_what_runs_in_a_pot_sees_both(world: World) -> None:
    bridges(world, "front", "back")
    pot = web(world, (PRIVATE, "front"), (PRIVATE, "back"))
    world.do(start, ["web"])
    shown = world.host.run(Command(("jexec", "web", "ifconfig", "-l"))).out.split()
    assert shown == ["lo0", *(a.jail_end for a in pot.attachments)]
