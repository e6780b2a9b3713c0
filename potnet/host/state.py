"""Facts about a host, as a driver observed them; decisions are made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from enum import StrEnum
from itertools import chain
from typing import Any

from netaddr import IPAddress, IPNetwork

from potnet.host.ruleset import ForwardChain, MainRule, MainText, NoRules, Pipes, Ruleset, RulesetDrift
from potnet.host.traits import Traits
from potnet.model.ports import Transport
from potnet.model.pots import Lent
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address on an interface, with its prefix length in bits.

    learned: it came from a router advertisement (RFC 4862). expires: it has a limited lifetime (known on
    Linux).
    """

    address: IPAddress
    prefix: int
    learned: bool = False
    expires: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of the host or of a jail.

    members: of a bridge, in its order; private: some of them; hairpin: members that may receive their own
    packets back (None: bridges lack this setting); open: members with any number of MAC addresses behind them
    (None: bridges do not count them). promiscuous: it accepts packets for others, too. disabled6: IPv6 is
    switched off, whatever its addresses; known for interfaces in jails. index: its number in the kernel, if
    requested. bridge: the interface is a bridge.
    """

    name: str
    up: bool = False
    mac: str | None = None
    mtu: int = 1500
    description: str | None = None
    groups: frozenset[str] = frozenset()
    addresses: tuple[InterfaceAddress, ...] = ()
    members: tuple[str, ...] = ()
    private: frozenset[str] = frozenset()
    hairpin: frozenset[str] | None = None
    open: frozenset[str] | None = None
    promiscuous: bool = False
    disabled6: bool = False
    index: int | None = None
    bridge: bool = False

    def has(self, address: IPAddress) -> bool:
        return any(a.address == address for a in self.addresses)

    def has_alone(self, address: IPAddress) -> bool:
        """Return whether it has the address with a full-length prefix, as jail(8) sets it."""
        alone = 32 if address.version == 4 else 128
        return any(a.address == address and a.prefix == alone for a in self.addresses)


def called_in(lent: Lent, interfaces: Iterable[Interface]) -> str | None:
    """Return the name of a passed interface in a jail, which may have renamed it; None if it is not there.

    A jail can change names and MAC addresses, but not the index.
    """
    found = list(interfaces)
    if lent.index is not None and any(each.index is not None for each in found):
        return next((each.name for each in found if each.index == lent.index), None)
    if any(each.name == lent.name for each in found):
        return lent.name
    return next((each.name for each in found if each.mac == lent.mac is not None), None)


@dataclass(frozen=True, slots=True)
class JailState:
    """A jail of the host. dying: the jail is removed, but some of its sockets remain (jail(8)).

    path: its root; None if the host does not report it.
    """

    jid: int
    name: str
    path: str | None
    dying: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the host; the destination of a default route is 0.0.0.0/0 or ::/0."""

    destination: IPNetwork
    interface: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket of the host that receives on a port. address: the address it is bound to; None: any."""

    protocol: Transport
    port: int
    owner: str
    address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """The state of the packet filter, and the anchors that its main ruleset names, conditionally or not.

    filter_local: the filter checks connections of the host with itself (required for exports by loopback).
    self_contained: potnet's rules apply to all connections, without a call in the main ruleset. translation,
    filters: rules of the main ruleset, in evaluation order. skipped: interfaces and groups that the filter
    ignores. others: chains beside potnet's table.
    """

    enabled: bool = False
    nat_anchors: frozenset[str] = frozenset()
    rdr_anchors: frozenset[str] = frozenset()
    filter_anchors: frozenset[str] = frozenset()
    filter_local: bool = False
    self_contained: bool = False
    translation: tuple[MainRule, ...] = ()
    filters: tuple[MainRule, ...] = ()
    skipped: frozenset[str] = frozenset()
    others: tuple[ForwardChain, ...] = ()


@dataclass(frozen=True, slots=True)
class ActiveRedirection:
    """A redirection as the packet filter lists it. host: its address on the host, as written there.

    port, pot_port: the first of `count`. source: who may use it; None: all.
    """

    interface: str
    protocol: Transport
    host: str
    port: int
    address: IPAddress
    pot_port: int
    count: int = 1
    source: IPNetwork | None = None


@dataclass(frozen=True, slots=True)
class FilterEntry:
    """An entry of a map or set of the packet filter, by its key as written there.

    members: the map or set is about members of bridges.
    """

    place: str
    key: str
    members: bool = False


@dataclass(frozen=True, slots=True)
class AnchorRules:
    """The rules that an anchor lists, and those that it would list after a load.

    Both are in the filter's own normal form, a rule a line, so that equal rules have equal text. held:
    entries to remove before a load, for a filter that removes entries by their names.
    """

    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    held: Ruleset = field(default_factory=NoRules)


@dataclass(frozen=True, slots=True)
class JailNetwork:
    """The network stack of a jail. interfaces: all, by name. gateways: of its default routes, by family."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    gateways: Mapping[int, IPAddress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counters of an interface since its creation; bytes include the Ethernet header."""

    received_bytes: int = 0
    received_packets: int = 0
    received_errors: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    sent_errors: int = 0


@dataclass(frozen=True, slots=True)
class ExportTraffic:
    """The counters of a redirection in both directions, since its rule was loaded.

    port: the first port of the rule on the host. host: the host's address of the export; None: any.
    """

    protocol: Transport
    port: int
    host: IPAddress | None
    connections: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources of a jail, in the units of du(1) and rctl(8) for people (266M); None: not counted."""

    disk: str | None = None
    virtual_memory: str | None = None
    physical_memory: str | None = None


class FileKind(StrEnum):
    """The kind of file at a path; symbolic links are not followed."""

    ABSENT = "absent"
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "symbolic link"
    OTHER = "special file"


@dataclass(frozen=True, slots=True)
class Access:
    """The access to the file at a path: the numbers of owner and group, and the permissions (chmod(1))."""

    owner: int
    group: int
    mode: int


@dataclass(frozen=True, slots=True)
class HostState:
    """The answer to a `Query`; parts that were not requested are empty or None.

    jails: by name. taps: requested taps that exist in potnet's group. misowned: taps with a wrong owner, by
    name, with their owner (None: anybody). users: requested users that exist. names: of all interfaces of the
    host. interfaces: requested ones that exist. own, pot_bridges: the interfaces of potnet's two groups.
    severed: removed bridges whose connection to the outside remains (with own). external: the interface of
    the default route, in `interfaces` too if the look shows it. external_beside: further interfaces of that
    route. access: of files and ways, requested with ways. forwarding: by family. files, texts, digests
    (SHA-256, hexadecimal): by path; an unreadable text is missing, as is the digest of a huge file or of
    anything but a file. boot_variables: set variables of rc.conf(5), as rc(8) reads them for their service.
    boot_files: the files that set them. main_drift: of the requested main ruleset. jail_interfaces: by jail
    and name. nat_loaded: the NAT anchor has rules. members_keep_addresses: an interface with addresses may
    join a bridge. mounts: the mount points. binds: directories mounted a second time for writing, with the
    place (with mounts). base_digest: the SHA-256 of the release's base.txz; None if the mirror does not
    report it. learns_router: an interface takes default routes from advertisements, until the host forwards
    IPv6. jail_networks: by jail. unreadable: why a jail's network is unknown, by jail. anchors: by name.
    own_addresses: requested addresses that the host has. anchor_names: full paths of anchors that may hold
    rules. holding: requested anchors with rules. traffic: by interface. limited: requested pipes that are as
    they should be. indexes: of the host's interfaces, by name, if the kernel keeps them as interfaces move.
    doubled: names that several interfaces share, known if all interfaces are. unfiltered: switches that are
    off and keep the filter from members of bridges. open_ruleset: the devfs ruleset of jails if it hides
    nothing (with devfs). traits: of this kind of host, always present.
    """

    traits: Traits = field(default_factory=Traits)
    jails: Mapping[str, JailState] = field(default_factory=dict)
    taps: frozenset[str] = frozenset()
    misowned: Mapping[str, str | None] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    pot_bridges: frozenset[str] = frozenset()
    severed: frozenset[str] = frozenset()
    external: str | None = None
    external_beside: tuple[str, ...] = ()
    packet_filter: PacketFilter = field(default_factory=PacketFilter)
    forwarding: Mapping[int, bool] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    port_range: tuple[int, int] | None = None
    own_addresses: frozenset[IPAddress] = frozenset()
    files: Mapping[str, FileKind] = field(default_factory=dict)
    access: Mapping[str, Access] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    boot_variables: Mapping[str, str] = field(default_factory=dict)
    jail_interfaces: Mapping[tuple[str, str], Interface] = field(default_factory=dict)
    hostname: str | None = None
    nat_loaded: bool = False
    members_keep_addresses: bool = True
    mounts: tuple[str, ...] = ()
    binds: tuple[tuple[str, str], ...] = ()
    base_digest: str | None = None
    jail_networks: Mapping[str, JailNetwork] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    anchors: Mapping[str, AnchorRules] = field(default_factory=dict)
    anchor_names: frozenset[str] = frozenset()
    holding: frozenset[str] = frozenset()
    stray: tuple[FilterEntry, ...] = ()
    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    limited: frozenset[Pipes] = frozenset()
    learns_router: bool = False
    unfiltered: tuple[str, ...] = ()
    boot_files: Mapping[str, str] = field(default_factory=dict)
    main_drift: RulesetDrift = field(default_factory=RulesetDrift)
    indexes: Mapping[str, int] = field(default_factory=dict)
    doubled: frozenset[str] = frozenset()
    open_ruleset: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The facts to look for; the driver runs the fewest commands that answer the query.

    jails, users: names, or None for all. interfaces: details of these (missing ones are no error), or None
    for all. tap_owners: taps, each with its expected owner. roots: the expected roots of jails, by name,
    which speed up the search for their owners. loaded_anchor: the NAT anchor to check. bridge_rules:
    members_keep_addresses. directories: paths that should be directories, links followed; the answer is in
    `files`. own_addresses: addresses to look for on the host. filter_local: with packet_filter. own_anchors:
    potnet's own, as calls name them; with packet_filter, the anchors of others are read. owners: with
    listeners, the owning processes, which may take long. release: the address of a release's directory on a
    mirror. candidates: possible names of interfaces; the existing ones are in `names`. members: include the
    members of `interfaces`. jail_networks: jails to examine, with the families of the default routes to find.
    anchors: anchors to examine, with their expected rules. anchor_parents: parents whose other anchors are
    listed. all_rules: the expected rules of all anchors; other entries of the filter are `stray`. uplinks: an
    external interface counts as a member of a bridge only if its connection is complete. learns_router: an
    interface. ways: directories whose access is reported. devfs: directories, among `files`, that jails mount
    a device file system on. Others: True to request the field.
    """

    jails: tuple[str, ...] | None = ()
    roots: tuple[tuple[str, str], ...] = ()
    taps: tuple[str, ...] = ()
    tap_owners: tuple[tuple[str, str], ...] = ()
    users: tuple[str, ...] | None = ()
    names: bool = False
    candidates: tuple[str, ...] = ()
    interfaces: tuple[str, ...] | None = ()
    members: bool = False
    own: bool = False
    pot_bridges: bool = False
    external: bool = False
    packet_filter: bool = False
    own_anchors: tuple[str, ...] = ()
    forwarding: bool = False
    routes: bool = False
    routes6: bool = False
    listeners: bool = False
    owners: bool = False
    port_range: bool = False
    own_addresses: tuple[IPAddress, ...] = ()
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    boot_variables: tuple[str, ...] = ()
    jail_interfaces: tuple[tuple[str, str], ...] = ()
    hostname: bool = False
    loaded_anchor: str | None = None
    bridge_rules: bool = False
    mounts: bool = False
    filter_local: bool = False
    release: str | None = None
    jail_networks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    anchors: tuple[tuple[str, Ruleset], ...] = ()
    anchor_parents: tuple[str, ...] = ()
    holding: tuple[str, ...] = ()
    all_rules: tuple[tuple[str, Ruleset], ...] = ()
    uplinks: bool = False
    traffic: bool = False
    pipes: tuple[Pipes, ...] = ()
    learns_router: str | None = None
    unfiltered: bool = False
    boot_files: tuple[str, ...] = ()
    main_text: MainText | None = None
    indexes: bool = False
    devfs: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


def union(queries: Iterable[Query]) -> Query:
    """Merge queries into one that requests everything."""
    found = tuple(queries)
    return Query(
        **{each.name: _all_of([getattr(query, each.name) for query in found]) for each in fields(Query)}
    )


def _all_of(values: Sequence[Any]) -> Any:
    if any(isinstance(value, bool) for value in values):
        return any(values)
    if any(isinstance(value, tuple) for value in values):
        return None if None in values else tuple(dict.fromkeys(chain.from_iterable(values)))
    return next((value for value in values if value is not None), None)
