"""Exports: ports of a pot that the host offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from potnet.apply import apply
from potnet.errors import PotnetError
from potnet.host.actions import Plan
from potnet.host.query import Query, union
from potnet.host.state import HostState
from potnet.model.ports import Exchange, Export, added_in, removed_in
from potnet.model.pots import Pot, Run
from potnet.operations.common import (
    NETWORK_LOCK,
    define_public_network,
    locked_pot_without_exports,
    require_bridge,
)
from potnet.operations.exports.change_exports import Abridged, Change, Exported, absent
from potnet.operations.exports.change_exports import exchanges as exchanges_of
from potnet.operations.exports.export_text import parse_exports
from potnet.operations.exports.ports import (
    check_addresses,
    check_listeners,
    host_addresses,
    needs_range,
    record_with_ports,
    refuse_pots_addresses,
)
from potnet.operations.networks.external import follow_external, require_external
from potnet.operations.networks.in_force import candidates, known_outlets
from potnet.operations.networks.units import vnet
from potnet.operations.selection import only_pot
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.exports import check_exports, plan_exports, taken_notices
from potnet.planning.ownership import presence, running
from potnet.planning.start import ignored_exports
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App


#: The longest list of exports that a change returns by default.
LISTED = 100


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The options of ``export-ports``.

    exports, sources: the -e and --from values. loopback: the host itself can connect to the exports too.
    max_connections: limit for each source. change: replace, add to or take from the pot's exports.
    most: the longest list of exports in the answer; None: any length.
    """

    exports: Sequence[str]
    loopback: bool = False
    sources: Sequence[str] = ()
    max_connections: int | None = None
    change: Change = Change.REPLACE
    most: int | None = field(default=LISTED, compare=False)


def export_ports(app: App, name: str | None, request: ExportRequest) -> Exported | Abridged:
    """Change the exports of a pot, at once if the pot runs. Raises PotnetError, with nothing changed.

    name: None for the only pot that exists.
    """
    change = request.change
    given = parse_exports(request.exports, request.loopback, request.sources, request.max_connections)
    name = name if name is not None else only_pot(app)
    with locked_pot_without_exports(app, name) as pot:
        exchanges = exchanges_of(app.store, pot.name, given, change)
        if change is Change.REMOVE:
            _tell_absent(app, pot, removed_in(exchanges), given)
        # Exports that stay keep their ports, even if another program has come to use these ports.
        new = added_in(exchanges)
        refuse_pots_addresses(app, new)
        ignored = ignored_exports(pot)
        run = app.store.run_without_exports(pot.name)
        wanted = _query(app, new, ignored)
        state = app.driver.observe(union((presence([run.pot if run else pot]), wanted)))
        if ignored:
            app.notify(ignored)
        else:
            _check(app, pot, new, state)
        check_listeners(app, new, state)
        if run is not None and running(run, state) and not ignored:
            with app.locks.hold(NETWORK_LOCK):
                exchanges = _change_running(app, run, exchanges, state)
        else:
            with app.store.transaction():
                app.store.exchange_exports(pot.name, exchanges)
                check_addresses(app, pot.name, new)
        return _exported(app, pot.name, exchanges, request.most)


def _exported(app: App, name: str, exchanges: Sequence[Exchange], most: int | None) -> Exported | Abridged:
    withdrawn = removed_in(exchanges)
    listed = app.store.first_exports(name, None if most is None else most + 1)
    if most is None or len(listed) <= most:
        return Exported(name, listed, withdrawn)
    return Abridged(name, added_in(exchanges), withdrawn)


def _change_running(
    app: App, run: Run, exchanges: Sequence[Exchange], state: HostState
) -> tuple[Exchange, ...]:
    """Record a change of a running pot and load it; the caller holds the network's lock.

    run: without its exports. Returns the change with the host ports that were chosen.
    """
    name = run.pot.name
    state = follow_external(app, state)
    external = require_external(app, state)
    define_public_network(app)
    single = app.driver.traits.single_exports and not (run.changing or run.pot.guards_shared)
    before: Sequence[Export] = () if single else _recorded(app, name).exported
    with app.store.transaction():
        exchanges, former = record_with_ports(app, name, exchanges, state)
        former_run = app.store.exchange_run_exports(run, exchanges)
        app.store.mark_changing(name, _leaving(run, exchanges))
    try:
        after: Sequence[Export]
        if single:
            before, after = _differing(exchanges)
        else:
            after = _recorded(app, name).pot.exports
        apply(_in_force(app, run, before, after, external), app.driver)
    except BaseException as error:
        with app.store.transaction():
            app.store.put_back_run_exports(name, former_run)
            app.store.put_back_exports(name, former)
            _restore_mark(app, run, exchanges if getattr(error, "left_behind", ()) else ())
        raise
    app.store.mark_changed(name)
    return exchanges


def _restore_mark(app: App, run: Run, left: Sequence[Exchange]) -> None:
    """Restore the mark of a change. left: a change whose undo failed, so that its exports may be in force."""
    leaving = dict.fromkeys((*run.leaving, *added_in(left)))
    if left or run.changing:
        kept = {each.before for each in left}
        app.store.mark_changing(run.pot.name, [each for each in leaving if each not in kept])
    else:
        app.store.mark_changed(run.pot.name)


def _recorded(app: App, name: str) -> Run:
    """Return the start of a pot with all exports, whatever their number."""
    run = app.store.run(name)
    assert run is not None, name
    return run


def finish_exports(app: App, name: str) -> None:
    """Load the recorded exports of a pot anew if a change was cut off; raises HostError.

    The caller holds the network's lock.
    """
    run = app.store.run(name)
    if run is not None and run.changing:
        look = Query(candidates=candidates(app), external=app.config.external_interface is None)
        state = app.driver.observe(look)
        external = require_external(app, state)
        apply(_in_force(app, run, run.exported, run.pot.exports, external), app.driver)
        app.store.mark_changed(name)


def _leaving(run: Run, exchanges: Sequence[Exchange]) -> tuple[Export, ...]:
    """Return the exports that may be in force during a change, beside those that it leads to."""
    after = frozenset(added_in(exchanges))
    left = dict.fromkeys((*run.leaving, *removed_in(exchanges)))
    return tuple(each for each in left if each not in after)


def _query(app: App, new: Sequence[Export], ignored: str | None) -> Query:
    """new: the exports that are new or to be checked anew. ignored: why exports have no effect."""
    effective = ignored is None
    loopback = any(each.loopback for each in new)
    return Query(
        candidates=candidates(app) if effective else (),
        interfaces=known_outlets(app) if effective else (),
        local_addresses=effective,
        external=app.config.external_interface is None,
        packet_filter=loopback or any(each.max_connections is not None for each in new),
        filter_local=loopback,
        listeners=effective and bool(new),
        port_range=effective and needs_range(app, new),
        own_addresses=host_addresses(new),
        jail_addresses=bool(host_addresses(new)),
    )


def _tell_absent(app: App, pot: Pot, removed: Sequence[Export], given: Sequence[Export]) -> None:
    for export in absent(removed, given):
        app.notify(f"{pot.name} does not export {export}: there is nothing to remove")


def _check(app: App, pot: Pot, new: Sequence[Export], state: HostState) -> None:
    """Raises HostError or PotnetError if exports cannot take effect on the present host."""
    check_exports(pot, new, app.config, state)
    for notice in taken_notices(pot, new, state):
        app.notify(notice)
    if not any(each.loopback for each in new):
        return
    _check_loopback(app, state)
    families = {address.version for address in (pot.home.addresses if pot.home is not None else ())}
    if families - {*state.traits.loopback_families}:
        app.notify(f"the host itself can reach exports of {pot.name} by IPv4 only")


def _check_loopback(app: App, state: HostState) -> None:
    if state.packet_filter.self_contained:
        return
    nested = f"{app.config.rdr_anchor}/*"
    if {"lo0", "lo", "all"} & state.packet_filter.skipped:
        raise PotnetError(
            "pf skips lo0 (set skip), which keeps exports from the host's loopback",
            hint=f"take lo0 out of `set skip` in its rules, then `{state.traits.tools.load_filter}`",
        )
    if not state.packet_filter.filter_local or nested not in state.packet_filter.nat_anchors:
        raise PotnetError(
            "this host is not prepared for exports on its loopback: its filter skips local packets, or "
            "an anchor is missing",
            hint="`potnet init --loopback` prepares it",
        )


def _in_force(app: App, run: Run, before: Sequence[Export], after: Sequence[Export], external: str) -> Plan:
    """Load the exports of a run after a change, and end the connections of withdrawn exports.

    before, after: all exports, or those that differ if the filter changes single ones.
    """
    bridge = require_bridge(app, run.pot.home.bridge if run.pot.home is not None else "")
    # The rules in force use the addresses with which the pot was started.
    networks = vnet(app).networks
    held, wanted = (
        pf.pot_rules(replace(run.pot, exports=tuple(exports)), bridge, app.config, external, networks)
        for exports in (before, after)
    )
    return plan_exports(held, wanted, not run.changing)


def _differing(exchanges: Sequence[Exchange]) -> tuple[Sequence[Export], Sequence[Export]]:
    """Return the exports that a change withdraws, and those that it puts in force."""
    before = frozenset(each.before for each in exchanges)
    return removed_in(exchanges), [each for each in added_in(exchanges) if each not in before]
