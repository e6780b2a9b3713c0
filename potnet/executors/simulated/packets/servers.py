"""The programs that answer a packet where it arrives.

Machines outside answer on every port, and so do jails whose programs are unknown; the host and other jails
answer on ports with a listener.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from potnet.executors.simulated.net.wires import GUEST
from potnet.executors.simulated.packets.calls import NoConnectionError, Sign
from potnet.executors.simulated.pf.match import Packet
from potnet.executors.simulated.pf.state_table import endpoint
from potnet.executors.simulated.world.entities import HOST
from potnet.executors.simulated.world.world import World


class ClosedPortError(NoConnectionError):
    """The packet has reached a port without a listener."""

    def __init__(self, packet: Packet) -> None:
        where = endpoint(packet.destination, packet.destination_port)
        super().__init__(f"nothing listens on {where}", Sign.REFUSED)


def server(world: World, packet: Packet, stack: str) -> str:
    """Return who answers a packet in a stack: the host, a jail or a machine. Raises NoConnectionError."""
    if stack.startswith(GUEST):
        rows = world.state.scan("guest")
        return next(name for name, row in rows if row["stack"] == stack)
    if stack != HOST:
        found = world.jail(stack, dying=True)
        if found is None or found.dying is not None:
            raise NoConnectionError("the jail is gone")
        if _echo(packet) or world.state.first("listen", f"{stack}/") is None:
            return found.name
        for row in _listeners(world, packet, stack):
            return str(row.get("jail") or found.name)
        raise ClosedPortError(packet)
    for jail in world.jails():
        if packet.destination in (*jail.ip4_addr, *jail.ip6_addr):
            return jail.name
    if _echo(packet):
        return "host"
    for row in _listeners(world, packet, HOST):
        return str(row.get("jail") or "host")
    raise ClosedPortError(packet)


def _echo(packet: Packet) -> bool:
    return packet.protocol in ("icmp", "ipv6-icmp")


def _listeners(world: World, packet: Packet, stack: str) -> Iterator[dict[str, Any]]:
    """Yield the sockets of a stack that receive a packet."""
    for _, row in world.state.scan("listen", f"{stack}/"):
        same = row["port"] == packet.destination_port and row["protocol"].startswith(packet.protocol)
        if same and row["address"] in ("*", packet.destination):
            yield row
