"""The words of ifconfig(8) that set one thing of an interface."""

from __future__ import annotations

import re
from collections.abc import Callable

from potnet.executors.simulated.net import addresses, interfaces, vxlan
from potnet.executors.simulated.world.entities import Interface
from potnet.executors.simulated.world.world import ToolError, World, unknown

MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")


def _descr(_: World, interface: Interface, text: str) -> None:
    interface.descr = text


def _group(world: World, interface: Interface, group: str) -> None:
    if group[-1:].isdigit():
        raise ToolError("ifconfig: setifgroup: group names may not end in a digit")
    if len(group.encode("utf-8", "surrogateescape")) > 15:
        raise ToolError("ifconfig: setifgroup: group name too long")
    if group not in interface.groups:
        world.set_groups(interface, [*interface.groups, group])


def _ungroup(world: World, interface: Interface, group: str) -> None:
    world.set_groups(interface, [g for g in interface.groups if g != group])


def _ether(_: World, interface: Interface, mac: str) -> None:
    if not MAC.fullmatch(mac):
        raise ToolError("ifconfig: ioctl (SIOCAIFADDR): Invalid argument")
    interface.mac = ":".join(f"{int(octet, 16):02x}" for octet in mac.split(":"))


def _mtu(world: World, interface: Interface, text: str) -> None:
    if not text.isdigit():
        raise ToolError(f"ifconfig: {text}: bad value")
    if not 72 <= int(text) <= 65535:
        raise ToolError("ifconfig: ioctl SIOCSIFMTU (set mtu): Invalid argument")
    interfaces.set_mtu(world, interface, int(text))


def bridge_only(interface: Interface, name: str = "") -> None:
    if interface.kind != "bridge":
        raise ToolError(f"ifconfig: BRDGADD{name and f' {name}'}: Invalid argument")


def _span(on: bool) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, name: str) -> None:
        bridge_only(interface, name)
        if on:
            interfaces.add_span(world, interface, name)
        else:
            interfaces.delete_span(world, interface, name)

    return setter


def _vlanfilter(world: World, _: Interface, __: str) -> None:
    """Refuse the word as the address that FreeBSD 14 takes it for."""
    if world.release.vlan_bridges:
        raise unknown("the ifconfig parameter vlanfilter")
    raise ToolError("ifconfig: vlanfilter: bad value")


def _addm(world: World, interface: Interface, name: str) -> None:
    bridge_only(interface, name)
    interfaces.add_member(world, interface, name)


def _deletem(world: World, interface: Interface, name: str) -> None:
    bridge_only(interface)
    interfaces.delete_member(world, interface, name)


def _private(value: bool) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, name: str) -> None:
        bridge_only(interface)
        interfaces.set_private(world, interface, name, value)

    return setter


def _up(world: World, interface: Interface, _: str) -> None:
    interfaces.bring_up(world, interface)


def _down(world: World, interface: Interface, _: str) -> None:
    if interface.kind == "wg":
        addresses.drop_routes_of(world, interface)
    interfaces.bring_down(interface)


def _link0(on: bool) -> Callable[[World, Interface, str], None]:
    def setter(_: World, interface: Interface, __: str) -> None:
        if interface.kind != "tap":
            raise unknown(f"link0 of {interface.name}")
        interface.link0 = on

    return setter


def _nd6(flag: str, on: bool) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, _: str) -> None:
        interface.nd6 = [f for f in interface.nd6 if f != flag] + ([flag] if on else [])
        if flag == "IFDISABLED":
            addresses.pause(world, interface, on)
        addresses.linklocal(world, interface)

    return setter


def _no_sum(name: str) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, _: str) -> None:
        if interface.kind == "loop":
            raise unknown("checksum options of lo0")
        interfaces.drop_sum(world, interface, name)

    return setter


def _vxlan(what: str) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, text: str) -> None:
        vxlan.change(world, interface, what, vxlan.number(text) if what == "number" else vxlan.end(text))

    return setter


def _vxlan_device(world: World, interface: Interface, name: str) -> None:
    """Take the interface of multicast packets, which a single remote end does not need."""
    world.need(name, interface.vnet)
    vxlan.flush(world, interface)


def _vxlan_flush(world: World, interface: Interface, _: str) -> None:
    vxlan.flush(world, interface)


#: Each parameter: whether it has an argument, and its function.
PARAMETERS: dict[str, tuple[bool, Callable[[World, Interface, str], None]]] = {
    "up": (False, _up),
    "down": (False, _down),
    "link0": (False, _link0(True)),
    "-link0": (False, _link0(False)),
    "descr": (True, _descr),
    "description": (True, _descr),
    "-descr": (False, _descr),
    "-description": (False, _descr),
    "group": (True, _group),
    "-group": (True, _ungroup),
    "ether": (True, _ether),
    "mtu": (True, _mtu),
    "addm": (True, _addm),
    "deletem": (True, _deletem),
    "private": (True, _private(True)),
    "-private": (True, _private(False)),
    "span": (True, _span(True)),
    "-span": (True, _span(False)),
    "vlanfilter": (False, _vlanfilter),
    "accept_rtadv": (False, _nd6("ACCEPT_RTADV", True)),
    "-accept_rtadv": (False, _nd6("ACCEPT_RTADV", False)),
    "no_radr": (False, _nd6("NO_RADR", True)),
    "-no_radr": (False, _nd6("NO_RADR", False)),
    "no_dad": (False, _nd6("NO_DAD", True)),
    "-no_dad": (False, _nd6("NO_DAD", False)),
    "auto_linklocal": (False, _nd6("AUTO_LINKLOCAL", True)),
    "-auto_linklocal": (False, _nd6("AUTO_LINKLOCAL", False)),
    "ifdisabled": (False, _nd6("IFDISABLED", True)),
    "-ifdisabled": (False, _nd6("IFDISABLED", False)),
    "-txcsum": (False, _no_sum("TXCSUM")),
    "-txcsum6": (False, _no_sum("TXCSUM_IPV6")),
    "vxlanid": (True, _vxlan("number")),
    "vxlanlocal": (True, _vxlan("local")),
    "vxlanremote": (True, _vxlan("remote")),
    "vxlandev": (True, _vxlan_device),
    "vxlanflush": (False, _vxlan_flush),
    "vxlanflushall": (False, _vxlan_flush),
}
