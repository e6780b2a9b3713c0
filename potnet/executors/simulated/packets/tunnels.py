"""The links to other hosts: whose packets they carry, and the packets around those as pf sees them."""

from __future__ import annotations

from ipaddress import ip_address

from potnet.executors.simulated.net import routes, vxlan, wireguard
from potnet.executors.simulated.net.wireguard import Peer
from potnet.executors.simulated.packets.calls import NoConnectionError, Sign
from potnet.executors.simulated.packets.counters import octets_of
from potnet.executors.simulated.pf.match import Filter, Packet
from potnet.executors.simulated.world.entities import HOST, Interface
from potnet.executors.simulated.world.world import World

#: Where a sender of vxlan(4) takes its port from; the two ends take different ones.
_PORTS = 50001, 50002
#: The headers and the tag around a packet of WireGuard, and the octets of a handshake's two messages.
_AROUND, _HANDSHAKE = 32, (148, 92)
#: The seconds after which a handshake is repeated.
_REKEY = 120


class NoPeerError(NoConnectionError):
    """No peer of a link has the address."""


def arrives(world: World, wire: str, packet: Packet) -> Interface | None:
    """Return the link that ends at the host and brings it a packet; None if the wire is another.

    Raises NoConnectionError if the link does not let it through.
    """
    link = _link(world, wire)
    if link is None:
        return None
    _pass(world, link, packet, inward=True)
    return link if link.kind == "wg" else None


def leaves(world: World, wire: str, packet: Packet, own: bool) -> None:
    """Let a packet leave by a link, if the wire is one. Raises NoConnectionError.

    own: a program of the host sends it, and hears of a refusal.
    """
    link = _link(world, wire)
    if link is None:
        return
    try:
        _pass(world, link, packet, inward=False)
    except NoPeerError as error:
        raise NoConnectionError(str(error), Sign.NO_KEY if own else Sign.TIMEOUT) from None


def _link(world: World, wire: str) -> Interface | None:
    found = world.made(wire) if wire else None
    return found if found is not None and found.kind in ("vxlan", "wg") else None


def _pass(world: World, link: Interface, packet: Packet, inward: bool) -> None:
    if not (link.up and link.running):
        raise NoConnectionError(f"the link {link.name} does not run")
    if link.kind == "vxlan":
        _check_vxlan(world, link)
        return
    found = wireguard.link(world, link)
    beyond = packet.source if inward else packet.destination
    peer = found.behind(beyond)
    if peer is None or not peer.endpoint or not found.private:
        raise NoPeerError(f"{link.name} has no peer for {beyond}")
    _check_wireguard(world, found.port, peer, link)
    _count(world, peer, octets_of(packet.protocol), inward)
    wireguard.save(world, link, found)


def _check_vxlan(world: World, link: Interface) -> None:
    """Check that pf lets the packets around the frames through, each way.

    No state of the packets that leave is for those that come in, which are from another port (record 62).
    """
    ends = vxlan.ends_of(world, link)
    assert ends is not None
    local, remote = ends
    ours, theirs = _PORTS
    there = Packet("udp", local, ours, remote, vxlan.PORT)
    back = Packet("udp", remote, theirs, local, vxlan.PORT)
    _look(world, link, there, back)


def _check_wireguard(world: World, port: int, peer: Peer, link: Interface) -> None:
    """Check that pf lets the packets around others through; both ends always use the same ports."""
    address, _, number = peer.endpoint.rpartition(":")
    address = address.strip("[]")
    outer, _, _ = routes.lookup(world, address, HOST)
    own = [a.address for a in outer.addresses if a.family == ip_address(address).version] if outer else []
    if not own:
        raise NoConnectionError(f"the host has no route to {address}")
    there = Packet("udp", own[0], port, address, int(number))
    _look(world, link, there, Packet("udp", address, int(number), own[0], port))


def _look(world: World, link: Interface, there: Packet, back: Packet) -> None:
    interface, _, _ = routes.lookup(world, there.destination, HOST)
    if interface is None:
        raise NoConnectionError(f"the host has no route to {there.destination}")
    pf = Filter(world)
    out = pf.filter("out", there, interface)
    if not out.passed:
        raise NoConnectionError(f"pf blocks the link {link.name} out on {interface.name}")
    answers = (there.source_port, there.destination_port) == (back.destination_port, back.source_port)
    known = answers and out.rule is not None and out.rule.keeps
    if not known and not pf.filter("in", back, interface).passed:
        raise NoConnectionError(f"pf blocks the link {link.name} in on {interface.name}")


def _count(world: World, peer: Peer, octets: tuple[int, int], inward: bool) -> None:
    """Count a packet and its reply, and before them a handshake if the last one is too old."""
    there, back = octets[::-1] if inward else octets
    if world.now() - peer.handshake > _REKEY:
        first, second = _HANDSHAKE[::-1] if inward else _HANDSHAKE
        peer.handshake, peer.sent, peer.received = int(world.now()), peer.sent + first, peer.received + second
    peer.sent += there + _AROUND
    peer.received += back + _AROUND
