"""Packets of pots with IPv6 addresses from the store, on a Linux kernel."""

from __future__ import annotations

import pytest
from linux_world import World

PROTOCOLS = ("tcp", "udp")
SILENCE = "no answer"
HOST6, OUTSIDE6 = "2001:db8:7::20", "2001:db8:7::1"
EXPORTS = ("-e", "80:30080", "-e", "udp:80:30080")


def bridge(world: World, name: str, *options: str) -> str:
    """A private bridge with IPv6; the first address of its network, which is the gateway's."""
    world.potnet("create-private-bridge", "-B", name, "-S", "4", "-6", *options)
    return str(world.facts("info", "-B", name)["network6"]).replace("::/64", "::1")


def serving(world: World, name: str, on: str, stack: str = "dual") -> str:
    """A running pot with a server; its IPv6 address."""
    world.potnet("create", "-p", name, "-N", "private-bridge", "-B", on, "-S", stack)
    world.potnet("start", name)
    world.serve(name, 80)
    found = [each["address"] for each in world.facts("info", "-p", name)["addresses"] if each["family"] == 6]
    # The kernel tells IPv6 of a new link a second later.
    for _ in range(20):
        if world.ask(None, "tcp", str(found[0]), 80) != SILENCE:
            break
    return str(found[0])


def test_who_reaches_whom_by_ipv6(world: World) -> None:
    bridge(world, "stove", "auto"), bridge(world, "oven", "2001:db8:5::/64")
    bridge(world, "grill", "2001:db8:6::/64", "--routed")
    pots = {"one": "stove", "two": "stove", "three": "oven", "four": "grill"}
    found = {name: serving(world, name, on, "ipv6" if name == "two" else "dual") for name, on in pots.items()}
    for network in ("2001:db8:5::/64", "2001:db8:6::/64"):
        world.run("ip", "-n", "outside", "route", "add", network, "via", HOST6)
    world.serve("outside", 80)
    for protocol in PROTOCOLS:
        reached = {
            (one, other)
            for one in pots
            for other in pots
            if one != other and world.ask(one, protocol, found[other], 80) != SILENCE
        }
        assert reached == {("one", "two"), ("two", "one")}
        assert world.ask("one", protocol, OUTSIDE6, 80) == HOST6
        assert world.ask("three", protocol, OUTSIDE6, 80) == HOST6
        assert world.ask("four", protocol, OUTSIDE6, 80) == found["four"]
        assert world.ask("outside", protocol, found["three"], 80) == SILENCE
        assert world.ask("outside", protocol, found["four"], 80) == OUTSIDE6
        assert world.ask(None, protocol, found["three"], 80) == "2001:db8:5::1"


@pytest.mark.parametrize("stack", ["ipv6", "dual"])
def test_exports_of_ipv6(world: World, stack: str) -> None:
    gateway = bridge(world, "stove", "auto")
    bridge(world, "oven", "2001:db8:5::/64")
    serving(world, "one", "stove", stack), serving(world, "two", "stove"), serving(world, "three", "oven")
    world.potnet("export-ports", "-p", "one", *EXPORTS)
    for protocol in PROTOCOLS:
        assert world.ask("outside", protocol, HOST6, 30080) == OUTSIDE6
        for name in ("one", "two", "three"):
            assert world.ask(name, protocol, HOST6, 30080) == gateway
        assert (world.ask("outside", protocol, "192.0.2.1", 30080) == SILENCE) == (stack == "ipv6")
    shown = {each["pot_address"] for each in world.facts("show", "-p", "one")["redirections"]}
    assert len(shown) == (1 if stack == "ipv6" else 2)
    world.potnet("export-ports", "-p", "one", "-e", "80:30081")
    assert world.ask("outside", "tcp", HOST6, 30080) == SILENCE
    assert world.ask("outside", "udp", HOST6, 30080) == SILENCE
    assert world.ask("outside", "tcp", HOST6, 30081) == OUTSIDE6


@pytest.mark.parametrize("options", [("auto",), ("2001:db8:5::/64", "--routed")])
@pytest.mark.parametrize("stack", ["ipv6", "dual"])
def test_a_stop_leaves_the_host_as_it_was(world: World, stack: str, options: tuple[str, ...]) -> None:
    bridge(world, "stove", *options)
    world.potnet("create", "-p", "one", "-N", "private-bridge", "-B", "stove", "-S", stack)
    world.potnet("export-ports", "-p", "one", *EXPORTS)
    before = world.snapshot()
    world.potnet("start", "one")
    world.potnet("stop", "one")
    assert world.snapshot() == before


def test_the_host_keeps_the_router_that_it_has_learnt(world: World) -> None:
    accept = "/proc/sys/net/ipv6/conf/eth0/accept_ra"
    world.run("tee", accept, stdin="1\n")
    bridge(world, "stove", "auto")
    serving(world, "one", "stove")
    assert world.run("cat", accept).out == "2\n"
    world.potnet("stop", "one")
    assert world.run("cat", accept).out == "1\n"


@pytest.mark.parametrize("mode", ["nat", "routed"])
def test_the_public_bridge_without_slaac(world: World, mode: str) -> None:
    text = f'[network]\nipv6 = "{mode}"\npublic6 = "2001:db8:5::/64"\n'
    world.run("mkdir", "-p", "/run/config/potnet")
    world.run("tee", "/run/config/potnet/potnet.toml", stdin=text)
    world.run("ip", "-n", "outside", "route", "add", "2001:db8:5::/64", "via", HOST6)
    world.serve("outside", 80)
    world.potnet("create", "-p", "one", "-N", "public-bridge", "-S", "dual")
    before = world.snapshot()
    world.potnet("start", "one")
    world.serve("one", 80)
    for _ in range(20):
        if world.ask(None, "tcp", "2001:db8:5::2", 80) != SILENCE:
            break
    # The host of these tests has no link-local address outside, from which it would ask for its neighbour's.
    assert world.ask(None, "tcp", OUTSIDE6, 80) == HOST6
    assert world.ask("one", "tcp", OUTSIDE6, 80) == (HOST6 if mode == "nat" else "2001:db8:5::2")
    assert world.ask("outside", "tcp", "2001:db8:5::2", 80) == (SILENCE if mode == "nat" else OUTSIDE6)
    assert world.ask("outside", "tcp", "192.0.2.1", 80) == SILENCE
    world.potnet("stop", "one")
    assert world.snapshot() == before


def test_what_is_off_is_found_and_mended(world: World) -> None:
    bridge(world, "stove", "2001:db8:5::/64")
    serving(world, "one", "stove")
    world.potnet("export-ports", "-p", "one", *EXPORTS)
    assert world.facts("check") == []
    for command in (
        ("nft", "delete element inet potnet redirections6 { tcp . 30080 }"),
        ("nft", "delete element inet potnet translated6 { 2001:db8:5::/64 }"),
        ("ip", "-n", "one", "addr", "del", "2001:db8:5::2/64", "dev", "epair0b"),
        ("ip", "addr", "del", "2001:db8:5::1/64", "dev", "bridge0"),
    ):
        assert world.run(*command).code == 0
        assert world.try_potnet("check").code == 1, command
        world.potnet("repair")
        assert world.facts("check") == []
    assert world.ask("outside", "tcp", HOST6, 30080) == OUTSIDE6
