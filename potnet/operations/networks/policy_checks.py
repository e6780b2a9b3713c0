"""Checks that refuse a policy if no rule could put it in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.model.pots import BridgeKind, End, Policy
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
        raise PotnetError(f"{source.name} reaches itself, whatever policies say")
    _check_near(app, policy, shared)


def _check_leased(app: App, end: End) -> None:
    pot = None if end.bridge else app.store.pot(end.name)
    if pot is not None and not pot.leased:
        raise PotnetError(
            f"{end.name} has no address from the store that a rule could be about",
            hint="policies are for pots on bridges with addresses from the store, and for such bridges",
        )
    if end.bridge and not require_bridge(app, end.name).subnets:
        raise PotnetError(
            f"the pots of {end.name} learn their addresses: there are none that a rule could be about",
            hint="network.ipv6 can be nat or routed",
        )


def _check_private(app: App, end: End) -> None:
    if all(require_bridge(app, name).kind is not BridgeKind.PRIVATE for name in bridges_of(app, end)):
        raise PotnetError(
            f"{end.name} is {'' if end.bridge else 'on '}the public bridge, whose pots look for all others "
            "beside them, not behind the host",
            hint="a port that is exported they all reach; policies are for pots on private bridges, "
            "or on one bridge",
        )


def _check_near(app: App, policy: Policy, bridges: Sequence[str]) -> None:
    """Check a policy on a bridge of both sides: it needs a filter of bridge members, and no isolation."""
    source, destination = policy.source.name, policy.destination.name
    both = ", ".join(bridges)
    if not in_force(app):
        raise PotnetError(
            f"{source} and {destination} meet on bridge {both}, where a filter looks at what pots send only "
            "with network.antispoof",
            hint="set network.antispoof = true, and start all pots anew; --isolate keeps pots apart without",
        )
    apart = [name for name in bridges if all(_is_isolated(app, end, name) for end in sides(policy))]
    if apart == list(bridges):
        raise PotnetError(
            f"{source} and {destination} are isolated on bridge {both}: nothing passes between them, "
            "whatever policies say",
            hint=f"`potnet set -p {source} --no-isolate`, or leave the policy out",
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
                hint="`potnet policy remove` it first",
            )


def _meet(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]
