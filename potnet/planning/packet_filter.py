"""What the packet filter has to hold for pots and bridges, and what its main ruleset must name.

The rules' forms were each tried on a real host; pf.conf(5), TRANSLATION and ANCHORS.
"""

from __future__ import annotations

from collections.abc import Iterable

from netaddr import IPNetwork

from potnet.config import Config
from potnet.errors import HostError
from potnet.host_state import PacketFilter
from potnet.model import Bridge, BridgeKind, Export, Pot
from potnet.ruleset import (
    BridgeIsolation,
    ExternalIsolation,
    NoRules,
    Outlet,
    Redirection,
    Redirections,
    Ruleset,
    SourceNat,
)

INIT_HINT = "run `potnet init`, which adds potnet's anchors to pf.conf, and load it as it says"


def outlets(config: Config, external: str) -> tuple[Outlet, ...]:
    """The host's external interfaces, the main one first."""
    main = Outlet(external, config.external_address)
    return (main, *(Outlet(name, None, network) for name, network in config.extra_interfaces))


def nat_anchor(config: Config) -> str:
    return config.nat_anchor


def pot_anchor(config: Config, pot: str) -> str:
    """The anchor that holds one pot's redirections."""
    return f"{config.rdr_anchor}/{pot}"


def bridge_anchor(config: Config, bridge: str) -> str:
    """The anchor that keeps one bridge apart."""
    return f"{config.filter_anchor}/{bridge}"


def external_anchor(config: Config) -> str:
    """The anchor that keeps the outside out; ``ext`` cannot be the name of a bridge."""
    return f"{config.filter_anchor}/ext"


def source_nat(config: Config, external: str) -> SourceNat:
    return SourceNat(config.network, outlets(config, external))


def external_isolation(config: Config, external: str) -> ExternalIsolation:
    return ExternalIsolation(config.network, outlets(config, external))


def bridge_isolation(config: Config, bridge: Bridge) -> Ruleset:
    """The rules of a private bridge; the public one is kept apart by those of the others."""
    if bridge.network is None or bridge.kind is not BridgeKind.PRIVATE:
        return NoRules()
    return BridgeIsolation(bridge.interface, bridge.network, config.network)


def redirection(pot: Pot, export: Export) -> Redirection | None:
    """The redirection of an export; None while it has no host port or the pot no IPv4 address."""
    if pot.ipv4 is None or export.host_port is None:
        return None
    return Redirection(export.protocol, export.host_port, pot.ipv4, export.pot_port, export.loopback)


def redirections(pot: Pot) -> tuple[Redirection, ...]:
    """A pot's exports as redirections; empty for a pot that needs none."""
    found = (redirection(pot, export) for export in pot.exports)
    return tuple(r for r in found if r is not None)


def pot_rules(pot: Pot, bridge: Bridge, config: Config, external: str) -> Ruleset:
    """What the anchor of a pot has to hold."""
    items = redirections(pot)
    if not items:
        return NoRules()
    return Redirections(bridge.interface, config.network, outlets(config, external), items)


def check_anchors(config: Config, found: PacketFilter, network: IPNetwork) -> tuple[str, ...]:
    """Refuse a host on which the rules would have no effect; pf itself would not say so.

    Returns notices about what works without, a line each. Raises HostError.
    """
    if found.self_contained:
        return ()
    if not found.enabled:
        raise HostError(
            "pf is not enabled: pots would reach nothing and nothing would reach them",
            hint=f"enable it with `pfctl -e`, or {INIT_HINT}",
        )
    nested = f"{config.rdr_anchor}/*"
    missing = []
    if config.nat_anchor not in found.nat_anchors:
        missing.append(f'nat-anchor "{config.nat_anchor}"')
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
