"""Pots, policies and leases, as plain immutable data.

Addresses are netaddr objects, MAC addresses lower-case colon notation, names as `valid_name`
allows. Nothing here does I/O.
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import StrEnum

from netaddr import IPAddress

from potnet.model.bridges import network6_of
from potnet.model.names import PUBLIC, PUBLIC6
from potnet.model.ports import Export, Transport
from potnet.runtime.fast_dataclass import dataclass

#: One label of a host name (RFC 1123), and underscores. No dot: `planning.anchors` cuts names at one.
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

#: Group of everything potnet makes; ifconfig(8) group names must not end in a digit.
GROUP = "potnet"
#: Group of the pots' bridges; redirections name the group instead of each bridge.
BRIDGE_GROUP = "potbridge"


def valid_name(name: str) -> bool:
    """Whether a pot or bridge may have this name. jail(8) would read a name of digits as a JID."""
    return NAME_PATTERN.fullmatch(name) is not None and not name.isdigit()


class NetworkType(StrEnum):
    """How a pot is connected; the values are pot's own words, except for bridge."""

    INHERIT = "inherit"
    ALIAS = "alias"
    PUBLIC_BRIDGE = "public-bridge"
    PRIVATE_BRIDGE = "private-bridge"
    BRIDGE = "bridge"

    @property
    def bridged(self) -> bool:
        """Whether the pot has a network stack of its own (VNET) behind an epair."""
        return self is NetworkType.PUBLIC_BRIDGE or self.named

    @property
    def named(self) -> bool:
        """Whether a user names the bridge (-B)."""
        return self in (NetworkType.PRIVATE_BRIDGE, NetworkType.BRIDGE)


class Stack(StrEnum):
    """The address families of a pot."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"

    @property
    def families(self) -> tuple[int, ...]:
        """Return 4, 6 or both."""
        return {Stack.IPV4: (4,), Stack.IPV6: (6,), Stack.DUAL: (4, 6)}[self]


class Ipv6(StrEnum):
    """The source of IPv6 for pots on the public bridge.

    slaac: from the external network, which the bridge joins. nat: from the store, translated to the host's
    address (NAPT66 in RFC 6296). routed: from the store, not translated.
    """

    SLAAC = "slaac"
    NAT = "nat"
    ROUTED = "routed"


class ResolverKind(StrEnum):
    """The source of a pot's /etc/resolv.conf."""

    INHERIT = "inherit"
    OFF = "off"
    POT = "pot"
    CUSTOM = "custom"


class HookKind(StrEnum):
    """When a hook runs, in pot's words."""

    PRESTART = "prestart"
    POSTSTART = "poststart"
    PRESTOP = "prestop"
    POSTSTOP = "poststop"


@dataclass(frozen=True, slots=True)
class Resolver:
    """The resolver setting; text is the content of a custom file, read when the option was given."""

    kind: ResolverKind = ResolverKind.INHERIT
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One epair or tap of a pot. An attachment without addresses and DHCP learns them by SLAAC (RFC 4862).

    mac_given: the user chose the MAC address. lan: the bridge is part of a LAN, so nothing is exported here.
    learns6: it learns IPv6 addresses by SLAAC beside its IPv4 address. dhcp: it gets its IPv4 address by DHCP
    (RFC 2131); `address` is then the confirmed one while the pot runs, otherwise None.
    """

    bridge: str
    unit: int
    mac: str
    address: IPAddress | None = None
    address6: IPAddress | None = None
    tap: bool = False
    mac_given: bool = False
    lan: bool = False
    learns6: bool = False
    dhcp: bool = False

    @property
    def slaac(self) -> bool:
        """Whether it learns IPv6 addresses from a router (RFC 4862)."""
        return self.learns6 or not (self.addresses or self.dhcp)

    @property
    def leases(self) -> tuple[tuple[str, IPAddress], ...]:
        """Return the leases as pairs of network and address, IPv4 first."""
        pairs = ((self.bridge, self.address), (network6_of(self.bridge), self.address6))
        return tuple((network, address) for network, address in pairs if address is not None)

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """Return the leased addresses, IPv4 first."""
        return tuple(address for _, address in self.leases)

    @property
    def given(self) -> tuple[IPAddress, ...]:
        """Return the leased addresses that potnet sets, IPv4 first."""
        return tuple(each for each in self.addresses if not (self.dhcp and each.version == 4))

    @property
    def families(self) -> frozenset[int]:
        """Return the families of the addresses, with those that the attachment gets from others."""
        learned = {6} if self.slaac else set()
        return frozenset(each.version for each in self.addresses) | learned | ({4} if self.dhcp else set())

    @property
    def network_type(self) -> NetworkType:
        """Return the network type of the attachment's bridge."""
        if self.lan:
            return NetworkType.BRIDGE
        public = self.bridge in (PUBLIC, PUBLIC6)
        return NetworkType.PUBLIC_BRIDGE if public else NetworkType.PRIVATE_BRIDGE

    @property
    def host_end(self) -> str:
        return f"tap{self.unit}" if self.tap else f"epair{self.unit}a"

    @property
    def jail_end(self) -> str:
        """Return the pot's end; the host sees only one end of a tap."""
        return f"tap{self.unit}" if self.tap else f"epair{self.unit}b"


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that an alias pot puts on an interface of the host."""

    interface: str
    address: IPAddress


@dataclass(frozen=True, slots=True)
class Pot:
    """A jail as configured, or a user's virtual machine on taps.

    root: the jail's root directory on the host. root_made: create made the root, and destroy removes it. A
    machine has no root; the field then holds the path where a root would be. directory: the directory that
    potnet made for the root or the hooks; destroy removes only this one. dataset: that of zfs(8) which
    potnet made for the root. command: run in the jail at
    start; empty for the default, /bin/sh /etc/rc. network_type: of the first network. attachments: for
    bridge types, those of each network in the order of the stack's families. aliases: for type alias.
    passed: interfaces of the host that the jail has while it runs. whole: create is complete, and no
    destroy has begun. isolate: the pot cannot reach other isolated pots of its bridge. internet: the pot
    can connect to the outside. rate_in, rate_out: limits for receiving and sending, in bits per second;
    None: no limit. antispoof: set for a started pot that can send only from its own addresses.
    guards_shared: set for a pot that an older potnet started, which gave all exports with sources or limits
    one set of rules. owner: the user who may open the taps of a machine; None for a jail. needs: pots that
    start before this one. priority: pots with a lower number start first. parameters: those of
    jail(8) that the user set, as `potnet.model.jail_parameters` describes them.
    """

    name: str
    network_type: NetworkType
    stack: Stack
    root: str
    root_made: bool = True
    directory: str | None = None
    dataset: str | None = None
    hostname: str = ""
    base: str | None = None
    resolver: Resolver = field(default_factory=Resolver)
    command: tuple[str, ...] = ()
    boot: bool = False
    attachments: tuple[Attachment, ...] = ()
    aliases: tuple[Alias, ...] = ()
    exports: tuple[Export, ...] = ()
    hooks: tuple[HookKind, ...] = ()
    passed: tuple[str, ...] = ()
    whole: bool = True
    isolate: bool = False
    internet: bool = True
    rate_in: int | None = None
    rate_out: int | None = None
    antispoof: bool = False
    guards_shared: bool = False
    owner: str | None = None
    needs: tuple[str, ...] = ()
    priority: int = 0
    parameters: tuple[str, ...] = ()

    @property
    def is_jail(self) -> bool:
        return self.owner is None

    @property
    def taps(self) -> tuple[str, ...]:
        """Return the taps of a machine, by their names on the host."""
        return tuple(a.host_end for a in self.attachments if a.tap)

    @property
    def ipv4(self) -> IPAddress | None:
        """The leased IPv4 address of a bridged pot."""
        return next((a.address for a in self.attachments if a.address), None)

    @property
    def leased(self) -> tuple[IPAddress, ...]:
        """All leased addresses of a bridged pot."""
        return tuple(address for a in self.attachments for address in a.addresses)

    @property
    def by_dhcp(self) -> tuple[Attachment, ...]:
        """Return the attachments that get their IPv4 addresses by DHCP."""
        return tuple(a for a in self.attachments if a.dhcp)

    @property
    def home(self) -> Attachment | None:
        """Return the first attachment with addresses behind the host; exports lead to these addresses."""
        return next((a for a in self.attachments if a.addresses and not a.lan), None)

    @property
    def bridges(self) -> tuple[str, ...]:
        """Return the pot's bridges; the public bridge, which may be two, appears once."""
        names = dict.fromkeys(a.bridge for a in self.attachments)
        return tuple(name for name in names if name != PUBLIC6 or PUBLIC not in names)

    def leads_out(self, attachment: Attachment, family: int) -> bool:
        """Whether the default route of a family uses this attachment: the first one with the family."""
        return attachment == next((a for a in self.attachments if family in a.families), None)


@dataclass(frozen=True, slots=True)
class End:
    """One side of a policy: a pot, or all pots of a bridge."""

    name: str
    bridge: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether one side may open connections to the other.

    protocol: None: any. ports: the first and the last port on the other side; None: all.
    """

    source: End
    destination: End
    allow: bool
    protocol: Transport | None = None
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """An address of a network that a pot holds."""

    network: str
    address: IPAddress
    pot: str


@dataclass(frozen=True, slots=True)
class Lent:
    """An interface of the host with its settings from before a jail got it, for the return.

    mtu: in bytes. link_local: the interface had a link-local IPv6 address; None if it was down. index: the
    kernel's number of the interface, which no jail can change; None if unknown. device: the hardware, which
    no jail can change either. link_group, altnames: as of `Interface`; the group is empty if unknown.
    """

    name: str
    mac: str | None
    mtu: int
    up: bool
    link_local: bool | None = None
    index: int | None = None
    device: str = ""
    link_group: str = ""
    altnames: tuple[str, ...] = ()


#: The smallest MTU of a link with IPv6 (RFC 8200, 5), in bytes.
SMALLEST_MTU6 = 1280

#: Replaces the JID in the record of a machine, which has no jail; 0 is the host itself.
NO_JAIL = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A start, as recorded.

    pot: as of the start; later changes by `set` take effect at the next start. jid: None until the start
    is complete; NO_JAIL for a machine. files: the files that the start wrote into the root's etc. saved:
    those that replaced another file. devfs: a device file system was mounted in the root. booted: the
    jail's own rc was run. stopping: a stop has begun, and part of the pot may be gone. attached: another
    program made the jail. lent: the passed interfaces. changing: a change of the exports has begun, so nobody
    knows which of them are in force. leaving: former exports that this change removes.
    """

    pot: Pot
    jid: int | None
    files: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()
    devfs: bool = False
    booted: bool = False
    stopping: bool = False
    attached: bool = False
    lent: tuple[Lent, ...] = ()
    changing: bool = False
    leaving: tuple[Export, ...] = ()

    @property
    def exported(self) -> tuple[Export, ...]:
        """Return the exports that may be in force."""
        return tuple(dict.fromkeys((*self.pot.exports, *self.leaving)))
