"""policy: who may open connections to whom, and what running pots make of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from potnet.apply import apply, apply_all
from potnet.errors import PotnetError, UsageError
from potnet.host.actions import Plan, Step
from potnet.host.filter_actions import EndConnections, LoadAnchor
from potnet.host.ruleset import Identity, NoRules, Place, PotFilter, Ruleset, Verdict
from potnet.host.state import Query
from potnet.model.ports import Transport
from potnet.model.pots import Bridge, BridgeKind, End, Policy, Pot
from potnet.operations.common import NETWORK_LOCK, external_interface, require_bridge
from potnet.operations.networks.antispoof import in_force
from potnet.operations.networks.external import candidates, follow_external
from potnet.operations.networks.units import vnet
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter import policy as planning
from potnet.planning.filter.policy import FilterChange
from potnet.planning.vnet import host_rules, there_is

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]

_PORT = re.compile(r"(?:(tcp|udp):)?([0-9]{1,5})(?:-([0-9]{1,5}))?")
#: Pots by name, as they run or are about to; None: not, or not any more.
Running = Mapping[str, Pot | None]


def filters_at_start(app: App, pot: Pot) -> tuple[FilterChange, ...]:
    """The changes to the filter of a pot that starts, and to those of running pots that name it.

    Raises PotnetError for a policy that could have no effect.
    """
    if not app.store.has_policies() and not planning.is_filtered(pot):
        return ()
    if not pot.antispoof:
        _refuse_open(app, pot)
    return _filter_changes(app, pot)


def filters_at_stop(app: App, pot: Pot) -> tuple[FilterChange, ...]:
    """The changes to the same filters when the pot stops."""
    if not app.store.has_policies() and not planning.is_filtered(pot):
        return ()
    return tuple(
        FilterChange(each.anchor, before=each.after, after=each.before) for each in _filter_changes(app, pot)
    )


def _filter_changes(app: App, pot: Pot) -> tuple[FilterChange, ...]:
    """From the rules without the pot to those with it."""
    off: Running = {pot.name: None}
    on: Running = {pot.name: pot}
    changes = [FilterChange(pf.filter_anchor(app.config, pot.name), NoRules(), _rules(app, pot, on))]
    for other in _senders(app, app.store.policies_towards(End(pot.name)), but=pot.name):
        anchor = pf.filter_anchor(app.config, other.name)
        changes.append(FilterChange(anchor, _rules(app, other, off), _rules(app, other, on)))
    return tuple(each for each in changes if each.before != each.after)


def _refuse_open(app: App, pot: Pot) -> None:
    """Raises PotnetError where a policy denies a pot, or others to it, what nobody looks at on its bridge."""
    ends = planning.ends_of(pot)
    for policy in (*app.store.policies_of(*ends), *app.store.policies_towards(*ends)):
        sides = [{*_bridges_of(app, end)} for end in _ends(policy)]
        shared = sides[0] & sides[1] & {*pot.bridges}
        if shared and not policy.allow:
            raise PotnetError(
                f"a policy is about bridge {', '.join(sorted(shared))}, and without network.antispoof has no "
                f"effect there: {shown(policy)}",
                hint="set network.antispoof = true, or `potnet policy remove` it",
            )


def _senders(app: App, policies: Iterable[Policy], but: str = "") -> list[Pot]:
    """The pots that run and are meant by the sources of policies, as they were started, by name."""
    names: set[str] = set()
    for source in {policy.source for policy in policies}:
        names |= {*app.store.bridged_names(source.name)} if source.bridge else {source.name}
    runs = (app.store.run(name) for name in sorted(names - {but}))
    return [run.pot for run in runs if run is not None]


def _rules(app: App, pot: Pot, running: Running) -> Ruleset:
    """What the filter of a pot has to hold. running: beside the recorded starts."""
    policies = app.store.policies_of(*planning.ends_of(pot))
    if not policies and not planning.is_filtered(pot):
        return NoRules()
    known = vnet(app)
    bridges = {bridge.name: bridge for bridge in known.bridges}
    places = {end: _places(app, end, running) for end in {policy.destination for policy in policies}}
    inside = (app.config.network, *known.networks6)
    return planning.pot_filter(pot, bridges, policies, places, inside)


def _places(app: App, end: End, running: Running) -> tuple[Place, ...]:
    bridges = {bridge.name: bridge for bridge in app.store.bridges()}
    if end.bridge:
        return planning.places_of_bridge(bridges[end.name]) if end.name in bridges else ()
    if end.name in running:
        pot = running[end.name]
    else:
        run = app.store.run(end.name)
        pot = run.pot if run is not None else None
    return planning.places_of_pot(pot, bridges) if pot is not None else ()


def add(app: App, source: str, destination: str, port: str | None, deny: bool) -> bool:
    """Allow or deny connections between two sides, at once; whether that is new. Raises PotnetError."""
    policy = _policy(app, source, destination, port, not deny)
    _check(app, policy)
    with app.locks.hold(NETWORK_LOCK):
        _follow(app)
        before = _state(app, policy)
        with app.store.transaction():
            new = app.store.add_policy(policy)
            # Cut off from here on, the store knows nothing of it, and the same command does it all again.
            _bring_in_force(app, before, _state(app, policy))
            if new and deny:
                _end_connections(app, policy)
        if not new:
            _mend(app, policy)
    return new


def remove(app: App, source: str, destination: str, port: str | None) -> bool:
    """Take back what was said of two sides, at once; whether there was anything. Raises PotnetError."""
    policy = _policy(app, source, destination, port, True)
    with app.locks.hold(NETWORK_LOCK):
        known = [each for each in app.store.policies_of(policy.source) if _same(each, policy)]
        if not known:
            _mend(app, policy)
            return False
        _follow(app)
        before = _state(app, policy)
        with app.store.transaction():
            app.store.remove_policy(policy)
            _bring_in_force(app, before, _state(app, policy))
            if known[0].allow:
                _end_connections(app, policy)
    return True


def _follow(app: App) -> None:
    """Bring what is up to the external interface of now: the rules of bridges are about it, too."""
    look = Query(candidates=candidates(app), external=app.config.external_interface is None, pot_bridges=True)
    state = app.driver.observe(look)
    if state.pot_bridges and external_interface(app, state) is not None:
        follow_external(app, state)


def _same(one: Policy, other: Policy) -> bool:
    return (one.destination, one.protocol, one.ports) == (other.destination, other.protocol, other.ports)


#: The rules of anchors by their names.
_Rules = dict[str, Ruleset]


def _state(app: App, policy: Policy) -> _Rules:
    """What the anchors that a policy is about have to hold: those of its bridges, and of pots that run."""
    filters = {
        pf.filter_anchor(app.config, pot.name): _rules(app, pot, {}) for pot in _senders(app, [policy])
    }
    return {**_bridge_rules(app, policy), **filters}


def _bridge_rules(app: App, policy: Policy) -> _Rules:
    known = vnet(app)
    names = {name for end in (policy.source, policy.destination) for name in _bridges_of(app, end)}
    bridges = [bridge for bridge in known.bridges if bridge.name in names]
    hiding = [bridge for bridge in bridges if pf.hides6(bridge)]
    external = _external(app, hiding)
    found: _Rules = {}
    if external is None:
        bridges = [bridge for bridge in bridges if bridge not in hiding]
    for bridge in bridges:
        permits = bridge.name in known.permitting
        rules = pf.bridge_isolation(app.config, bridge, external or "", known.networks6, permits)
        found[pf.bridge_anchor(app.config, bridge.name)] = rules
    return found


def _bridges_of(app: App, end: End) -> list[str]:
    if end.bridge:
        return [end.name]
    pot = app.store.pot(end.name)
    return [attachment.bridge for attachment in pot.attachments] if pot is not None else []


def _external(app: App, bridges: Sequence[Bridge]) -> str | None:
    """The external interface, which the rules of these bridges name; HostError if one is up without it."""
    if not bridges:
        return None
    state = app.driver.observe(Query(external=app.config.external_interface is None, pot_bridges=True))
    external = external_interface(app, state)
    up = any(bridge.interface in state.pot_bridges for bridge in bridges)
    return there_is(external) if up else external


def _bring_in_force(app: App, before: _Rules, after: _Rules) -> None:
    """Load what differs, of bridges that are up and pots that run."""
    changes = [FilterChange(name, before.get(name, NoRules()), after[name]) for name in after]
    changes = [each for each in changes if each.before != each.after]
    if not changes:
        return
    up = app.driver.observe(Query(pot_bridges=True)).pot_bridges
    known = {pf.bridge_anchor(app.config, bridge.name): bridge.interface for bridge in app.store.bridges()}
    steps = [each.step for each in changes if each.anchor not in known or known[each.anchor] in up]
    apply(Plan(tuple(steps)), app.driver)


def _mend(app: App, policy: Policy) -> None:
    """Take out of force what a change that was cut off has left there: the store knows nothing of it."""
    wanted = _state(app, policy)
    external = _external(app, vnet(app).bridges) or ""
    found = app.driver.observe(Query(pot_bridges=True, anchor_parents=(app.config.filter_anchor,)))
    down = {
        pf.bridge_anchor(app.config, bridge.name)
        for bridge in app.store.bridges()
        if bridge.interface not in found.pot_bridges
    }
    there = {anchor: rules for anchor, rules in wanted.items() if anchor in found.anchor_names - down}
    if not there:
        return
    # On some hosts all else stands on the first.
    shared = [(anchor, rules) for anchor, rules, _ in host_rules(app.config, external)]
    asked = [(anchor, rules) for anchor, rules in there.items() if rules != NoRules()]
    looked = app.driver.observe(Query(anchors=(*shared, *asked))).anchors if asked else {}
    right = {anchor for anchor, _ in asked if looked[anchor].expected == looked[anchor].found}
    pots = {pf.filter_anchor(app.config, pot.name): pot for pot in _senders(app, [policy])}
    steps = [
        Step(LoadAnchor(anchor, rules, _held(app, pots.get(anchor))), None, "as it should be")
        for anchor, rules in there.items()
        if anchor not in right
    ]
    apply(Plan(tuple(steps)), app.driver)


def _held(app: App, pot: Pot | None) -> Ruleset:
    """What tells a filter where the rules of a pot are, whatever they say."""
    if pot is None:
        return NoRules()
    places = _places(app, End(pot.name), {})
    denied = (Verdict(False, places),)
    identities = tuple(Identity(a.host_end, a.mac, verdicts=denied) for a in pot.attachments if pot.antispoof)
    return PotFilter(places, (), (app.config.network,), identities=identities)


def _end_connections(app: App, policy: Policy) -> None:
    """What is not allowed any more ends, where rules only look at new connections: between bridges."""
    running: Running = {}
    ends = (_places(app, end, running) for end in (policy.source, policy.destination))
    pairs = [
        (source.network, destination.network)
        for source, destination in product(*ends)
        if source.network.version == destination.network.version and source.bridge != destination.bridge
    ]
    failures = apply_all(Plan(tuple(Step(EndConnections(*pair)) for pair in pairs)), app.driver)
    for failure in failures:
        app.notify(f"connections that are open may go on: {failure}")


def forget(app: App, end: End) -> None:
    """Take away all policies about a side that is being destroyed, and say which; nothing of it runs.

    The network's lock is held.
    """
    gone = tuple(dict.fromkeys((*app.store.policies_of(end), *app.store.policies_towards(end))))
    before = {anchor: rules for policy in gone for anchor, rules in _state(app, policy).items()}
    with app.store.transaction():
        app.store.remove_policies(end)
        after = {anchor: rules for policy in gone for anchor, rules in _state(app, policy).items()}
        _bring_in_force(app, before, after)
    for policy in gone:
        app.notify(f"gone with {end.name}: policy {shown(policy)}")


def shown(policy: Policy) -> str:
    """A policy in one line."""
    ports = f" {port_text(policy)}" if policy.ports else ""
    return f"{'allow' if policy.allow else 'deny'} {policy.source.name} to {policy.destination.name}{ports}"


def port_text(policy: Policy) -> str:
    """Its ports as `add` takes them; empty for all."""
    return f"{policy.protocol}:{'-'.join(map(str, dict.fromkeys(policy.ports)))}" if policy.ports else ""


def listed(app: App) -> list[View]:
    """All policies, those that decide first at the top."""
    return [
        {
            "action": "allow" if policy.allow else "deny",
            "from": policy.source.name,
            "from_bridge": policy.source.bridge,
            "to": policy.destination.name,
            "to_bridge": policy.destination.bridge,
            "port": port_text(policy) or None,
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
        raise UsageError(f"--port {text!r}: no port", hint="such as tcp:5432, udp:53 or tcp:8000-8010")
    return Transport(match[1] or "tcp"), (first, last)


def _end(app: App, text: str) -> End:
    """A pot or bridge by its name; ``pot:NAME`` and ``bridge:NAME`` where there are both."""
    kind, colon, name = text.partition(":")
    if not colon:
        kind, name = "", text
    if kind not in ("", "pot", "bridge"):
        raise UsageError(f"{text!r} is neither a pot nor a bridge", hint="NAME, pot:NAME or bridge:NAME")
    pot = app.store.called("pot", name) if kind != "bridge" else None
    bridge = app.store.called("bridge", name) if kind != "pot" else None
    if pot and bridge:
        raise UsageError(f"{name} is a pot and a bridge", hint=f"say pot:{name} or bridge:{name}")
    if not pot and not bridge:
        what = {"pot": "pot", "bridge": "bridge"}.get(kind, "pot or bridge")
        raise PotnetError(f"there is no {what} {name!r}", hint="`potnet list` and `potnet list --bridges`")
    return End(bridge or str(pot), bridge is not None)


def _check(app: App, policy: Policy) -> None:
    """Raises PotnetError for a policy that no rule could ever put in force."""
    source, destination = policy.source, policy.destination
    for end in (source, destination):
        _check_leased(app, end)
    _check_overlap(app, policy)
    shared = sorted({*_bridges_of(app, source)} & {*_bridges_of(app, destination)})
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
    if all(require_bridge(app, name).kind is not BridgeKind.PRIVATE for name in _bridges_of(app, end)):
        raise PotnetError(
            f"{end.name} is {'' if end.bridge else 'on '}the public bridge, whose pots look for all others "
            "beside them, not behind the host",
            hint="a port that is exported they all reach; policies are for pots on private bridges, "
            "or on one bridge",
        )


def _check_near(app: App, policy: Policy, bridges: Sequence[str]) -> None:
    """A bridge that both sides are on needs a filter of what passes it, and has to let something pass."""
    source, destination = policy.source.name, policy.destination.name
    both = ", ".join(bridges)
    if not in_force(app):
        raise PotnetError(
            f"{source} and {destination} meet on bridge {both}, where a filter looks at what pots send only "
            "with network.antispoof",
            hint="set network.antispoof = true, and start all pots anew; --isolate keeps pots apart without",
        )
    apart = [name for name in bridges if all(_is_isolated(app, end, name) for end in _ends(policy))]
    if apart == list(bridges):
        raise PotnetError(
            f"{source} and {destination} are isolated on bridge {both}: nothing passes between them, "
            "whatever policies say",
            hint=f"`potnet set -p {source} --no-isolate`, or leave the policy out",
        )


def _ends(policy: Policy) -> tuple[End, End]:
    return policy.source, policy.destination


def _is_isolated(app: App, end: End, name: str) -> bool:
    """Whether all that is meant on a bridge is kept apart from others there that are."""
    bridge, pot = require_bridge(app, name), None if end.bridge else app.store.pot(end.name)
    return bridge.isolate or app.config.isolate or (pot is not None and pot.isolate)


def _check_overlap(app: App, policy: Policy) -> None:
    for other in app.store.policies_of(policy.source):
        same = other.destination == policy.destination and other.protocol == policy.protocol
        if same and other.ports != policy.ports and _meet(other.ports, policy.ports):
            raise PotnetError(
                f"the ports overlap with those of: {shown(other)}", hint="`potnet policy remove` it first"
            )


def _meet(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]
