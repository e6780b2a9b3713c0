"""The external interface: the one that the rules in force name, and the move to another.

The store records the external interfaces for which rules were loaded. Each command that loads rules compares
that record with the present host, and first updates all rules that are in force.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.apply import apply
from potnet.host.actions import DestroyInterface, Plan, Step
from potnet.host.own_addresses import all_listening, further_addresses
from potnet.host.query import Query, union
from potnet.host.ruleset import Outlet, Ruleset
from potnet.host.state import HostState
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import Run
from potnet.operations.common import external_interface
from potnet.operations.networks.in_force import (
    NARROWED,
    InForce,
    keep,
    known_outlets,
    recorded,
    recorded_further,
)
from potnet.operations.networks.policy_filters import filters_of
from potnet.operations.networks.units import vnet, with_stranded
from potnet.planning.external import bridge_anchors, plan_move, plan_reload, pot_anchors
from potnet.planning.filter import packet_filter as pf
from potnet.planning.ownership import complete, presence_of_all
from potnet.planning.vnet import Vnet, check_external, plan_bridge_up

if TYPE_CHECKING:
    from potnet.app import App
    from potnet.config.configuration import Config


def require_external(app: App, state: HostState) -> str:
    """Return the external interface; raises HostError if none is found. `candidates` must be observed."""
    return state.external or check_external(app.config.external_interface, state)


def in_step(app: App, state: HostState) -> bool:
    """Whether the rules in force name the external interfaces that the host has now."""
    external = external_interface(app, state)
    return external is not None and recorded(app) == _due(app, state, external)


def follow_external(app: App, state: HostState, starting: Collection[IPAddress] = ()) -> HostState:
    """Move all rules and uplinks to the current external interface; for callers with a bridge that is up.

    The caller holds the network's lock and has observed `external`, `candidates`, `known_outlets` and
    `local_addresses`.
    starting: addresses that an alias pot is about to have. Returns the state with the external interface that
    the rules name. Raises HostError.
    """
    external = external_interface(app, state)
    if external is None:
        known = recorded(app)
        if known is None:
            return state
        external = known.outlets[0].interface
        app.notify(f"the host has no default route: NAT and exports stay on {external}")
        state = replace(state, external=external)
        if known.networks == vnet(app).networks:
            return state
    elif app.config.external_interface is not None:
        check_external(external, state)
    _tell_narrowed(app, external)
    if recorded(app) != _due(app, state, external, starting):
        _move(app, external, starting)
    return state


def expect_first(app: App, state: HostState) -> None:
    """Record the interface that the rules of the first bridge will name; do nothing if a bridge is up."""
    external = external_interface(app, state)
    if external is not None:
        _tell_narrowed(app, external)
    if external is not None and nothing_in_force(state):
        keep(app, _due(app, state, external))


def _tell_narrowed(app: App, external: str) -> None:
    """Report, once, exports from a store of an older potnet that also answered at further addresses."""
    if app.store.remembered(NARROWED) is None:
        return
    outlets = pf.outlets(app.config, external)
    shown = app.driver.observe(Query(interfaces=tuple(each.interface for each in outlets))).interfaces
    pots = {alias.address for alias in app.store.aliases_in_use()}
    unset = [each for each in outlets if not each.addresses]
    further = [a.ip for a in further_addresses(unset, shown, pots, (), app.driver.traits) if a.ip not in pots]
    if further:
        exporters = app.store.exporters_anywhere()
        app.notify(
            f"exports of {', '.join(exporters)} are no longer reachable at {', '.join(map(str, further))}: "
            f"add the addresses of {external} that exports shall use to network.external_address"
        )
    app.store.forget(NARROWED)


def nothing_in_force(state: HostState) -> bool:
    """Whether no bridge with loaded rules is up, as far as the state shows."""
    return bool(state.forwarding) and not state.pot_bridges


def record(
    app: App,
    external: str | None,
    alone: bool,
    further: tuple[IPNetwork, ...] | None = None,
    networks: tuple[IPNetwork, ...] | None = None,
) -> None:
    """Record the external interface that rules are loaded for. alone: these are all rules in force.

    Otherwise, unless the interface is recorded already, the next command that loads rules loads all of them.
    further, networks: as of `InForce`; None: the recorded ones.
    """
    outlets = pf.outlets(app.config, external) if external is not None else ()
    known = recorded(app)
    if further is None:
        further = known.further if known is not None else ()
    if networks is None:
        networks = known.networks if known is not None else vnet(app).networks
    if outlets and known != InForce(outlets, True, further, networks):
        both = outlets if alone or known is None else _both(known.outlets, outlets)
        keep(app, InForce(both, alone, further, networks))


def further_due(
    app: App, state: HostState, outlets: Sequence[Outlet], starting: Collection[IPAddress] = ()
) -> tuple[IPNetwork, ...]:
    """Return the addresses without exports; the recorded ones if an outlet was not observed.

    The rules name the networks of pots, so the gateways of bridges are left out.
    """
    if app.driver.traits.first_address:
        return ()
    pots = {*(alias.address for alias in app.store.aliases_in_use()), *starting}
    if outlets[0].interface not in state.interfaces or state.local_addresses is None:
        return tuple(sorted({*map(IPNetwork, pots), *recorded_further(app)}))
    names = {each.interface for each in outlets}
    gateways = {IPNetwork(subnet.gateway) for bridge in app.store.bridges() for subnet in bridge.subnets}
    others = {address for name, address in state.local_addresses if name not in names} - gateways
    return further_addresses(outlets, state.interfaces, pots, others, app.driver.traits)


def kept_off(app: App, state: HostState, external: str | None) -> tuple[IPNetwork, ...]:
    """Return the addresses at which rules must suppress exports; all interfaces must be observed.

    Exports do not need addresses of other interfaces, which come and go: the next command that loads rules
    records those of that moment. Recorded ones may stay, unless exports listen there now.
    """
    if external is None or app.driver.traits.first_address:
        return ()
    outlets = pf.outlets(app.config, external)
    pots = {alias.address for alias in app.store.aliases_in_use()}
    kept = all_listening(outlets, state.interfaces, app.driver.traits, pots)
    left = (each for each in recorded_further(app) if not any(address in each for address in kept))
    due = further_due(app, replace(state, local_addresses=frozenset()), outlets)
    return tuple(sorted({*due, *left}))


def _due(app: App, state: HostState, external: str, starting: Collection[IPAddress] = ()) -> InForce:
    outlets = pf.outlets(app.config, external)
    further = further_due(app, state, outlets, starting)
    return InForce(outlets, further=further, networks=vnet(app).networks)


def _both(one: Sequence[Outlet], other: Sequence[Outlet]) -> tuple[Outlet, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _move(app: App, external: str, starting: Collection[IPAddress]) -> None:
    """Reload all rules that name external interfaces, and exchange the uplink of bridges."""
    state = _look(app, vnet(app), app.store.runs(), external)
    before, after = recorded(app), _due(app, state, external, starting)
    plan = _plan(app, before, after, state)
    if before is not None and plan.steps and before.outlets != after.outlets:
        app.notify(
            f"the external interface was {_shown(before.outlets)} and is {_shown(after.outlets)} now: "
            "NAT, filters and exports follow"
        )
    both = _both(before.outlets if before else (), after.outlets)
    keep(app, replace(after, outlets=both, settled=False))
    try:
        apply(plan, app.driver)
    except BaseException as error:
        if before is not None and not getattr(error, "left_behind", ()):
            keep(app, before)
        raise
    keep(app, after)


def _plan(app: App, before: InForce | None, after: InForce, state: HostState) -> Plan:
    external = after.outlets[0].interface
    check_external(external, state)
    known, runs = replace(vnet(app), further=after.further), app.store.runs()
    up = [bridge for bridge in known.bridges if bridge.interface in state.pot_bridges]
    # A pot whose start is incomplete has rules too.
    there = [run for run in runs if run.jid is None or complete(run, state)]
    wanted = _rules(up, there, known, app.config, external)
    wanted |= filters_of(app, there, known.networks)
    steps = plan_reload(wanted)
    if before is not None:
        held = [replace(run, pot=replace(run.pot, exports=run.exported)) for run in there]
        config, main = _as_of(app.config, before.outlets), before.outlets[0].interface
        then = replace(known, further=before.further, loaded=before.networks)
        loaded = _rules(up, held, then, config, main) | filters_of(app, there, before.networks)
        steps = plan_move(loaded, wanted)
        if not before.settled:
            steps = tuple(Step(step.action, None, step.why) for step in steps)
    return Plan((*steps, *_uplinks(app, up, known, state, external)))


def _look(app: App, known: Vnet, runs: Sequence[Run], external: str) -> HostState:
    bridges = tuple(bridge.interface for bridge in known.bridges)
    look = Query(
        names=True, interfaces=(*bridges, *known_outlets(app, external)), members=True, uplinks=True,
        own=True, pot_bridges=True, local_addresses=True,
        bridge_rules=any(bridge.kind is BridgeKind.PUBLIC6 for bridge in known.bridges),
    )  # fmt: skip
    return app.driver.observe(union((presence_of_all(runs), look)))


def _rules(
    up: Sequence[Bridge], runs: Sequence[Run], known: Vnet, config: Config, external: str
) -> dict[str, Ruleset]:
    pots = [run.pot for run in runs]
    shared = bridge_anchors(up, known, config, external)
    return shared | pot_anchors(pots, up, known, config, external)


def _as_of(config: Config, outlets: Sequence[Outlet]) -> Config:
    """Return the configuration with other external interfaces."""
    main, *others = outlets
    everything = IPNetwork("0.0.0.0/0")
    return replace(
        config,
        external_interface=main.interface,
        external_addresses=main.addresses or None,
        extra_interfaces=tuple((each.interface, each.destinations or (everything,)) for each in others),
    )


def _uplinks(app: App, up: Sequence[Bridge], known: Vnet, state: HostState, external: str) -> list[Step]:
    """Make bridges again whose external member has changed, together with the pots on them."""
    steps: list[Step] = []
    for bridge in up:
        found = state.interfaces.get(bridge.interface)
        if bridge.kind is not BridgeKind.PUBLIC6 or found is None or external in found.members:
            continue
        others = {name: each for name, each in state.interfaces.items() if name != bridge.interface}
        around = with_stranded(app, known, [bridge])
        gone = replace(state, interfaces=others)
        steps.append(Step(DestroyInterface(bridge.interface), None, "to be made anew"))
        steps += plan_bridge_up(bridge, around, app.config, gone, external).steps
    return steps


def _shown(outlets: Sequence[Outlet]) -> str:
    return ", ".join(" ".join((each.interface, *map(str, each.addresses))) for each in outlets)
