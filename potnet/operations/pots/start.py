"""Starting pots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from potnet.apply import Applied, apply, apply_all
from potnet.drivers.base import CommandError
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, RunInJail, StartJail, Step
from potnet.host.state import HostState, Query
from potnet.model.pots import NO_JAIL, Bridge, HookKind, Pot, Run
from potnet.operations.common import (
    NETWORK_LOCK,
    Failures,
    Outcome,
    define_public_network,
    external_interface,
    locked_pot,
    look_for,
    require_bridge,
    require_pot,
)
from potnet.operations.exports.ports import with_ports
from potnet.operations.files.hooks import hook_steps
from potnet.operations.files.hosts_files import Neighbours, neighbours_of, update_hosts_files
from potnet.operations.networks.antispoof import guarded
from potnet.operations.networks.external import follow_external, record
from potnet.operations.networks.interfaces import lend
from potnet.operations.networks.policies import filter_changes
from potnet.operations.networks.units import (
    around_hidden,
    free_bridge,
    free_wires,
    left_behind,
    look_for_bridges,
    remember_switches,
    restore_switches,
    settled,
    switches,
    vnet,
    with_stranded,
)
from potnet.operations.pots.cleanup import clear_up, clear_up_failed
from potnet.operations.pots.start_context import host_query, run_of, texts_for, with_upstream
from potnet.operations.pots.start_many import STARTED, bring_up_bridges, groups, start_together
from potnet.operations.selection import check_needs, in_order, needs
from potnet.planning.jail import boot_command
from potnet.planning.ownership import complete, owned, refuse_foreign
from potnet.planning.start import Surroundings, ignored_exports, plan_start
from potnet.planning.vnet import is_up
from potnet.runtime.interrupts import deferred_signals

if TYPE_CHECKING:
    from potnet.app import App

__all__ = ["Outcome", "make_network", "restore_record", "start"]


def start(app: App, names: Sequence[str]) -> tuple[Outcome, ...]:
    """Start pots, each after what it depends on; those that run already are left alone.

    All are tried, then the failures are raised together; a pot that failed is as it was before.
    """
    pots = app.store.pots_named(names)
    needed = cache(lambda name: needs(app, pots[name] if name in pots else require_pot(app, name)))
    order = in_order(names, needed)
    outcomes, failures = [], Failures("start")
    first = bring_up_bridges(app, order) if len(order) > 1 else ()
    with app.progress.of(len(order), "started") as tell:
        for group in groups(order, STARTED, needed, alone=first):
            started = start_together(app, group, failures.names) if len(group) > 1 else ()
            for name in group:
                with failures.collect(name):
                    outcomes.append(Outcome(name, True) if name in started else _start(app, name, failures))
                tell(len(outcomes))
    failures.throw([f"{outcome.name} is running" for outcome in outcomes], app.notify)
    return tuple(outcomes)


def _start(app: App, name: str, failures: Failures) -> Outcome:
    with locked_pot(app, name) as pot:
        run = app.store.run(name)
        state = look_for(app, pot, run)
        if complete(run, state):
            return Outcome(name, False)
        refuse_foreign(pot, run, state.jails.get(name))
        _refuse_attached(run, state)
        check_needs(app, pot)
        for other in needs(app, pot):
            if other in failures.names:
                raise HostError(f"the pot {other}, which it needs, could not be started")
        apply(Plan(hook_steps(app, pot, HookKind.PRESTART, None)), app.driver)
        _start_locked(app, require_pot(app, name), run, state)
        return Outcome(name, True)


def _refuse_attached(run: Run | None, state: HostState) -> None:
    """Raises HostError for a jail of somebody else's whose network is there in part."""
    if run is not None and run.attached and owned(run, state.jails.get(run.pot.name)):
        name = run.pot.name
        raise HostError(
            f"the jail {name} is not potnet's to start: something else has made it, and only part of the "
            "network of the pot is there",
            hint=f"`potnet attach {name}` gives it all of that, `potnet detach {name}` takes the rest away",
        )


def _start_locked(app: App, pot: Pot, run: Run | None, jails: HostState) -> None:
    with app.locks.hold(NETWORK_LOCK):
        if run is not None:
            # A start that was cut off, a reboot, a jail removed by other hands: from a clean slate.
            clear_up(app, run, jails)
        before, others = pot, neighbours_of(app, pot)
        try:
            applied, run, state = make_network(app, pot, others)
        except BaseException as error:
            restore_record(app, before, error)
            raise
        try:
            update_hosts_files(app, others, current=(pot.name,))
        except BaseException as error:
            clear_up_failed(app, run, error)
            restore_record(app, before, error)
            raise
    _boot(app, before, run, applied, state)


def make_network(
    app: App, pot: Pot, others: Neighbours, attached: bool = False, files: bool = True
) -> tuple[Applied, Run, HostState]:
    """Bring the network and the jail up, with other units where the host hides some.

    attached: for a jail that is there. files: write those of its etc.
    """

    def make(hidden: frozenset[str]) -> tuple[Applied, Run, HostState]:
        nonlocal pot
        pot, bridges, state = _prepare(app, pot, hidden)
        return *_apply_network(app, pot, bridges, state, others, attached, files), state

    return around_hidden(make)


def _prepare(app: App, pot: Pot, taken: frozenset[str]) -> tuple[Pot, dict[str, Bridge], HostState]:
    """Names and ports that are free on the host now, and the state that the plan is made from."""
    if pot.leased:
        # Rules are about the network of the configuration: it must be the one that addresses come from.
        define_public_network(app)
    pot = guarded(app, pot)
    bridges = {a.bridge: require_bridge(app, a.bridge) for a in pot.attachments}
    state = app.driver.observe(host_query(app, pot, bridges))
    if pot.exports and ignored_exports(pot) is None:
        with app.store.transaction():
            pot = with_ports(app, pot, state)
    pot = free_wires(app, pot, state.names, taken)
    bridges = {name: free_bridge(app, bridge, state, taken) for name, bridge in bridges.items()}
    missing = [b for b in bridges.values() if not is_up(b, state) or left_behind(app, b, state)]
    if missing:
        state = look_for_bridges(app, missing, state)
        bridges |= {b.name: settled(app, b, state) for b in missing}
    if bridges:
        state = follow_external(app, state, len(missing) < len(bridges) or bool(state.pot_bridges))
    return pot, bridges, state


def _apply_network(
    app: App,
    pot: Pot,
    bridges: dict[str, Bridge],
    state: HostState,
    others: Neighbours,
    attached: bool,
    files: bool,
) -> tuple[Applied, Run]:
    texts = texts_for(app, pot, with_upstream(app, state), others) if files else {}
    known = with_stranded(app, vnet(app), [b for b in bridges.values() if not is_up(b, state)])
    filters = filter_changes(app, pot, starts=True)
    lent = lend(app, pot)
    around = Surroundings(known, bridges, texts, external_interface(app, state), attached, filters, lent)
    plan = plan_start(pot, around, app.config, state)
    for notice in plan.notices:
        app.notify(notice)
    run = replace(run_of(pot, texts, state), lent=lent)
    if attached:
        run = replace(run, attached=True, devfs=False, booted=False)
    remembered = switches(app)
    # What is about to be made is recorded first, so that whatever happens it is known.
    with app.store.transaction():
        app.store.put_run(run)
        remember_switches(app, plan, state)
        if bridges:
            record(app, around.external, alone=bool(state.forwarding) and not state.pot_bridges)
    try:
        applied = apply(plan, app.driver)
    except BaseException as error:
        if not getattr(error, "left_behind", ()):
            killed = isinstance(error, CommandError) and error.killed
            with app.store.transaction():
                restore_switches(app, remembered)
                if not killed:
                    app.store.remove_run(pot.name)
            if killed:
                clear_up_failed(app, run, error)
        raise
    return applied, run


def _boot(app: App, before: Pot, run: Run, applied: Applied, state: HostState) -> None:
    """Let the jail's own rc run, which may take its time: nobody else waits for it."""
    pot = run.pot
    command = boot_command(pot, state)
    try:
        jid = _jid(app, pot.name, applied.output(StartJail)) if pot.is_jail else NO_JAIL
        done = replace(run, jid=jid)
        if command:
            apply(Plan((Step(RunInJail(pot.name, command)),)), app.driver)
        app.store.put_run(done)
    except BaseException as error:
        _take_back(app, before, run, error)
        raise
    for failure in apply_all(Plan(hook_steps(app, pot, HookKind.POSTSTART, done.jid)), app.driver):
        app.notify(f"{pot.name} runs, but its poststart hook failed: {failure}")


def _jid(app: App, name: str, printed: str) -> int | None:
    """The JID that jail(8) printed; if it printed something else, the one that the jail has."""
    if printed.strip().isdigit():
        return int(printed)
    found = app.driver.observe(Query(jails=(name,))).jails.get(name)
    return found.jid if found is not None and not found.dying else None


def _take_back(app: App, before: Pot, run: Run, error: BaseException) -> None:
    """Stop what was started; meanwhile other pots may have come to use its bridge, which then stays."""
    with deferred_signals(), app.locks.hold(NETWORK_LOCK):
        clear_up_failed(app, run, error)
        restore_record(app, before, error)


def restore_record(app: App, before: Pot, error: BaseException) -> None:
    """Put a pot's record back; if that fails, too, the first error is still the one to be told."""
    try:
        app.store.update_pot(before)
    except PotnetError as more:
        if isinstance(error, PotnetError):
            error.message += f"; {more.message}"
