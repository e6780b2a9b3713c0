"""Router advertisements from the external wire, received through bridges (RFC 4861, RFC 4862)."""

from __future__ import annotations

from ipaddress import ip_network

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net.addresses import eui64
from potnet.executors.simulated.world.entities import HOST, Address, Interface, Route
from potnet.executors.simulated.world.world import ToolError, World, unknown

_HEARD = 2


def listening(interface: Interface) -> bool:
    """Return whether an interface accepts advertisements."""
    return interface.up and "ACCEPT_RTADV" in interface.nd6 and "IFDISABLED" not in interface.nd6


def hears_router(world: World, interface: Interface) -> bool:
    """Return whether the external wire reaches an interface: its epair's other end shares that bridge."""
    outer = world.interface(world.facts.interface)
    if outer is None or not outer.up or not world.facts.router6_link:
        return False
    if interface.vnet == HOST and interface.name in (outer.name, outer.bridge):
        return True
    if interface.kind != "epair":
        return False
    peer = world.peer(interface)
    if peer is None or not peer.up or peer.bridge is None or peer.bridge != outer.bridge:
        return False
    bridge = world.interface(peer.bridge)
    return bridge is not None and bridge.up and not _both_private(world, bridge.name, peer.name, outer.name)


def _both_private(world: World, bridge: str, one: str, other: str) -> bool:
    private = {m.name for m in world.members(bridge) if m.private}
    return one in private and other in private


def rtsol(world: World, argv: list[str], vnet: str) -> CommandResult:
    """rtsol INTERFACE: a router that answers configures the interface at once, without output, as
    recorded."""
    if len(argv) != 2:
        raise unknown(f"rtsol {' '.join(argv[1:])}")
    found = world.interface(argv[1], vnet)
    if found is None:
        raise ToolError(f"rtsol: interface {argv[1]} does not exist")
    if listening(found) and hears_router(world, found):
        _configure(world, found)
    return CommandResult()


def advertise(world: World, vnet: str) -> None:
    """Bring the next unsolicited advertisement closer after a look at a stack, or a call from there; the
    first one is too early."""
    if vnet == HOST:
        return
    for interface in world.interfaces(vnet):
        if listening(interface) and interface.advertised < _HEARD and hears_router(world, interface):
            world.state.look()
            interface.advertised += 1
            world.save(interface)
            if interface.advertised == _HEARD - 1:
                _configure(world, interface)


def _configure(world: World, interface: Interface) -> None:
    prefix = str(ip_network(world.facts.router6, strict=False))
    address = str(eui64(prefix, interface.mac))
    for known in interface.inet6:
        known.since = None
    if all(a.address != address for a in interface.inet6):
        interface.inet6.append(Address(address, 64, autoconf=True))
    interface.advertised = _HEARD
    world.save(interface)
    if "NO_RADR" not in interface.nd6 and world.route("default", 6, interface.vnet) is None:
        gateway = f"{world.facts.router6_link}%{interface.name}"
        world.save_route(Route("default", gateway, interface.name, static=False), 6, interface.vnet)
