"""The packets around those of a link to another host, as pf sees them."""

from __future__ import annotations

from potnet.executors.simulated.net import routes, vxlan
from potnet.executors.simulated.packets.calls import NoConnectionError
from potnet.executors.simulated.pf.match import Filter, Packet
from potnet.executors.simulated.world.entities import HOST
from potnet.executors.simulated.world.world import World

#: Where a sender of vxlan(4) takes its port from; the two ends take different ones.
_PORTS = 50001, 50002


def check(world: World, wire: str) -> None:
    """Check that pf lets the packets of a link through in both directions. Raises NoConnectionError.

    No state of the packets that leave is for those that come in, which are from another port (record 62).
    """
    link = world.made(wire)
    ends = vxlan.ends_of(world, link) if link is not None and link.kind == "vxlan" else None
    if ends is None:
        return
    local, remote = ends
    interface, _, _ = routes.lookup(world, remote, HOST)
    if interface is None:
        raise NoConnectionError(f"the host has no route to {remote}")
    ours, theirs = _PORTS
    packets = {
        "out": Packet("udp", local, ours, remote, vxlan.PORT),
        "in": Packet("udp", remote, theirs, local, vxlan.PORT),
    }
    pf = Filter(world)
    for direction, packet in packets.items():
        if not pf.filter(direction, packet, interface).passed:
            raise NoConnectionError(f"pf blocks the link {wire} {direction} on {interface.name}")
