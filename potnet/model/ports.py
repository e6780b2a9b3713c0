"""Ports of pots and of the host, and the exports between them. Ports are 1 to 65535."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from netaddr import IPAddress, IPNetwork

from potnet.runtime.fast_dataclass import dataclass


class Transport(StrEnum):
    """The protocols of exports; a socket or rule never has both."""

    TCP = "tcp"
    UDP = "udp"
    BOTH = "tcp+udp"

    @property
    def each(self) -> tuple[Transport, ...]:
        """Return the single protocols."""
        return (Transport.TCP, Transport.UDP) if self is Transport.BOTH else (self,)


def endpoint(protocol: Transport, port: int, address: IPAddress | None = None) -> str:
    """Return a port as messages name it: ``tcp 30080``, ``udp 53 on 192.0.2.1``."""
    return f"{protocol} {port}" + (f" on {address}" if address is not None else "")


def port_text(first: int, count: int = 1) -> str:
    """Return ``80``, or ``80-89`` for several."""
    return str(first) if count == 1 else f"{first}-{first + count - 1}"


def same_host(one: IPAddress | None, other: IPAddress | None) -> bool:
    """Whether two host addresses overlap; None means any address of both families."""
    return one is None or other is None or one == other


@dataclass(frozen=True, slots=True)
class Export:
    """Ports of a pot that the host offers, one to one.

    pot_port, host_port: the first of `count` ports on either side; host_port: None until it is chosen.
    chosen: potnet picked it. loopback: the host itself can connect too. host_address: the only address to
    listen on; None: any. sources: networks that may connect, disjoint and sorted; empty: all.
    max_connections: limit of simultaneous connections for each source.
    """

    protocol: Transport
    pot_port: int
    host_port: int | None = None
    chosen: bool = False
    loopback: bool = False
    count: int = 1
    host_address: IPAddress | None = None
    sources: tuple[IPNetwork, ...] = ()
    max_connections: int | None = None

    def __str__(self) -> str:
        """Return the export as `export-ports` takes it."""
        address = f"{self.host_address}@" if self.host_address is not None else ""
        protocol = f"{self.protocol}:" if self.protocol is not Transport.TCP else ""
        pot = port_text(self.pot_port, self.count)
        host = f":{port_text(self.host_port, self.count)}" if self.host_port is not None else ""
        return f"{address}{protocol}{pot}{host}"

    @property
    def host_ports(self) -> range:
        """Return all host ports of the export; empty before they are chosen."""
        return range(self.host_port, self.host_port + self.count) if self.host_port is not None else range(0)

    @property
    def ends(self) -> list[tuple[Transport, int]]:
        """Return all host ports, each with a single protocol."""
        return [(protocol, port) for protocol in self.protocol.each for port in self.host_ports]

    def takes(self, protocol: Transport, port: int, address: IPAddress | None) -> bool:
        """Whether the export uses a host port at an address; None: at any address."""
        by = protocol in self.protocol.each
        return by and port in self.host_ports and same_host(address, self.host_address)

    def clash(self, other: Export) -> tuple[Transport, int] | None:
        """Return the first host port that both exports would use."""
        both = range(
            max(self.host_ports.start, other.host_ports.start),
            min(self.host_ports.stop, other.host_ports.stop),
        )
        protocols = [each for each in self.protocol.each if each in other.protocol.each]
        if not both or not protocols or not same_host(self.host_address, other.host_address):
            return None
        return protocols[0], both[0]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A part of a change of exports: one replaces another in its place, is added, or is removed.

    before: None for an added export, which comes last. after: None for a removed one.
    """

    before: Export | None
    after: Export | None


def added_in(exchanges: Iterable[Exchange]) -> tuple[Export, ...]:
    """Return the exports after a change, without those that it does not name."""
    return tuple(each.after for each in exchanges if each.after is not None)


def removed_in(exchanges: Iterable[Exchange]) -> tuple[Export, ...]:
    """Return the exports that a change removes or replaces; moved and unchanged ones stay."""
    exchanges = tuple(exchanges)
    after = frozenset(added_in(exchanges))
    return tuple(each.before for each in exchanges if each.before is not None and each.before not in after)


class Ends:
    """An index of exported host ports, which finds a conflict without comparing all exports."""

    def __init__(self, exports: Iterable[Export] = ()) -> None:
        self._at: dict[tuple[Transport, int], list[Export]] = {}
        for export in exports:
            self.add(export)

    def add(self, export: Export) -> None:
        for end in export.ends:
            self._at.setdefault(end, []).append(export)

    def clash(self, export: Export) -> tuple[Export, tuple[Transport, int]] | None:
        """Return an export that shares a host port with this one, and that port."""
        for end in export.ends:
            for other in self._at.get(end, ()):
                if same_host(export.host_address, other.host_address):
                    return other, end
        return None
