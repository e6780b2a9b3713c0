"""Removal of everything that a start made, and of its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.apply import apply_all
from potnet.errors import HostError, PotnetError
from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.bridges import Bridge
from potnet.model.pots import Pot, Run
from potnet.operations.common import look_for
from potnet.operations.files.hosts_files import hosts_key, mark_due
from potnet.operations.networks.policy_filters import filters_at_stop
from potnet.operations.networks.units import forget_switches, vnet
from potnet.planning import resolver
from potnet.planning.jail import etc_of
from potnet.planning.lan import without_leases
from potnet.planning.ownership import owned
from potnet.planning.stop import StopContext, plan_stop
from potnet.planning.vnet import is_last_pot
from potnet.runtime.interrupts import deferred_signals

if TYPE_CHECKING:
    from potnet.app import App


def clear_up(app: App, run: Run, jails: HostState, idle: bool = False, keep: bool = False) -> bool:
    """Remove what a start made, as far as it exists, and return whether anything existed.

    jails: a state for which the pot's jail was looked up. idle: nothing runs in the jail yet. keep: the start
    stays recorded. Raises HostError that lists everything left; the start then stays recorded, so a second
    stop can finish.
    """
    found = jails.jails.get(run.pot.name)
    bridges = {b.name: b for a in run.pot.attachments if (b := app.store.bridge(a.bridge))}
    state = replace(_observe(app, run, bridges, owned(run, found)), jails=jails.jails)
    context = StopContext(vnet(app), bridges, filters_at_stop(app, run.pot), idle)
    plan = plan_stop(run, context, app.config, state)
    if found is not None and not found.dying and not owned(run, found):
        app.notify(f"jail {run.pot.name} (jid {found.jid}) is not the one that potnet started: it stays")
    failures = apply_all(plan, app.driver)
    if failures:
        # Another look shows what is still left.
        app.store.put_run(replace(run, stopping=True))
        error = HostError(
            "some of it could not be removed" + "".join(f"\n  left behind: {line}" for line in failures),
            hint=f"remove the cause, then run `potnet stop {run.pot.name}` again",
        )
        error.left_behind = failures
        raise error
    with app.store.transaction():
        if not keep:
            forget(app, (run,), app.store.pots_named([run.pot.name]))
        forget_switches(app, plan)
    _tell_lost(app, run)
    return bool(plan.steps)


def clear_up_failed(app: App, run: Run, error: BaseException) -> None:
    """Remove what a failed start left; if something stays, the error lists it."""
    try:
        with deferred_signals():
            clear_up(app, run, look_for(app, run.pot, run))
    except PotnetError as more:
        if isinstance(error, PotnetError):
            error.message += f"; {more.message}"
            error.left_behind = more.left_behind


def _tell_lost(app: App, run: Run) -> None:
    """Report passed interfaces that the host no longer has."""
    names = tuple(lent.name for lent in run.lent)
    there = app.driver.observe(Query(interfaces=names)).interfaces if names else {}
    for name in names:
        if name not in there:
            command = app.driver.traits.tools.list_interfaces
            app.notify(f"{name} did not return from {run.pot.name}: look for it with `{command}`")


def host_query(app: App, run: Run, bridges: Mapping[str, Bridge], jail_there: bool) -> Query:
    """Return the query for the host state that a stop needs.

    If the jail is gone, the query includes what jail(8) would have removed with it. bridges: those of the
    pot's attachments, by name.
    """
    pot = run.pot
    etc = etc_of(pot, app.driver.traits)
    names = [name for own in run.files for name in (own, resolver.saved_name(own))]
    aliased = () if jail_there else tuple(dict.fromkeys(a.interface for a in pot.aliases))
    return Query(
        own=bool(pot.attachments),
        interfaces=(*(b.interface for b in bridges.values()), *aliased, *(each.name for each in run.lent)),
        members=True,
        files=tuple(f"{etc}/{name}" for name in names),
        mounts=run.devfs and not jail_there,
    )


def _observe(app: App, run: Run, bridges: dict[str, Bridge], jail_there: bool) -> HostState:
    state = app.driver.observe(host_query(app, run, bridges, jail_there))
    host_ends = {a.host_end for a in run.pot.attachments}
    routed = [b for b in bridges.values() if b.subnets]
    absent = [b for b in routed if b.interface not in state.interfaces]
    if absent or any(is_last_pot(b, host_ends, state) for b in routed):
        anchor = app.config.nat_anchor if absent else None
        more = app.driver.observe(Query(pot_bridges=True, loaded_anchor=anchor))
        state = replace(state, pot_bridges=more.pot_bridges, nat_loaded=more.nat_loaded)
    return state


def forget(app: App, runs: Sequence[Run], pots: Mapping[str, Pot]) -> None:
    """Delete recorded starts in the caller's transaction, and release what `set` replaced meanwhile.

    pots: the present records of the pots that exist, by name.
    """
    app.store.remove_run(*(run.pot.name for run in runs))
    pots = {name: _unlearned(app, pot) for name, pot in pots.items()}
    found = [(run, pots[run.pot.name]) for run in runs if run.pot.name in pots]
    for run, pot in found:
        if _leases(run.pot) - _leases(pot):
            mark_due(app, run.pot)
    app.store.release_pots({pot.name: _leases(pot) for _, pot in found})


def _unlearned(app: App, pot: Pot) -> Pot:
    """Forget the addresses that a pot got by DHCP."""
    stopped = without_leases(pot) if pot.by_dhcp else pot
    if stopped != pot:
        app.store.update_pot(stopped)
        # If no other pot runs there, nobody is left who knows the address.
        for own in pot.by_dhcp:
            app.store.forget(hosts_key(own.bridge))
    return stopped


def _leases(pot: Pot) -> frozenset[tuple[str, IPAddress]]:
    return frozenset(pair for a in pot.attachments for pair in a.leases)
