"""Determine the places on a wire: bridges, their private members, epairs, the external wire and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from potnet.executors.simulated.net.interfaces import parent_of
from potnet.executors.simulated.net.neighbours import answers_for
from potnet.executors.simulated.world.entities import HOST, Interface
from potnet.executors.simulated.world.world import World

#: The machines on the external interface's wire; with another interface or VLAN, the machines on that.
OUTSIDE = "outside"
#: The kind and the name of the interface of a machine behind a tap.
GUEST, GUEST_INTERFACE = "guest", "vtnet0"


@dataclass(frozen=True, slots=True)
class Place:
    """An end of a wire: a stack (HOST, a jid or OUTSIDE) and its interface there."""

    stack: str
    interface: str = ""


def neighbours(world: World, place: Place) -> Iterator[Place]:
    """Yield the places that a frame from a place reaches."""
    outer = world.interface(world.facts.interface)
    if place.stack == OUTSIDE and place.interface:
        found = world.made(place.interface)
        if found is not None and carries(world, found):
            yield Place(found.vnet, found.name)
            yield from _through(world, found)
        return
    if place.stack == OUTSIDE:
        if outer is not None and outer.up:
            yield Place(HOST, outer.name)
            yield from _through(world, outer)
        return
    interface = world.interface(place.interface, place.stack)
    if interface is None or not interface.up:
        return
    if interface.kind in ("epair", GUEST):
        other = other_side(world, interface)
        if other is None or not other.up:
            return
        if other.bridge is None:
            yield Place(other.vnet, other.name)
        yield from _through(world, other)
        return
    if interface.kind == "bridge":
        for member in world.members(interface.name):
            yield from _far_end(world, member.name)
        return
    if outer is not None and interface.name == outer.name and place.stack == HOST:
        yield Place(OUTSIDE)
        yield from _through(world, outer)
    elif carries(world, interface):
        yield Place(OUTSIDE, interface.origin)
        yield from _through(world, interface)


def guest_stack(tap: str) -> str:
    """Return the stack of the machine behind a tap."""
    return f"{GUEST} {tap}"


def other_side(world: World, interface: Interface) -> Interface | None:
    """Return the other end of an epair, the machine's end of a tap, or the tap of a machine."""
    if interface.kind == "tap":
        return world.interface(GUEST_INTERFACE, guest_stack(interface.origin))
    if interface.kind == GUEST:
        return world.made(interface.vnet.removeprefix(f"{GUEST} "))
    return world.peer(interface)


def carries(world: World, interface: Interface) -> bool:
    """Return whether an interface is up and has a wire: a VLAN has its parent's, a link runs."""
    if interface.kind in ("vxlan", "wg"):
        return interface.up and interface.running
    parent = parent_of(world, interface) if interface.kind == "vlan" else interface
    return interface.kind in ("ether", "vlan") and interface.up and parent is not None and parent.up


def machines(world: World, wire: str) -> list[IPv4Interface | IPv6Interface]:
    """Return the addresses of the machines on a wire other than the external one, with their networks."""
    return [ip_interface(row["address"]) for _, row in world.state.scan("machine", f"{wire}/")]


def wire_of(world: World, address: str) -> str:
    """Return the wire of the machine with this address; empty for the external wire."""
    rows = world.state.scan("machine")
    return next(
        (key.partition("/")[0] for key, row in rows if row["address"].partition("/")[0] == address), ""
    )


def _through(world: World, port: Interface) -> Iterator[Place]:
    """Yield places behind a member's bridge: the host at the bridge or a member, and other members."""
    bridge = None if port.bridge is None else world.interface(port.bridge)
    if bridge is None or not bridge.up:
        return
    yield Place(HOST, bridge.name)
    members = world.members(bridge.name)
    closed = any(m.private for m in members if m.name == port.name)
    for member in members:
        if member.name == port.name or (closed and member.private):
            continue
        found = world.interface(member.name)
        if found is not None and found.addresses:
            yield Place(HOST, found.name)
        yield from _far_end(world, member.name)


def _far_end(world: World, name: str) -> Iterator[Place]:
    port = world.interface(name)
    if port is None or not port.up:
        return
    if name == world.facts.interface:
        yield Place(OUTSIDE)
    elif carries(world, port):
        yield Place(OUTSIDE, port.origin)
    elif port.kind in ("epair", "tap"):
        other = other_side(world, port)
        if other is not None and other.up:
            yield Place(other.vnet, other.name)


def owner(world: World, place: Place, address: str) -> Place | None:
    """Return the place that answers for an address (ARP, neighbour discovery); known places come first."""
    outside = None
    for found in neighbours(world, place):
        if found.stack == OUTSIDE and found.interface:
            if any(str(machine.ip) == address for machine in machines(world, found.interface)):
                return found
            continue
        if found.stack == OUTSIDE:
            outside = found
            continue
        interface = world.interface(found.interface, found.stack)
        now = world.now()
        known = interface.addresses if interface is not None else ()
        if found.stack == HOST and interface is not None and answers_for(world, interface, address):
            return found
        deaf = interface is not None and ":" in address and "IFDISABLED" in interface.nd6
        if not deaf and any(a.address == address and a.usable(now) for a in known):
            return found
    return (
        outside if outside is not None and lives_there(world, address) and not held(world, address) else None
    )


def knows(world: World, interface: Interface, address: str) -> bool:
    """Return whether a neighbour on the wire of the host's interface has an address."""
    return owner(world, Place(HOST, interface.name), address) is not None


def held(world: World, address: str) -> bool:
    """Return whether an interface of the host or of a jail has an address, so that no machine outside has."""
    rows = (row for _, row in world.state.scan("interface"))
    return any(each["address"] == address for row in rows for each in (*row["inet"], *row["inet6"]))


def behind_idle(world: World, name: str, address: str) -> bool:
    """Return whether a bridge has learnt an address behind a link that does not run any more."""
    ports = [world.need(member.name) for member in world.members(name)]
    idle = [port for port in ports if port.kind == "vxlan" and not carries(world, port)]
    return any(str(machine.ip) == address for port in idle for machine in machines(world, port.origin))


def lives_there(world: World, address: str) -> bool:
    """Return whether a machine on the external wire has an address: a router or another."""
    facts, wanted = world.facts, ip_address(address.partition("%")[0])
    if wanted.is_link_local:
        return True
    routers = [facts.gateway, facts.router6.partition("/")[0]]
    networks = [ip_network(text, strict=False) for text in (facts.address, facts.router6)]
    others = [str(network.network_address + number) for network in networks for number in (50, 99)]
    added = [str(machine.ip) for machine in machines(world, "")]
    return str(wanted) in (*routers, *others, *added)


def out_there(world: World, address: str) -> bool:
    """Return whether an address belongs to the external wire's network, including its router."""
    wanted = ip_address(address.partition("%")[0])
    networks = [ip_network(world.facts.address, strict=False), ip_network(world.facts.router6, strict=False)]
    return wanted.is_link_local or any(wanted.version == n.version and wanted in n for n in networks)


def routed_there(world: World, address: str) -> bool:
    """Return whether the machines on the external wire have a route to an address by the host."""
    wanted = ip_address(address)
    networks = (ip_network(key) for key in world.state.keys("outside-route"))
    return any(wanted.version == network.version and wanted in network for network in networks)
