"""Making, destroying, moving interfaces; bridges and members.

Sources: ifconfig(8), epair(4), if_bridge(4), vlan(4), tap(4) and if_tuntap.c.
"""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from itertools import chain, count

from potnet.executors.base import TIMED_OUT
from potnet.executors.simulated.addresses import drop_routes_of, linklocal
from potnet.executors.simulated.things import HOST, Interface, Member
from potnet.executors.simulated.world import ToolError, World, unknown

_CLONED = re.compile(r"(bridge|epair|tap)(\d*)([ab]?)")
_VLAN = re.compile(r"(?P<parent>.+)\.(?P<tag>\d+)")
_ND6_ETHERNET = ["PERFORMNUD", "IFDISABLED", "AUTO_LINKLOCAL"]
_ND6 = {
    "bridge": ["PERFORMNUD", "IFDISABLED"],
    "epair": _ND6_ETHERNET,
    "vlan": _ND6_ETHERNET,
    "tap": _ND6_ETHERNET,
    "ether": _ND6_ETHERNET,
}


#: What ifconfig(8) makes, and is in a group of its kind.
_CLONES = ("bridge", "epair", "vlan", "tap")


def plug(world: World, name: str, mac: str) -> Interface:
    """A physical interface, up."""
    made = world.attach(name, HOST, "ether")
    made.mac = made.hwaddr = mac
    made.up = True
    made.nd6 = list(_ND6_ETHERNET)
    world.save(made)
    return made


def create(world: World, name: str) -> tuple[Interface, str]:
    """A new bridge, epair or tap. Returns the interface to configure and what ifconfig prints of its name."""
    match = _CLONED.fullmatch(name)
    if world.interface(name) is not None or world.state.get("renamed", name) is not None:
        raise ToolError(f"ifconfig: interface {name} already exists")
    vlan = _VLAN.fullmatch(name)
    parent = world.interface(vlan["parent"]) if vlan is not None else None
    if vlan is not None and parent is not None and parent.kind in ("ether", "epair"):
        return _create_vlan(world, name, parent, int(vlan["tag"])), ""
    if match is None or (match[3] and (match[1] != "epair" or not match[2])):
        raise ToolError(f"ifconfig: SIOCIFCREATE2 ({name}): Invalid argument")
    if match[3]:
        raise ToolError(f"ifconfig: interface {name} already exists")
    unit = match[2] or _free_unit(world, match[1])
    if match[1] == "epair":
        return _create_epair(world, unit), f"epair{unit}a\n"
    made = world.attach(f"{match[1]}{unit}", HOST, match[1])
    made.mac = made.hwaddr = world.made_mac(made.name)
    made.owner = "uucp" if made.kind == "tap" else ""
    _dress(world, made)
    return made, "" if match[2] else f"{made.name}\n"


def _create_vlan(world: World, name: str, parent: Interface, tag: int) -> Interface:
    """It has its parent's address and MTU (vlan(4)); 0 and 4095 are no tags of networks (IEEE 802.1Q)."""
    if not 0 < tag < 4095:
        raise ToolError(f"ifconfig: SIOCIFCREATE2 ({name}): Invalid argument")
    made = world.attach(name, HOST, "vlan")
    made.mac = made.hwaddr = parent.mac
    made.mtu = parent.mtu
    _dress(world, made)
    return made


def parent_of(world: World, interface: Interface) -> Interface | None:
    """The interface that carries a VLAN."""
    return world.interface(interface.origin.rpartition(".")[0])


def _free_unit(world: World, kind: str) -> str:
    unit = 0
    while _taken(world, kind, str(unit)):
        unit += 1
    return str(unit)


def _taken(world: World, kind: str, unit: str) -> bool:
    """Whether a unit is in use, wherever its interfaces are and whatever they are called, or its name."""
    names = [f"epair{unit}{end}" for end in "ab"] if kind == "epair" else [f"{kind}{unit}"]
    if kind == "epair" and world.epair_ends(unit) is not None:
        return True
    return any(world.interface(name) or world.state.get("renamed", name) for name in names)


def _create_epair(world: World, unit: str) -> Interface:
    if _taken(world, "epair", unit):
        raise ToolError(f"ifconfig: interface epair{unit} already exists")
    world.state.put("epair", unit, {"a": HOST, "b": HOST})
    ends = []
    for end in "ab":
        made = world.attach(f"epair{unit}{end}", HOST, "epair")
        made.mac = made.hwaddr = world.made_mac(f"epair{unit}", end)
        _dress(world, made)
        ends.append(made)
    return ends[0]


def _dress(world: World, interface: Interface) -> None:
    interface.nd6 = list(_ND6[interface.kind])
    world.set_groups(interface, [interface.kind])
    world.save(interface)


def destroy(world: World, interface: Interface) -> None:
    """Either end of an epair takes both, wherever the other is; a bridge lets its members go."""
    if interface.kind == "epair":
        unit = interface.origin[5:-1]
        for end in "ab":
            found = world.epair_end(unit, end)
            if found is not None:
                _remove(world, found)
        world.state.delete("epair", unit)
        return
    if interface.opened is not None:
        # It waits for the process that has it, and cannot be killed.
        raise ToolError("no answer within 60 seconds (potnet.command_wait), killed", TIMED_OUT)
    if interface.kind not in ("bridge", "vlan", "tap"):
        raise ToolError("ifconfig: SIOCIFDESTROY: Invalid argument")
    for member in world.members(interface.name):
        leave_bridge(world, world.need(member.name))
    _remove(world, interface)


def _remove(world: World, interface: Interface) -> None:
    leave_bridge(world, interface)
    drop_routes_of(world, interface)
    world.state.delete("renamed", interface.origin)
    world.detach(interface)


def rename(world: World, interface: Interface, name: str) -> None:
    """Another name; the unit that it was made with stays taken."""
    refusal = "ifconfig: ioctl SIOCSIFNAME (set name):"
    if len(name.encode("utf-8", "surrogateescape")) > 15:
        raise ToolError(f"{refusal} File name too long")
    if not name:
        raise ToolError(f"{refusal} Invalid argument")
    if interface.kind not in _ND6:
        raise unknown(f"a new name for {interface.name}")
    if "/" in name:
        raise unknown(f"the interface name {name}")
    if name == interface.name:
        return
    if world.interface(name, interface.vnet) is not None:
        raise ToolError(f"{refusal} File exists")
    _call(world, interface, name)


def _call(world: World, interface: Interface, name: str) -> None:
    """Everything that knows an interface by its name follows."""
    old, origin, groups = interface.name, interface.origin, interface.groups
    ports = world.members(old) if interface.kind == "bridge" and interface.vnet == HOST else []
    routes = [route for route in world.routes(interface.vnet) if route.interface == old]
    world.set_groups(interface, [])
    world.state.delete("interface", interface.key)
    interface.name, interface.made_as = name, "" if name == origin else origin
    world.set_groups(interface, groups)
    world.save(interface)
    for port in ports:
        world.state.delete("member", f"{old}/{port.name}")
        world.state.put("member", f"{name}/{port.name}", asdict(port))
        member = world.need(port.name)
        member.bridge = name
        world.save(member)
    if interface.bridge is not None:
        row = world.state.get("member", f"{interface.bridge}/{old}")
        assert row is not None
        world.state.delete("member", f"{interface.bridge}/{old}")
        world.state.put("member", f"{interface.bridge}/{name}", {**row, "name": name})
    for route in routes:
        gateway = route.gateway.replace(f"%{old}", f"%{name}")
        family = 6 if ":" in gateway else 4
        world.save_route(replace(route, interface=name, gateway=gateway), family, interface.vnet)
    if name == origin:
        world.state.delete("renamed", origin)
    else:
        world.state.put("renamed", origin, {"name": name})


def move(world: World, interface: Interface, vnet: str) -> None:
    """Into another stack: off its bridge, down, without addresses, groups other than its kind's, routes.

    Going back to the host it has the hardware address that it was made with.
    """
    if interface.vnet == vnet:
        return
    if world.interface(interface.name, vnet) is not None:
        raise ToolError("ifconfig: SIOCSIFVNET: File exists")
    leave_bridge(world, interface)
    drop_routes_of(world, interface)
    world.set_groups(interface, [])
    world.state.delete("interface", interface.key)
    if interface.kind == "epair":
        unit, end = interface.origin[5:-1], interface.origin[-1]
        world.state.put("epair", unit, {**(world.epair_ends(unit) or {}), end: vnet})
    interface.nd6 = list(_ND6.get(interface.kind, interface.nd6))
    interface.inet, interface.inet6 = [], []
    interface.up = interface.kind == "loop"
    interface.advertised = 0
    if vnet == HOST:
        interface.mac = interface.hwaddr
    interface.vnet = vnet
    interface.order = world.state.next_number("order")
    world.set_groups(interface, [interface.kind] if interface.kind in _CLONES else [])
    world.save(interface)


def come_back(world: World, interface: Interface) -> None:
    """To the host at the end of its jail, under a free name if the host has something of that name."""
    names = chain([interface.name, interface.origin], (f"{interface.kind}_{n}" for n in count()))
    theirs = {other.name for other in world.interfaces(interface.vnet)} - {interface.name}
    name = next(name for name in names if world.interface(name) is None and name not in theirs)
    if name != interface.name:
        _call(world, interface, name)
    move(world, interface, HOST)


def add_member(world: World, bridge: Interface, name: str) -> None:
    found = world.interface(name)
    if found is None:
        raise ToolError(f"ifconfig: BRDGADD {name}: No such file or directory")
    if found.bridge == bridge.name:
        raise ToolError(f"ifconfig: BRDGADD {name}: File exists")
    if found.bridge is not None:
        raise ToolError(f"ifconfig: BRDGADD {name}: Device busy")
    if found.kind in ("bridge", "loop"):
        raise ToolError(f"ifconfig: BRDGADD {name}: Invalid argument")
    if world.state.first("member", f"{bridge.name}/") is None:
        bridge.mtu = found.mtu
        world.save(bridge)
    if found.mtu != bridge.mtu:
        try:
            set_mtu(world, found, bridge.mtu)
        except ToolError:
            raise ToolError(f"ifconfig: BRDGADD {name}: Invalid argument") from None
    found.bridge = bridge.name
    member = Member(name, world.state.next_number("member"))
    world.state.put(
        "member", f"{bridge.name}/{name}", {"name": name, "order": member.order, "private": False}
    )
    world.save(found)


def set_private(world: World, bridge: Interface, name: str, private: bool) -> None:
    row = world.state.get("member", f"{bridge.name}/{name}")
    if row is None:
        raise ToolError(f"ifconfig: BRDGGIFFLGS {name}: No such file or directory")
    world.state.put("member", f"{bridge.name}/{name}", {**row, "private": private})


def set_static(world: World, bridge: Interface, name: str, mac: str) -> None:
    """An address that is behind a member and no other; it goes with the member (ifconfig(8), static)."""
    if world.state.get("member", f"{bridge.name}/{name}") is None:
        raise ToolError(f"ifconfig: BRDGSADDR {name}: No such file or directory")
    world.state.put("static", f"{bridge.name}/{mac}", {"member": name})


def set_most(world: World, bridge: Interface, name: str, most: int) -> None:
    """How many addresses there may be behind a member (ifconfig(8), ifmaxaddr)."""
    row = world.state.get("member", f"{bridge.name}/{name}")
    if row is None:
        raise ToolError(f"ifconfig: BRDGSIFAMAX {name}: No such file or directory")
    world.state.put("member", f"{bridge.name}/{name}", {**row, "most": most})


def delete_member(world: World, bridge: Interface, name: str) -> None:
    found = world.interface(name)
    if found is None or found.bridge != bridge.name:
        raise ToolError(f"ifconfig: BRDGDEL {name}: No such file or directory")
    leave_bridge(world, found)


def leave_bridge(world: World, interface: Interface) -> None:
    if interface.bridge is not None:
        world.state.delete("member", f"{interface.bridge}/{interface.name}")
        for key, row in world.state.scan("static", f"{interface.bridge}/"):
            if row["member"] == interface.name:
                world.state.delete("static", key)
        interface.bridge = None
        world.save(interface)


def set_mtu(world: World, interface: Interface, mtu: int) -> None:
    """A bridge changes its members too; a member's own cannot be changed."""
    if interface.bridge is not None and mtu != interface.mtu:
        raise ToolError("ifconfig: ioctl SIOCSIFMTU (set mtu): Operation not supported")
    if interface.kind == "bridge" and mtu < 576:
        raise ToolError("ifconfig: ioctl SIOCSIFMTU (set mtu): Invalid argument")
    parent = parent_of(world, interface) if interface.kind == "vlan" else None
    if parent is not None and mtu > parent.mtu:
        raise ToolError("ifconfig: ioctl SIOCSIFMTU (set mtu): Invalid argument")
    interface.mtu = mtu
    if interface.kind == "bridge":
        for member in world.members(interface.name):
            port = world.need(member.name)
            port.mtu = mtu
            world.save(port)


def bring_up(world: World, interface: Interface) -> None:
    interface.up = True
    linklocal(world, interface)
