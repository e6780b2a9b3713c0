"""IPv6 on the public bridge of a Linux host: host, pots and the outside are one network, as on FreeBSD."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from linux_world import HERE, HOST, OUTSIDE, PYTHON, World, obstacle

ROUTER = """interface wire { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
prefix 2001:db8:7::/64 { AdvOnLink on; AdvAutonomous on; }; };
"""
HOST6, OUTSIDE6 = "2001:db8:7::20", "2001:db8:7::1"
PROTOCOLS = ("tcp", "udp")
TALK = (*PYTHON, str(HERE / "talk.py"))
#: Where a frame can be sent and heard: the namespace and its interface.
PLACES = {
    "host": (None, "eth0"),
    "outside": ("outside", "wire"),
    "casserole": ("casserole", "epair0b"),
    "wok": ("wok", "epair2b"),
}
#: A new wire carries after a second at the latest, and an answer is waited for for half of one.
TRIES = 10
#: To all nodes (RFC 2464).
ALL = "333300000001"
IPV6, IPV4, ARP, VLAN = "86dd", "0800", "0806", "81000007"


@pytest.fixture(scope="module")
def network() -> Iterator[World]:
    """A host whose pots casserole and wok have configured themselves from a router outside."""
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with World() as made:
        if made.run("sh", "-c", "command -v radvd").code != 0:
            pytest.skip("radvd is not installed")
        made.run("tee", "/run/radvd.conf", stdin=ROUTER)
        made.run(*made.within("outside", "tee", "/proc/sys/net/ipv6/conf/all/forwarding"), stdin="1\n")
        daemon = ("radvd", "-C", "/run/radvd.conf", "-p", "/run/radvd.pid")
        assert made.run(*made.within("outside", *daemon)).code == 0
        for name, stack in (("casserole", "ipv6"), ("wok", "dual")):
            made.potnet("create", "-p", name, "-N", "public-bridge", "-S", stack)
        before = made.snapshot()
        made.potnet("start", "casserole", "wok")
        for place, (name, interface) in PLACES.items():
            talk = (*TALK, "watch", interface, f"/run/watch.{place}")
            assert made.spawn(name, *talk) == "ready"
        yield made
        made.potnet("stop", "casserole", "wok")
        assert made.snapshot() == before


def learnt(world: World, pot: str) -> str:
    """The address that a pot has configured for itself, once it has."""
    until = f"until ip -n {pot} -6 -br addr show scope global -tentative | grep -q 2001; do sleep 0.05; done"
    assert world.run("timeout", "10", "sh", "-c", until).code == 0
    families = {each["family"]: each["address"] for each in world.facts("info", "-p", pot)["addresses"]}
    return str(families[6])


def addresses(world: World) -> dict[str | None, str]:
    """By namespace."""
    pots: dict[str | None, str] = {name: learnt(world, name) for name in ("casserole", "wok")}
    return {None: HOST6, "outside": OUTSIDE6, **pots}


def mac(world: World, place: str) -> str:
    name, interface = PLACES[place]
    shown = world.run(*world.within(name, "ip", "-br", "link", "show", interface)).out
    return shown.split()[2].replace(":", "")


def ping(world: World, name: str | None, address: str) -> str:
    return world.run(*world.within(name, *TALK, "ping", address)).out.strip()


def send(world: World, place: str, source: str, kind: str, label: int) -> None:
    """Send a frame to all: a packet of IPv6 with nothing in it but a flow label, whatever its type says."""
    name, interface = PLACES[place]
    packet = f"600{label:05x}00003b01{'0' * 32}ff02{'0' * 27}1"
    world.run(*world.within(name, *TALK, "frame", interface, f"{ALL}{source}{kind}{packet}"))


def heard(world: World, place: str, label: int) -> list[str]:
    """The types of the frames that came, of those that were sent with a label."""
    found = [line.split() for line in world.run("cat", f"/run/watch.{place}").out.splitlines()]
    return [rest.partition(f"600{label:05x}")[0] for _, _, rest in found if f"600{label:05x}" in rest]


def test_host_pots_and_outside_reach_each_other(network: World) -> None:
    found = addresses(network)
    # What an address is made of is the MAC address, which stays (RFC 4291, appendix A).
    for pot in ("casserole", "wok"):
        assert found[pot].startswith("2001:db8:7:")
        assert "ff:fe" in found[pot]
    for name in found:
        network.serve(name, 80)
    for one, own in found.items():
        for other in set(found.values()) - {own}:
            assert ping(network, one, other) == other
            assert [network.ask(one, protocol, other, 80) for protocol in PROTOCOLS] == [own] * 2
    # Each with its own MAC address: nothing is proxied.
    for pot in ("casserole", "wok"):
        for asking in (None, "outside"):
            known = network.run(*network.within(asking, "ip", "-6", "neigh", "show", found[pot])).out
            assert known.split()[4].replace(":", "") == mac(network, pot)
    # IPv4 is the host's as ever, and a pot's goes by its own bridge.
    assert [network.ask("wok", protocol, OUTSIDE, 80) for protocol in PROTOCOLS] == [HOST] * 2


def test_link_local_addresses_reach_the_host(network: World) -> None:
    network.run("ip", "addr", "add", "fe80::20/64", "dev", "eth0", "nodad")
    assert ping(network, "casserole", "fe80::20%epair0b") == "fe80::20"
    assert ping(network, "casserole", "fe80::9%epair0b") == "fe80::9"
    network.run("ip", "addr", "del", "fe80::20/64", "dev", "eth0")


def test_large_segments_pass(network: World) -> None:
    """Larger than the MTU, their checksums still to be made, as between processes of one kernel."""
    found = addresses(network)
    for name in (None, "outside", "casserole"):
        assert network.spawn(name, *TALK, "sink", "90") == "ready"
    count = str(20_000_000)
    ways = ((None, "casserole"), ("casserole", None), ("outside", "casserole"), ("casserole", "outside"))
    for one, other in ways:
        poured = network.run(*network.within(one, *TALK, "pour", found[other], "90", count))
        assert poured.out.strip() == count, poured.err


def test_all_hear_what_is_for_all_and_nobody_himself(network: World) -> None:
    addresses(network)
    for label, place in enumerate(PLACES, 0xCAFE0):
        send(network, place, mac(network, place), IPV6, label)
    time.sleep(0.2)
    for label, sender in enumerate(PLACES, 0xCAFE0):
        assert {place: heard(network, place, label) for place in PLACES} == {
            place: [] if place == sender else [IPV6] for place in PLACES
        }


def test_only_ipv6_is_carried(network: World) -> None:
    addresses(network)
    kinds = (IPV4, ARP, VLAN + IPV6, IPV6)
    for label, place in ((0xBEEF0, "outside"), (0xBEEF1, "casserole"), (0xBEEF2, "host")):
        for kind in kinds:
            send(network, place, mac(network, place), kind, label)
    time.sleep(0.2)
    assert heard(network, "casserole", 0xBEEF0) == [IPV6]
    assert heard(network, "outside", 0xBEEF1) == [IPV6]
    # What is the host's own goes where it went. The kernel tells a frame's VLAN beside it.
    assert sorted(heard(network, "outside", 0xBEEF2)) == sorted([IPV4, ARP, IPV6, IPV6])


def test_a_duplicate_address_is_found_wherever_it_is(network: World) -> None:
    addresses(network)
    for taken in (HOST6, OUTSIDE6):
        network.run("ip", "-n", "casserole", "addr", "add", f"{taken}/64", "dev", "epair0b")
    for taken in (HOST6, OUTSIDE6):
        until = f"until ip -n casserole addr show dadfailed | grep -q {taken}; do sleep 0.05; done"
        assert network.run("timeout", "5", "sh", "-c", until).code == 0
        network.run("ip", "-n", "casserole", "addr", "del", f"{taken}/64", "dev", "epair0b")
    assert ping(network, "wok", HOST6) == HOST6


def test_a_mac_address_is_where_it_was_heard_last(network: World) -> None:
    """As with any switch; but the host's own is never a pot's."""
    found = addresses(network)
    network.serve("outside", 91)
    for stolen in ("outside", "host"):
        send(network, "casserole", mac(network, stolen), IPV6, 200)
    assert ping(network, "outside", HOST6) == HOST6
    assert network.ask(None, "tcp", OUTSIDE6, 91) == HOST6
    for pot in ("casserole", "wok"):
        assert ping(network, "outside", found[pot]) == found[pot]
        assert ping(network, None, found[pot]) == found[pot]


def test_an_external_interface_that_is_a_bridge_itself(world: World) -> None:
    lines = (
        "link add name br0 type bridge",
        "addr flush dev eth0",
        "link set dev eth0 master br0",
        "link set dev br0 up",
        f"addr add {HOST}/24 dev br0",
        f"addr add {HOST6}/64 dev br0 nodad",
        f"route add default via {OUTSIDE}",
    )
    assert world.run("ip", "-batch", "-", stdin="".join(f"{line}\n" for line in lines)).code == 0
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "-S", "ipv6")
    world.potnet("start", "casserole")
    own = "2001:db8:7::30"
    world.run("ip", "-n", "casserole", "addr", "add", f"{own}/64", "dev", "epair0b", "nodad")
    assert any(ping(world, "outside", own) == own for _ in range(TRIES))
    assert ping(world, None, own) == own
    assert ping(world, "casserole", HOST6) == HOST6
    assert ping(world, "outside", HOST6) == HOST6
    world.potnet("stop", "casserole")
    assert "uplink" not in world.run("ip", "-br", "link").out


@pytest.mark.parametrize("then", ["stop", "vnet-start"])
def test_a_bridge_that_somebody_removed_leaves_the_host_its_ipv6(world: World, then: str) -> None:
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "-S", "ipv6")
    before = world.snapshot()
    world.potnet("start", "casserole")
    assert ping(world, None, OUTSIDE6) == OUTSIDE6
    world.run("ip", "link", "del", "bridge0")
    assert ping(world, None, OUTSIDE6) == OUTSIDE6
    assert ping(world, "outside", HOST6) == HOST6
    if then == "vnet-start":
        world.potnet("vnet-start", "-B", "public6")
        until = "until ip -n casserole -br addr show scope link -tentative | grep fe80; do sleep 0.05; done"
        assert world.run("timeout", "5", "sh", "-c", until).code == 0
        assert any(ping(world, "casserole", "fe80::9%epair0b") == "fe80::9" for _ in range(TRIES))
    world.potnet("stop", "casserole")
    if then == "vnet-start":
        world.run("ip", "link", "del", "bridge0")
        world.potnet("vnet-stop", "-B", "public6")
    assert world.snapshot() == before
