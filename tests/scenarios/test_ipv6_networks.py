"""IPv6 with addresses from the store: on private bridges, and on the public one in place of SLAAC."""

from __future__ import annotations

import pytest
from netaddr import IPNetwork
from world import World

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.model.pots import Pot
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.show import show_pot
from potnet.operations.reports.used_addresses import show_bridge
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

GIVEN = "2001:db8:5::/64"
#: A machine of the external network, and the host there.
OUTSIDE, HOST = "2001:db8:7::63", "2001:db8:7::20"


def bridge(world: World, name: str, ipv6: str | None = "auto", routed: bool = False) -> IPNetwork:
    """A private bridge; its IPv6 network."""
    return world.do(create_private_bridge, BridgeRequest(name, 4, ipv6, routed)).network6


def pot(world: World, name: str, on: str, stack: str = "dual", *addresses: str) -> Pot:
    """A running pot on a private bridge."""
    made = world.create(name, "private-bridge", stack, bridge=on, addresses=addresses)
    world.do(start, [name])
    return made


def address6(made: Pot) -> str:
    return str(made.attachments[0].address6)


def reached(world: World, source: str, destination: str, port: int = 80) -> str | None:
    """The address that the server sees; None when nothing answers."""
    found = world.host.connect(source, destination, port)
    return found.client if found.ok else None


@pytest.mark.parametrize("stack", ["ipv4", "ipv6", "dual"])
@pytest.mark.parametrize("ipv6", ["auto", GIVEN])
def test_a_start_and_a_stop_leave_the_host_as_it_was(world: World, stack: str, ipv6: str) -> None:
    bridge(world, "stove", ipv6)
    made = world.create("casserole", "private-bridge", stack, bridge="stove")
    assert {a.version for a in made.leased} == {4: {4}, 6: {6}}.get(
        {"ipv4": 4, "ipv6": 6}.get(stack, 0), {4, 6}
    )
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    before, records = world.host.snapshot(), world.records()
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    assert world.host.snapshot() == before
    assert world.records() == records


def test_every_address_switches_ipv6_on(world: World) -> None:
    """The kernel does so with a new address, too, but not with one that the interface already has."""
    bridge(world, "stove")
    pot(world, "casserole", "stove")
    given = [line for line in world.executor.changed if line.startswith("ifconfig") and " inet6 " in line]
    assert [line.split()[-3:] for line in given] == [["no_dad", "-ifdisabled", "up"]] * 2


def test_who_reaches_whom(world: World) -> None:
    (
        bridge(world, "stove"),
        bridge(world, "oven", GIVEN),
        bridge(world, "grill", "2001:db8:6::/64", routed=True),
    )
    one, two = pot(world, "one", "stove"), pot(world, "two", "stove", "ipv6")
    three, four = pot(world, "three", "oven"), pot(world, "four", "grill")
    assert reached(world, "one", address6(two)) == address6(one)
    for pair in (("one", three), ("three", one), ("one", four), ("four", two)):
        assert reached(world, pair[0], address6(pair[1])) is None, pair
    # Out with the host's address; in only where there is no translation.
    assert reached(world, "one", OUTSIDE) == HOST
    assert reached(world, "two", OUTSIDE) == HOST
    assert reached(world, "outside", address6(one)) is None
    assert reached(world, "outside", address6(three)) is None
    assert reached(world, "outside", address6(four)) == OUTSIDE
    assert reached(world, "host", address6(three)) is not None


@pytest.mark.parametrize("stack", ["ipv6", "dual"])
def test_exports_in_both_families(world: World, stack: str) -> None:
    bridge(world, "stove"), bridge(world, "oven", GIVEN)
    one, two, three = (
        pot(world, "one", "stove", stack),
        pot(world, "two", "stove"),
        pot(world, "three", "oven"),
    )
    world.do(export_ports, "one", ExportRequest(["80:30080", "udp:53:30053"]))
    assert reached(world, "outside", HOST, 30080) == OUTSIDE
    gateway = str(IPNetwork(f"{address6(one)}/64").network + 1)
    for name in ("one", "two", "three"):
        assert reached(world, name, HOST, 30080) == gateway
    assert world.host.connect("outside", HOST, 30053, "udp").ok
    seen = {view["pot_address"] for view in world.do(show_pot, "one")["redirections"]}
    assert seen == {str(a) for a in one.leased}
    assert (reached(world, "outside", "192.168.178.20", 30080) is None) == (stack == "ipv6")
    world.do(export_ports, "one", ExportRequest([]))
    assert reached(world, "outside", HOST, 30080) is None
    assert address6(two) != address6(three)


def test_removing_an_export_ends_its_connections_of_ipv6(world: World) -> None:
    bridge(world, "stove")
    pot(world, "one", "stove", "ipv6")
    world.do(export_ports, "one", ExportRequest(["80:30080"]))
    assert reached(world, "outside", HOST, 30080)
    assert world.host.states()
    world.do(export_ports, "one", ExportRequest(["81:30081"]))
    assert not [state for state in world.host.states() if ":30080" in str(state) or "[30080]" in str(state)]
    assert reached(world, "outside", HOST, 30081)
    world.do(stop, ["one"])
    assert world.host.states() == []


def test_forwarding_of_a_family_ends_with_its_last_bridge(world: World) -> None:
    world.host.run(Command(("sysctl", "net.inet.ip.forwarding=0")))
    bridge(world, "stove"), bridge(world, "oven", None)
    pot(world, "four", "oven", "ipv4")
    switches = ("net.inet.ip.forwarding", "net.inet6.ip6.forwarding")
    assert [world.host.sysctl(name) for name in switches] == ["1", "0"]
    pot(world, "six", "stove", "ipv6")
    assert [world.host.sysctl(name) for name in switches] == ["1", "1"]
    world.do(stop, ["six"])
    assert [world.host.sysctl(name) for name in switches] == ["1", "0"]
    world.do(stop, ["four"])
    assert [world.host.sysctl(name) for name in switches] == ["0", "0"]


def test_forwarding_that_the_host_had_stays(world: World) -> None:
    world.host.run(Command(("sysctl", "net.inet6.ip6.forwarding=1")))
    bridge(world, "stove")
    world.create("six", "private-bridge", "ipv6", bridge="stove")
    before = world.host.snapshot()
    world.do(start, ["six"])
    world.do(stop, ["six"])
    assert world.host.snapshot() == before


def test_a_host_that_learns_its_router_keeps_it(world: World) -> None:
    """A host that forwards ignores advertised routers, unless net.inet6.ip6.rfc6204w3 says otherwise."""
    world.host.run(Command(("ifconfig", "em0", "inet6", "accept_rtadv")))
    bridge(world, "stove")
    world.create("six", "private-bridge", "ipv6", bridge="stove")
    before = world.host.snapshot()
    world.do(start, ["six"])
    assert world.host.sysctl("net.inet6.ip6.rfc6204w3") == "1"
    world.do(stop, ["six"])
    assert world.host.snapshot() == before


def test_a_bridge_without_ipv6_stays_as_it_was(world: World) -> None:
    bridge(world, "oven", None)
    with pytest.raises(PotnetError, match="oven carries IPv4 only"):
        world.create("six", "private-bridge", "ipv6", bridge="oven")
    made = pot(world, "both", "oven", "dual")
    assert [a.version for a in made.leased] == [4]
    assert any("carries IPv4 only" in notice for notice in world.notices)


@pytest.mark.parametrize(
    ("ipv6", "reason"),
    [
        ("2001:db8:5:0:8::/80", "overlaps network oven IPv6"),
        ("2001:db8:5::1/64", "is an address inside a network"),
        ("2001:db8::/32", "has an invalid prefix length"),
        ("2001:db8:5::/127", "has an invalid prefix length"),
        ("fe80::/64", "is not a network for hosts"),
        ("10.0.0.0/24", "is an IPv4 network"),
        ("2001:db8:5::", "is not a network with a prefix length"),
        ("; block all", "is not a network with a prefix length"),
    ],
)
def test_prefixes_that_no_bridge_can_have(world: World, ipv6: str, reason: str) -> None:
    bridge(world, "oven", GIVEN)
    before = world.records()
    with pytest.raises(PotnetError, match=reason):
        bridge(world, "stove", ipv6)
    assert world.records() == before


def test_a_prefix_that_the_host_has_a_route_to_is_refused_at_start(world: World) -> None:
    bridge(world, "stove", "2001:db8:7::/64")
    world.create("six", "private-bridge", "ipv6", bridge="stove")
    before = world.host.snapshot()
    with pytest.raises(PotnetError, match="overlaps the host's route to 2001:db8:7::/64"):
        world.do(start, ["six"])
    assert world.host.snapshot() == before


def test_addresses_that_are_given(world: World) -> None:
    bridge(world, "stove", GIVEN)
    made = world.create("one", "private-bridge", "dual", bridge="stove", addresses=("2001:db8:5::80",))
    assert [str(a) for a in made.leased] == ["10.192.0.10", "2001:db8:5::80"]
    for addresses, stack, reason in (
        (("2001:db8:5::80",), "dual", "in use by pot one"),
        (("2001:db8:5::80", "2001:db8:5::81"), "dual", "one -i of each family"),
        (("2001:db8:5::81",), "ipv4", "the stack of the pot is ipv4"),
        (("2001:db8:6::81",), "ipv6", "is outside network stove IPv6"),
        (("2001:db8:5::1",), "ipv6", "is kept for the gateway"),
    ):
        with pytest.raises(PotnetError, match=reason):
            world.create("two", "private-bridge", stack, bridge="stove", addresses=addresses)
    with pytest.raises(UsageError, match="has no network of IPv6 to lease from"):
        world.create("two", "public-bridge", "dual", addresses=("2001:db8:5::81",))


def test_an_address_that_is_set_anew(world: World) -> None:
    bridge(world, "stove", GIVEN)
    pot(world, "one", "stove")
    options = {"resolver": None, "hostname": None, "command": None, "boot": None}
    assert world.do(set_options, "one", SettingsRequest(addresses=("2001:db8:5::80",), **options))
    (changed,) = world.records()["pots"]
    assert [str(a) for a in changed.leased] == ["10.192.0.10", "2001:db8:5::80"]
    assert reached(world, "host", "2001:db8:5::2")
    world.do(stop, ["one"])
    world.do(start, ["one"])
    assert reached(world, "host", "2001:db8:5::80") and not reached(world, "host", "2001:db8:5::2")
    taken = [entry["address"] for entry in world.do(show_bridge, "stove")["addresses"]]
    assert "2001:db8:5::80" in taken and "2001:db8:5::2" not in taken


def test_nothing_is_left_of_a_bridge_and_its_pots(world: World) -> None:
    network = bridge(world, "stove")
    pot(world, "one", "stove")
    with pytest.raises(PotnetError):
        world.do(destroy_bridge, "stove")
    world.do(stop, ["one"])
    world.do(destroy_pot, "one")
    world.do(destroy_bridge, "stove")
    assert bridge(world, "stove") == network


def test_translation_needs_its_anchor_in_force(world: World) -> None:
    rules = 'nat-anchor "pot-nat"\nrdr-anchor "pot-rdr/*"\nanchor "pot-filter/*"\n'
    world.host.run(Command(("pfctl", "-f", "-"), stdin=rules))
    bridge(world, "stove")
    world.create("one", "private-bridge", "dual", bridge="stove")
    with pytest.raises(PotnetError, match=r'does not name nat-anchor "pot-rdr/\*"'):
        world.do(start, ["one"])


@pytest.mark.parametrize("mode", ["nat", "routed"])
@pytest.mark.parametrize("stack", ["ipv6", "dual"])
def test_the_public_bridge_without_slaac(world: World, mode: str, stack: str) -> None:
    world.configure(f'[network]\nipv6 = "{mode}"\npublic6 = "{GIVEN}"\n')
    one = world.create("one", "public-bridge", stack)
    assert address6(one) == "2001:db8:5::2" and len(one.attachments) == 1
    before = world.host.snapshot()
    world.do(start, ["one"])
    assert reached(world, "one", OUTSIDE) == (HOST if mode == "nat" else None)
    world.do(stop, ["one"])
    assert world.host.snapshot() == before
    world.do(vnet_start, None)
    world.do(vnet_stop, None)
    assert world.host.snapshot() == before


def test_ipv6_comes_to_a_public_bridge_that_is_up(world: World) -> None:
    world.create("four", "public-bridge", "ipv4")
    world.do(start, ["four"])
    world.configure('[network]\nipv6 = "nat"\n')
    six = world.create("six", "public-bridge", "ipv6")
    world.do(start, ["six"])
    assert reached(world, "six", OUTSIDE) == HOST
    assert reached(world, "four", "192.168.178.99") == "192.168.178.20"
    assert reached(world, "outside", address6(six)) is None
    world.do(stop, ["six"])
    assert reached(world, "four", "192.168.178.99") == "192.168.178.20"


def test_the_prefix_of_the_public_bridge_changes_only_while_nobody_uses_it(world: World) -> None:
    world.configure('[network]\nipv6 = "nat"\n')
    world.create("one", "public-bridge", "ipv6")
    world.configure(f'[network]\nipv6 = "nat"\npublic6 = "{GIVEN}"\n')
    with pytest.raises(PotnetError, match="is still used by pot one"):
        world.create("two", "public-bridge", "ipv6")
    world.do(destroy_pot, "one")
    assert address6(world.create("two", "public-bridge", "ipv6")) == "2001:db8:5::2"


DRIFT = [
    (("pfctl", "-a", "pot-rdr/stove.6", "-F", "nat"), "rules-missing"),
    (("pfctl", "-a", "pot-filter/stove", "-F", "rules"), "rules-missing"),
    (("pfctl", "-a", "pot-rdr/one", "-F", "nat"), "rules-missing"),
    (("sysctl", "net.inet6.ip6.forwarding=0"), "forwarding-off"),
    (("ifconfig", "bridge0", "inet6", "2001:db8:5::1", "-alias"), "address-missing"),
    (("ifconfig", "-j", "one", "epair0b", "inet6", "2001:db8:5::2", "-alias"), "address-missing"),
    (("route", "-j", "one", "delete", "-inet6", "default"), "route-missing"),
]


@pytest.mark.parametrize(("argv", "kind"), DRIFT)
def test_what_is_off_is_found_and_mended(world: World, argv: tuple[str, ...], kind: str) -> None:
    bridge(world, "stove", GIVEN)
    world.create("one", "private-bridge", "dual", bridge="stove")
    world.do(export_ports, "one", ExportRequest(["80:30080"]))
    world.do(start, ["one"])
    assert world.do(check, (), None) == ()
    before = world.host.snapshot()
    assert world.host.run(Command(argv)).code == 0
    assert kind in {str(finding.kind) for finding in world.do(check, (), None)}
    assert world.do(repair, (), None).left == ()
    assert world.do(check, (), None) == ()
    # An address that was set anew comes after the link-local one.
    after = world.host.snapshot() | {"interfaces": before["interfaces"]}
    assert after == before
    assert reached(world, "outside", HOST, 30080) == OUTSIDE


@pytest.mark.parametrize("mode", ["nat", "routed"])
@pytest.mark.parametrize("stack", ["ipv6", "dual"])
def test_slaac_is_itself_again_after_another_mode(world: World, mode: str, stack: str) -> None:
    fresh = world.create("fresh", "public-bridge", stack)
    world.do(destroy_pot, "fresh")
    world.configure(f'[network]\nipv6 = "{mode}"\n')
    world.create("old", "public-bridge", stack)
    world.do(start, ["old"])
    world.configure('[network]\nipv6 = "slaac"\n')
    # While a pot has an address of it, the old network stays for that pot alone.
    new = world.create("new", "public-bridge", stack)
    assert [(a.bridge, a.address6) for a in new.attachments] == [(a.bridge, None) for a in fresh.attachments]
    world.do(start, ["new"])
    assert world.do(check, [], None) == ()
    assert reached(world, "old", OUTSIDE) == (HOST if mode == "nat" else None)
    world.do(stop, ["old", "new"])
    world.do(destroy_pot, "old")
    before = world.host.snapshot()
    world.do(start, ["new"])
    # The next advertisement comes after a look.
    for _ in range(3):
        world.host.run(Command(("ifconfig", "-j", "new", "-a")))
    route = world.host.run(Command(("route", "-j", "new", "-n", "get", "-inet6", "default"))).out
    assert "gateway: fe80::" in route
    assert world.host.run(Command(("sysctl", "-n", "net.inet6.ip6.forwarding"))).out == "0\n"
    assert world.do(check, [], None) == ()
    world.do(stop, ["new"])
    assert world.host.snapshot() == before
    world.create("four", "public-bridge", "ipv4")
    assert not any(b.network6 for b in world.records()["bridges"])


def test_an_old_network_goes_with_a_bridge_that_stays_up(world: World) -> None:
    world.configure('[network]\nipv6 = "nat"\nstack = "dual"\n')
    world.do(vnet_start, None)
    world.configure('[network]\nipv6 = "slaac"\nstack = "dual"\n')
    made = world.create("new", "public-bridge", "dual")
    before = world.host.snapshot()
    assert [a.address6 for a in made.attachments] == [None, None]
    world.do(start, ["new"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["new"])
    assert world.host.snapshot() == before
    world.do(vnet_stop, None)
    world.do(vnet_start, None)
    assert not any(b.network6 for b in world.records()["bridges"])
    world.do(vnet_stop, None)
    assert world.host.run(Command(("ifconfig", "-g", "potnet"))).out == ""
    assert world.host.run(Command(("sysctl", "-n", "net.inet6.ip6.forwarding"))).out == "0\n"
    assert world.do(check, [], None) == ()


def test_an_address_is_usable_as_soon_as_a_start_returns(world: World) -> None:
    bridge(world, "stove")
    one, two = (pot(world, name, "stove", "ipv6") for name in ("one", "two"))
    assert reached(world, "one", address6(two)) == address6(one)
    assert reached(world, "host", address6(one)) is not None
    for argv in (("bridge0",), ("-j", "one", "epair0b")):
        assert "tentative" not in world.host.run(Command(("ifconfig", *argv))).out
    # So is one that a repair sets.
    world.do_there("ifconfig", "-j", "one", "epair0b", "inet6", address6(one), "-alias")
    world.do(repair, [], None)
    assert reached(world, "two", address6(one)) == address6(two)


@pytest.mark.parametrize("running", [False, True])
def test_its_own_addresses_in_another_spelling_change_nothing(world: World, running: bool) -> None:
    bridge(world, "stove", "2001:db8:ab::/64")
    made = world.create(
        "wok", "private-bridge", "dual", bridge="stove", addresses=("2001:db8:ab::a:b", "10.192.0.11")
    )
    if running:
        world.do(start, ["wok"])
    before, host = world.records(), world.snapshot()
    for same in ("2001:DB8:AB::A:B", "2001:0db8:00ab:0:0:0000:000a:000b", "2001:db8:ab::0.10.0.11"):
        world.do(set_options, "wok", SettingsRequest(addresses=("10.192.0.11", same)))
        assert world.records()["pots"] == before["pots"]
        assert world.records()["leases"] == before["leases"]
    assert world.snapshot() == host
    assert address6(made) == "2001:db8:ab::a:b"


@pytest.mark.parametrize(
    "given", ["::ffff:10.192.0.11", "::FFFF:0ac0:b", "::10.192.0.11", "010.192.0.11", "10.12582923"]
)
def test_an_address_of_ipv4_in_another_form_is_none_of_the_pots(world: World, given: str) -> None:
    bridge(world, "stove")
    world.create("wok", "private-bridge", "dual", bridge="stove", addresses=("10.192.0.11",))
    before = world.records()
    with pytest.raises(PotnetError):
        world.do(set_options, "wok", SettingsRequest(addresses=(given,)))
    assert world.records() == before
