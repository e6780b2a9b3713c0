"""Stop pots, or take their networks away from jails that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from potnet.apply import apply_all
from potnet.errors import PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.jail_actions import RunInJail
from potnet.host.state import HostState
from potnet.model.pots import HookKind, Pot, Run
from potnet.operations.common import NETWORK_LOCK, Failures, Outcome, locked_pot, look_for, require_pot
from potnet.operations.files.hooks import hook_steps
from potnet.operations.files.hosts_files import neighbours_of, update_hosts_files
from potnet.operations.running.cleanup import clear_up
from potnet.operations.running.start_many import STOPPED, groups, stop_together
from potnet.operations.selection import by_priority, in_order, levels, needs
from potnet.planning.ownership import owned, refuse_foreign, running

if TYPE_CHECKING:
    from potnet.app import App

SHUTDOWN = ("/bin/sh", "/etc/rc.shutdown")
#: The jail's own rc.shutdown gives up after 90 seconds (rc.conf(5), rcshutdown_timeout).
SHUTDOWN_SECONDS = 120.0


def stop(app: App, names: Sequence[str]) -> tuple[Outcome, ...]:
    """Stop pots in the order of their dependencies; stopped pots are left alone.

    Every pot is tried, then all failures are raised together.
    """
    failures = Failures("stop")
    outcomes = stop_each(app, names, failures)
    failures.throw([f"{outcome.name} is stopped" for outcome in outcomes], app.notify)
    _tell_users(app, [outcome.name for outcome in outcomes if outcome.changed])
    return tuple(outcomes)


def _tell_users(app: App, names: Sequence[str]) -> None:
    """Report the pots that still run, and require a pot that has stopped."""
    for name in names:
        users = [user for user in app.store.users_of(name) if user in app.store.runs_named([user])]
        if users:
            app.notify(f"{name} is stopped, although running pots require it: {', '.join(users)}")


def stop_each(app: App, names: Sequence[str], failures: Failures) -> list[Outcome]:
    """Do the same, but only collect the failures."""
    outcomes: list[Outcome] = []
    users: dict[str, list[str]] = {name: [] for name in names}
    pots = app.store.pots_named(names)
    for user in names:
        for name in needs(app, pots[user] if user in pots else require_pot(app, user)):
            users.get(name, []).append(user)
    order = in_order(by_priority(app, names[::-1])[::-1], lambda name: users[name])
    with app.progress.of(len(order), "stopped") as tell:
        parts = (groups(part, STOPPED, lambda name: users[name]) for part in levels(app, order))
        for group in chain.from_iterable(parts):
            begun = stop_together(app, group) if len(group) > 1 else frozenset()
            done = begun - {*app.store.runs_named(sorted(begun))}
            for name in group:
                with failures.collect(name):
                    stopped = Outcome(name, True)
                    if name not in done:
                        stopped = _stopped(app, name, name in begun, failures)
                    outcomes.append(stopped)
                tell(len(outcomes))
    return outcomes


def _stopped(app: App, name: str, begun: bool, failures: Failures) -> Outcome:
    """Stop a pot. begun: its stop has begun together with that of others. failures: gets skipped hooks."""
    with locked_pot(app, name) as pot:
        outcome = _stop(app, pot, failures)
        return replace(outcome, changed=outcome.changed or begun)


def _stop(app: App, pot: Pot, failures: Failures) -> Outcome:
    name = pot.name
    run = app.store.run(name)
    state = look_for(app, pot, run)
    if run is None:
        refuse_foreign(pot, run, state.jails.get(name))
        return Outcome(name, False)
    was_running = running(run, state)
    if run.attached:
        return detach_locked(app, run, state)
    if was_running:
        # The record comes first: if the stop is cut off, the pot is incomplete although its jail exists.
        run = replace(run, stopping=True)
        app.store.put_run(run)
        _shut_down(app, run, failures)
    with app.locks.hold(NETWORK_LOCK):
        cleared = clear_up(app, run, state)
        update_hosts_files(app, neighbours_of(app, run.pot))
    if was_running or run.stopping:
        for failure in _run_hook(app, run.pot, HookKind.POSTSTOP, None, failures):
            app.notify(f"{name} is stopped, but its poststop hook failed: {failure}")
    return Outcome(name, was_running or cleared)


def detach_locked(app: App, run: Run, state: HostState, ending: bool = False) -> Outcome:
    """Take the network of a pot away from a jail that potnet did not make; the jail stays.

    ending: the jail is about to end. While the jail exists, the pot stays recorded, with the files to
    restore.
    """
    name = run.pot.name
    there = running(run, state)
    keep = ending and owned(run, state.jails.get(name))
    if there and run.files and not keep:
        app.notify(f"{', '.join(run.files)} stay in {name} as they are: its jail runs")
    if there:
        # The record comes first: if the detach is cut off, part of the network remains.
        run = replace(run, stopping=True)
        app.store.put_run(run)
    with app.locks.hold(NETWORK_LOCK):
        cleared = clear_up(app, run, state, keep=keep)
        update_hosts_files(app, neighbours_of(app, run.pot))
    return Outcome(name, there or cleared)


def _run_hook(app: App, pot: Pot, kind: HookKind, jid: int | None, failures: Failures) -> tuple[str, ...]:
    """Run a hook and return how it failed. A hook that others could change is skipped, and a failure."""
    try:
        steps = hook_steps(app, pot, kind, jid)
    except PotnetError as error:
        error.message = f"potnet skipped the {kind} hook of {pot.name}: {error.message}"
        failures.add(error)
        return ()
    return apply_all(Plan(steps), app.driver)


def _shut_down(app: App, run: Run, failures: Failures) -> None:
    """Let the pot shut down in its own time, before this command locks the network."""
    pot = run.pot
    for failure in _run_hook(app, pot, HookKind.PRESTOP, run.jid, failures):
        app.notify(f"the prestop hook of {pot.name} failed: {failure}")
    if run.booted and not pot.command:
        action = RunInJail(pot.name, SHUTDOWN, tolerant=True, patience=SHUTDOWN_SECONDS)
        apply_all(Plan((Step(action),)), app.driver)
