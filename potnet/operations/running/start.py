"""start: run pots in jails with their networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from potnet.apply import Applied, apply, apply_all
from potnet.drivers.base import CommandError
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.jail_actions import RunInJail, StartJail
from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.jail_parameters import kept_names
from potnet.model.pots import NO_JAIL, HookKind, Pot, Run
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
from potnet.operations.files.hooks import check_hook, hook_steps
from potnet.operations.files.hosts_files import Neighbours, neighbours_of, update_hosts_files
from potnet.operations.files.pot_logs import exposed_logs, log_of
from potnet.operations.lan.dhcp import await_leases
from potnet.operations.networks.antispoof import guarded
from potnet.operations.networks.external import expect_first, follow_external, nothing_in_force, record
from potnet.operations.networks.interfaces import lend
from potnet.operations.networks.leases import refuse_taken
from potnet.operations.networks.policy_filters import filters_at_start
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
from potnet.operations.running.cleanup import clear_up, clear_up_failed
from potnet.operations.running.start_context import (
    StartContext,
    host_query,
    keeps_exports_off,
    run_of,
    texts_for,
    with_upstream,
)
from potnet.operations.running.start_many import STARTED, bring_up_bridges, groups, start_together
from potnet.operations.selection import by_priority, check_needs, in_order, levels, needs
from potnet.planning.jail import boot_command
from potnet.planning.ownership import complete, owned, refuse_foreign
from potnet.planning.start import Surroundings, has_dhclient, ignored_exports, plan_start
from potnet.planning.vnet import is_up
from potnet.runtime.interrupts import deferred_signals

if TYPE_CHECKING:
    from potnet.app import App

__all__ = ["Outcome", "attach_new_jail", "attach_running_jail", "restore_record", "start"]


def start(app: App, names: Sequence[str]) -> tuple[Outcome, ...]:
    """Start pots in the order of their dependencies; pots that already run are left alone.

    Every pot is tried, then all failures are raised together. A pot that fails is left as it was before.
    """
    failures = Failures("start")
    outcomes = start_each(app, names, failures)
    failures.throw([f"{outcome.name} is running" for outcome in outcomes], app.notify)
    return tuple(outcomes)


def start_each(app: App, names: Sequence[str], failures: Failures) -> list[Outcome]:
    """Do the same, but only collect the failures, and add them to those of an earlier step."""
    pots = app.store.pots_named(names)
    needed = cache(lambda name: needs(app, pots[name] if name in pots else require_pot(app, name)))
    order = in_order(by_priority(app, names), needed)
    outcomes: list[Outcome] = []
    first = bring_up_bridges(app, order) if len(order) > 1 else ()
    with app.progress.of(len(order), "started") as tell:
        parts = (groups(part, STARTED, needed, alone=first) for part in levels(app, order))
        for group in chain.from_iterable(parts):
            started = start_together(app, group, failures.names) if len(group) > 1 else ()
            for name in group:
                with failures.collect(name):
                    outcomes.append(Outcome(name, True) if name in started else _start(app, name, failures))
                tell(len(outcomes))
    return outcomes


def _start(app: App, name: str, failures: Failures) -> Outcome:
    with locked_pot(app, name) as pot:
        run = app.store.run(name)
        state = look_for(app, pot, run)
        if complete(run, state):
            if run is not None and run.changing:
                from potnet.operations.exports.export_ports import finish_exports

                with app.locks.hold(NETWORK_LOCK):
                    finish_exports(app, name)
            return Outcome(name, False)
        refuse_foreign(pot, run, state.jails.get(name))
        _refuse_attached(run, state)
        check_needs(app, pot)
        for other in needs(app, pot):
            if other in failures.names:
                raise HostError(f"the pot {other}, which it requires, could not be started")
        check_hook(app, pot, HookKind.POSTSTART)
        apply(Plan(hook_steps(app, pot, HookKind.PRESTART, None)), app.driver)
        refuse_taken(app, pot)
        _start_locked(app, require_pot(app, name), run, state)
        return Outcome(name, True)


def _refuse_attached(run: Run | None, state: HostState) -> None:
    """Raises HostError if part of the network of a jail that potnet did not make exists."""
    if run is not None and run.attached and owned(run, state.jails.get(run.pot.name)):
        name = run.pot.name
        raise HostError(
            f"potnet did not create the jail {name}, and only part of the pot's network is attached",
            hint=f"`potnet attach {name}` attaches the rest; `potnet detach {name}` removes all of it",
        )


def _start_locked(app: App, pot: Pot, run: Run | None, jails: HostState) -> None:
    with app.locks.hold(NETWORK_LOCK):
        if run is not None:
            # The last start may have been cut off by an error, a reboot or a removed jail; its remains go
            # first.
            clear_up(app, run, jails)
            pot = require_pot(app, pot.name)
        before, neighbours = pot, neighbours_of(app, pot)
        try:
            applied, run, state = make_network(app, pot, neighbours)
        except BaseException as error:
            restore_record(app, before, error)
            raise
        try:
            update_hosts_files(app, neighbours, current=(pot.name,))
        except BaseException as error:
            clear_up_failed(app, run, error)
            restore_record(app, before, error)
            raise
    _boot(app, before, run, applied, state)


#: Carries out a start; returns the applied plan and the record of the start.
_Work = Callable[["App", StartContext], tuple[Applied, Run]]


def make_network(app: App, pot: Pot, neighbours: Neighbours) -> tuple[Applied, Run, HostState]:
    """Start the jail of a pot with its network. Raises PotnetError, with nothing left on the host."""
    return _with_free_names(app, pot, neighbours, _start_jail)


def attach_new_jail(app: App, pot: Pot, neighbours: Neighbours) -> tuple[Applied, Run, HostState]:
    """Give a network to an existing jail that runs nothing yet, and write its etc files."""
    return _with_free_names(app, pot, neighbours, _attach_with_files)


def attach_running_jail(app: App, pot: Pot, neighbours: Neighbours) -> tuple[Applied, Run, HostState]:
    """Give a network to a jail whose programs run; its files are not changed."""
    return _with_free_names(app, pot, neighbours, _attach_without_files)


def _with_free_names(
    app: App, pot: Pot, neighbours: Neighbours, work: _Work
) -> tuple[Applied, Run, HostState]:
    """Prepare and carry out a start; retry with other interface units while the host hides some."""

    def attempt(hidden: frozenset[str]) -> tuple[Applied, Run, HostState]:
        nonlocal pot
        context = _prepare(app, pot, neighbours, hidden)
        pot = context.pot
        return *work(app, context), context.state

    return around_hidden(attempt)


def _prepare(app: App, pot: Pot, neighbours: Neighbours, hidden: frozenset[str]) -> StartContext:
    """Choose names and ports that are free on the host, and observe what the plan depends on."""
    if pot.home is not None:
        # The rules apply to the configured network, so addresses must come from the same network.
        define_public_network(app)
    pot = guarded(app, pot)
    bridges = {a.bridge: require_bridge(app, a.bridge) for a in pot.attachments}
    state = app.driver.observe(host_query(app, pot, bridges))
    if pot.exports and ignored_exports(pot) is None:
        with app.store.transaction():
            pot = with_ports(app, pot, state)
    pot = free_wires(app, pot, state.names, hidden)
    bridges = {name: free_bridge(app, bridge, state, hidden) for name, bridge in bridges.items()}
    missing = [b for b in bridges.values() if not is_up(b, state) or left_behind(app, b, state)]
    if missing:
        state = look_for_bridges(app, missing, state)
        bridges |= {b.name: settled(app, b, state) for b in missing}
    if len(missing) < len(bridges) or (bridges and state.pot_bridges):
        state = follow_external(app, state)
    elif bridges:
        expect_first(app, state)
    elif keeps_exports_off(app, pot) and state.pot_bridges:
        state = follow_external(app, state, starting=[alias.address for alias in pot.aliases])
    return StartContext(pot, bridges, state, neighbours)


def _start_jail(app: App, context: StartContext) -> tuple[Applied, Run]:
    around = _surroundings(app, context, _etc_files(app, context))
    run = run_of(context.pot, around.texts, context.state)
    return _carry_out(app, context, around, run)


def _attach_with_files(app: App, context: StartContext) -> tuple[Applied, Run]:
    return _attach(app, context, _etc_files(app, context))


def _attach_without_files(app: App, context: StartContext) -> tuple[Applied, Run]:
    return _attach(app, context, {})


def _attach(app: App, context: StartContext, texts: dict[str, str]) -> tuple[Applied, Run]:
    context = _with_parameters(app, context)
    around = replace(_surroundings(app, context, texts), attached=True)
    run = replace(run_of(context.pot, texts, context.state), attached=True, devfs=False, booted=False)
    return _carry_out(app, context, around, run)


def _with_parameters(app: App, context: StartContext) -> StartContext:
    """Add the parameters of the jail to the state, as far as potnet can set them while it runs."""
    pot = context.pot
    names = kept_names(pot.parameters)
    if not names:
        return context
    found = app.driver.observe(Query(jail_parameters=((pot.name, names),))).jail_parameters
    return replace(context, state=replace(context.state, jail_parameters=found))


def _etc_files(app: App, context: StartContext) -> dict[str, str]:
    """Return the texts of the files for the jail's etc, by name."""
    return texts_for(app, context.pot, with_upstream(app, context.state), context.neighbours)


def _surroundings(app: App, context: StartContext, texts: dict[str, str]) -> Surroundings:
    state = context.state
    down = [bridge for bridge in context.bridges.values() if not is_up(bridge, state)]
    return Surroundings(
        vnet=with_stranded(app, vnet(app), down),
        bridges=context.bridges,
        texts=texts,
        external=external_interface(app, state),
        filters=filters_at_start(app, context.pot),
        lent=lend(app, context.pot),
    )


def _carry_out(app: App, context: StartContext, around: Surroundings, run: Run) -> tuple[Applied, Run]:
    """Record a start and apply its plan. On failure, restore host and store as far as possible."""
    pot, state = context.pot, context.state
    plan = plan_start(pot, around, app.config, state)
    run = replace(run, lent=around.lent)
    remembered = switches(app)
    # The record comes first, so that the store knows what may exist if the start is cut off.
    with app.store.transaction():
        app.store.put_run(run)
        remember_switches(app, plan, state)
        if context.bridges:
            record(app, around.external, alone=nothing_in_force(state))
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
    # A start that takes another unit instead repeats them.
    for notice in plan.notices:
        app.notify(notice)
    return applied, run


def _boot(app: App, before: Pot, run: Run, applied: Applied, state: HostState) -> None:
    """Run the jail's own rc. It may take long, so potnet holds no shared lock meanwhile."""
    pot = run.pot
    command = boot_command(pot, state)
    client = bool(pot.by_dhcp) and has_dhclient(pot, state)
    try:
        jid = _jid(app, pot.name, applied.output(StartJail)) if pot.is_jail else NO_JAIL
        # The jail's own rc starts a client if potnet could not.
        if client:
            run = await_leases(app, run)
        if command:
            _run_kept(app, pot.name, command, state)
        if pot.by_dhcp and not client:
            run = await_leases(app, run)
        done = replace(run, jid=jid)
        app.store.put_run(done)
    except BaseException as error:
        _take_back(app, before, run, error)
        raise
    try:
        failed = apply_all(Plan(hook_steps(app, pot, HookKind.POSTSTART, done.jid)), app.driver)
    except PotnetError as error:
        failed = (error.message,)
    for failure in failed:
        app.notify(f"{pot.name} runs, but its poststart hook failed: {failure}")


def _run_kept(app: App, pot: str, command: tuple[str, ...], state: HostState) -> None:
    """Run a jail's first program and keep what it prints, unless others could change the log."""
    exposed = exposed_logs(app, state.access)
    program = RunInJail(pot, command, log=None if exposed else log_of(app, pot))
    said = apply(Plan((Step(program),)), app.driver).output(RunInJail).strip()
    lack = f"not kept: {exposed}" if exposed else said
    if lack:
        app.notify(f"the output of {pot} is {lack}")


def _jid(app: App, name: str, printed: str) -> int | None:
    """Return the JID that jail(8) printed, or the JID of the jail if jail(8) printed something else."""
    if printed.strip().isdigit():
        return int(printed)
    found = app.driver.observe(Query(jails=(name,))).jails.get(name)
    return found.jid if found is not None and not found.dying else None


def _take_back(app: App, before: Pot, run: Run, error: BaseException) -> None:
    """Undo a failed start. A bridge that other pots use by now stays."""
    with deferred_signals(), app.locks.hold(NETWORK_LOCK):
        clear_up_failed(app, run, error)
        restore_record(app, before, error)


def restore_record(app: App, before: Pot, error: BaseException) -> None:
    """Restore the record of a pot. If that fails too, potnet still reports the first error."""
    try:
        app.store.update_pot(before)
    except PotnetError as more:
        if isinstance(error, PotnetError):
            error.message += f"; {more.message}"
