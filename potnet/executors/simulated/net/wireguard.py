"""The links of wg(4): their keys, ports and peers.

Sources: wg(4), wg(8), if_wg.c, and record 61.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from potnet.executors.simulated.world.entities import HOST, Interface, row_of
from potnet.executors.simulated.world.world import World

MTU = 1420


@dataclass(slots=True)
class Peer:
    """A peer. allowed: the networks behind it, the last one first. keepalive: in seconds, 0 without.

    handshake: the time of the last one. received, sent: octets.
    """

    key: str
    shared: str = ""
    endpoint: str = ""
    allowed: list[str] = field(default_factory=list)
    handshake: int = 0
    received: int = 0
    sent: int = 0
    keepalive: int = 0


@dataclass(slots=True)
class Link:
    """The settings of an interface by wg(8)."""

    private: str = ""
    port: int = 0
    peers: list[Peer] = field(default_factory=list)

    def peer(self, key: str) -> Peer | None:
        return next((each for each in self.peers if each.key == key), None)

    def behind(self, address: str) -> Peer | None:
        """Return the peer that an address belongs to: the one with the longest network around it."""
        found = [
            (network.prefixlen, peer)
            for peer in self.peers
            for network in map(ip_network, peer.allowed)
            if ip_address(address) in network
        ]
        return max(found, key=lambda each: each[0])[1] if found else None


def link(world: World, interface: Interface) -> Link:
    row: dict[str, Any] = world.state.get("wg", f"{interface.index:06}") or {}
    peers = [Peer(**each) for each in row.get("peers", ())]
    return Link(row.get("private", ""), row.get("port", 0), peers)


def save(world: World, interface: Interface, found: Link) -> None:
    row = {"private": found.private, "port": found.port, "peers": [row_of(each) for each in found.peers]}
    world.state.put("wg", f"{interface.index:06}", row)


def forget(world: World, interface: Interface) -> None:
    world.state.delete("wg", f"{interface.index:06}")


def links(world: World) -> Iterator[Interface]:
    """Yield the host's links."""
    yield from (each for each in world.interfaces(HOST) if each.kind == "wg")


def start(world: World, interface: Interface) -> None:
    """Let a link run, unless another one that runs has its port."""
    port = link(world, interface).port
    others = [each for each in links(world) if each.running and each.index != interface.index]
    interface.running = not port or all(link(world, each).port != port for each in others)
