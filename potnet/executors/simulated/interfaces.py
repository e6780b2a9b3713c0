"""Making, destroying, moving interfaces; bridges and members (ifconfig(8), epair(4), if_bridge(4))."""

from __future__ import annotations

import re

from potnet.executors.simulated.addresses import drop_routes_of, linklocal
from potnet.executors.simulated.things import HOST, Interface, Member
from potnet.executors.simulated.world import ToolError, World

_CLONED = re.compile(r"(bridge|epair)(\d*)([ab]?)")
_ND6 = {
    "bridge": ["PERFORMNUD", "IFDISABLED"],
    "epair": ["PERFORMNUD", "IFDISABLED", "AUTO_LINKLOCAL"],
}


def create(world: World, name: str) -> tuple[Interface, str]:
    """A new bridge or epair. Returns the interface to configure and what ifconfig prints of its name."""
    match = _CLONED.fullmatch(name)
    if world.interface(name) is not None:
        raise ToolError(f"ifconfig: interface {name} already exists")
    if match is None or (match[3] and (match[1] == "bridge" or not match[2])):
        raise ToolError(f"ifconfig: SIOCIFCREATE2 ({name}): Invalid argument")
    if match[3]:
        raise ToolError(f"ifconfig: interface {name} already exists")
    unit = match[2] or _free_unit(world, match[1])
    if match[1] == "epair":
        return _create_epair(world, unit), f"epair{unit}a\n"
    made = world.attach(f"bridge{unit}", HOST, "bridge")
    made.mac = made.hwaddr = world.made_mac(made.name)
    _dress(world, made)
    return made, "" if match[2] else f"{made.name}\n"


def _free_unit(world: World, kind: str) -> str:
    unit = 0
    while world.epair_ends(str(unit)) if kind == "epair" else world.interface(f"bridge{unit}"):
        unit += 1
    return str(unit)


def _create_epair(world: World, unit: str) -> Interface:
    if world.epair_ends(unit) is not None:
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
        unit = interface.name[5:-1]
        for end, vnet in (world.epair_ends(unit) or {}).items():
            found = world.interface(f"epair{unit}{end}", vnet)
            if found is not None:
                _remove(world, found)
        world.state.delete("epair", unit)
        return
    if interface.kind != "bridge":
        raise ToolError("ifconfig: SIOCIFDESTROY: Invalid argument")
    for member in world.members(interface.name):
        leave_bridge(world, world.need(member.name))
    _remove(world, interface)


def _remove(world: World, interface: Interface) -> None:
    leave_bridge(world, interface)
    drop_routes_of(world, interface)
    world.detach(interface)


def move(world: World, interface: Interface, vnet: str) -> None:
    """Into another stack: off its bridge, down, without addresses, groups other than its kind's, routes.

    Going back to the host it has the hardware address that it was made with.
    """
    leave_bridge(world, interface)
    drop_routes_of(world, interface)
    world.set_groups(interface, [])
    world.state.delete("interface", interface.key)
    if interface.kind == "epair":
        unit, end = interface.name[5:-1], interface.name[-1]
        world.state.put("epair", unit, {**(world.epair_ends(unit) or {}), end: vnet})
        interface.nd6 = list(_ND6["epair"])
    interface.inet, interface.inet6 = [], []
    interface.up = interface.kind == "loop"
    interface.advertised = 0
    if vnet == HOST:
        interface.mac = interface.hwaddr
    interface.vnet = vnet
    interface.order = world.state.next_number("order")
    world.set_groups(interface, [interface.kind] if interface.kind in _ND6 else [])
    world.save(interface)


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
    found.mtu = bridge.mtu
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


def delete_member(world: World, bridge: Interface, name: str) -> None:
    found = world.interface(name)
    if found is None or found.bridge != bridge.name:
        raise ToolError(f"ifconfig: BRDGDEL {name}: No such file or directory")
    leave_bridge(world, found)


def leave_bridge(world: World, interface: Interface) -> None:
    if interface.bridge is not None:
        world.state.delete("member", f"{interface.bridge}/{interface.name}")
        interface.bridge = None
        world.save(interface)


def set_mtu(world: World, interface: Interface, mtu: int) -> None:
    """A bridge changes its members too; a member's own cannot be changed."""
    if interface.bridge is not None and mtu != interface.mtu:
        raise ToolError("ifconfig: ioctl SIOCSIFMTU (set mtu): Operation not supported")
    interface.mtu = mtu
    if interface.kind == "bridge":
        for member in world.members(interface.name):
            port = world.need(member.name)
            port.mtu = mtu
            world.save(port)


def bring_up(world: World, interface: Interface) -> None:
    interface.up = True
    if interface.kind == "epair":
        linklocal(world, interface)
