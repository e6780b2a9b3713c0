"""Exports answer at the host's own addresses, on a Linux kernel: at none of alias pots' or of others'."""

from __future__ import annotations

import json
from itertools import product

import pytest
from linux_world import HOST, OUTSIDE, SILENCE, World

SECOND, BOWL, GATEWAY = "192.0.2.77", "192.0.2.200", "192.0.2.9"
HOST6, SECOND6, BOWL6 = "2001:db8:7::20", "2001:db8:7::77", "2001:db8:7::200"
PROTOCOLS = ("tcp", "udp")
CALLERS = ("outside", "wok", None)
#: Of an interface that is no outlet, and of lo; both families.
OTHERS = ("198.51.100.1", "198.51.100.2", "2001:db8:8::1", "2001:db8:8::2")
LINK_LOCAL = "fe80::20%wire"


def pots(world: World, *options: str) -> None:
    """A pot with an export and its server, and a neighbour of it."""
    for name in ("casserole", "wok"):
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("export-ports", "-p", "casserole", "-e", "tcp+udp:80:30080", *options)
    world.potnet("start", "casserole", "wok")
    world.serve("casserole", 80)


def answers(world: World, address: str, port: int = 30080) -> list[str]:
    """Who asks from where finds something there: from outside, from a pot, from the host."""
    return [world.ask(source, protocol, address, port) for source, protocol in product(CALLERS, PROTOCOLS)]


def nobody(world: World, address: str) -> bool:
    return set(answers(world, address)) == {SILENCE}


def everybody(world: World, address: str) -> bool:
    return SILENCE not in answers(world, address)


def second_interface(world: World) -> None:
    """Give the host a second interface without exports, and further addresses on lo."""
    world.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    for link in ("lan1", "lan0"):
        world.run("ip", "link", "set", link, "up")
    for address, link in zip(OTHERS, ("lan0", "lo", "lan0", "lo"), strict=True):
        prefix = 24 if "." in address and link == "lan0" else 32 if "." in address else 64
        nodad = () if "." in address else ("nodad",)
        assert world.run("ip", "addr", "add", f"{address}/{prefix}", "dev", link, *nodad).code == 0


def heard_at(world: World, address: str) -> list[tuple[str | None, str]]:
    """Return the pots and protocols, None for the host, that find an export at an address of the host."""
    asked = product(("casserole", "wok", None), PROTOCOLS)
    return [(source, kind) for source, kind in asked if world.ask(source, kind, address, 30080) != SILENCE]


def gateways(world: World) -> list[str]:
    """The addresses of two bridges of pots."""
    shown = json.loads(world.run("ip", "-j", "addr").out)
    bridges = [each for each in shown if each["ifname"].startswith("bridge")]
    return [each["local"] for bridge in bridges for each in bridge["addr_info"] if each["scope"] == "global"]


def dual_pots(world: World) -> None:
    """Start two pots with both families, one of them with exports, and make a second bridge."""
    for bridge in ("stove", "sink"):
        world.potnet("create-private-bridge", "-B", bridge, "-S", "5", "-6", "auto")
    for name in ("casserole", "wok"):
        world.potnet("create", "-p", name, "-N", "private-bridge", "-B", "stove", "-S", "dual")
    world.potnet("export-ports", "-p", "casserole", "-e", "tcp+udp:80:30080", "--loopback")
    world.potnet("start", "casserole", "wok")
    world.potnet("vnet-start", "-B", "sink")
    world.serve("casserole", 80)


def test_no_other_address_of_the_host_has_exports(world: World) -> None:
    second_interface(world)
    dual_pots(world)
    theirs = gateways(world)
    assert len(theirs) == 4
    found = {address: heard for address in (*OTHERS, *theirs) if (heard := heard_at(world, address))}
    assert found == {}
    assert everybody(world, HOST) and everybody(world, HOST6)
    assert [world.ask(None, kind, "127.0.0.1", 30080) for kind in PROTOCOLS].count(SILENCE) == 0
    # Other addresses of the loopback have services of their own, such as a resolver.
    assert heard_at(world, "127.0.0.53") == []
    assert world.potnet("check") == ""


def test_addresses_of_other_interfaces_are_followed(world: World) -> None:
    pots(world, "--loopback")
    second_interface(world)
    # Exports do not need them, so that no command is to be repeated for each temporary address.
    assert world.potnet("check") == ""
    world.potnet("export-ports", "-p", "casserole", "--add", "-e", "82:30082")
    assert world.potnet("check") == "" and heard_at(world, OTHERS[0]) == []
    world.run("ip", "addr", "del", f"{OTHERS[1]}/32", "dev", "lo")
    assert world.potnet("check") == ""
    # The address moves to the interface of the exports; another one comes.
    world.run("ip", "addr", "del", f"{OTHERS[0]}/24", "dev", "lan0")
    world.run("ip", "addr", "add", "198.51.100.3/24", "dev", "lan0")
    world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "addr", "add", f"{OTHERS[0]}/32", "dev", "eth0")
    world.run("ip", "addr", "add", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    world.potnet("export-ports", "-p", "casserole", "--add", "-e", "81:30081")
    assert set(heard_at(world, OTHERS[0])) == set(product(("casserole", "wok", None), PROTOCOLS))
    assert heard_at(world, HOST) == heard_at(world, "198.51.100.3") == []
    assert world.potnet("check") == ""


def test_networks_that_lead_to_the_host_have_no_exports(world: World) -> None:
    """Also one around the host's own address (ip-route(8), TYPE local), and RFC 3927's on another link."""
    routes = ("198.51.100.0/24", "192.0.2.0/29", "2001:db8:9::/64")
    second_interface(world)
    world.run("ip", "addr", "add", "169.254.7.7/16", "dev", "lan0")
    for route in routes:
        assert world.run("ip", "route", "add", "local", route, "dev", "lo").code == 0
    # A transparent proxy has such a route in a table of its own.
    assert world.run("ip", "route", "add", "local", "default", "dev", "lo", "table", "100").code == 0
    dual_pots(world)
    addresses = ("198.51.100.77", "192.0.2.5", "2001:db8:9::77", "169.254.7.7")
    assert {address: heard for address in addresses if (heard := heard_at(world, address))} == {}
    assert everybody(world, HOST) and everybody(world, HOST6) and world.potnet("check") == ""
    world.run("ip", "route", "del", "local", routes[0], "dev", "lo")
    assert world.potnet("check") == ""
    # One becomes the host's first address: now exports do listen there.
    world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "addr", "add", "192.0.2.5/24", "dev", "eth0")
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert world.try_potnet("check").code == 1
    world.potnet("repair")
    assert heard_at(world, "192.0.2.5") and world.potnet("check") == ""


def test_an_address_that_the_host_gave_itself_is_not_the_first(world: World) -> None:
    """It was there before the lease (RFC 3927)."""
    world.run("ip", "addr", "flush", "dev", "eth0", "scope", "global")
    for address in ("169.254.7.7/16", f"{HOST}/24"):
        world.run("ip", "addr", "add", address, "dev", "eth0")
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    world.run("nft", "list", "tables")
    pots(world, "--loopback")
    assert everybody(world, HOST) and nobody(world, "169.254.7.7") and world.potnet("check") == ""


def test_a_bridge_with_a_given_network_has_no_exports_at_its_gateway(world: World) -> None:
    dual_pots(world)
    world.potnet("create-private-bridge", "-B", "oven", "-S", "5", "-6", "2001:db8:77::/64")
    assert world.potnet("check") == ""
    world.potnet("vnet-start", "-B", "oven")
    assert world.potnet("check") == ""
    assert heard_at(world, "2001:db8:77::1") == []


def test_the_first_address_stays_when_lo_has_it_too(world: World) -> None:
    world.run("ip", "addr", "add", f"{HOST}/32", "dev", "lo")
    pots(world, "--loopback")
    assert everybody(world, HOST) and world.potnet("check") == ""


def test_services_of_the_host_keep_their_ports_at_other_addresses(world: World) -> None:
    """A limit of an export does not count their callers either."""
    world.run("ip", "addr", "add", "fe80::20/64", "dev", "eth0", "nodad")
    pots(world, "--max-connections", "1")
    world.serve(None, 30080)
    (gateway,) = gateways(world)
    for _ in range(3):
        assert SILENCE not in [world.ask("wok", protocol, gateway, 30080) for protocol in PROTOCOLS]
    world.potnet("create-private-bridge", "-B", "stove", "-S", "5", "-6", "auto")
    world.potnet("create", "-p", "lid", "-N", "private-bridge", "-B", "stove", "-S", "ipv6")
    world.potnet("export-ports", "-p", "lid", "-e", "80:30081")
    world.potnet("start", "lid")
    world.serve(None, 30081)
    assert world.ask("outside", "tcp", LINK_LOCAL, 30081) != SILENCE


def test_an_alias_pot_keeps_its_ports(world: World) -> None:
    pots(world, "--loopback")
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl")
    assert everybody(world, HOST) and nobody(world, BOWL)
    assert world.potnet("check") == ""
    world.serve("bowl", 30080)
    assert world.ask("outside", "tcp", BOWL, 30080) == OUTSIDE


def test_what_has_stopped_leaves_nothing_to_mend(world: World) -> None:
    pots(world, "--loopback")
    for verb in ("create", "start", "stop", "start", "stop", "destroy"):
        options = ("-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}") if verb == "create" else ("bowl",)
        world.potnet(verb, *(("-p", "bowl") if verb == "destroy" else options))
        assert world.potnet("check") == ""
    assert everybody(world, HOST)
    # It is the host's own now.
    world.run("ip", "addr", "replace", f"{BOWL}/24", "dev", "eth0")
    world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "addr", "replace", f"{BOWL}/24", "dev", "eth0")
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert world.try_potnet("check").code == 1
    world.potnet("repair")
    assert everybody(world, BOWL) and world.potnet("check") == ""


def test_it_does_so_when_it_was_there_first(world: World) -> None:
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl")
    pots(world, "--loopback")
    assert everybody(world, HOST) and nobody(world, BOWL)
    assert world.potnet("check") == ""


def tracked(world: World, address: str) -> list[str]:
    """The numbers that conntrack(8) has given to connections to an address."""
    shown = world.run("conntrack", "-L", "-p", "udp", "-d", address, "-o", "id").out
    return [word for word in shown.split() if word.startswith("id=")]


def test_connections_of_an_alias_pot_go_on_when_their_port_is_exported(world: World) -> None:
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl", "casserole")
    for address in (BOWL, HOST):
        world.ask("outside", "udp", address, 30080)
    before = tracked(world, BOWL)
    assert before and tracked(world, HOST)
    world.potnet("export-ports", "-p", "casserole", "-e", "udp:80:30080")
    assert tracked(world, BOWL) == before and not tracked(world, HOST)


def test_a_limited_export_counts_no_calls_of_an_alias_pot(world: World) -> None:
    pots(world, "--from", "198.51.100.0/24")
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl")
    world.potnet("export-ports", "-p", "casserole", "-e", "80:30080", "--max-connections", "1")
    world.serve("bowl", 30080)
    assert [world.ask("outside", "tcp", BOWL, 30080) for _ in range(3)] == [OUTSIDE] * 3


def test_further_addresses_are_somebody_elses(world: World) -> None:
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    pots(world, "--loopback")
    assert everybody(world, HOST) and nobody(world, SECOND)
    # One that is named is offered there.
    world.potnet("export-ports", "-p", "casserole", "--add", "-e", f"{SECOND}@80:31080", "--loopback")
    assert SILENCE not in (world.ask(source, "tcp", SECOND, 31080) for source in CALLERS)
    assert world.potnet("check") == ""


def test_one_that_comes_while_pots_run_is_told_and_kept_off(world: World) -> None:
    pots(world, "--loopback")
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    answer = world.try_potnet("check")
    assert answer.code == 1 and "further4 192.0.2.77" in answer.out
    world.potnet("repair")
    assert world.potnet("check") == "" and nobody(world, SECOND) and everybody(world, HOST)
    world.run("ip", "addr", "add", "192.0.2.78/24", "dev", "eth0")
    world.potnet("export-ports", "-p", "casserole", "--add", "-e", "81:30081")
    assert world.potnet("check") == "" and nobody(world, "192.0.2.78") and everybody(world, HOST)


@pytest.mark.parametrize("overlap", [True, False])
def test_a_renewed_address_goes_on_to_work(world: World, overlap: bool) -> None:
    """dhclient(8) takes the old address away before the new one is there, others do so after it."""
    lease = ("dev", "eth0", "valid_lft", "1000", "preferred_lft", "1000")
    world.run("tee", "/proc/sys/net/ipv4/conf/eth0/promote_secondaries", stdin="1\n")
    world.run("ip", "addr", "replace", f"{HOST}/24", *lease)
    pots(world, "--loopback")
    if not overlap:
        world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "addr", "add", f"{SECOND}/24", *lease)
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    if overlap:
        # A command in between takes neither for another's.
        world.potnet("export-ports", "-p", "casserole", "--add", "-e", "81:30081")
        assert everybody(world, HOST) and everybody(world, SECOND)
        world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
        world.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert everybody(world, SECOND)
    assert world.potnet("check") == ""


def test_configured_addresses_are_those(world: World) -> None:
    third = "192.0.2.78"
    for address in (SECOND, third):
        world.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    settings = f'[network]\nexternal_address = ["{HOST}", "{SECOND}", "{HOST6}"]\n'
    world.run("mkdir", "-p", "/run/config/potnet")
    world.run("tee", "/run/config/potnet/potnet.toml", stdin=settings)
    pots(world, "--loopback")
    assert everybody(world, HOST) and everybody(world, SECOND) and nobody(world, third)


def test_the_first_pot_alone_finds_further_addresses(world: World) -> None:
    """No bridge is up before, so the look for one is what shows the addresses."""
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    world.potnet("export-ports", "-p", "casserole", "-e", "80:30080")
    world.potnet("start", "casserole")
    world.serve("casserole", 80)
    assert world.ask("outside", "tcp", HOST, 30080) == OUTSIDE
    assert world.ask("outside", "tcp", SECOND, 30080) == SILENCE
    assert world.potnet("check") == ""
