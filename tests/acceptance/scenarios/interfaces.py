"""What pots and bridges have of interfaces: MAC addresses, MTU, VLANs, taps, and those of the host."""

from __future__ import annotations

import re

from ..host import HOST
from ..registry import scenario
from ..user import User, eventually

MAC = "02:00:00:00:ac:0e"


@scenario()
def a_mac_address_and_an_mtu(user: User) -> None:
    bridge = user.bridge("stove", "--mtu", "1400")
    pot = user.run("pan", "-N", "private-bridge", "-B", bridge, "--mac", MAC)
    end = user.facts("info", "-p", pot)["interfaces"][0]["name"]
    shown = user.host.interface(end, pot)
    assert MAC in shown and "mtu 1400" in shown, shown
    for name in (user.facts("info", "-B", bridge)["interface"], outer(end)):
        assert "mtu 1400" in user.host.interface(name), user.host.interface(name)
    user.connects(HOST, user.address(pot), pot)
    user.agrees()


def outer(end: str) -> str:
    """Return the host's end of an epair."""
    return f"{end.removesuffix('b')}a"


@scenario("vlan")
def a_vlan(user: User) -> None:
    external = user.host.external
    # If the host's addresses are on a bridge, the frames of VLANs come to its member.
    member = re.search(r"^\tmember: (\S+)", user.host.interface(external), re.M)
    uplink = f"{member[1] if member else external}.77"
    bridge = user.bridge("floor", "--uplink", uplink)
    one, two = (user.pot(name, "-N", "private-bridge", "-B", bridge) for name in ("one", "two"))
    user.start(one, two)
    assert user.host.interface(uplink)
    user.connects(one, user.address(two), two)
    user.agrees()
    user.potnet("stop", one, two)
    assert not user.host.interface(uplink)


@scenario("spare")
def an_interface_of_the_host(user: User) -> None:
    spare = user.host.spare
    pot = user.pot("pan", "-N", "public-bridge", "--pass", spare)
    user.start(pot)
    assert user.host.interface(spare, pot)
    assert not user.host.interface(spare)
    user.agrees()
    assert spare in user.refused("create", "-p", f"{pot}-2", "-N", "public-bridge", "--pass", spare)
    user.potnet("stop", pot)
    assert eventually(lambda: bool(user.host.interface(spare)))


@scenario("tap")
def a_tap(user: User) -> None:
    bridge = user.bridge("lab")
    machine = user.pot("vm", "-N", "private-bridge", "-B", bridge, "--tap", "--owner", "nobody")
    user.potnet("start", machine)
    tap = user.facts("info", "-p", machine)["taps"][0]["name"]
    assert user.host.interface(tap)
    user.agrees()
    user.potnet("stop", machine)
    assert not user.host.interface(tap)
