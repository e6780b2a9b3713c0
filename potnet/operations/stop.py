"""Stopping pots, and clearing up after starts that were cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.actions import Plan, RunInJail, Step
from potnet.apply import apply_all
from potnet.errors import HostError
from potnet.host_state import HostState, Query
from potnet.model import Bridge, HookKind, Pot, Run
from potnet.operations.bridging import forget_switches, vnet
from potnet.operations.common import (
    NETWORK_LOCK,
    Failures,
    Outcome,
    locked_pot,
    require_pot,
)
from potnet.operations.hooks import hook_steps
from potnet.operations.hosts import follow, known_to
from potnet.operations.select import in_order, needs
from potnet.planning import resolver
from potnet.planning.jail import etc_of
from potnet.planning.ownership import owned, refuse_foreign, running
from potnet.planning.stop import plan_stop
from potnet.planning.vnet import is_last_pot

if TYPE_CHECKING:
    from potnet.app import App

SHUTDOWN = ("/bin/sh", "/etc/rc.shutdown")
#: The jail's own rc.shutdown gives up after 90 seconds (rc.conf(5), rcshutdown_timeout).
SHUTDOWN_SECONDS = 120.0


def stop(app: App, names: Sequence[str]) -> tuple[Outcome, ...]:
    """Stop pots, each before what it depends on; what is stopped is left alone.

    All are tried, then the failures are raised together.
    """
    outcomes, failures = [], Failures("stop")
    needed = {name: needs(app, require_pot(app, name)) for name in names}
    users = {name: [user for user in names if name in needed[user]] for name in names}
    for name in in_order(names, lambda name: users[name]):
        with failures.collect(name), locked_pot(app, name) as pot:
            outcomes.append(_stop(app, pot))
    failures.throw([f"{outcome.name} is stopped" for outcome in outcomes], app.notify)
    return tuple(outcomes)


def _stop(app: App, pot: Pot) -> Outcome:
    name = pot.name
    run = app.store.run(name)
    state = app.driver.observe(Query(jails=(name,)))
    if run is None:
        refuse_foreign(pot, run, state.jails.get(name))
        return Outcome(name, False)
    was_running = running(run, state)
    if was_running:
        # Recorded first: cut off from here on, the pot is not what it was, though its jail is there.
        run = replace(run, stopping=True)
        app.store.put_run(run)
        _shut_down(app, run)
    with app.locks.hold(NETWORK_LOCK):
        cleared = clear_up(app, run, state)
        follow(app, known_to(app, run.pot))
    if was_running or run.stopping:
        for failure in apply_all(Plan(hook_steps(app, run.pot, HookKind.POSTSTOP, None)), app.driver):
            app.notify(f"{name} is stopped, but its poststop hook failed: {failure}")
    return Outcome(name, was_running or cleared)


def _shut_down(app: App, run: Run) -> None:
    """Let the pot end in its own time, before anybody waits for the network."""
    pot = run.pot
    for failure in apply_all(Plan(hook_steps(app, pot, HookKind.PRESTOP, run.jid)), app.driver):
        app.notify(f"the prestop hook of {pot.name} failed: {failure}")
    if run.booted and not pot.command:
        action = RunInJail(pot.name, SHUTDOWN, tolerant=True, patience=SHUTDOWN_SECONDS)
        apply_all(Plan((Step(action),)), app.driver)


def clear_up(app: App, run: Run, jails: HostState) -> bool:
    """Take away what a start made, as far as it is there; whether there was anything.

    jails: a state in which the pot's jail was looked for. Raises HostError that lists what is left; the start
    stays recorded then, so that a second stop finishes.
    """
    found = jails.jails.get(run.pot.name)
    bridges = {b.name: b for a in run.pot.attachments if (b := app.store.bridge(a.bridge))}
    state = replace(_observe(app, run, bridges, owned(run, found)), jails=jails.jails)
    plan = plan_stop(run, bridges, vnet(app), app.config, state)
    if found is not None and not found.dying and not owned(run, found):
        app.notify(f"jail {run.pot.name} (jid {found.jid}) is not the one that potnet started: it stays")
    failures = apply_all(plan, app.driver)
    if failures:
        # What is left is looked for once more.
        app.store.put_run(replace(run, stopping=True))
        error = HostError(
            "not all of it could be taken away" + "".join(f"\n  left behind: {line}" for line in failures),
            hint=f"mend what it says, then `potnet stop {run.pot.name}` once more takes the rest",
        )
        error.left_behind = failures
        raise error
    with app.store.transaction():
        app.store.remove_run(run.pot.name)
        _release_former_addresses(app, run)
        forget_switches(app, plan)
    return bool(plan.steps)


def _observe(app: App, run: Run, bridges: dict[str, Bridge], jail_there: bool) -> HostState:
    """What a stop has to know of the host; without its jail, also what jail(8) would have taken along."""
    pot = run.pot
    etc = etc_of(pot, app.driver.traits)
    names = [name for own in run.files for name in (own, resolver.saved_name(own))]
    aliased = () if jail_there else tuple(dict.fromkeys(a.interface for a in pot.aliases))
    query = Query(
        own=bool(pot.attachments),
        interfaces=(*(b.interface for b in bridges.values()), *aliased),
        members=True,
        files=tuple(f"{etc}/{name}" for name in names),
        mounts=run.devfs and not jail_there,
    )
    state = app.driver.observe(query)
    host_ends = {a.host_end for a in pot.attachments}
    routed = [b for b in bridges.values() if b.subnets]
    absent = [b for b in routed if b.interface not in state.interfaces]
    if absent or any(is_last_pot(b, host_ends, state) for b in routed):
        anchor = app.config.nat_anchor if absent else None
        more = app.driver.observe(Query(pot_bridges=True, loaded_anchor=anchor))
        state = replace(state, pot_bridges=more.pot_bridges, nat_loaded=more.nat_loaded)
    return state


def _release_former_addresses(app: App, run: Run) -> None:
    """Give back what `set` replaced while the pot ran."""
    pot = app.store.pot(run.pot.name)
    if pot is not None:
        app.store.release_pot(pot.name, keep=[pair for a in pot.attachments for pair in a.leases])
