"""Facts about a host, as a driver observed them; decisions are made elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from itertools import count

from netaddr import IPAddress, IPNetwork

from potnet.host.ruleset import ForwardChain, MainRule, NoRules, Pipes, Ruleset, RulesetDrift
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
    requested. bridge: the interface is a bridge. wireless: it belongs to a wireless network (IEEE 802.11).
    link_group, altnames: its group and its further names, on a host with such groups. device: the hardware,
    if the host shows it.
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
    wireless: bool = False
    link_group: str = ""
    altnames: tuple[str, ...] = ()
    device: str = ""

    def has(self, address: IPAddress) -> bool:
        return any(a.address == address for a in self.addresses)

    def has_alone(self, address: IPAddress) -> bool:
        """Return whether it has the address with a full-length prefix, as jail(8) sets it."""
        alone = 32 if address.version == 4 else 128
        return any(a.address == address and a.prefix == alone for a in self.addresses)


def free_names(taken: Collection[str]) -> Iterator[str]:
    """Return names for interfaces in the way, without those in use."""
    return (name for name in (f"other{number}" for number in count()) if name not in taken)


def called_in(lent: Lent, interfaces: Iterable[Interface]) -> str | None:
    """Return the name of a passed interface in a jail, which may have renamed it; None if it is not there.

    A jail can change names and MAC addresses, but neither the index nor the hardware.
    """
    found = list(interfaces)
    if lent.index is not None and any(each.index is not None for each in found):
        return next((each.name for each in found if each.index == lent.index), None)
    if lent.device:
        found = [each for each in found if each.device == lent.device]
        if len(found) == 1:
            return found[0].name
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
    """The access to the file at a path: the numbers of owner and group, and the permissions (chmod(1)).

    device: the number of its file system.
    """

    owner: int
    group: int
    mode: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class HostState:
    """The answer to a `potnet.host.query.Query`.

    Parts that the query does not request are empty or None. Parts are requested by the field of the same name
    unless the comment says otherwise.
    """

    #: The properties of this kind of host; always present.
    traits: Traits = field(default_factory=Traits)

    # Jails and users
    jails: Mapping[str, JailState] = field(default_factory=dict)
    #: Networks by jail, and the reasons why others cannot be read.
    jail_networks: Mapping[str, JailNetwork] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    #: Requested interfaces in jails, by jail and name.
    jail_interfaces: Mapping[tuple[str, str], Interface] = field(default_factory=dict)
    #: The requested parameters, by jail, as `potnet.model.jail_parameters` writes them.
    jail_parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The names of the parameters that the kernel has, without those of missing modules.
    known_parameters: frozenset[str] = frozenset()
    #: Requested users that exist.
    users: frozenset[str] = frozenset()

    # Interfaces
    #: All interfaces of the host; with `candidates` only those among them.
    names: frozenset[str] = frozenset()
    #: Requested interfaces that exist.
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    #: Names that several interfaces share, if all interfaces are requested.
    doubled: frozenset[str] = frozenset()
    #: Interfaces that the filter has lost: rules with their names have no effect.
    lost: frozenset[str] = frozenset()
    #: Numbers of the host's interfaces, if the kernel keeps them when an interface moves into a jail.
    indexes: Mapping[str, int] = field(default_factory=dict)
    #: The interfaces of potnet's two groups.
    own: frozenset[str] = frozenset()
    pot_bridges: frozenset[str] = frozenset()
    #: With `own`: removed bridges whose connection to the outside is left.
    severed: frozenset[str] = frozenset()
    #: Requested taps in potnet's group.
    taps: frozenset[str] = frozenset()
    #: With `tap_owners`: taps with a wrong owner, and that owner (None: anybody).
    misowned: Mapping[str, str | None] = field(default_factory=dict)
    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    #: With `bridge_rules`: an interface that has addresses can join a bridge.
    members_keep_addresses: bool = True

    # Routes and addresses
    #: The interface of the default route; `interfaces` has it too if the same command shows it.
    external: str | None = None
    #: With `external`: further interfaces of the default route.
    external_beside: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    #: Whether the host forwards packets, by family.
    forwarding: Mapping[int, bool] = field(default_factory=dict)
    #: Requested addresses that the host has.
    own_addresses: frozenset[IPAddress] = frozenset()
    #: Addresses and networks of the host that others can reach, each with its interface; None: not requested.
    local_addresses: frozenset[tuple[str, IPNetwork]] | None = None
    #: Requested addresses that a machine answers for, with its MAC address; empty if that is unknown.
    answering: Mapping[IPAddress, str] = field(default_factory=dict)
    #: Addresses of jails that share the stack of the host, each with the JID.
    jail_addresses: Mapping[IPAddress, int] = field(default_factory=dict)
    #: The requested interface takes default routes from advertisements until the host forwards IPv6.
    learns_router: bool = False
    listeners: tuple[Listener, ...] = ()
    #: The ports that the host chooses for its own connections, first and last.
    port_range: tuple[int, int] | None = None

    # Packet filter
    packet_filter: PacketFilter = field(default_factory=PacketFilter)
    #: With `main_text`: how the active ruleset differs from it.
    main_drift: RulesetDrift = field(default_factory=RulesetDrift)
    #: With `loaded_anchor`: that anchor has rules.
    nat_loaded: bool = False
    anchors: Mapping[str, AnchorRules] = field(default_factory=dict)
    #: With `anchor_parents`: full paths of other anchors that may have rules.
    anchor_names: frozenset[str] = frozenset()
    #: Requested anchors that have rules.
    holding: frozenset[str] = frozenset()
    #: With `all_rules`: entries of the filter that these rules do not explain.
    stray: tuple[FilterEntry, ...] = ()
    #: With `pipes`: those with the requested limits.
    limited: frozenset[Pipes] = frozenset()
    #: Switches that are off and keep the filter from members of bridges.
    unfiltered: tuple[str, ...] = ()

    # Files
    #: Kinds of `files` and `directories`, by path.
    files: Mapping[str, FileKind] = field(default_factory=dict)
    #: With `ways`: owner, group and permissions, by path.
    access: Mapping[str, Access] = field(default_factory=dict)
    #: Contents by path; an unreadable file is missing.
    texts: Mapping[str, str] = field(default_factory=dict)
    #: SHA-256 in hexadecimal, by path; a huge file, or anything but a file, is missing.
    digests: Mapping[str, str] = field(default_factory=dict)
    #: The mount points of the host.
    mounts: tuple[str, ...] = ()
    #: With `mounts`: directories that are mounted again for writing, each with the place.
    binds: tuple[tuple[str, str], ...] = ()
    #: With `mounts`: datasets of zfs(8), each with the place.
    datasets: tuple[tuple[str, str], ...] = ()
    #: The mount points that are set for datasets; missing ones are left out.
    mount_points: Mapping[str, str] = field(default_factory=dict)
    #: With `devfs` and `rulesets`: the requested devfs rulesets that hide no device, each with its number.
    open_rulesets: Mapping[int | None, int] = field(default_factory=dict)
    #: The snapshots of datasets, the oldest first, each with its clones.
    snapshots: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    #: With `release`: the SHA-256 of its base.txz; None if the mirror does not report it.
    base_digest: str | None = None
    #: The architecture of machine and processor, as uname(1) names them.
    machine: tuple[str, str] | None = None

    # Boot
    hostname: str | None = None
    #: Set variables of rc.conf(5), as rc(8) reads them for their service.
    boot_variables: Mapping[str, str] = field(default_factory=dict)
    #: The files that set these variables.
    boot_files: Mapping[str, str] = field(default_factory=dict)
