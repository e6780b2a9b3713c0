"""Rules of policies: in the filters of pots, and in the anchors of bridges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netaddr import IPNetwork

from potnet.errors import PotnetError
from potnet.host.query import Query
from potnet.host.ruleset import NoRules, Place, Ruleset
from potnet.model.bridges import Bridge
from potnet.model.pots import End, Policy, Pot, Run
from potnet.operations.common import external_interface
from potnet.operations.networks.units import vnet
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter import policy as planning
from potnet.planning.filter.policy import FilterChange, policy_text
from potnet.planning.vnet import there_is

if TYPE_CHECKING:
    from potnet.app import App

#: Pots by name, as they run or are about to run; None: the pot does not run, or is about to stop.
Running = Mapping[str, Pot | None]
#: The rules of each anchor, by its name.
RulesByAnchor = dict[str, Ruleset]


def filters_at_start(app: App, pot: Pot) -> tuple[FilterChange, ...]:
    """Return the filter changes at a pot's start: for the pot, and for running pots whose policies name it.

    Raises PotnetError for a policy that could have no effect.
    """
    if not app.store.has_policies() and not planning.is_filtered(pot):
        return ()
    if not pot.antispoof:
        _refuse_open(app, pot)
    return _filter_changes(app, None, pot)


def filters_at_stop(app: App, pot: Pot) -> tuple[FilterChange, ...]:
    """Return the reverse changes, for the stop of the pot."""
    if not app.store.has_policies() and not planning.is_filtered(pot):
        return ()
    starting = _filter_changes(app, None, pot)
    return tuple(FilterChange(each.anchor, before=each.after, after=each.before) for each in starting)


def filters_moved(app: App, before: Pot, after: Pot) -> tuple[FilterChange, ...]:
    """Return the filter changes when a running pot gets other addresses."""
    if not app.store.has_policies() and not planning.is_filtered(after):
        return ()
    return _filter_changes(app, before, after)


def _filter_changes(app: App, before: Pot | None, after: Pot) -> tuple[FilterChange, ...]:
    """Return the changes from the rules with one record of a running pot to those with another.

    before: None: from the rules without the pot.
    """
    was: Running = {after.name: before}
    now: Running = {after.name: after}
    held = _rules(app, before, was) if before is not None else NoRules()
    changes = [FilterChange(pf.filter_anchor(app.config, after.name), held, _rules(app, after, now))]
    for other in senders(app, app.store.policies_towards(End(after.name)), but=after.name):
        anchor = pf.filter_anchor(app.config, other.name)
        changes.append(FilterChange(anchor, _rules(app, other, was), _rules(app, other, now)))
    return tuple(each for each in changes if each.before != each.after)


def _refuse_open(app: App, pot: Pot) -> None:
    """Raises PotnetError if a policy denies traffic on the pot's own bridge, where nothing filters it."""
    ends = planning.ends_of(pot)
    for policy in (*app.store.policies_of(*ends), *app.store.policies_towards(*ends)):
        one, other = sides(policy)
        shared = {*bridges_of(app, one)} & {*bridges_of(app, other)} & {*pot.bridges}
        if shared and not policy.allow:
            raise PotnetError(
                f"a policy on bridge {', '.join(sorted(shared))} has no effect without network.antispoof: "
                f"{policy_text(policy)}",
                hint="set network.antispoof = true, or remove the policy",
            )


def rules_about(app: App, policy: Policy) -> RulesByAnchor:
    """Return the expected rules of all anchors of a policy: of its bridges, and of its running pots."""
    filters = {pf.filter_anchor(app.config, pot.name): _rules(app, pot, {}) for pot in senders(app, [policy])}
    return {**_bridge_rules(app, policy), **filters}


def senders(app: App, policies: Iterable[Policy], but: str = "") -> list[Pot]:
    """Return the running pots, as started, that are sources of policies, by name."""
    names: set[str] = set()
    for source in {policy.source for policy in policies}:
        names |= {*app.store.bridged_names(source.name)} if source.bridge else {source.name}
    runs = (app.store.run(name) for name in sorted(names - {but}))
    return [run.pot for run in runs if run is not None]


def filters_of(app: App, runs: Sequence[Run], networks: tuple[IPNetwork, ...]) -> RulesByAnchor:
    """Return the filters of running pots that have one. networks: as of `Vnet`."""
    if not app.store.has_policies() and not any(planning.is_filtered(run.pot) for run in runs):
        return {}
    found = {pf.filter_anchor(app.config, r.pot.name): _rules(app, r.pot, {}, networks) for r in runs}
    return {anchor: rules for anchor, rules in found.items() if rules != NoRules()}


def _rules(app: App, pot: Pot, running: Running, networks: tuple[IPNetwork, ...] | None = None) -> Ruleset:
    """Return the expected filter of a pot. running: pots in addition to the recorded starts."""
    policies = app.store.policies_of(*planning.ends_of(pot))
    if not policies and not planning.is_filtered(pot):
        return NoRules()
    known = vnet(app)
    bridges = {bridge.name: bridge for bridge in known.bridges}
    places = {end: places_of(app, end, running) for end in {policy.destination for policy in policies}}
    inside = (app.config.network, *(known.networks if networks is None else networks))
    return planning.pot_filter(pot, bridges, policies, places, inside)


def places_of(app: App, end: End, running: Running) -> tuple[Place, ...]:
    bridges = {bridge.name: bridge for bridge in app.store.bridges()}
    if end.bridge:
        return planning.places_of_bridge(bridges[end.name]) if end.name in bridges else ()
    if end.name in running:
        pot = running[end.name]
    else:
        run = app.store.run(end.name)
        pot = run.pot if run is not None else None
    return planning.places_of_pot(pot, bridges) if pot is not None else ()


def _bridge_rules(app: App, policy: Policy) -> RulesByAnchor:
    known = vnet(app)
    names = {name for end in (policy.source, policy.destination) for name in bridges_of(app, end)}
    bridges = [bridge for bridge in known.bridges if bridge.name in names]
    hiding = [bridge for bridge in bridges if pf.hides6(bridge)]
    external = external_of(app, hiding)
    found: RulesByAnchor = {}
    if external is None:
        bridges = [bridge for bridge in bridges if bridge not in hiding]
    for bridge in bridges:
        permits = bridge.name in known.permitting
        rules = pf.bridge_isolation(app.config, bridge, external or "", known.networks, permits)
        found[pf.bridge_anchor(app.config, bridge.name)] = rules
    return found


def bridges_of(app: App, end: End) -> list[str]:
    if end.bridge:
        return [end.name]
    pot = app.store.pot(end.name)
    return [attachment.bridge for attachment in pot.attachments] if pot is not None else []


def external_of(app: App, bridges: Sequence[Bridge]) -> str | None:
    """Return the external interface for the rules of bridges; HostError if a bridge is up without it."""
    if not bridges:
        return None
    state = app.driver.observe(Query(external=app.config.external_interface is None, pot_bridges=True))
    external = external_interface(app, state)
    up = any(bridge.interface in state.pot_bridges for bridge in bridges)
    return there_is(external) if up else external


def sides(policy: Policy) -> tuple[End, End]:
    """Return the source and the destination of a policy."""
    return policy.source, policy.destination
