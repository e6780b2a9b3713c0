"""Start or stop many pots at once, with one look at the host, one plan and one record.

This applies to pots in potnet's own jails, without hooks and without programs to wait for. A start also
requires that their bridges exist. Other pots are started or stopped one by one. If anything fails, all pots
are handled one by one, so that errors and undoing concern a single pot.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import Applied, apply, apply_all
from potnet.drivers.base import CommandError
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan
from potnet.host.jail_actions import StartJail
from potnet.host.query import union
from potnet.host.state import HostState
from potnet.model.bridges import Bridge
from potnet.model.pots import NO_JAIL, End, HookKind, Pot, Run
from potnet.operations.common import (
    NETWORK_LOCK,
    define_public_network,
    external_interface,
    pot_lock,
    require_bridge,
)
from potnet.operations.exports.ports import with_ports
from potnet.operations.files.hosts_files import Neighbours, update_hosts_files
from potnet.operations.networks.antispoof import in_force
from potnet.operations.networks.external import in_step
from potnet.operations.networks.neighbours import neighbours
from potnet.operations.networks.policy_filters import filters_at_start, filters_at_stop
from potnet.operations.networks.units import forget_switches, remember_switches, vnet
from potnet.operations.running import cleanup, start_context
from potnet.operations.selection import check_needs, needs
from potnet.planning.merged import side_by_side
from potnet.planning.ownership import complete, cut_off, presence
from potnet.planning.start import Surroundings, ignored_exports, plan_start
from potnet.planning.stop import StopContext, plan_stop
from potnet.planning.vnet import description, is_last_pot, is_up
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: Number of pots that are started, and undone, at once. A start of 500 on Linux took 4.3 s in groups of 250,
#: and 6.0 s in groups of 100. A single group took as long as groups of 250, but reported nothing before all
#: ran. Each stop looks at the whole host.
STARTED, STOPPED = 250, 500

Bridges = Mapping[str, Bridge]


def groups(
    names: Sequence[str],
    most: int,
    earlier: Callable[[str], Collection[str]],
    alone: Collection[str] = (),
) -> Iterator[list[str]]:
    """Split the names, in their order, into groups of limited size whose members do not wait for each other.

    earlier: the names that a name waits for. alone: names that form a group of their own.
    """
    # A lock is an open file for each pot; half of the process limit is kept for other files.
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY:
        most = min(most, max(files // 2, 1))
    group: list[str] = []
    for name in names:
        if group and (name in alone or len(group) == most or not set(group).isdisjoint(earlier(name))):
            yield group
            group = []
        group.append(name)
        if name in alone:
            yield group
            group = []
    if group:
        yield group


def bring_up_bridges(app: App, names: Sequence[str]) -> frozenset[str]:
    """Return the names that are, in this order, first on one of their bridges, or that have no bridge."""
    seen: set[str] = set()
    found = set()
    pots = app.store.pots_named(names)
    for name in names:
        bridges = {a.bridge for a in pots[name].attachments} if name in pots else set()
        if not bridges or not bridges <= seen:
            found.add(name)
        seen |= bridges
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Start:
    """A start that is about to be made. before: the pot's record, restored if the start fails."""

    before: Pot
    run: Run
    plan: Plan


def start_together(app: App, names: Sequence[str], failed: Collection[str]) -> frozenset[str]:
    """Start the pots that can start together; return their names. failed: pots that could not be started."""
    with suppress(PotnetError), _held(app, names) as pots:
        runs = app.store.runs_named([pot.name for pot in pots])
        ready = [pot for pot in pots if pot.name not in runs and _may_start(app, pot, failed)]
        if len(ready) > 1:
            with app.locks.hold(NETWORK_LOCK):
                return _start(app, ready)
    return frozenset()


@contextmanager
def _held(app: App, names: Sequence[str]) -> Iterator[list[Pot]]:
    """Lock the pots of these names; skip those that another command is changing."""
    with app.locks.hold_free(map(pot_lock, names)) as held:
        mine = [name for name in names if pot_lock(name) in held]
        pots = app.store.pots_named(mine)
        for name in mine:
            if name not in pots:
                app.locks.discard(pot_lock(name))
        yield [pots[name] for name in mine if name in pots]


def _may_start(app: App, pot: Pot, failed: Collection[str]) -> bool:
    # Passed interfaces are looked up, and machines of a LAN asked, just before the start.
    hooked = bool({HookKind.PRESTART, HookKind.POSTSTART} & {*pot.hooks}) or bool(pot.passed)
    if hooked or any(a.lan for a in pot.attachments) or not pot.network_type.bridged:
        return False
    if app.store.policies_towards(End(pot.name)):
        # A pot's start concerns its neighbours, which may start in the same group.
        return False
    with suppress(PotnetError):
        check_needs(app, pot)
        return not {*needs(app, pot)} & {*failed}
    return False


def _start(app: App, pots: Sequence[Pot]) -> frozenset[str]:
    if in_force(app):
        pots = [replace(pot, antispoof=True) for pot in pots]
    bridges = {a.bridge: require_bridge(app, a.bridge) for pot in pots for a in pot.attachments}
    if any(pot.home is not None for pot in pots):
        define_public_network(app)
    queries = [start_context.host_query(app, pot, _own(pot, bridges)) for pot in pots]
    state = app.driver.observe(union((*queries, presence(pots))))
    if not in_step(app, state):
        return frozenset()
    usable = {name for name, bridge in bridges.items() if _is_usable(app, bridge, state)}
    free = [pot for pot in pots if _has_place(pot, usable, state)]
    others = _known(app, free)
    starts = _planned(app, free, bridges, state, others) if not state.unfiltered else []
    if not starts:
        return frozenset()
    plan = side_by_side([start.plan for start in starts])
    with app.store.transaction():
        for start in starts:
            app.store.put_run(start.run)
        remember_switches(app, plan, state)
    _carry_out(app, starts, plan, others)
    for notice in plan.notices:
        app.notify(notice)
    return frozenset(start.run.pot.name for start in starts)


def _known(app: App, pots: Iterable[Pot]) -> Neighbours:
    """Return the pots on the bridges that these pots have addresses on."""
    bridges = dict.fromkeys(a.bridge for pot in pots for a in pot.attachments if a.addresses)
    return {bridge: neighbours(app.store, bridge) for bridge in bridges}


def _own(pot: Pot, bridges: Bridges) -> dict[str, Bridge]:
    return {a.bridge: bridges[a.bridge] for a in pot.attachments}


def _is_usable(app: App, bridge: Bridge, state: HostState) -> bool:
    found = state.interfaces.get(bridge.interface)
    ours = found is not None and (bridge.joined is not None or found.description == description(bridge))
    return ours and is_up(bridge, state) and not start_context.crowded(app, bridge.name)


def _has_place(pot: Pot, usable: Collection[str], state: HostState) -> bool:
    ends = {end for a in pot.attachments for end in (a.host_end, a.jail_end)}
    return (
        pot.name not in state.jails
        and ends.isdisjoint(state.names)
        and all(a.bridge in usable for a in pot.attachments)
    )


def _planned(
    app: App, pots: Sequence[Pot], bridges: Bridges, state: HostState, others: Neighbours
) -> list[_Start]:
    """Return the starts of the pots that can start together and have no program to wait for."""
    known = vnet(app)
    external = external_interface(app, state)
    state = start_context.with_upstream(app, state)
    starts = []
    with app.store.transaction():
        for before in pots:
            with suppress(PotnetError):
                exported = before.exports and ignored_exports(before) is None
                pot = with_ports(app, before, state) if exported else before
                own = {a.bridge: others[a.bridge] for a in pot.attachments if a.addresses}
                texts = start_context.texts_for(app, pot, state, own)
                filters = filters_at_start(app, pot)
                around = Surroundings(known, _own(pot, bridges), texts, external, filters=filters)
                run = start_context.run_of(pot, texts, state)
                if not run.booted:
                    starts.append(_Start(before, run, plan_start(pot, around, app.config, state)))
    return starts


def _carry_out(app: App, starts: Sequence[_Start], plan: Plan, others: Neighbours) -> None:
    """Apply the plan and record the result. On failure, host and store are as before."""
    applied = Applied(app.driver)
    try:
        applied = apply(plan, app.driver)
        jids = _jids(applied) | {each.run.pot.name: NO_JAIL for each in starts if not each.run.pot.is_jail}
        update_hosts_files(app, others, current=jids)
        with app.store.transaction():
            for start in starts:
                app.store.put_run(replace(start.run, jid=jids[start.run.pot.name]))
    except BaseException as error:
        left = (*getattr(error, "left_behind", ()), *applied.roll_back())
        if not left and isinstance(error, CommandError) and error.killed:
            # The step that failed may have made more than its undo removes.
            for start in starts:
                cleanup.clear_up_failed(app, start.run, error)
            left = error.left_behind
        with app.store.transaction():
            for start in starts:
                if not left:
                    app.store.remove_run(start.run.pot.name)
                if start.run.pot != start.before:
                    app.store.update_pot(start.before)
        raise


def _jids(applied: Applied) -> dict[str, int]:
    """Return the JID of each jail, as its start printed it."""
    found = {}
    for step, out in zip(applied.steps, applied.outputs, strict=True):
        if isinstance(step.action, StartJail):
            if not out.strip().isdigit():
                raise HostError(f"jail {step.action.jail.name} has ended")
            found[step.action.jail.name] = int(out)
    return found


def stop_together(app: App, names: Sequence[str]) -> frozenset[str]:
    """Stop the pots that can stop together; return their names. Pots that are still recorded did not stop."""
    with suppress(PotnetError), _held(app, names) as pots:
        runs = app.store.runs_named([pot.name for pot in pots])
        named = {policy.destination for policy in app.store.policies()}
        ready = [runs[pot.name] for pot in pots if pot.name in runs and _may_stop(runs[pot.name], named)]
        if len(ready) > 1:
            with app.locks.hold(NETWORK_LOCK):
                return _stop(app, ready, {pot.name: pot for pot in pots})
    return frozenset()


def _may_stop(run: Run, named: Collection[End]) -> bool:
    """Whether a pot can stop together with others. named: destinations of policies, which stop alone."""
    hooked = {HookKind.PRESTOP, HookKind.POSTSTOP} & {*run.pot.hooks}
    alone = hooked or run.booted or run.attached or cut_off(run) or run.lent
    return not alone and run.pot.network_type.bridged and End(run.pot.name) not in named


def _stop(app: App, runs: Sequence[Run], pots: Mapping[str, Pot]) -> frozenset[str]:
    names = dict.fromkeys(a.bridge for run in runs for a in run.pot.attachments)
    bridges = {name: bridge for name in names if (bridge := app.store.bridge(name)) is not None}
    known = [run for run in runs if all(a.bridge in bridges for a in run.pot.attachments)]
    queries = [cleanup.host_query(app, run, _own(run.pot, bridges), True) for run in known]
    look = replace(presence(run.pot for run in known), pot_bridges=True)
    state = app.driver.observe(union((*queries, look)))
    there = {name for name, bridge in bridges.items() if bridge.interface in state.interfaces}
    ready = [
        run for run in known if complete(run, state) and all(a.bridge in there for a in run.pot.attachments)
    ]
    ready = _leaving_guarded(app, ready)
    plan = side_by_side(list(_stops(app, ready, bridges, state)))
    app.store.mark_stopping([run.pot.name for run in ready])
    if not apply_all(plan, app.driver):
        with app.store.transaction():
            cleanup.forget(app, ready, pots)
            forget_switches(app, plan)
        update_hosts_files(app, _known(app, (run.pot for run in ready)))
    return frozenset(run.pot.name for run in ready)


def _leaving_guarded(app: App, runs: Sequence[Run]) -> list[Run]:
    """Drop the last start for which the filter inspects bridge members."""
    names = {run.pot.name for run in runs if run.pot.antispoof}
    if not names or {*app.store.guarded(most=len(names) + 1)} - names:
        return list(runs)
    return [run for run in runs if run.pot.name != max(names)]


def _stops(app: App, runs: Sequence[Run], bridges: Bridges, state: HostState) -> Iterator[Plan]:
    """Return the plan of each stop; an empty bridge goes with the last pot on it."""
    ends = {a.host_end for run in runs for a in run.pot.attachments}
    going = {name for name, bridge in bridges.items() if is_last_pot(bridge, ends, state)}
    last = {a.bridge: run for run in runs for a in run.pot.attachments if a.bridge in going}
    around = vnet(app)
    for run in runs:
        own = _own(run.pot, bridges)
        emptied = [bridge.interface for name, bridge in own.items() if last.get(name) is run]
        if emptied:
            state = _without(state, emptied, ends - {a.host_end for a in run.pot.attachments})
        context = StopContext(around, own, filters_at_stop(app, run.pot))
        yield plan_stop(run, context, app.config, state)
        if emptied:
            state = replace(state, pot_bridges=state.pot_bridges - {*emptied})


def _without(state: HostState, bridges: Collection[str], gone: Collection[str]) -> HostState:
    """Return the host state after these epairs have left these bridges."""
    found = {name: state.interfaces[name] for name in bridges}
    left = {
        name: replace(bridge, members=tuple(m for m in bridge.members if m not in gone))
        for name, bridge in found.items()
    }
    return replace(state, interfaces={**state.interfaces, **left})
