"""What the packet filter is to do, as data; the driver's templates turn it into rules.

A ruleset fills one anchor (pf.conf(5), ANCHORS) whole: loading it replaces what the anchor held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from netaddr import IPAddress, IPNetwork

from potnet.model.ports import Transport
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Outlet:
    """An external interface of the host.

    addresses: those to redirect from, and of each family the first one to translate to; in a family without
    any it is the first that the interface has.
    destinations: the networks behind it; none: everything (the main one).
    """

    interface: str
    addresses: tuple[IPAddress, ...] = ()
    destinations: tuple[IPNetwork, ...] = ()

    def of_family(self, version: int) -> tuple[IPAddress, ...]:
        return tuple(each for each in self.addresses if each.version == version)


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Pots reach the outside with the host's address (RFC 3022); destinations in `inside` are no outside.

    further: addresses at which no export is offered, for a filter that cannot tell those of the host's own.
    """

    network: IPNetwork
    outlets: tuple[Outlet, ...]
    inside: tuple[IPNetwork, ...] = ()
    further: tuple[IPAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirection:
    """Exported ports, as they are in force: `count` from each of the two on, one to one, by tcp or by udp.

    host: the host's address that they are for; None: any. loopback: from the host itself, too, whoever else
    may use it. sources: of the address's family, who may; empty: all. max_connections: of a source, at once.
    """

    protocol: Transport
    host_port: int
    address: IPAddress
    pot_port: int
    loopback: bool = False
    count: int = 1
    host: IPAddress | None = None
    sources: tuple[IPNetwork, ...] = ()
    max_connections: int | None = None


@dataclass(frozen=True, slots=True)
class Redirections:
    """A pot's exports: from outside, and by the host's address from every pot (hairpin).

    bridge: the interface behind which the pot is; network, networks6: where pots may come from. marked: which
    connections came by them is told to `ConnectionLimits`, of all of them.
    """

    bridge: str
    network: IPNetwork
    outlets: tuple[Outlet, ...]
    items: tuple[Redirection, ...]
    networks6: tuple[IPNetwork, ...] = ()
    marked: bool = False


def without(items: Iterable[Redirection], others: Iterable[Redirection]) -> tuple[Redirection, ...]:
    """Those of the redirections that are not among others."""
    known = frozenset(others)
    return tuple(each for each in items if each not in known) if known else tuple(items)


@dataclass(frozen=True, slots=True)
class Pipes:
    """How much a pot may receive and send, in bits a second; None: no limit.

    unit: of its first epair, which gives the pipes their numbers. members: its ends of epairs on the host.
    """

    unit: int
    members: tuple[str, ...]
    rate_in: int | None = None
    rate_out: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What is let in of a pot's exports, by any of the outlets, where `Redirections` alone cannot tell.

    Of those that are limited a source can have only so many connections; others are among them only if the
    filter looks at members of bridges, too. bridge: the interface behind which such a pot is, None elsewhere.
    pipes: those that such a pot has. A filter that does it all at once has nothing to do for them.
    """

    outlets: tuple[Outlet, ...]
    items: tuple[Redirection, ...]
    bridge: str | None = None
    pipes: Pipes | None = None


@dataclass(frozen=True, slots=True)
class BridgeIsolation:
    """Keeps a bridge apart, as far as it is.

    own: its networks, a family each. others: all of the pots' of these families, its own among them, which
    it neither reaches nor is reached from; none for a bridge that is not private. hidden: its IPv6 network
    that nothing behind the outlets addresses directly. permits: what a policy allows passes (`PotFilter`).
    """

    bridge: str
    own: tuple[IPNetwork, ...]
    others: tuple[IPNetwork, ...] = ()
    hidden: IPNetwork | None = None
    outlets: tuple[Outlet, ...] = ()
    permits: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses behind a bridge, which is named by its interface.

    public: that is the public one, whose pots reach nobody through the host.
    """

    bridge: str
    network: IPNetwork
    public: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether connections to some places are allowed. protocol, ports: as of `Policy`."""

    allow: bool
    places: tuple[Place, ...]
    protocol: Transport | None = None
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a pot may say that it is on one of its bridges.

    member: its end of the epair on the host. addresses: its own. learns: it finds those of IPv6 by itself.
    gateways: the addresses of the bridge. verdicts: on connections to others there, which it then opens by
    none of the link's addresses either; the first one that is about a connection decides.
    """

    member: str
    mac: str
    addresses: tuple[IPAddress, ...] = ()
    learns: bool = False
    gateways: tuple[IPAddress, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def pairs(self) -> Iterator[tuple[Verdict, IPAddress, Place]]:
        """Each verdict with each of the pot's addresses and each place of the same family."""
        for verdict in self.verdicts:
            for place, source in product(verdict.places, self.addresses):
                if source.version == place.network.version:
                    yield verdict, source, place

    def of_family(self, version: int) -> tuple[IPAddress, ...]:
        """Its addresses of a family; of IPv6 the link-local one that follows from the MAC address, too."""
        own = tuple(each for each in self.addresses if each.version == version)
        if version == 4:
            return own
        from netaddr import EUI  # it brings along all of netaddr: 14 ms

        return (*own, EUI(self.mac).ipv6_link_local())


@dataclass(frozen=True, slots=True)
class PotFilter:
    """What a pot may open connections to, beside what holds for all.

    sources: its own addresses. verdicts: the first one that is about a connection decides. inside: where it
    may go at all; empty: anywhere. pipes: those that limit what it receives and what it sends. identities:
    what it may send as; empty: anything.
    """

    sources: tuple[Place, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    inside: tuple[IPNetwork, ...] = ()
    pipes: Pipes | None = None
    identities: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalIsolation:
    """Keeps machines outside from addressing pots directly: only exports lead in."""

    network: IPNetwork
    outlets: tuple[Outlet, ...]


@dataclass(frozen=True, slots=True)
class NoRules:
    """An empty anchor."""


Ruleset = (
    SourceNat | Redirections | ConnectionLimits | BridgeIsolation | PotFilter | ExternalIsolation | NoRules
)


@dataclass(frozen=True, slots=True)
class MainRule:
    """A rule of the main ruleset, as it is listed; the call of an anchor is one.

    text: the line. action: its first word, "no" aside. interface: one or a group; outside: any but that.
    source, destination, port: as they are listed; port: of the destination. conditional: conditions that are
    not told here decide, too.
    """

    text: str
    action: str
    no: bool = False
    anchor: str = ""
    direction: str = ""
    quick: bool = False
    interface: str = ""
    outside: bool = False
    family: int | None = None
    protocol: str = ""
    source: str = "any"
    source_port: str = ""
    destination: str = "any"
    port: str = ""
    conditional: bool = False

    @property
    def for_all(self) -> bool:
        """Whether it is about every packet."""
        told = (self.direction, self.interface, self.protocol, self.source_port, self.port)
        anywhere = self.source == self.destination == "any"
        return not any(told) and self.family is None and anywhere and not self.conditional


@dataclass(frozen=True, slots=True)
class MainText:
    """A main ruleset that is to be compared with the one in force, without our own calls of anchors.

    flags: for the command that loads it. calls: those, which are left out of what is in force too. names: of
    the anchors that it calls. loads: anchors and the files that fill them.
    """

    text: str
    flags: tuple[str, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    loads: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RulesetDrift:
    """How a main ruleset differs from the one in force.

    lost: what only the latter has. gained: what only the former has. reordered: they have the same rules in
    another order. empty: no rules are in force. refused: why the filter does not take the former.
    """

    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    reordered: bool = False
    empty: bool = False
    refused: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.lost or self.gained or self.reordered)


@dataclass(frozen=True, slots=True)
class ForwardChain:
    """A chain of somebody else's that drops what it does not accept of all that the host forwards.

    name: with its family and table. text: of the whole table.
    """

    name: str
    text: str
