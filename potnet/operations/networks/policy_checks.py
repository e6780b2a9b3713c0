"""Checks that refuse a policy if no rule could put it in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.model.bridges import BridgeKind
from potnet.model.pots import End, Policy
from potnet.operations.common import require_bridge
from potnet.operations.networks.antispoof import in_force
from potnet.operations.networks.policy_filters import bridges_of, sides
from potnet.planning.filter.policy import policy_text

if TYPE_CHECKING:
    from potnet.app import App


def check(app: App, policy: Policy) -> None:
    """Raises PotnetError for a policy that no rule could ever put in force."""
    source, destination = policy.source, policy.destination
    for end in (source, destination):
        _check_leased(app, end)
    _check_overlap(app, policy)
    shared = sorted({*bridges_of(app, source)} & {*bridges_of(app, destination)})
    if not shared:
        for end in (source, destination):
            _check_private(app, end)
        return
    if source == destination and not source.bridge:
        raise PotnetError(f"policies do not apply between {source.name} and itself")
    _check_near(app, policy, shared)


def _check_leased(app: App, end: End) -> None:
    pot = None if end.bridge else app.store.pot(end.name)
    if pot is not None and not (pot.leased or pot.by_dhcp):
        raise PotnetError(
            f"policies cannot apply to {end.name}: it has no address from the store",
            hint="name pots or bridges with addresses from the store",
        )
    if end.bridge and not require_bridge(app, end.name).networks:
        raise PotnetError(
            f"policies cannot apply to {end.name}: its pots learn their addresses by SLAAC",
            hint="set network.ipv6 to nat or routed",
        )


def _check_private(app: App, end: End) -> None:
    bridges = [require_bridge(app, name) for name in bridges_of(app, end)]
    if any(bridge.kind is BridgeKind.PRIVATE for bridge in bridges):
        return
    lan = any(bridge.lan is not None for bridge in bridges)
    title = "a bridge of a LAN" if lan else "the public bridge"
    raise PotnetError(
        f"{end.name} is {'' if end.bridge else 'on '}{title}, whose pots do not send to "
        "other bridges through the host",
        hint="name pots on one bridge" if lan else "export the port instead: `potnet export-ports`",
    )


def _check_near(app: App, policy: Policy, bridges: Sequence[str]) -> None:
    """Check a policy on a bridge of both sides: it needs a filter of bridge members, and no isolation."""
    source, destination = policy.source.name, policy.destination.name
    both = ", ".join(bridges)
    if not in_force(app):
        raise PotnetError(
            f"{source} and {destination} are both on bridge {both}: policies there require network.antispoof",
            hint="set network.antispoof = true, then stop and start all pots",
        )
    apart = [name for name in bridges if all(_is_isolated(app, end, name) for end in sides(policy))]
    if apart == list(bridges):
        raise PotnetError(
            f"{source} and {destination} are isolated on bridge {both}, and policies do not change that",
            hint=f"`potnet set -p {source} --no-isolate` ends the isolation",
        )


def _is_isolated(app: App, end: End, name: str) -> bool:
    """Whether all pots that an end names on a bridge are isolated from the other isolated pots."""
    bridge, pot = require_bridge(app, name), None if end.bridge else app.store.pot(end.name)
    return bridge.isolate or app.config.isolate or (pot is not None and pot.isolate)


def _check_overlap(app: App, policy: Policy) -> None:
    for other in app.store.policies_of(policy.source):
        same = other.destination == policy.destination and other.protocol == policy.protocol
        if same and other.ports != policy.ports and _meet(other.ports, policy.ports):
            raise PotnetError(
                f"the ports overlap with those of: {policy_text(other)}",
                hint="remove that policy first: `potnet policy remove`",
            )


def _meet(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]
