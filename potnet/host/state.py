"""Facts about a host, as a driver observed them: no decisions, no wishes."""

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
    """An address on an interface and the length of its prefix in bits.

    learned: it came by what a router advertises (RFC 4862). expires: it was given for a time; told on Linux.
    """

    address: IPAddress
    prefix: int
    learned: bool = False
    expires: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of the host or of a jail.

    members: of a bridge, in its order; private: some of those; hairpin: those to which what they have sent
    may come back, None where bridges know no such thing; open: those behind which there may be any number of
    MAC addresses, None where bridges do not count them. promiscuous: it takes what is for others, too.
    disabled6: IPv6 is switched off there, whatever its addresses; told of interfaces in jails.
    index: the kernel's number of it, if that was asked for. bridge: it is one.
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
        """Whether it has the address as one host's, as jail(8) sets it, and not with a network."""
        alone = 32 if address.version == 4 else 128
        return any(a.address == address and a.prefix == alone for a in self.addresses)


def called_in(lent: Lent, interfaces: Iterable[Interface]) -> str | None:
    """The name of a passed interface among those of a jail, which may have renamed it; None: it is not there.

    A jail can change names and MAC addresses, and not the index.
    """
    found = list(interfaces)
    if lent.index is not None and any(each.index is not None for each in found):
        return next((each.name for each in found if each.index == lent.index), None)
    if any(each.name == lent.name for each in found):
        return lent.name
    return next((each.name for each in found if each.mac == lent.mac is not None), None)


@dataclass(frozen=True, slots=True)
class JailState:
    """A jail that the host has. dying: removed, but sockets of it linger (jail(8)).

    path: its root; None where the host does not say.
    """

    jid: int
    name: str
    path: str | None
    dying: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the host; destination 0.0.0.0/0 or ::/0 is the default one."""

    destination: IPNetwork
    interface: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket of the host's that takes what arrives on a port. address: where it does; None: at any."""

    protocol: Transport
    port: int
    owner: str
    address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """Whether the filter is on, and which anchors its main ruleset names, with conditions or without.

    filter_local: whether it looks at connections of the host with itself (needed for exports by loopback).
    self_contained: our anchors have their effect without being named anywhere, for all connections.
    translation, filters: the main ruleset's rules, in the order in which they are looked at. skipped: the
    interfaces and groups at which the filter does not look at all. others: chains beside our own table.
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
    """A redirection as the packet filter lists it. host: the address it is for, as written there.

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
    """An entry of a map or set that the packet filter has beside its rules, by its key as written there.

    members: of one that is about members of bridges.
    """

    place: str
    key: str
    members: bool = False


@dataclass(frozen=True, slots=True)
class AnchorRules:
    """What an anchor would list if its rules were loaded now, and what it lists.

    Both in the filter's own normal form, a rule a line, so that they are equal if nothing differs.
    held: what it holds and must lose first, for a filter that takes entries away by their names.
    """

    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    held: Ruleset = field(default_factory=NoRules)


@dataclass(frozen=True, slots=True)
class JailNetwork:
    """A jail's own network stack. interfaces: all, by name. gateways: of its default routes, by family."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    gateways: Mapping[int, IPAddress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an interface has received and sent since it was made; bytes with the Ethernet header."""

    received_bytes: int = 0
    received_packets: int = 0
    received_errors: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    sent_errors: int = 0


@dataclass(frozen=True, slots=True)
class ExportTraffic:
    """What went through a redirection, in both directions, since its rule was loaded.

    port: the host's, the first of those of the rule. host: the host's address that was called; None: any.
    """

    protocol: Transport
    port: int
    host: IPAddress | None
    connections: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a jail takes, in the units that du(1) and rctl(8) print for people (266M); None: not counted."""

    disk: str | None = None
    virtual_memory: str | None = None
    physical_memory: str | None = None


class FileKind(StrEnum):
    """What lies at a path, a symbolic link itself being looked at, never what it points to."""

    ABSENT = "absent"
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "symbolic link"
    OTHER = "special file"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may change what lies at a path: the numbers of owner and group, and the permissions (chmod(1))."""

    owner: int
    group: int
    mode: int


@dataclass(frozen=True, slots=True)
class HostState:
    """What `Query` asked for; what it did not ask for is empty or None.

    jails: by name. taps: those of the ones asked for that are there and in our group. misowned: taps that
    are others' than they should be, by name, and whose; None: anybody's. users: those of the ones asked for
    that the host has. names: of all the host's interfaces. interfaces: those asked for that exist. own,
    pot_bridges: the interfaces in our two groups. severed: told with own, the bridges that somebody has
    removed and whose way to the outside is still there. external: the interface of the default route,
    which is among `interfaces`, too, if the look shows it; external_beside: further ones, where that route
    has several. access: of files and ways, told with ways. forwarding: by family.
    files, texts, digests (SHA-256, hexadecimal): by path; a text that cannot be read
    is missing, and the digest of what is no file, or a huge one. boot_variables: of rc.conf(5), those that
    are set, as rc(8) reads them for the service that they are of. boot_files: the files that set them.
    main_drift: of the main ruleset asked about. jail_interfaces: by jail and name. nat_loaded: whether the
    NAT anchor has rules. members_keep_addresses: whether an interface with addresses may join a bridge.
    mounts: where something is mounted. binds: told with mounts, directories that are mounted once more to
    be written to, and where. base_digest: the SHA-256 of the release's base.txz, None when the mirror does
    not say. learns_router: an interface takes default routes from advertisements, which it does no more
    once the host forwards IPv6. jail_networks: by jail. unreadable: why nothing is known of a jail's
    network, by jail. anchors: by name. own_addresses: those of the ones asked for that are the host's.
    anchor_names: whole paths of those that may hold rules. holding: those of the ones asked for that do.
    traffic: by interface. limited: those of the pipes asked for that are as they should be. indexes: of the
    host's interfaces, by name, where the kernel keeps them as interfaces move. doubled: names that several
    interfaces of the host have, told when all interfaces are. unfiltered: the switches that are off and
    keep the filter from looking at what comes in and goes out at members of bridges. open_ruleset: told
    with devfs, the devfs ruleset of jails if it hides nothing. traits: of hosts of this kind, always there.
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
    """What to look at: the fewest commands that answer it are run.

    jails, users: names, or None for all. interfaces: details of these (their absence is no error), or None
    for all. tap_owners: taps, each with who should own it.
    roots: those that jails should have, by name, which makes it faster to see whose they are.
    loaded_anchor: the NAT anchor to look into. bridge_rules: members_keep_addresses.
    directories: paths that are to be directories, links followed; they are told in `files`.
    own_addresses: those that may be the host's.
    filter_local: with packet_filter. owners: with listeners, whose they are, which may take long to find out.
    release: the address of a release's folder on a mirror. candidates: names that may be an interface's;
    those that are are told in `names`. members: tell those of `interfaces` too. jail_networks: jails to look
    into, and the families of the default routes to look for. anchors: those to look into, and what each is
    to hold. anchor_parents: those below which to look for others. all_rules: what all anchors are to hold;
    entries of the filter's that are none of theirs are `stray`. uplinks: an external interface is a member of
    a bridge only if all is there that makes it one. learns_router: an interface. ways: directories
    of which it is told who may change them. devfs: directories, among `files`, that jails get a device file
    system on. Others: True to be told.
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
    """One query that asks for all that these ask for."""
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
