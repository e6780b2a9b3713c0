"""The entities of a simulated host: interfaces, jails, routes, as plain data with their rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface
from typing import Any

from potnet.executors.simulated.world.release import OSRELDATES

#: The key of the host's own network stack; a VNET jail's is its jid as text.
HOST = ""


#: A character that no name can contain.
TWIN = "\0"


def name_key(name: str) -> str:
    """Encode a name of any bytes for a key."""
    return name.encode("unicode_escape").decode("ascii")


def group_key(vnet: str, group: str) -> str:
    """Return the prefix of the keys of a group's members."""
    return f"{vnet}/{name_key(group)}{TWIN}"


def row_of(entity: Any) -> dict[str, Any]:
    """Return the fields of an entity; asdict() copies each value and takes ten times as long."""
    return {name: getattr(entity, name) for name in entity.__slots__}


#: The time in which an address stays tentative (duplicate address detection, RFC 4862 5.4), in seconds.
DAD_SECONDS = 1.3
#: The start of a detection that waits; the address stays tentative.
PAUSED = float("inf")


@dataclass(slots=True)
class Address:
    """An address on an interface. since: when it was added, in seconds; None after its DAD (RFC 4862).

    rival: another machine on the wire has the address, which DAD finds out.
    """

    address: str
    prefix: int
    since: float | None = None
    autoconf: bool = False
    rival: bool = False

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    @property
    def interface(self) -> IPv4Interface | IPv6Interface:
        return ip_interface(f"{self.address}/{self.prefix}")

    @property
    def network(self) -> IPv4Network | IPv6Network:
        return self.interface.network

    def tentative(self, now: float) -> bool:
        """Return whether the address is still unusable."""
        return self.since is not None and now - self.since < DAD_SECONDS

    def usable(self, now: float) -> bool:
        """Return whether the address can be used: duplicate detection has ended, and found nobody."""
        return not self.tentative(now) and not self.rival

    @property
    def link_local(self) -> bool:
        return self.address.startswith("fe80:")


@dataclass(slots=True)
class Interface:
    """A network interface.

    vnet: its present stack; home: the stack of its creation, where it returns; order: its place in its
    stack's list; bridge: the bridge of a member; hwaddr: its original address; made_as: its original name, if
    different; the unit stays in use; peer: the index of the other end of an epair; twin: the stack has an
    earlier interface of the same name; received, sent: packets and bytes. For a tap (tap(4)), link0: it stays
    up when it is closed; owner: of its node; opened: the process that has it open; running: it was opened,
    and link0 has kept its flag since. sums: the checksums of sent packets that an epair leaves to others.
    """

    name: str
    vnet: str
    index: int
    order: int
    kind: str
    mac: str = ""
    hwaddr: str = ""
    mtu: int = 1500
    up: bool = False
    descr: str = ""
    groups: list[str] = field(default_factory=list)
    inet: list[Address] = field(default_factory=list)
    inet6: list[Address] = field(default_factory=list)
    nd6: list[str] = field(default_factory=list)
    bridge: str | None = None
    advertised: int = 0
    made_as: str = ""
    home: str = HOST
    peer: int = 0
    twin: bool = False
    received: list[int] = field(default_factory=lambda: [0, 0])
    sent: list[int] = field(default_factory=lambda: [0, 0])
    link0: bool = False
    owner: str = ""
    opened: int | None = None
    sums: list[str] = field(default_factory=list)
    running: bool = False

    @property
    def place(self) -> str:
        """Return the key of the interface within its stack."""
        return f"{name_key(self.name)}{TWIN}{self.index:06}" if self.twin else name_key(self.name)

    @property
    def key(self) -> str:
        return f"{self.vnet}/{self.place}"

    @property
    def origin(self) -> str:
        return self.made_as or self.name

    @property
    def addresses(self) -> list[Address]:
        return [*self.inet, *self.inet6]

    def row(self) -> dict[str, Any]:
        addresses = {
            "inet": [row_of(each) for each in self.inet],
            "inet6": [row_of(each) for each in self.inet6],
        }
        return row_of(self) | addresses


def interface_from(row: dict[str, Any]) -> Interface:
    row["inet"] = [Address(**a) for a in row["inet"]]
    row["inet6"] = [Address(**a) for a in row["inet6"]]
    return Interface(**row)


@dataclass(slots=True)
class Jail:
    """A jail. dying: None while alive, else the remaining looks until it is gone. ran: programs that exec
    ran. parent: the jid of the jail around it, 0 for the host; shared: the stack of that jail."""

    jid: int
    name: str
    path: str
    hostname: str = ""
    vnet: bool = False
    ip4: str = "disable"
    ip6: str = "disable"
    ip4_addr: list[str] = field(default_factory=list)
    ip6_addr: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    dying: int | None = None
    ran: list[str] = field(default_factory=list)
    told: bool = False
    parent: int = 0
    shared: str = HOST

    @property
    def stack(self) -> str:
        """Return the key of the network stack that the jail uses."""
        return str(self.jid) if self.vnet else self.shared


@dataclass(slots=True)
class Member:
    """A port of a bridge. most: the limit of MAC addresses behind it; 0 for any number.

    linked: it had a carrier when it joined.
    """

    name: str
    order: int
    private: bool = False
    most: int = 0
    linked: bool = True


@dataclass(slots=True)
class Route:
    """A route that was added or learnt; routes of interface addresses are derived.

    destination: default, a network or an address. gateway: empty for a route to the interface itself.
    blackhole: its packets are dropped.
    """

    destination: str
    gateway: str
    interface: str
    static: bool = True
    blackhole: bool = False

    @property
    def family(self) -> int:
        return 6 if ":" in self.gateway or ":" in self.destination else 4


_RELEASE = re.compile(r"([1-9][0-9]?)\.([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The machine of a new state directory.

    spare: further interfaces without addresses, with blanks between. router6: the router on the external wire
    with its prefix; router6_link: its link-local address, empty if it sends no advertisements (RFC 4861);
    router6_lifetimes: of the prefix, preferred and valid. fragment: of the file system, in bytes. racct:
    whether the kernel accounts resources. dhcp: the first and the last address that a DHCP server
    on the external wire gives; empty without a server.
    """

    interface: str = "em0"
    address: str = "192.168.178.20/24"
    gateway: str = "192.168.178.1"
    mac: str = "52:54:00:12:34:56"
    spare: str | None = None
    spare_mac: str = ""
    hostname: str = "freebsd"
    resolver: str = "192.168.178.1"
    release: str = "14.3-RELEASE"
    osreldate: int = 1403000
    router6: str = "2001:db8:7::1/64"
    router6_link: str = "fe80::5054:ff:fe00:1"
    router6_lifetimes: tuple[int, int] = (604_800, 2_592_000)
    root_device: str = "/dev/vtbd0"
    fragment: int = 4096
    racct: bool = False
    dhcp: str = "192.168.178.100-192.168.178.120"

    def of_release(self, text: str) -> HostFacts:
        """Return the same machine with another release of FreeBSD, such as 15.0. Raises ValueError."""
        match = _RELEASE.fullmatch(text)
        if match is None:
            raise ValueError(text)
        osreldate = OSRELDATES.get(text, int(match[1]) * 100_000 + int(match[2]) * 1000)
        return replace(self, release=f"{text}-RELEASE", osreldate=osreldate)
