"""Facts about a host, as a driver observed them: no decisions, no wishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from netaddr import IPAddress, IPNetwork

from potnet.model import Transport


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address on an interface and the length of its prefix in bits."""

    address: IPAddress
    prefix: int


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of the host or of a jail. members: of a bridge, in its order."""

    name: str
    up: bool = False
    mac: str | None = None
    mtu: int = 1500
    description: str | None = None
    groups: frozenset[str] = frozenset()
    addresses: tuple[InterfaceAddress, ...] = ()
    members: tuple[str, ...] = ()

    def has(self, address: IPAddress) -> bool:
        return any(a.address == address for a in self.addresses)


@dataclass(frozen=True, slots=True)
class JailState:
    """A jail that the host has. dying: removed, but sockets of it linger (jail(8))."""

    jid: int
    name: str
    path: str
    dying: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the host; destination 0.0.0.0/0 or ::/0 is the default one."""

    destination: IPNetwork
    interface: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket of the host's that takes what arrives on a port."""

    protocol: Transport
    port: int
    owner: str


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """Whether the filter is on, and which anchors its main ruleset evaluates, as written there.

    filter_local: whether it looks at connections of the host with itself (needed for exports by loopback).
    """

    enabled: bool = False
    nat_anchors: frozenset[str] = frozenset()
    rdr_anchors: frozenset[str] = frozenset()
    filter_anchors: frozenset[str] = frozenset()
    filter_local: bool = False


class FileKind(StrEnum):
    """What lies at a path, a symbolic link itself being looked at, never what it points to."""

    ABSENT = "absent"
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "symbolic link"
    OTHER = "special file"


@dataclass(frozen=True, slots=True)
class HostState:
    """What `Query` asked for; what it did not ask for is empty or None.

    jails: by name. names: of all the host's interfaces. interfaces: those asked for that exist.
    external: the interface of the default route. own, pot_bridges: the interfaces in our two groups.
    forwarding: by family. files: by path. nat_loaded: whether the NAT anchor has rules.
    members_keep_addresses: whether an interface with addresses may join a bridge. mounts: where something
    is mounted.
    """

    jails: Mapping[str, JailState] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    pot_bridges: frozenset[str] = frozenset()
    external: str | None = None
    packet_filter: PacketFilter = field(default_factory=PacketFilter)
    forwarding: Mapping[int, bool] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    port_range: tuple[int, int] | None = None
    files: Mapping[str, FileKind] = field(default_factory=dict)
    resolv_conf: str | None = None
    hostname: str | None = None
    nat_loaded: bool = False
    members_keep_addresses: bool = True
    mounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What to look at: the fewest commands that answer it are run.

    jails: names, or None for all. interfaces: details of these (their absence is no error).
    loaded_anchor: the NAT anchor to look into. bridge_rules: members_keep_addresses. Others: True to be told.
    """

    jails: tuple[str, ...] | None = ()
    names: bool = False
    interfaces: tuple[str, ...] = ()
    own: bool = False
    pot_bridges: bool = False
    external: bool = False
    packet_filter: bool = False
    forwarding: bool = False
    routes: bool = False
    listeners: bool = False
    port_range: bool = False
    files: tuple[str, ...] = ()
    resolv_conf: bool = False
    hostname: bool = False
    loaded_anchor: str | None = None
    bridge_rules: bool = False
    mounts: bool = False
