"""policy: allow or deny connections between pots and bridges, for running pots at once."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any

from potnet.apply import apply, apply_all
from potnet.errors import PotnetError, UsageError
from potnet.host.actions import Plan, Step
from potnet.host.filter_actions import EndConnections, LoadAnchor
from potnet.host.query import Query
from potnet.host.ruleset import Identity, NoRules, PotFilter, Ruleset, Verdict
from potnet.model.ports import Transport
from potnet.model.pots import End, Policy, Pot
from potnet.operations.common import NETWORK_LOCK, external_interface
from potnet.operations.networks.external import follow_external
from potnet.operations.networks.in_force import candidates, known_outlets
from potnet.operations.networks.policy_checks import check
from potnet.operations.networks.policy_filters import (
    RulesByAnchor,
    Running,
    external_of,
    places_of,
    rules_about,
    senders,
)
from potnet.operations.networks.units import vnet
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter import policy as planning
from potnet.planning.filter.policy import FilterChange, policy_ports, policy_text
from potnet.planning.vnet import host_rules

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]

_PORT = re.compile(r"(?:(tcp|udp):)?([0-9]{1,5})(?:-([0-9]{1,5}))?")


def add(app: App, source: str, destination: str, port: str | None, deny: bool) -> bool:
    """Allow or deny connections between two sides at once; return whether the policy is new. Raises
    PotnetError.
    """
    policy = _policy(app, source, destination, port, not deny)
    check(app, policy)
    with app.locks.hold(NETWORK_LOCK):
        _follow(app)
        before = rules_about(app, policy)
        with app.store.transaction():
            new = app.store.add_policy(policy)
            # If the command is cut off here, the store is unchanged, and running the command again repeats
            # everything.
            _bring_in_force(app, before, rules_about(app, policy))
            if new and deny:
                _end_connections(app, policy)
        if not new:
            _mend(app, policy)
    return new


def remove(app: App, source: str, destination: str, port: str | None) -> bool:
    """Remove the policy of two sides at once; return whether it existed. Raises PotnetError."""
    policy = _policy(app, source, destination, port, True)
    with app.locks.hold(NETWORK_LOCK):
        known = [each for each in app.store.policies_of(policy.source) if _same(each, policy)]
        if not known:
            _mend(app, policy)
            return False
        _follow(app)
        before = rules_about(app, policy)
        with app.store.transaction():
            app.store.remove_policy(policy)
            _bring_in_force(app, before, rules_about(app, policy))
            if known[0].allow:
                _end_connections(app, policy)
    return True


def _follow(app: App) -> None:
    """Update the rules in force for the present external interface, which the rules of bridges name too."""
    look = Query(
        candidates=candidates(app),
        interfaces=known_outlets(app),
        local_addresses=True,
        external=app.config.external_interface is None,
        pot_bridges=True,
    )
    state = app.driver.observe(look)
    if state.pot_bridges and external_interface(app, state) is not None:
        follow_external(app, state)


def _same(one: Policy, other: Policy) -> bool:
    return (one.destination, one.protocol, one.ports) == (other.destination, other.protocol, other.ports)


def _bring_in_force(app: App, before: RulesByAnchor, after: RulesByAnchor) -> None:
    """Load the changed rules of bridges that are up and pots that run."""
    changes = [FilterChange(name, before.get(name, NoRules()), after[name]) for name in after]
    changes = [each for each in changes if each.before != each.after]
    if not changes:
        return
    up = app.driver.observe(Query(pot_bridges=True)).pot_bridges
    known = {pf.bridge_anchor(app.config, bridge.name): bridge.interface for bridge in app.store.bridges()}
    steps = [each.step for each in changes if each.anchor not in known or known[each.anchor] in up]
    apply(Plan(tuple(steps)), app.driver)


def _mend(app: App, policy: Policy) -> None:
    """Correct rules that an earlier change left when it was cut off; the store does not record them."""
    wanted = rules_about(app, policy)
    external = external_of(app, vnet(app).bridges) or ""
    found = app.driver.observe(Query(pot_bridges=True, anchor_parents=(app.config.filter_anchor,)))
    down = {
        pf.bridge_anchor(app.config, bridge.name)
        for bridge in app.store.bridges()
        if bridge.interface not in found.pot_bridges
    }
    there = {anchor: rules for anchor, rules in wanted.items() if anchor in found.anchor_names - down}
    if not there:
        return
    # On some hosts all other anchors depend on the first one.
    shared = [(anchor, rules) for anchor, rules, _ in host_rules(app.config, external)]
    asked = [(anchor, rules) for anchor, rules in there.items() if rules != NoRules()]
    looked = app.driver.observe(Query(anchors=(*shared, *asked))).anchors if asked else {}
    right = {anchor for anchor, _ in asked if looked[anchor].expected == looked[anchor].found}
    pots = {pf.filter_anchor(app.config, pot.name): pot for pot in senders(app, [policy])}
    steps = [
        Step(LoadAnchor(anchor, rules, _held(app, pots.get(anchor))), None, "as it should be")
        for anchor, rules in there.items()
        if anchor not in right
    ]
    apply(Plan(tuple(steps)), app.driver)


def _held(app: App, pot: Pot | None) -> Ruleset:
    """Return the marker that shows a filter where the rules of a pot are, whatever these rules are."""
    if pot is None:
        return NoRules()
    places = places_of(app, End(pot.name), {})
    denied = (Verdict(False, places),)
    identities = tuple(Identity(a.host_end, a.mac, verdicts=denied) for a in pot.attachments if pot.antispoof)
    return PotFilter(places, (), (app.config.network,), identities=identities)


def _end_connections(app: App, policy: Policy) -> None:
    """End connections between bridges that are no longer allowed, if the rules inspect only new ones."""
    running: Running = {}
    ends = (places_of(app, end, running) for end in (policy.source, policy.destination))
    pairs = [
        (source.network, destination.network)
        for source, destination in product(*ends)
        if source.network.version == destination.network.version and source.bridge != destination.bridge
    ]
    failures = apply_all(Plan(tuple(Step(EndConnections(*pair)) for pair in pairs)), app.driver)
    for failure in failures:
        app.notify(f"open connections may continue: {failure}")


def forget(app: App, end: End) -> None:
    """Delete and return all policies of a side that is being destroyed and no longer runs.

    The caller holds the network's lock.
    """
    gone = tuple(dict.fromkeys((*app.store.policies_of(end), *app.store.policies_towards(end))))
    before = {anchor: rules for policy in gone for anchor, rules in rules_about(app, policy).items()}
    with app.store.transaction():
        app.store.remove_policies(end)
        after = {anchor: rules for policy in gone for anchor, rules in rules_about(app, policy).items()}
        _bring_in_force(app, before, after)
    for policy in gone:
        app.notify(f"removed with {end.name}: policy {policy_text(policy)}")


def listed(app: App) -> list[View]:
    """Return all policies; those that decide first come first."""
    return [
        {
            "action": "allow" if policy.allow else "deny",
            "from": policy.source.name,
            "from_bridge": policy.source.bridge,
            "to": policy.destination.name,
            "to_bridge": policy.destination.bridge,
            "port": policy_ports(policy) or None,
        }
        for policy in sorted(app.store.policies(), key=planning.precedence)
    ]


def _policy(app: App, source: str, destination: str, port: str | None, allow: bool) -> Policy:
    protocol, ports = _ports(port) if port is not None else (None, None)
    return Policy(_end(app, source), _end(app, destination), allow, protocol, ports)


def _ports(text: str) -> tuple[Transport, tuple[int, int]]:
    match = _PORT.fullmatch(text)
    first, last = (int(match[2]), int(match[3] or match[2])) if match else (0, 0)
    if match is None or not 1 <= first <= last <= 65535:
        raise UsageError(
            f"invalid port --port {text!r}", hint="write one such as tcp:5432, udp:53 or tcp:8000-8010"
        )
    return Transport(match[1] or "tcp"), (first, last)


def _end(app: App, text: str) -> End:
    """Return a pot or bridge by its name; ``pot:NAME`` and ``bridge:NAME`` if both exist."""
    kind, colon, name = text.partition(":")
    if not colon:
        kind, name = "", text
    if kind not in ("", "pot", "bridge"):
        raise UsageError(
            f"{text!r} is neither a pot nor a bridge", hint="write NAME, pot:NAME or bridge:NAME"
        )
    pot = app.store.called("pot", name) if kind != "bridge" else None
    bridge = app.store.called("bridge", name) if kind != "pot" else None
    if pot and bridge:
        raise UsageError(f"{name} is a pot and a bridge", hint=f"write pot:{name} or bridge:{name}")
    if not pot and not bridge:
        what = {"pot": "pot", "bridge": "bridge"}.get(kind, "pot or bridge")
        raise PotnetError(f"{what} {name!r} not found", hint="`potnet list` and `potnet list --bridges`")
    return End(bridge or str(pot), bridge is not None)
