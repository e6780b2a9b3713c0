"""The rules that the packet filter must hold for pots and bridges, and the anchors of its main ruleset.

Each form of rule was tried on a real host; pf.conf(5), TRANSLATION and ANCHORS.
"""

from __future__ import annotations

from collections.abc import Iterable

from netaddr import IPNetwork

from potnet.config.configuration import Config
from potnet.errors import HostError
from potnet.host.ruleset import (
    BridgeIsolation,
    ConnectionLimits,
    ExternalIsolation,
    NoRules,
    Outlet,
    Redirection,
    Redirections,
    Ruleset,
    SourceNat,
)
from potnet.host.state import HostState, PacketFilter
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.ports import Export
from potnet.model.pots import Pot
from potnet.planning.filter.policy import pipes_of

#: Length of an anchor's path that pf(4) keeps, tried on a real host.
_LONGEST = 63
_FAMILIES = frozenset({4, 6})
Networks = tuple[IPNetwork, ...]
#: Characters that replace the rest of a truncated name.
_DIGEST = 16

INIT_HINT = "run `potnet init`, which adds potnet's anchors to the rules, and load them as it says"


def outlets(config: Config, external: str) -> tuple[Outlet, ...]:
    """Return the host's external interfaces, the main one first."""
    main = Outlet(external, config.external_addresses or ())
    return (main, *(Outlet(name, (), networks) for name, networks in config.extra_interfaces))


def of_family(networks: Networks, family: int) -> Networks:
    return tuple(each for each in networks if each.version == family)


def around(config: Config, network: IPNetwork) -> IPNetwork:
    """Return the public network if it contains a network of pots, else that network."""
    return config.network if network in config.network else network


def untranslated(config: Config, external: str, state: HostState) -> tuple[str, ...]:
    """Return a notice if the default route uses further interfaces, on which nothing is translated."""
    known = {external, *dict(config.extra_interfaces)}
    others = [name for name in state.external_beside if name not in known]
    if not others:
        return ()
    return (
        f"the default route of the host leads by {external} and {', '.join(others)}: NAT and exports apply "
        f'to {external} only; set {others[0]} = "0.0.0.0/0" in [network.extra_interfaces] for both',
    )


def nat_anchor(config: Config) -> str:
    return config.nat_anchor


def own_anchors(config: Config) -> tuple[str, ...]:
    """Return potnet's anchors as calls of the main ruleset name them."""
    return config.nat_anchor, f"{config.rdr_anchor}/*", f"{config.filter_anchor}/*"


def pot_anchor(config: Config, pot: str) -> str:
    """Return the anchor that holds one pot's redirections."""
    return _below(config.rdr_anchor, pot)


def limits_anchor(config: Config, pot: str) -> str:
    """Return the anchor that limits connections to one pot's exports; it precedes all other kinds."""
    return _below(config.filter_anchor, pot, sign="-")


def bridge_anchor(config: Config, bridge: str) -> str:
    """Return the anchor that isolates one bridge."""
    return _below(config.filter_anchor, bridge)


def filter_anchor(config: Config, pot: str) -> str:
    """Return the anchor that filters one pot's traffic.

    pf evaluates child anchors in the order of their names (pf.conf(5), ANCHORS). Redirected packets are
    let in first, and the dot, which no name begins with, sorts before the names of all bridges.
    """
    return _below(config.filter_anchor, pot, sign=".")


def external_anchor(config: Config) -> str:
    """Return the anchor that blocks the outside; ``ext`` cannot be the name of a bridge."""
    return f"{config.filter_anchor}/ext"


def nat6_anchor(config: Config, bridge: str) -> str:
    """Return the anchor for the NAT of one bridge's IPv6 network; names of pots contain no dot."""
    return _below(config.rdr_anchor, bridge, end=".6")


def of_pot(config: Config, pot: str) -> tuple[str, str, str]:
    """Return the anchors of one pot."""
    return pot_anchor(config, pot), limits_anchor(config, pot), filter_anchor(config, pot)


def of_bridge(config: Config, name: str) -> tuple[str, ...]:
    """Return the anchors that a bridge may have."""
    return bridge_anchor(config, name), nat6_anchor(config, name)


def cut_anchors(anchors: Iterable[str], name: str) -> tuple[str, ...]:
    """Return those anchors of a pot or bridge in whose paths its name is truncated."""
    return tuple(anchor for anchor in anchors if name not in anchor)


def _below(parent: str, name: str, sign: str = "", end: str = "") -> str:
    """Return the anchor of a pot or bridge; a path that is too long for pf(4) gets a truncated name.

    A dot and a digest of the whole name follow the truncated name. Names contain no dot, so no other
    anchor has this name.
    """
    path = f"{parent}/{sign}{name}{end}"
    if len(path) <= _LONGEST:
        return path
    import hashlib  # it loads OpenSSL: 9 ms

    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    room = _LONGEST - len(f"{parent}/{sign}.{end}") - _DIGEST
    return f"{parent}/{sign}{name[:room]}.{digest}{end}"


def source_nat(config: Config, external: str, networks: Networks = (), further: Networks = ()) -> SourceNat:
    """Return the rules for NAT of IPv4. networks: as of `Vnet`. further: as of `SourceNat`."""
    others = of_family(networks, 4)
    return SourceNat(config.network, outlets(config, external), further=further, others=others)


def source_nat6(config: Config, bridge: Bridge, external: str) -> Ruleset:
    """Return the rules for the anchor of `nat6_anchor`; the outlets beside the main one need IPv6."""
    if bridge.network6 is None or not hides6(bridge):
        return NoRules()
    return SourceNat(bridge.network6, outlets(config, external)[:1], (bridge.network6,))


def external_isolation(config: Config, external: str, networks: Networks = ()) -> ExternalIsolation:
    """Return the rules against the outside. networks: as of `Vnet`."""
    return ExternalIsolation(config.network, outlets(config, external), of_family(networks, 4))


def bridge_isolation(
    config: Config,
    bridge: Bridge,
    external: str = "",
    networks: Networks = (),
    permits: bool = False,
) -> Ruleset:
    """Return the rules of a bridge; the rules of other bridges isolate the public bridge.

    networks: as of `Vnet`; those of IPv6 are ignored for a bridge with IPv4 only. permits: a policy allows
    something to or from the bridge.
    """
    own = tuple(subnet.network for subnet in bridge.subnets)
    hidden = bridge.network6 if hides6(bridge) else None
    others: tuple[IPNetwork, ...] = ()
    if own and bridge.kind is BridgeKind.PRIVATE:
        others = (config.network, *(networks if bridge.network6 is not None else of_family(networks, 4)))
    if not others and hidden is None:
        return NoRules()
    sides = outlets(config, external) if hidden is not None else ()
    return BridgeIsolation(bridge.interface, own, others, hidden, sides, permits and bool(others))


def redirections(pot: Pot) -> tuple[Redirection, ...]:
    """Return a pot's exports with a host port, for each address on its first bridge; empty if none.

    An export with a host address or with sources applies only to the families of these.
    """
    addresses = pot.home.addresses if pot.home is not None else ()
    return tuple(
        Redirection(
            protocol,
            e.host_port,
            address,
            e.pot_port,
            e.loopback,
            e.count,
            e.host_address,
            tuple(each for each in e.sources if each.version == address.version),
            e.max_connections,
        )
        for e in pot.exports
        for address in addresses
        for protocol in e.protocol.each
        if e.host_port is not None and address.version in offered_in(e)
    )


def offered_in(export: Export) -> frozenset[int]:
    """Return the address families of an export, whatever addresses the pot has."""
    if export.host_address is None and not export.sources:
        return _FAMILIES
    families = {each.version for each in export.sources} or _FAMILIES
    return frozenset(families if export.host_address is None else families & {export.host_address.version})


def pot_rules(
    pot: Pot, bridge: Bridge, config: Config, external: str, networks: Networks = ()
) -> dict[str, Ruleset]:
    """Return the rules that the anchors of a pot must hold."""
    items = redirections(pot)
    sides = outlets(config, external)
    families = {item.address.version for item in items}
    sources = tuple(each for each in networks if each.version in families)
    marked, shared = pot.antispoof, pot.guards_shared
    rules: Ruleset = Redirections(bridge.interface, config.network, sides, items, sources, marked, shared)
    return {
        limits_anchor(config, pot.name): connection_limits(pot, items, sides, bridge.interface),
        pot_anchor(config, pot.name): rules if items else NoRules(),
    }


def connection_limits(
    pot: Pot, items: tuple[Redirection, ...], sides: tuple[Outlet, ...], bridge: str
) -> Ruleset:
    """Return the rules that let in those redirections of a pot that need a rule for this."""
    if pot.antispoof and items:
        return ConnectionLimits(sides, items, bridge, pipes_of(pot))
    limited = tuple(item for item in items if item.max_connections is not None)
    return ConnectionLimits(sides, limited) if limited else NoRules()


def hides6(bridge: Bridge) -> bool:
    """Whether NAT hides the IPv6 network of a bridge behind the host's own address."""
    return bridge.subnet(6) is not None and not bridge.routed6


def check_anchors(
    config: Config, found: PacketFilter, network: IPNetwork, nat6: bool = False
) -> tuple[str, ...]:
    """Raises HostError if the rules would have no effect on this host; pf itself would not report it.

    Conditional calls count as calls; `obstacles` reports the packets that they skip. nat6: IPv6 networks
    are translated, which requires the anchors of redirection. Returns notices about missing parts that pots
    can do without, a line each.
    """
    if found.self_contained:
        return ()
    if not found.enabled:
        raise HostError(
            "pf is not enabled: pots would reach nothing and nothing would reach them",
            hint=INIT_HINT,
        )
    nested = f"{config.rdr_anchor}/*"
    missing = []
    if config.nat_anchor not in found.nat_anchors:
        missing.append(f'nat-anchor "{config.nat_anchor}"')
    if nat6 and nested not in found.nat_anchors:
        missing.append(f'nat-anchor "{nested}"')
    if nested not in found.rdr_anchors:
        missing.append(f'rdr-anchor "{nested}"')
    if missing:
        raise HostError(
            f"the main ruleset of pf does not name {_listed(missing)}: rules there would have no effect",
            hint=INIT_HINT,
        )
    notices = []
    if nested not in found.nat_anchors:
        notices.append(
            f'the main ruleset of pf lacks nat-anchor "{nested}": pots cannot reach exports; {INIT_HINT}'
        )
    if f"{config.filter_anchor}/*" not in found.filter_anchors:
        notices.append(
            f'the main ruleset of pf lacks anchor "{config.filter_anchor}/*": {network} is not isolated from '
            f"other pots and from the outside; {INIT_HINT}"
        )
    return tuple(notices)


def _listed(items: Iterable[str]) -> str:
    return " and ".join(items)
