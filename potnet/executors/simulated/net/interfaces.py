"""The creation, removal and moves of interfaces; bridges and members.

Sources: ifconfig(8), epair(4), if_bridge(4), vlan(4), tap(4) and if_tuntap.c.
"""

from __future__ import annotations

import re
from dataclasses import replace

from potnet.executors.base import TIMED_OUT
from potnet.executors.simulated.net import neighbours, vxlan, wireguard
from potnet.executors.simulated.net.addresses import drop_routes_of, linklocal
from potnet.executors.simulated.world import modules
from potnet.executors.simulated.world.entities import HOST, Interface, Member, name_key, row_of
from potnet.executors.simulated.world.world import ToolError, World, unknown

_CLONED = re.compile(r"(bridge|epair|tap|vxlan|wg)(\d*)([ab]?)")
_VLAN = re.compile(r"(?P<parent>.+)\.(?P<tag>\d+)")
_ND6_ETHERNET = ["PERFORMNUD", "IFDISABLED", "AUTO_LINKLOCAL"]
_ND6 = {
    "bridge": ["PERFORMNUD", "IFDISABLED"],
    "epair": _ND6_ETHERNET,
    "vlan": _ND6_ETHERNET,
    "tap": _ND6_ETHERNET,
    "vxlan": _ND6_ETHERNET,
    "wg": ["PERFORMNUD", "IFDISABLED", "NO_DAD"],
    "ether": _ND6_ETHERNET,
}


#: The variable allows addresses on members of bridges; FreeBSD 15 refuses them by default.
MEMBER_ADDRESSES = "net.link.bridge.member_ifaddrs"
MEMBER_REFUSED = "ifconfig: ioctl (SIOCAIFADDR): Invalid argument"
#: The interfaces that ifconfig(8) creates; each is in a group of its kind.
_CLONES = ("bridge", "epair", "vlan", "tap", "vxlan", "wg")


def plug(world: World, name: str, mac: str) -> Interface:
    """Create a physical interface that is up."""
    made = world.attach(name, HOST, "ether")
    made.mac = made.hwaddr = mac
    made.up = True
    made.nd6 = list(_ND6_ETHERNET)
    world.save(made)
    return made


def create(world: World, name: str, vnet: str = HOST) -> tuple[Interface, str]:
    """Create a bridge, epair, VLAN, tap or link. Returns the interface to configure, and the name that
    ifconfig prints."""
    match = _CLONED.fullmatch(name)
    module = modules.OF_KIND.get(match[1]) if match else None
    if module is not None and not modules.loaded(world.state, module):
        modules.load(world.state, module)
    if world.interface(name, vnet) is not None or world.made(name, vnet) is not None:
        raise ToolError(f"ifconfig: interface {name} already exists")
    vlan = _VLAN.fullmatch(name)
    if vlan is not None and int(vlan["tag"]) > 4095:
        raise ToolError("ifconfig: invalid vlan tag")
    parent = world.interface(vlan["parent"], vnet) if vlan is not None else None
    able = parent is not None and parent.kind in ("ether", "epair") and modules.loaded(world.state, "if_vlan")
    if vlan is not None and parent is not None and able:
        return _create_vlan(world, name, parent, int(vlan["tag"])), ""
    if match is None or (match[3] and (match[1] != "epair" or not match[2])):
        raise ToolError(f"ifconfig: SIOCIFCREATE2 ({name}): Invalid argument")
    if match[3]:
        raise ToolError(f"ifconfig: interface {name} already exists")
    unit = match[2] or _free_unit(world, match[1], vnet)
    if match[1] == "epair":
        return _create_epair(world, unit, vnet), f"epair{unit}a\n"
    made = world.attach(f"{match[1]}{unit}", vnet, match[1])
    if made.kind == "wg":
        made.mtu = wireguard.MTU
    else:
        made.mac = made.hwaddr = world.made_mac(made.name)
    made.owner = "uucp" if made.kind == "tap" else ""
    if made.kind == "vxlan":
        vxlan.dress(made)
    _dress(world, made)
    return made, "" if match[2] else f"{made.name}\n"


def _create_vlan(world: World, name: str, parent: Interface, tag: int) -> Interface:
    """Create a VLAN with its parent's address and MTU (vlan(4)); tags 0 and 4095 are invalid (IEEE
    802.1Q)."""
    if not 0 < tag < 4095:
        raise ToolError(f"ifconfig: SIOCIFCREATE2 ({name}): Invalid argument")
    made = world.attach(name, parent.vnet, "vlan")
    made.mac = made.hwaddr = parent.mac
    made.mtu = parent.mtu
    _dress(world, made)
    return made


def parent_of(world: World, interface: Interface) -> Interface | None:
    """Return the interface that carries a VLAN."""
    return world.interface(interface.origin.rpartition(".")[0], interface.home)


def _free_unit(world: World, kind: str, vnet: str) -> str:
    unit = 0
    while _taken(world, kind, str(unit), vnet):
        unit += 1
    return str(unit)


def _taken(world: World, kind: str, unit: str, vnet: str) -> bool:
    """Return whether a unit or its name is in use, wherever its interfaces are and whatever their names.

    Each network stack has units of its own.
    """
    names = [f"epair{unit}{end}" for end in "ab"] if kind == "epair" else [f"{kind}{unit}"]
    return any(world.interface(name, vnet) or world.made(name, vnet) for name in names)


def _create_epair(world: World, unit: str, vnet: str) -> Interface:
    if _taken(world, "epair", unit, vnet):
        raise ToolError(f"ifconfig: interface epair{unit} already exists")
    ends = [world.attach(f"epair{unit}{end}", vnet, "epair") for end in "ab"]
    for end, made, other in zip("ab", ends, reversed(ends), strict=True):
        made.mac = made.hwaddr = world.made_mac(f"{vnet}epair{unit}", end)
        made.peer = other.index
        made.sums = ["TXCSUM", "TXCSUM_IPV6"] if world.release.offloads else []
        _dress(world, made)
    return ends[0]


def _dress(world: World, interface: Interface) -> None:
    interface.nd6 = list(_ND6[interface.kind])
    world.set_groups(interface, [interface.kind])
    world.save(interface)


def destroy(world: World, interface: Interface) -> None:
    """Destroy an interface; either end of an epair destroys both, and a bridge releases its members."""
    if interface.kind == "epair":
        other = world.peer(interface)
        for end in (interface, *([other] if other is not None else [])):
            _remove(world, end)
        return
    if interface.opened is not None:
        # The real command waits for the process that has the tap open, and cannot be killed.
        raise ToolError("no answer within 60 seconds (potnet.command_wait), killed", TIMED_OUT)
    if interface.kind not in _CLONES:
        raise ToolError("ifconfig: SIOCIFDESTROY: Invalid argument")
    for member in world.members(interface.name) if interface.vnet == HOST else []:
        leave_bridge(world, world.need(member.name))
    _remove(world, interface)


def _remove(world: World, interface: Interface) -> None:
    leave_bridge(world, interface)
    drop_routes_of(world, interface)
    neighbours.forget(world, interface)
    vxlan.forget(world, interface)
    wireguard.forget(world, interface)
    # An interface that moved since it was read is read again.
    found = world.at(interface.index)
    assert found is not None
    world.detach(found)


def rename(world: World, interface: Interface, name: str) -> None:
    """Rename an interface; the unit of its creation stays in use."""
    refusal = "ifconfig: ioctl SIOCSIFNAME (set name):"
    if len(name.encode("utf-8", "surrogateescape")) > 15:
        raise ToolError(f"{refusal} File name too long")
    if not name:
        raise ToolError(f"{refusal} Invalid argument")
    if interface.kind not in _ND6:
        raise unknown(f"a new name for {interface.name}")
    if name == interface.name:
        return
    if world.interface(name, interface.vnet) is not None:
        raise ToolError(f"{refusal} File exists")
    _call(world, interface, name)


def _call(world: World, interface: Interface, name: str) -> None:
    """Change the name, and everything that refers to the interface by its name."""
    old, groups = interface.name, interface.groups
    ports = world.members(old) if interface.kind == "bridge" and interface.vnet == HOST else []
    routes = [route for route in world.routes(interface.vnet) if route.interface == old]
    world.replace(interface, name, interface.vnet)
    world.set_groups(interface, groups)
    world.save(interface)
    for port in ports:
        world.state.delete("member", f"{old}/{port.name}")
        world.state.put("member", f"{name}/{port.name}", row_of(port))
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
        world.save_route(replace(route, interface=name, gateway=gateway), route.family, interface.vnet)


def give(world: World, interface: Interface, vnet: str) -> None:
    """Move an interface to a jail, which must not have the name yet."""
    if world.interface(interface.name, vnet) is not None:
        raise ToolError("ifconfig: SIOCSIFVNET: File exists")
    _move(world, interface, vnet)


def come_back(world: World, interface: Interface) -> None:
    """Return an interface to the host under its current name, even if the host already uses the name.

    pf then loses the first interface of that name: rules that name it match nothing, and its addresses are
    gone.
    """
    if world.interface(interface.name) is not None:
        world.state.put("pf-lost", name_key(interface.name), {})
    _move(world, interface, HOST)


def _move(world: World, interface: Interface, vnet: str) -> None:
    """Move an interface to another stack: off its bridge, down, without addresses, routes and custom
    groups."""
    leave_bridge(world, interface)
    drop_routes_of(world, interface)
    neighbours.forget(world, interface)
    interface.nd6 = list(_ND6.get(interface.kind, interface.nd6))
    interface.inet, interface.inet6 = [], []
    bring_down(interface)
    interface.up = interface.kind == "loop"
    interface.advertised = 0
    interface.order = world.state.next_number("order")
    world.replace(interface, interface.name, vnet)
    world.set_groups(interface, [interface.kind] if interface.kind in _CLONES else [])
    world.save(interface)


def add_member(world: World, bridge: Interface, name: str) -> None:
    found = world.interface(name)
    if found is None:
        raise ToolError(f"ifconfig: BRDGADD {name}: No such file or directory")
    if found.bridge == bridge.name:
        raise ToolError(f"ifconfig: BRDGADD {name}: File exists")
    if found.bridge is not None:
        raise ToolError(f"ifconfig: BRDGADD {name}: Device busy")
    if found.kind in ("bridge", "loop", "wg"):
        raise ToolError(f"ifconfig: BRDGADD {name}: Invalid argument")
    if found.addresses and world.sysctl(MEMBER_ADDRESSES) == "0":
        # if_bridge(4) of FreeBSD 15 refuses an interface with addresses, even link-local ones.
        raise ToolError(
            f"ifconfig: BRDGADD {name}: Invalid argument "
            "(extended error Member interface may not have an IP address assigned)"
        )
    if world.state.first("member", f"{bridge.name}/") is None:
        bridge.mtu = found.mtu
        world.save(bridge)
    if found.mtu != bridge.mtu:
        try:
            set_mtu(world, found, bridge.mtu)
        except ToolError:
            raise ToolError(f"ifconfig: BRDGADD {name}: Invalid argument") from None
    found.bridge = bridge.name
    idle = found.kind == "tap" and found.opened is None
    member = Member(name, world.state.next_number("member"), linked=not idle)
    world.state.put("member", f"{bridge.name}/{name}", row_of(member))
    world.save(found)


def add_span(world: World, bridge: Interface, name: str) -> None:
    """Let a port that is outside a bridge send a copy of all its frames (if_bridge(4), span)."""
    found = world.interface(name)
    if found is None:
        raise ToolError(f"ifconfig: BRDGADDS {name}: No such file or directory")
    if found.bridge is not None:
        raise ToolError(f"ifconfig: BRDGADDS {name}: Device busy")
    world.state.put("span", f"{bridge.name}/{name}", {})


def delete_span(world: World, bridge: Interface, name: str) -> None:
    if world.state.get("span", f"{bridge.name}/{name}") is None:
        raise ToolError(f"ifconfig: BRDGDELS {name}: No such file or directory")
    world.state.delete("span", f"{bridge.name}/{name}")


def set_private(world: World, bridge: Interface, name: str, private: bool) -> None:
    row = world.state.get("member", f"{bridge.name}/{name}")
    if row is None:
        raise ToolError(f"ifconfig: BRDGGIFFLGS {name}: No such file or directory")
    world.state.put("member", f"{bridge.name}/{name}", {**row, "private": private})


def set_static(world: World, bridge: Interface, name: str, mac: str) -> None:
    """Set an address that only one member may have; it is removed with the member (ifconfig(8), static)."""
    if world.state.get("member", f"{bridge.name}/{name}") is None:
        raise ToolError(f"ifconfig: BRDGSADDR {name}: No such file or directory")
    row = {"member": name, "order": world.state.next_number("static")}
    world.state.put("static", f"{bridge.name}/{mac}", row)


def static_addresses(world: World, bridge: Interface) -> str:
    """Return the static addresses of a bridge as ifconfig(8) lists them, the last one first."""
    rows = world.state.scan("static", f"{bridge.name}/")
    found = sorted(rows, key=lambda row: -int(row[1]["order"]))
    lines = [f"{key.partition('/')[2]} Vlan0 {row['member']} 0 flags=1<STATIC>\n" for key, row in found]
    return "".join(lines)


def set_most(world: World, bridge: Interface, name: str, most: int) -> None:
    """Set the limit of addresses behind a member (ifconfig(8), ifmaxaddr)."""
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
    """Set the MTU; a bridge changes its members too, and a single member cannot be changed."""
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


def drop_sum(world: World, interface: Interface, name: str) -> None:
    """Let an epair compute checksums itself; both ends have the same setting (epair_ioctl in if_epair.c)."""
    other = world.peer(interface) if interface.kind == "epair" else None
    for end in (interface, *([other] if other is not None else [])):
        end.sums = [each for each in end.sums if each != name]
        world.save(end)


def refuses_addresses(world: World, interface: Interface) -> bool:
    """Return whether an interface can get no address, because it is a member of a bridge (FreeBSD 15)."""
    return interface.bridge is not None and world.sysctl(MEMBER_ADDRESSES) == "0"


def bring_up(world: World, interface: Interface) -> None:
    interface.up = True
    if interface.kind == "vxlan":
        vxlan.start(world, interface)
    if interface.kind == "wg":
        wireguard.start(world, interface)
    linklocal(world, interface)


def bring_down(interface: Interface) -> None:
    interface.up = False
    # A tap keeps its flag.
    interface.running = interface.running and interface.kind == "tap"
