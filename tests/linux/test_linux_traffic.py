"""Packets of pots on a Linux kernel: where they arrive, from whom, and where they do not."""

from __future__ import annotations

import pytest
from linux_world import HERE, HOST, OUTSIDE, PYTHON, World

PROTOCOLS = ("tcp", "udp")
EXPORTS = ("-e", "80:30080", "-e", "udp:80:30080")
SILENCE = "no answer"


def public(world: World, *names: str, serving: int = 80) -> None:
    """Running pots on the public bridge, each with a server."""
    for name in names:
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("start", *names)
    for name in names:
        world.serve(name, serving)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exports_and_the_way_out(world: World, protocol: str) -> None:
    public(world, "casserole", "wok")
    assert world.ask("outside", protocol, HOST, 30080) == SILENCE
    world.potnet("export-ports", "-p", "casserole", *EXPORTS)
    casserole, wok = world.address("casserole"), world.address("wok")
    assert world.ask("outside", protocol, HOST, 30080) == OUTSIDE
    # A pot's call to the host's address comes back by the bridge, even its own.
    assert world.ask("wok", protocol, HOST, 30080) == "10.192.0.1"
    assert world.ask("casserole", protocol, HOST, 30080) == "10.192.0.1"
    assert world.ask(None, protocol, HOST, 30080) == SILENCE
    assert world.ask("wok", protocol, casserole, 80) == wok
    assert world.ask("outside", protocol, casserole, 80) == SILENCE
    world.serve("outside", 80)
    assert world.ask("casserole", protocol, OUTSIDE, 80) == HOST
    world.potnet("export-ports", "-p", "casserole", "-e", "81:30081")
    assert world.ask("outside", protocol, HOST, 30080) == SILENCE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exports_by_loopback(world: World, protocol: str) -> None:
    public(world, "casserole", "wok")
    world.serve(None, 8080)
    world.potnet("export-ports", "-p", "casserole", *EXPORTS, "--loopback")
    assert world.ask(None, protocol, "127.0.0.1", 30080) == "10.192.0.1"
    opened = world.run("sh", "-c", "grep -l 1 /proc/sys/net/ipv4/conf/*/route_localnet").out
    assert opened == "/proc/sys/net/ipv4/conf/bridge0/route_localnet\n"
    assert world.ask(None, protocol, HOST, 30080) == "10.192.0.1"
    assert world.ask("outside", protocol, HOST, 30080) == OUTSIDE
    # That the bridge carries addresses of the loopback opens nothing of the host's own.
    world.run("ip", "-n", "wok", "addr", "del", "127.0.0.1/8", "dev", "lo")
    world.run("ip", "-n", "wok", "route", "add", "127.0.0.1", "via", "10.192.0.1")
    world.run("ip", "netns", "exec", "wok", "tee", "/proc/sys/net/ipv4/conf/all/route_localnet", stdin="1\n")
    assert world.ask("wok", protocol, "127.0.0.1", 8080) == SILENCE
    world.potnet("export-ports", "-p", "casserole", *EXPORTS)
    assert world.ask(None, protocol, "127.0.0.1", 30080) == SILENCE
    assert world.ask("outside", protocol, HOST, 30080) == OUTSIDE


VPN = """\
netns add vpn
link add name eth1 type veth peer name wire netns vpn
addr add 172.16.0.1/24 dev eth1
addr add 192.0.2.5/24 dev eth0
link set dev eth1 up
"""
FAR = """\
link set dev wire up
addr add 172.16.0.9/24 dev wire
route add default via 172.16.0.1
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_fixed_address_and_another_external_interface(world: World, protocol: str) -> None:
    world.run("ip", "-batch", "-", stdin=VPN)
    world.run("ip", "-n", "vpn", "-batch", "-", stdin=FAR)
    world.run("mkdir", "-p", "/run/config/potnet")
    text = f'[network]\nexternal_address = "{HOST}"\n[network.extra_interfaces]\n'
    text += 'eth1 = ["192.168.50.0/24", "172.16.0.0/12"]\n'
    world.run("tee", "/run/config/potnet/potnet.toml", stdin=text)
    public(world, "casserole", "wok")
    world.potnet("export-ports", "-p", "casserole", *EXPORTS)
    assert world.ask("outside", protocol, HOST, 30080) == OUTSIDE
    assert world.ask("outside", protocol, "192.0.2.5", 30080) == SILENCE
    assert world.ask("vpn", protocol, "172.16.0.1", 30080) == "172.16.0.9"
    assert world.ask("wok", protocol, HOST, 30080) == "10.192.0.1"
    assert world.ask("vpn", protocol, world.address("casserole"), 80) == SILENCE
    for there, seen in (("outside", HOST), ("vpn", "172.16.0.1")):
        world.serve(there, 80)
        far = {"outside": OUTSIDE, "vpn": "172.16.0.9"}[there]
        assert world.ask("casserole", protocol, far, 80) == seen


def test_private_bridges_are_private(world: World) -> None:
    for bridge in ("stove", "oven"):
        world.potnet("create-private-bridge", "-B", bridge, "-S", "4")
    for name, bridge in (("casserole", "stove"), ("pan", "stove"), ("tray", "oven")):
        world.potnet("create", "-p", name, "-N", "private-bridge", "-B", bridge)
    world.potnet("start", "casserole", "pan", "tray")
    public(world, "wok")
    for name in ("casserole", "pan", "tray"):
        world.serve(name, 80)
    world.potnet("export-ports", "-p", "tray", *EXPORTS)
    address = {name: world.address(name) for name in ("casserole", "pan", "tray", "wok")}
    reached = {
        (one, other)
        for one in address
        for other in address
        for protocol in PROTOCOLS
        if one != other and world.ask(one, protocol, address[other], 80) != SILENCE
    }
    assert reached == {("casserole", "pan"), ("pan", "casserole")}
    assert world.ask("outside", "tcp", address["tray"], 80) == SILENCE
    assert world.ask("outside", "tcp", HOST, 30080) == OUTSIDE
    # An export leads in from anywhere.
    assert world.ask("casserole", "udp", HOST, 30080) == "10.192.0.17"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", ["changed", "stopped"])
def test_a_connection_through_a_removed_export_dies(world: World, protocol: str, how: str) -> None:
    public(world, "casserole", "wok")
    world.potnet("export-ports", "-p", "casserole", *EXPORTS)
    world.potnet("export-ports", "-p", "wok", "-e", "80:30090", "-e", "udp:80:30090")
    for number, port in ((1, 30080), (2, 30090)):
        hold(world, number, protocol, port)
    assert [still(world, number) for number in (1, 2)] == [OUTSIDE] * 2
    if how == "changed":
        # The same port leads to another pot's port from now on.
        world.potnet("export-ports", "-p", "casserole", "-e", "81:30080", "-e", "udp:81:30080")
    else:
        world.potnet("stop", "casserole")
    assert still(world, 1) in (SILENCE, "closed")
    assert still(world, 2) == OUTSIDE


def hold(world: World, number: int, protocol: str, port: int) -> None:
    path = f"/run/hold{number}"
    world.run("mkfifo", path)
    talk = (*PYTHON, str(HERE / "talk.py"), "hold", protocol, HOST, str(port), path)
    assert world.spawn("outside", *talk) == OUTSIDE


def still(world: World, number: int) -> str:
    """What comes back over a connection that was held."""
    answer = f"/run/hold{number}.answer"
    waiting = (
        f"echo > /run/hold{number}; until [ -s {answer} ]; do sleep 0.01; done; cat {answer}; rm {answer}"
    )
    return world.run("sh", "-c", waiting).out.strip()


def test_exports_show_as_they_are_in_force(world: World) -> None:
    public(world, "casserole")
    world.potnet("export-ports", "-p", "casserole", *EXPORTS)
    rule = {"interface": "eth0", "address": HOST, "port": 30080, "pot_address": world.address("casserole")}
    expected = [{**rule, "protocol": protocol, "pot_port": 80} for protocol in PROTOCOLS]
    assert world.facts("show", "-p", "casserole")["redirections"] == expected
    world.run("nft", "delete", "element", "inet", "potnet", "redirections", "{ tcp . 30080 }")
    assert world.facts("show", "-p", "casserole")["redirections"] == expected[1:]
    # Taking away what other hands have taken away in part takes the rest.
    world.potnet("export-ports", "-p", "casserole", "-e", "80:30081")
    assert world.ask("outside", "udp", HOST, 30080) == SILENCE
    world.run("nft", "flush", "map", "inet", "potnet", "redirections")
    world.potnet("stop", "casserole")


def test_a_reload_of_one_bridge_leaves_the_others_as_they_are(world: World) -> None:
    for bridge in ("stove", "oven"):
        world.potnet("create-private-bridge", "-B", bridge, "-S", "4")
        world.potnet("create", "-p", f"pot-{bridge}", "-N", "private-bridge", "-B", bridge)
    before = world.snapshot()
    world.potnet("start", "pot-stove", "pot-oven")
    world.serve("pot-oven", 80)
    world.potnet("export-ports", "-p", "pot-oven", *EXPORTS)
    rules = world.run("nft", "list", "ruleset").out
    world.potnet("vnet-start", "-B", "stove")
    assert sorted(world.run("nft", "list", "ruleset").out.split()) == sorted(rules.split())
    assert world.ask("pot-stove", "tcp", world.address("pot-oven"), 80) == SILENCE
    assert world.ask("outside", "tcp", HOST, 30080) == OUTSIDE
    world.potnet("stop", "--all")
    # What vnet-start has made stays until vnet-stop.
    assert "bridge0" in world.run("ip", "-br", "link").out
    world.potnet("vnet-stop", "-B", "stove")
    assert world.snapshot() == before


def test_pots_of_a_bridge_that_somebody_removed_are_taken_up_again(world: World) -> None:
    public(world, "casserole", "wok")
    world.potnet("export-ports", "-p", "casserole", *EXPORTS)
    world.run("ip", "link", "del", "bridge0")
    world.potnet("vnet-start", "-B", "public")
    assert world.ask("outside", "udp", HOST, 30080) == OUTSIDE
    assert world.ask("casserole", "udp", HOST, 30080) == "10.192.0.1"
    assert world.ask("wok", "tcp", world.address("casserole"), 80) == world.address("wok")
