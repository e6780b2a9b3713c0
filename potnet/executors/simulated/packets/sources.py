"""The address that a sender gives to its packets (RFC 6724)."""

from __future__ import annotations

from ipaddress import ip_address

from potnet.executors.simulated.packets.calls import NoConnectionError, Sign
from potnet.executors.simulated.pf.match import Packet
from potnet.executors.simulated.world.entities import Address, Interface
from potnet.executors.simulated.world.world import World


def sender(world: World, interface: Interface, packet: Packet, gateway: str) -> str:
    """Return the sender's address: one of the network that it sends into, or else the first."""
    now = world.now()
    wide = packet.family == 6 and not ip_address(packet.destination).is_link_local
    able = [a for a in interface.addresses if a.usable(now) and not (wide and a.link_local)]
    mine = [a for a in able if a.family == packet.family] or _others(world, interface, packet)
    hop = ip_address((gateway or packet.destination).partition("%")[0])
    near = [a for a in mine if hop in a.network and (hop.is_link_local or not a.link_local)]
    chosen = near or mine
    if not chosen:
        reason = f"no address on {interface.name} for {packet.destination}"
        raise NoConnectionError(reason, Sign.NO_ADDRESS)
    return chosen[0].address


def _others(world: World, interface: Interface, packet: Packet) -> list[Address]:
    """Return the addresses of other interfaces, which IPv6 uses where its own have none (RFC 6724)."""
    if packet.family == 4:
        return []
    now, target = world.now(), ip_address(packet.destination)
    known = [each for each in world.interfaces(interface.vnet) if each.kind != "loop"]
    found = [a for each in known for a in each.inet6 if not a.link_local and a.usable(now)]
    return sorted(found, key=lambda a: target not in a.network)
