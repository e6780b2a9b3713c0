"""The external interface: which one the rules in force are about, and what follows when the host has another.

The store records the external interfaces for which rules were loaded. Each command that loads some compares
them with those of now, and brings all that is up to these first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.apply import apply
from potnet.host.actions import DestroyInterface, Plan, Step
from potnet.host.ruleset import Outlet, Ruleset
from potnet.host.state import HostState, Query, union
from potnet.model.pots import Bridge, BridgeKind, Run
from potnet.operations.common import external_interface
from potnet.operations.networks.units import vnet, with_stranded
from potnet.planning.external import bridge_anchors, plan_move, plan_reload, pot_anchors
from potnet.planning.filter import packet_filter as pf
from potnet.planning.ownership import complete, presence_of_all
from potnet.planning.vnet import Vnet, check_external, plan_bridge_up
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App
    from potnet.config.configuration import Config

#: Under this key the store keeps the external interfaces that the rules in force are about.
OUTLETS = "outlets"


@dataclass(frozen=True, slots=True)
class InForce:
    """External interfaces that rules were loaded for, the main one first.

    settled: all rules are about them; otherwise a change was cut off, and some may be about each.
    """

    outlets: tuple[Outlet, ...]
    settled: bool = True


def candidates(app: App) -> tuple[str, ...]:
    """The configured external interface, which the host may not have; that of a default route it has."""
    name = app.config.external_interface
    return (name,) if name is not None else ()


def require_external(app: App, state: HostState) -> str:
    """The external interface; raises HostError when there is none. `candidates` have been observed."""
    return state.external or check_external(app.config.external_interface, state)


def in_step(app: App, state: HostState) -> bool:
    """Whether the rules in force are about the external interfaces that the host has now."""
    external = external_interface(app, state)
    return external is not None and recorded(app) == InForce(pf.outlets(app.config, external))


def follow_external(app: App, state: HostState) -> HostState:
    """Move all rules and uplinks to the current external interface; for callers with a bridge that is up.

    The caller holds the network's lock and has observed `external` and `candidates`. Returns the state with
    the external interface that the rules name. Raises HostError.
    """
    external = external_interface(app, state)
    if external is None:
        known = recorded(app)
        if known is None:
            return state
        main = known.outlets[0].interface
        app.notify(f"the host has no default route: NAT and exports stay on {main}")
        return replace(state, external=main)
    if app.config.external_interface is not None:
        check_external(external, state)
    if not in_step(app, state):
        _move(app, external)
    return state


def record(app: App, external: str | None, alone: bool) -> None:
    """Keep the external interface that rules are loaded for. alone: all that there are.

    Otherwise, unless it is known already, the next command that loads rules loads all of them.
    """
    outlets = pf.outlets(app.config, external) if external is not None else ()
    known = recorded(app)
    if outlets and known != InForce(outlets):
        _keep(app, InForce(outlets if alone or known is None else _both(known.outlets, outlets), alone))


def recorded(app: App) -> InForce | None:
    """What the store has; None if it has nothing, or nothing that can be read."""
    text = app.store.remembered(OUTLETS)
    try:
        found = json.loads(text or "{}")
        outlets = tuple(
            Outlet(name, tuple(map(IPAddress, addresses)), tuple(map(IPNetwork, behind)))
            for name, addresses, behind in found["outlets"]
        )
        return InForce(outlets, bool(found["settled"])) if outlets else None
    except (KeyError, TypeError, ValueError):
        return None


def _keep(app: App, known: InForce) -> None:
    outlets = [
        [each.interface, [*map(str, each.addresses)], [*map(str, each.destinations)]]
        for each in known.outlets
    ]
    app.store.remember(OUTLETS, json.dumps({"outlets": outlets, "settled": known.settled}))


def _both(one: Sequence[Outlet], other: Sequence[Outlet]) -> tuple[Outlet, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _move(app: App, external: str) -> None:
    """Load all rules that are about external interfaces anew, and put the uplink of bridges in its place."""
    before, after = recorded(app), InForce(pf.outlets(app.config, external))
    plan = _plan(app, before, external)
    if before is not None and plan.steps:
        app.notify(
            f"the external interface was {_shown(before.outlets)} and is {_shown(after.outlets)} now: "
            "NAT, filters and exports of what is up follow"
        )
    _keep(app, InForce(_both(before.outlets if before else (), after.outlets), settled=False))
    try:
        apply(plan, app.driver)
    except BaseException as error:
        if before is not None and not getattr(error, "left_behind", ()):
            _keep(app, before)
        raise
    _keep(app, after)


def _plan(app: App, before: InForce | None, external: str) -> Plan:
    known, runs = vnet(app), app.store.runs()
    state = _look(app, known, runs)
    check_external(external, state)
    up = [bridge for bridge in known.bridges if bridge.interface in state.pot_bridges]
    # One whose start is not complete has its rules, too.
    there = [run for run in runs if run.jid is None or complete(run, state)]
    wanted = _rules(up, there, known, app.config, external)
    steps = plan_reload(wanted)
    if before is not None:
        held = [replace(run, pot=replace(run.pot, exports=run.exported)) for run in there]
        config, main = _as_of(app.config, before.outlets), before.outlets[0].interface
        steps = plan_move(_rules(up, held, known, config, main), wanted)
        if not before.settled:
            steps = tuple(Step(step.action, None, step.why) for step in steps)
    return Plan((*steps, *_uplinks(app, up, known, state, external)))


def _look(app: App, known: Vnet, runs: Sequence[Run]) -> HostState:
    bridges = tuple(bridge.interface for bridge in known.bridges)
    look = Query(
        names=True, interfaces=bridges, members=True, uplinks=True, own=True, pot_bridges=True,
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
    """The configuration with other external interfaces."""
    main, *others = outlets
    everything = IPNetwork("0.0.0.0/0")
    return replace(
        config,
        external_interface=main.interface,
        external_addresses=main.addresses or None,
        extra_interfaces=tuple((each.interface, each.destinations or (everything,)) for each in others),
    )


def _uplinks(app: App, up: Sequence[Bridge], known: Vnet, state: HostState, external: str) -> list[Step]:
    """Makes the bridges anew that have another external interface as member, with the pots on them."""
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
