"""Packets by exports with options, on a Linux kernel: which port, from whom, how many at once."""

from __future__ import annotations

from itertools import product

import pytest
from linux_world import HERE, HOST, OUTSIDE, PYTHON, SILENCE, World

PROTOCOLS = ("tcp", "udp")
HOST6, OUTSIDE6 = "2001:db8:7::20", "2001:db8:7::1"
SECOND, STRANGER = "192.0.2.77", "192.0.2.66"


def running(world: World, name: str, *ports: int) -> str:
    """A pot on the public bridge with servers; its address."""
    world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("start", name)
    for port in ports:
        world.serve(name, port)
    return world.address(name)


def calls_from(world: World, address: str) -> None:
    """Let who is outside call from this address."""
    world.run("ip", "-n", "outside", "addr", "replace", f"{address}/24", "dev", "wire")
    world.run("ip", "-n", "outside", "route", "replace", "192.0.2.0/24", "dev", "wire", "src", address)


def hold(world: World, number: int, protocol: str, port: int, source: str = "outside") -> str:
    """What a connection that is kept open is answered first; nothing where there is none."""
    path = f"/run/hold{number}"
    world.run("mkfifo", path)
    return world.spawn(source, *PYTHON, str(HERE / "talk.py"), "hold", protocol, HOST, str(port), path)


def still(world: World, number: int) -> str:
    """What comes back over a connection that was held."""
    answer = f"/run/hold{number}.answer"
    waiting = (
        f"echo > /run/hold{number}; until [ -s {answer} ]; do sleep 0.01; done; cat {answer}; rm {answer}"
    )
    return world.run("sh", "-c", waiting).out.strip()


@pytest.mark.parametrize("source", ["outside", "wok"])
@pytest.mark.parametrize("way", ["stop", "remove", "move"])
def test_a_client_that_goes_on_reaches_what_is_exported_now(world: World, way: str, source: str) -> None:
    """conntrack(8) remembers where the first packet of a client went, as long as more come."""
    for name in ("casserole", "wok", "kettle"):
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("export-ports", "-p", "casserole", "-e", "udp:80:30080")
    world.potnet("start", "casserole", "wok", "kettle")
    for name in ("casserole", "kettle"):
        world.serve(name, 80)
    assert hold(world, 1, "udp", 30080, source) != SILENCE
    if way == "stop":
        world.potnet("stop", "casserole")
    else:
        world.potnet("export-ports", "-p", "casserole", "--remove", "-e", "udp:80:30080")
    for _ in range(3):
        assert still(world, 1) == SILENCE
    if way == "stop":
        world.potnet("start", "casserole")
        world.serve("casserole", 80)
    else:
        pot = "casserole" if way == "remove" else "kettle"
        world.potnet("export-ports", "-p", pot, "-e", "udp:80:30080")
    assert still(world, 1) != SILENCE


def test_each_port_of_a_range_leads_to_its_own(world: World) -> None:
    running(world, "casserole", 82)
    world.potnet("export-ports", "-p", "casserole", "-e", "tcp+udp:80-84:30080-30084")
    for protocol in PROTOCOLS:
        answers = [world.ask("outside", protocol, HOST, port) for port in range(30079, 30086)]
        assert answers == [SILENCE] * 3 + [OUTSIDE] + [SILENCE] * 3


def test_two_addresses_of_the_host_lead_to_two_pots(world: World) -> None:
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    running(world, "casserole", 80), running(world, "wok", 81)
    world.potnet("export-ports", "-p", "casserole", "-e", f"{HOST}@tcp+udp:80:30080")
    world.potnet("export-ports", "-p", "wok", "-e", f"{SECOND}@tcp+udp:81:30080")
    for address, protocol in product((HOST, SECOND), PROTOCOLS):
        assert world.ask("outside", protocol, address, 30080) == OUTSIDE
        assert world.ask("wok", protocol, address, 30080) == "10.192.0.1"
        assert world.ask("casserole", protocol, address, 30080) == "10.192.0.1"
    world.potnet("export-ports", "-p", "casserole", "--clear")
    for protocol in PROTOCOLS:
        assert world.ask("outside", protocol, HOST, 30080) == SILENCE
        assert world.ask("outside", protocol, SECOND, 30080) == OUTSIDE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_is_no_source_finds_what_the_host_has(world: World, protocol: str) -> None:
    address = running(world, "casserole", 80)
    wok = running(world, "wok")
    export = ("export-ports", "-p", "casserole", "-e", f"{protocol}:80:30080")
    world.potnet(*export, "--from", f"{OUTSIDE}/32", "--from", "198.51.100.0/24")
    assert world.ask("outside", protocol, HOST, 30080) == OUTSIDE
    assert world.ask("wok", protocol, HOST, 30080) == SILENCE
    calls_from(world, STRANGER)
    assert world.ask("outside", protocol, HOST, 30080) == SILENCE
    world.potnet(*export, "--from", f"{STRANGER}/31", "--from", wok)
    assert world.ask("outside", protocol, HOST, 30080) == STRANGER
    assert world.ask("wok", protocol, HOST, 30080) == "10.192.0.1"
    # Whatever it is called by, a pot itself is not reached from outside.
    assert world.ask("outside", protocol, address, 80) == SILENCE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_source_has_so_many_connections_and_no_more(world: World, protocol: str) -> None:
    running(world, "casserole", 80), running(world, "wok")
    export = ("export-ports", "-p", "casserole", "-e", f"{protocol}:80:30080")
    world.potnet(*export, "--max-connections", "2")
    assert [hold(world, number, protocol, 30080) for number in (1, 2)] == [OUTSIDE] * 2
    assert world.ask("outside", protocol, HOST, 30080) == SILENCE
    assert [still(world, number) for number in (1, 2)] == [OUTSIDE] * 2
    # Another source has not been counted, nor is another export.
    assert world.ask("wok", protocol, HOST, 30080) == "10.192.0.1"
    calls_from(world, STRANGER)
    assert world.ask("outside", protocol, HOST, 30080) == STRANGER
    calls_from(world, OUTSIDE)
    # Nobody loses a connection because the limit changes.
    world.potnet(*export, "--max-connections", "9")
    assert [still(world, number) for number in (1, 2)] == [OUTSIDE] * 2
    assert world.ask("outside", protocol, HOST, 30080) == OUTSIDE


def test_a_connection_that_ends_makes_room(world: World) -> None:
    running(world, "casserole", 80)
    world.potnet("export-ports", "-p", "casserole", "-e", "80:30080", "--max-connections", "1")
    for _ in range(3):
        # The server's end is closed a moment after the caller's.
        answers = (world.ask("outside", "tcp", HOST, 30080) for _ in range(120))
        assert next((each for each in answers if each != SILENCE), None) == OUTSIDE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_less_of_a_range_ends_what_came_by_the_rest(world: World, protocol: str) -> None:
    running(world, "casserole", 80, 85)
    export = ("export-ports", "-p", "casserole")
    world.potnet(*export, "-e", f"{protocol}:80-89:30080-30089", "-e", f"{protocol}:80:31080")
    for number, port in ((1, 30080), (2, 30085), (3, 31080)):
        assert hold(world, number, protocol, port) == OUTSIDE
    world.potnet(*export, "--remove", "-e", f"{protocol}:80-89")
    assert [still(world, number) for number in (1, 2)] in ([SILENCE] * 2, ["closed"] * 2)
    assert still(world, 3) == OUTSIDE


def kettle(world: World, *ports: int) -> str:
    """A pot of both families on a private bridge, with servers; its gateway of IPv6."""
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    world.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove", "-S", "dual")
    world.potnet("start", "kettle")
    for port in ports:
        world.serve("kettle", port)
    addresses = world.facts("info", "-p", "kettle")["addresses"]
    own = next(str(each["address"]) for each in addresses if each["family"] == 6)
    # The kernel tells IPv6 of a new link a second later.
    for _ in range(120):
        if world.ask(None, "tcp", own, ports[0]) != SILENCE:
            break
    return str(world.facts("info", "-B", "stove")["network6"]).replace("::/64", "::1")


def test_ipv6_alike(world: World) -> None:
    gateway = kettle(world, 82)
    export = ("export-ports", "-p", "kettle", "-e", f"{HOST6}@tcp+udp:80-84:30080-30084")
    world.potnet(*export)
    for protocol in PROTOCOLS:
        assert world.ask("outside", protocol, HOST6, 30082) == OUTSIDE6
        assert world.ask("kettle", protocol, HOST6, 30082) == gateway
        assert world.ask("outside", protocol, HOST6, 30081) == SILENCE
        assert world.ask("outside", protocol, HOST, 30082) == SILENCE
        assert world.ask(None, protocol, HOST6, 30082) == SILENCE
    world.potnet(*export, "--loopback", "--from", "2001:db8:99::/48", "--max-connections", "3")
    for protocol in PROTOCOLS:
        assert world.ask("outside", protocol, HOST6, 30082) == SILENCE
        assert world.ask(None, protocol, HOST6, 30082) == gateway
    world.potnet(*export, "--from", f"{OUTSIDE6}/128", "--max-connections", "3")
    for protocol in PROTOCOLS:
        assert world.ask("outside", protocol, HOST6, 30082) == OUTSIDE6
    assert world.potnet("check") == ""
    (counted,) = world.facts("show", "-p", "kettle")["traffic"]
    assert counted["connections"] >= 2 and counted["packets"] >= 4


def test_the_host_itself_by_both_families(world: World) -> None:
    kettle(world, 80)
    world.potnet("export-ports", "-p", "kettle", "-e", "tcp+udp:80:30080", "--loopback")
    for protocol in PROTOCOLS:
        for address in (HOST, "127.0.0.1", HOST6):
            assert world.ask(None, protocol, address, 30080) != SILENCE
        assert world.ask(None, protocol, "::1", 30080) == SILENCE
    world.potnet("export-ports", "-p", "kettle", "-e", "tcp+udp:80:30080")
    for protocol, address in product(PROTOCOLS, (HOST, "127.0.0.1", HOST6)):
        assert world.ask(None, protocol, address, 30080) == SILENCE


def test_nothing_is_left_of_options(world: World) -> None:
    running(world, "wok")
    before = world.snapshot()
    running(world, "casserole", 80)
    world.potnet(
        "export-ports", "-p", "casserole", "-e", "tcp+udp:80-89:30080-30089", "-e", f"{HOST}@81:31080",
        "--from", "192.0.2.0/24", "--max-connections", "3", "--loopback",
    )  # fmt: skip
    assert world.ask("outside", "tcp", HOST, 30080) == OUTSIDE
    world.potnet("export-ports", "-p", "casserole", "--clear")
    world.potnet("stop", "casserole")
    world.potnet("destroy", "-p", "casserole")
    assert world.snapshot()["rules"] == before["rules"]
