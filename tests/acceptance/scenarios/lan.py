"""Pots as machines of a LAN: on a bridge of the host's own, and on a bridge with an interface of the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from ..host import HOST, PORT, PREFIX
from ..registry import scenario
from ..user import User

#: The LAN of the bridge that the suite makes, and the address of the host there.
BRIDGE, LAN, OWN = "bridge77", "172.31.77.0/24", "172.31.77.1"
#: How an administrator makes such a bridge, and removes it.
MAKES = {
    "freebsd": (
        f"ifconfig {BRIDGE} create",
        f"ifconfig {BRIDGE} inet {OWN}/24 up",
        f"ifconfig {BRIDGE} inet6 fd00:77::1/64 no_dad -ifdisabled up",
    ),
    "linux": (
        f"ip link add name {BRIDGE} type bridge mcast_snooping 0",
        f"ip addr add {OWN}/24 dev {BRIDGE}",
        f"ip addr add fd00:77::1/64 dev {BRIDGE} nodad",
        f"ip link set dev {BRIDGE} up",
    ),
}
REMOVES = {"freebsd": f"ifconfig {BRIDGE} destroy", "linux": f"ip link del dev {BRIDGE}"}


@contextmanager
def _bridge_of_the_host(user: User) -> Iterator[str]:
    """Let the host have a bridge of its own, and return the name of the bridge of pots that joins it."""
    lan = f"{PREFIX}lan"
    for line in MAKES[user.host.kind]:
        user.tool(*line.split())
    try:
        yield lan
    finally:
        user.host.tool(*REMOVES[user.host.kind].split())


@scenario(sample="sim14")
def a_bridge_of_the_host(user: User) -> None:
    with _bridge_of_the_host(user) as lan:
        options = ("--gateway", OWN, "--range", "172.31.77.60-172.31.77.69", "-6", "fd00:77::/64")
        user.potnet("create-bridge", "-B", lan, "--join", BRIDGE, "--net", LAN, *options)
        refused = user.refused("create", "-p", f"{PREFIX}web", "-N", "bridge", "-B", lan, "-i", OWN)
        assert f"{OWN} is in use by the host, on {BRIDGE}" in refused
        web = user.pot("web", "-N", "bridge", "-B", lan, "-i", "auto")
        db = user.pot("db", "-N", "bridge", "-B", lan, "-S", "dual", "-i", "172.31.77.9", "-i", "fd00:77::9")
        user.start(web, db)
        assert user.address(web) == "172.31.77.60"
        user.connects(HOST, user.address(web), web)
        user.connects(web, "172.31.77.9", db)
        user.connects(HOST, "fd00:77::9", db)
        user.host.serve(HOST, PORT)
        user.connects(web, OWN, HOST)
        user.agrees()
        user.potnet("stop", web, db)
        assert user.host.interface(BRIDGE)
        user.potnet("destroy", "-p", web)
        user.potnet("destroy", "-p", db)
        user.potnet("destroy", "-B", lan)


@scenario("dhcp")
def an_address_by_dhcp(user: User) -> None:
    """No server answers there, so the administrator plays its part."""
    with _bridge_of_the_host(user) as lan:
        options = ("--gateway", OWN, "--range", "172.31.77.60-172.31.77.69", "--dhcp")
        user.potnet("create-bridge", "-B", lan, "--join", BRIDGE, "--net", LAN, *options)
        web = user.pot("web", "-N", "bridge", "-B", lan, "-S", "ipv4")
        root = user.facts("info", "-p", web)["root"]
        # A root with so few programs cannot run the client.
        user.tool("rm", "-f", f"{root}/sbin/dhclient")
        user.start(web)
        assert "address-unconfirmed" in _found(user)
        _set_address(user, web, "172.31.77.60")
        assert "inside the range" in user.try_potnet("check").out
        _set_address(user, web, "172.31.77.99")
        assert "address-changed" in _found(user)
        user.potnet("repair")
        assert user.address(web) == "172.31.77.99"
        user.connects(HOST, "172.31.77.99", web)
        user.agrees()
        user.potnet("stop", web)
        user.potnet("destroy", "-p", web)
        user.potnet("destroy", "-B", lan)


def _found(user: User) -> list[str]:
    answer = user.try_potnet("-o", "json", "check")
    return [each["kind"] for each in json.loads(answer.out)]


def _set_address(user: User, pot: str, address: str) -> None:
    """Give a pot an address in place of its other one."""
    end = user.facts("info", "-p", pot)["interfaces"][0]["name"]
    if user.host.kind == "freebsd":
        user.tool("ifconfig", "-j", pot, end, "inet", f"{address}/24")
    else:
        user.tool("ip", "-n", pot, "addr", "flush", "dev", end)
        user.tool("ip", "-n", pot, "addr", "add", f"{address}/24", "dev", end)


@scenario("spare")
def an_interface_on_a_bridge_of_potnet(user: User) -> None:
    spare, lan = user.host.spare, f"{PREFIX}lan"
    user.potnet("create-bridge", "-B", lan, "--join", spare, "--net", LAN)
    again = ("create-bridge", "-B", f"{lan}-2", "--join", spare, "--net", "172.31.78.0/24")
    assert f"bridge {lan} joins {spare} already" in user.refused(*again)
    one = user.pot("one", "-N", "bridge", "-B", lan, "-i", "172.31.77.61")
    two = user.pot("two", "-N", "bridge", "-B", lan, "-i", "172.31.77.62")
    user.start(one, two)
    bridge = user.facts("info", "-B", lan)["interface"]
    assert user.host.interface(bridge)
    user.connects(one, "172.31.77.62", two)
    user.agrees()
    user.potnet("stop", one, two)
    assert not user.host.interface(bridge)
