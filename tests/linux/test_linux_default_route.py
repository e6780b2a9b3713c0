"""Pots reach the outside whatever form the default route of the host has."""

from __future__ import annotations

import json

import pytest
from linux_world import OUTSIDE, World

#: A second wire to the outside, which carries nothing else.
SECOND = (
    "link add name eth1 type veth peer name wire1 netns outside",
    "link set dev eth1 up",
    "addr add 198.51.100.1/24 dev eth1",
)
NEXT = "via 192.0.2.9 dev eth0"


def route(world: World, *lines: str) -> None:
    """Take the default route away, and carry out lines of ip(8) in its place."""
    world.run("ip", "-n", "outside", "link", "set", "dev", "wire1", "up")
    for line in ("route del default", *lines):
        done = world.run("ip", *line.split())
        assert done.code == 0, (line, done.err)


@pytest.fixture
def two(world: World) -> World:
    """A host with a second interface, eth1, and a server outside that pots may call."""
    for line in SECOND:
        assert world.run("ip", *line.split()).code == 0
    world.run("ip", "-n", "outside", "link", "set", "dev", "wire1", "up")
    world.serve("outside", 9000)
    world.potnet("create", "-p", "wok", "-N", "public-bridge")
    return world


@pytest.mark.parametrize(
    "lines",
    [
        ("route add default nexthop via 192.0.2.9 dev eth0 nexthop via 192.0.2.8 dev eth0",),
        ("nexthop add id 7 via 192.0.2.9 dev eth0", "route add default nhid 7"),
        ("nexthop add id 7 via 192.0.2.9 dev eth0", "nexthop add id 8 group 7", "route add default nhid 8"),
        ("route add default via 198.51.100.9 dev eth1 metric 500", f"route add default {NEXT} metric 100"),
        ("route add unreachable default metric 900", f"route add default {NEXT} metric 100"),
        ("route add default dev eth0",),
        ("route add default via 192.0.2.99 dev eth0 onlink",),
        (f"route add default {NEXT} table 100", "rule add pref 40000 lookup 100"),
        (
            "route add default via 198.51.100.9 dev eth1 table 99",
            "rule add pref 10 from 192.0.2.77 lookup 99",
            f"route add default {NEXT} table 100",
            "rule add pref 40000 lookup 100",
        ),
    ],
    ids=["several", "object", "group", "metrics", "unreachable", "dev", "onlink", "table", "tables"],
)
@pytest.mark.parametrize("compatible", [True, False], ids=["", "numbers only"])
def test_a_pot_reaches_the_outside(two: World, lines: tuple[str, ...], compatible: bool) -> None:
    # Without it, routes tell only the number of their nexthop object.
    two.run("tee", "/proc/sys/net/ipv4/nexthop_compat_mode", stdin=f"{int(compatible)}\n")
    route(two, *lines)
    assert two.try_potnet("start", "wok").err == ""
    assert two.ask("wok", "tcp", OUTSIDE, 9000).startswith("192.0.2.1")
    assert two.facts("check") == []


@pytest.mark.parametrize(
    "lines",
    [
        ("-6 route add default nexthop via 2001:db8:7::1 dev eth0 nexthop via 2001:db8:7::2 dev eth0",),
        ("-6 route add unreachable default metric 9000", "-6 route add default via 2001:db8:7::1 metric 10"),
        (
            "-6 nexthop add id 7 via 2001:db8:7::1 dev eth0",
            "nexthop add id 8 group 7",
            "-6 route add default nhid 8",
        ),
        ("-6 route add default via 2001:db8:7::1 dev eth0 table 100", "-6 rule add pref 10 lookup 100"),
    ],
    ids=["several", "unreachable", "object", "table"],
)
def test_the_default_route_of_ipv6_counts_without_one_of_ipv4(two: World, lines: tuple[str, ...]) -> None:
    route(two, *lines)
    assert two.try_potnet("start", "wok").err == ""
    assert 'oifname "eth0"' in two.run("nft", "list", "ruleset", "inet").out


@pytest.mark.parametrize(
    "lines", [(), ("route add unreachable default",), ("-6 route add unreachable default",)]
)
def test_a_route_that_refuses_is_no_default_route(two: World, lines: tuple[str, ...]) -> None:
    route(two, *lines)
    refused = two.try_potnet("start", "wok")
    assert (refused.code, "the host has no default route" in refused.err) == (1, True)


def test_a_default_route_by_several_interfaces_is_told(two: World) -> None:
    route(two, "route add default nexthop via 192.0.2.9 dev eth0 nexthop via 198.51.100.9 dev eth1")
    said = two.try_potnet("start", "wok").err
    assert "leads by eth0 and eth1: NAT and exports apply to eth0 only" in said
    found = {each["subject"]: each for each in json.loads(two.try_potnet("-o", "json", "doctor").out)}
    assert found["external interface"]["verdict"] == "limited"
    two.potnet("stop", "wok")
    config = '[network.extra_interfaces]\neth1 = "0.0.0.0/0"\n'
    two.run("tee", "/run/potnet.toml", stdin=config)
    assert two.try_potnet("--config", "/run/potnet.toml", "start", "wok").err == ""
    shown = two.run("nft", "list", "ruleset", "inet").out
    assert 'oifname "eth1"' in shown
    assert two.facts("--config", "/run/potnet.toml", "check") == []


def test_a_route_by_several_interfaces_into_the_network_of_pots_is_refused(two: World) -> None:
    line = "route add 10.200.0.0/16 nexthop via 192.0.2.9 dev eth0 nexthop via 198.51.100.9 dev eth1"
    assert two.run("ip", *line.split()).code == 0
    refused = two.try_potnet("start", "wok")
    assert "overlaps the host's route to 10.200.0.0/16" in refused.err
