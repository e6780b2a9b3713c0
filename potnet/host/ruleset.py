"""The rules that the packet filter should have, as data; the driver's templates write them as rules.

A ruleset fills one anchor (pf.conf(5), ANCHORS): loading it replaces all rules of the anchor.
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

    addresses: redirections apply to these, and the first of each family is the address for translation.
    If a family has no address here, the first address of the interface is used. destinations: the networks
    behind it; empty: all (the main outlet).
    """

    interface: str
    addresses: tuple[IPAddress, ...] = ()
    destinations: tuple[IPNetwork, ...] = ()

    def of_family(self, version: int) -> tuple[IPAddress, ...]:
        return tuple(each for each in self.addresses if each.version == version)


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Translate connections of pots to the host's address (RFC 3022), except to the networks in `inside`.

    further: addresses and networks without exports, for a filter that does not know the host's own addresses.
    others: further networks of pots, of the same family.
    """

    network: IPNetwork
    outlets: tuple[Outlet, ...]
    inside: tuple[IPNetwork, ...] = ()
    further: tuple[IPNetwork, ...] = ()
    others: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirection:
    """Exported ports in force: `count` ports from the two first ones on, one to one, for tcp or udp.

    host: the host's address of the export; None: any. loopback: the host itself may connect too, beside the
    sources. sources: networks that may connect, of the address's family; empty: all. max_connections: the
    limit of simultaneous connections for each source.
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
    """A pot's exports, reachable from outside, and from every pot by the host's address (hairpin).

    bridge: the pot's interface to its bridge. network: the public network. networks: the other networks of
    pots, in the families of the exports. marked: all connections get a mark that `ConnectionLimits` tests.
    shared: as `guards_shared` of `Pot`.
    """

    bridge: str
    network: IPNetwork
    outlets: tuple[Outlet, ...]
    items: tuple[Redirection, ...]
    networks: tuple[IPNetwork, ...] = ()
    marked: bool = False
    shared: bool = False


def redirections_in(rules: Ruleset) -> tuple[Redirection, ...]:
    """Return the redirections of a ruleset; none if it is of another kind."""
    return rules.items if isinstance(rules, Redirections) else ()


def without(items: Iterable[Redirection], others: Iterable[Redirection]) -> tuple[Redirection, ...]:
    """Return the redirections that are not among the others."""
    known = frozenset(others)
    return tuple(each for each in items if each not in known) if known else tuple(items)


@dataclass(frozen=True, slots=True)
class Pipes:
    """The limits of what a pot receives and sends, in bits per second; None: unlimited.

    unit: of its first epair, which numbers the pipes. members: its ends of epairs on the host.
    """

    unit: int
    members: tuple[str, ...]
    rate_in: int | None = None
    rate_out: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The exports of a pot that a filter must limit by rules beside `Redirections`.

    A source can open only a limited number of connections to limited exports. Other exports are listed only
    if the filter checks members of bridges. bridge: the interface of such a pot's bridge, otherwise None.
    pipes: the pipes of such a pot. A filter that does both at once ignores this ruleset.
    """

    outlets: tuple[Outlet, ...]
    items: tuple[Redirection, ...]
    bridge: str | None = None
    pipes: Pipes | None = None


@dataclass(frozen=True, slots=True)
class BridgeIsolation:
    """Isolate a bridge.

    own: its networks, at most one per family. others: all networks of pots in these families, including its
    own, that it must not exchange packets with; empty unless the bridge is private. hidden: its IPv6 network,
    which nothing behind the outlets can address directly. permits: connections that a policy allows
    (`PotFilter`).
    """

    bridge: str
    own: tuple[IPNetwork, ...]
    others: tuple[IPNetwork, ...] = ()
    hidden: IPNetwork | None = None
    outlets: tuple[Outlet, ...] = ()
    permits: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses behind a bridge; the bridge is given by its interface.

    public: the bridge is the public one, whose pots reach nobody through the host.
    """

    bridge: str
    network: IPNetwork
    public: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision to allow or refuse connections to some places. protocol, ports: as in `Policy`."""

    allow: bool
    places: tuple[Place, ...]
    protocol: Transport | None = None
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The addresses that a pot may use as source on one of its bridges.

    member: its epair end on the host. addresses: its own. learns: it configures IPv6 addresses itself.
    gateways: the addresses of the bridge. verdicts: for connections to others on the bridge, which may not
    use link-local addresses either; the first verdict that matches a connection decides. dhcp: it may request
    an IPv4 address by DHCP.
    """

    member: str
    mac: str
    addresses: tuple[IPAddress, ...] = ()
    learns: bool = False
    gateways: tuple[IPAddress, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    dhcp: bool = False

    def pairs(self) -> Iterator[tuple[Verdict, IPAddress, Place]]:
        """Yield each verdict with each of the pot's addresses and each place of the same family."""
        for verdict in self.verdicts:
            for place, source in product(verdict.places, self.addresses):
                if source.version == place.network.version:
                    yield verdict, source, place

    def of_family(self, version: int) -> tuple[IPAddress, ...]:
        """Return its addresses of a family; IPv6 includes the link-local address of its MAC address."""
        own = tuple(each for each in self.addresses if each.version == version)
        if version == 4:
            return own
        from netaddr import EUI  # here, because netaddr takes 14 ms to load

        return (*own, EUI(self.mac).ipv6_link_local())


@dataclass(frozen=True, slots=True)
class PotFilter:
    """The connections that a pot may open, beside the rules for all pots.

    sources: its own addresses. verdicts: the first verdict that matches a connection decides. inside: the
    only networks that the pot may reach; empty: any. pipes: its traffic limits. identities: the addresses
    that it may use as source; empty: any.
    """

    sources: tuple[Place, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    inside: tuple[IPNetwork, ...] = ()
    pipes: Pipes | None = None
    identities: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalIsolation:
    """Keep machines outside from addressing pots directly; only exports lead to pots.

    network: the public network. others: further IPv4 networks of pots.
    """

    network: IPNetwork
    outlets: tuple[Outlet, ...]
    others: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class NoRules:
    """An empty anchor."""


Ruleset = (
    SourceNat | Redirections | ConnectionLimits | BridgeIsolation | PotFilter | ExternalIsolation | NoRules
)


@dataclass(frozen=True, slots=True)
class MainRule:
    """A rule of the main ruleset as the filter lists it; calls of anchors are rules too.

    text: the line. action: its first word, ignoring "no". interface: an interface or a group; outside: any
    other one. source, destination, port: as listed; port: of the destination. target: the new address of a
    translation. conditional: further conditions, not recorded here, apply too. inside: the rules of the
    called anchor; None: unknown. within: the anchor that holds the rule; empty: the main ruleset.
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
    target: str = ""
    conditional: bool = False
    inside: tuple[MainRule, ...] | None = None
    within: str = ""

    @property
    def shown(self) -> str:
        """Return the line as a message shows it, with the anchor that holds it."""
        return f"`{self.text}`" + (f" in the anchor {self.within}" if self.within else "")

    @property
    def for_all(self) -> bool:
        """Return whether the rule applies to every packet."""
        told = (self.direction, self.interface, self.protocol, self.source_port, self.port)
        anywhere = self.source == self.destination == "any"
        return not any(told) and self.family is None and anywhere and not self.conditional


@dataclass(frozen=True, slots=True)
class MainText:
    """A main ruleset to compare with the active one, without potnet's own calls of anchors.

    flags: for the command that loads it. calls: these calls, which the comparison also ignores in the active
    ruleset. names: of the anchors that it calls. loads: anchors and the files that fill them.
    """

    text: str
    flags: tuple[str, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    loads: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RulesetDrift:
    """The difference between a main ruleset and the active one.

    lost: rules of the active ruleset only. gained: rules of the main ruleset only. reordered: both have the
    same rules in another order. empty: no rules are active. refused: why the filter rejects the main ruleset.
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
    """A forwarding chain of another program, which drops all packets that it does not accept.

    name: with its family and table. text: of the whole table.
    """

    name: str
    text: str
