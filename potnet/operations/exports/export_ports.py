"""Exports: ports of a pot that the host offers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import apply
from potnet.errors import PotnetError
from potnet.host.actions import Plan
from potnet.host.query import Query, union
from potnet.host.state import HostState
from potnet.model.ports import Export
from potnet.model.pots import Pot, Run
from potnet.operations.common import (
    NETWORK_LOCK,
    define_public_network,
    locked_pot,
    require_bridge,
)
from potnet.operations.exports.change_exports import Change, absent
from potnet.operations.exports.change_exports import changed as changed_exports
from potnet.operations.exports.export_text import parse_exports
from potnet.operations.exports.ports import (
    check_addresses,
    check_listeners,
    host_addresses,
    needs_range,
    refuse_pots_addresses,
    with_ports,
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


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The options of ``export-ports``.

    exports, sources: the -e and --from values. loopback: the host itself can connect to the exports too.
    max_connections: limit for each source. change: replace, add to or take from the pot's exports.
    """

    exports: Sequence[str]
    loopback: bool = False
    sources: Sequence[str] = ()
    max_connections: int | None = None
    change: Change = Change.REPLACE


@dataclass(frozen=True, slots=True)
class Exported:
    """The exports of a pot after a change, and the former ones that are withdrawn."""

    name: str
    exports: tuple[Export, ...]
    withdrawn: tuple[Export, ...]


def export_ports(app: App, name: str | None, request: ExportRequest) -> Exported:
    """Change the exports of a pot, at once if the pot runs. Raises PotnetError, with nothing changed.

    name: None for the only pot that exists.
    """
    change = request.change
    given = parse_exports(request.exports, request.loopback, request.sources, request.max_connections)
    name = name if name is not None else only_pot(app)
    with locked_pot(app, name) as pot:
        name = pot.name
        after = changed_exports(pot.exports, given, change)
        # Exports that stay keep their ports, even if another program has come to use these ports.
        held: frozenset[Export] = frozenset() if change is Change.REPLACE else frozenset(pot.exports)
        new = tuple(each for each in after if each not in held)
        if change is Change.REMOVE:
            _tell_absent(app, pot, given)
        refuse_pots_addresses(app, new)
        ignored = ignored_exports(pot)
        run = app.store.run(name)
        wanted = _query(app, pot, None if ignored else after, new)
        state = app.driver.observe(union((presence([run.pot if run else pot]), wanted)))
        if ignored:
            app.notify(ignored)
        else:
            _check(app, pot, new, state)
        check_listeners(app, new, state)
        changed = replace(pot, exports=after)
        if run is not None and running(run, state) and not ignored:
            with app.locks.hold(NETWORK_LOCK):
                in_force = _change_running(app, _Change(pot, changed, run, held), state).exports
                return Exported(name, in_force, _withdrawn(run.pot.exports, in_force))
        with app.store.transaction():
            app.store.update_pot(changed)
            check_addresses(app, changed, new)
        return Exported(name, after, _withdrawn(pot.exports, after))


def _withdrawn(before: Sequence[Export], after: Sequence[Export]) -> tuple[Export, ...]:
    kept = frozenset(after)
    return tuple(each for each in before if each not in kept)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of a running pot. held: the exports that stay with their ports."""

    before: Pot
    after: Pot
    run: Run
    held: Collection[Export]


def _change_running(app: App, change: _Change, state: HostState) -> Pot:
    """Record the exports of a running pot and load them; the caller holds the network's lock."""
    changed, run, held = change.after, change.run, change.held
    state = follow_external(app, state)
    external = require_external(app, state)
    define_public_network(app)
    with app.store.transaction():
        app.store.update_pot(changed)
        changed = with_ports(app, changed, state, held)
        begun = _begun(run, changed.exports)
        app.store.put_run(begun)
    try:
        apply(_in_force(app, run, begun, external), app.driver)
    except BaseException as error:
        # A failed undo leaves the same state as a change that was cut off.
        left_behind = getattr(error, "left_behind", ())
        with app.store.transaction():
            app.store.put_run(_leaving(run, begun.exported) if left_behind else run)
            app.store.update_pot(change.before)
        raise
    app.store.mark_changed(changed.name)
    return changed


def finish_exports(app: App, name: str) -> None:
    """Load the recorded exports of a pot anew if a change was cut off; raises HostError.

    The caller holds the network's lock.
    """
    run = app.store.run(name)
    if run is not None and run.changing:
        look = Query(candidates=candidates(app), external=app.config.external_interface is None)
        state = app.driver.observe(look)
        external = require_external(app, state)
        begun = _begun(run, run.pot.exports)
        apply(_in_force(app, run, begun, external), app.driver)
        app.store.mark_changed(name)


def _leaving(run: Run, exports: Sequence[Export]) -> Run:
    """A run with a change begun. exports: those that may be in force, beside the recorded ones."""
    kept = frozenset(run.pot.exports)
    left = dict.fromkeys(each for each in exports if each not in kept)
    return replace(run, changing=True, leaving=tuple(left))


def _begun(run: Run, exports: tuple[Export, ...]) -> Run:
    """A run with its next exports recorded; other exports may be in force until the change is done."""
    return _leaving(replace(run, pot=replace(run.pot, exports=exports)), run.exported)


def _query(app: App, pot: Pot, effective: tuple[Export, ...] | None, new: tuple[Export, ...]) -> Query:
    """effective: all exports after the change, None if these have no effect. new: the added ones."""
    loopback = any(each.loopback for each in new)
    return Query(
        candidates=candidates(app) if effective is not None else (),
        interfaces=known_outlets(app) if effective is not None else (),
        local_addresses=effective is not None,
        external=app.config.external_interface is None,
        packet_filter=loopback or any(each.max_connections is not None for each in new),
        filter_local=loopback,
        listeners=bool(effective),
        port_range=needs_range(app, effective or ()),
        own_addresses=host_addresses(new),
        jail_addresses=bool(host_addresses(new)),
    )


def _tell_absent(app: App, pot: Pot, given: Sequence[Export]) -> None:
    for export in absent(pot.exports, given):
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


def _in_force(app: App, run: Run, begun: Run, external: str) -> Plan:
    """Load the exports of a run with a recorded change, and end the connections of withdrawn exports."""
    bridge = require_bridge(app, run.pot.home.bridge if run.pot.home is not None else "")
    before, after = run.exported, begun.pot.exports
    if app.driver.traits.single_exports and not run.changing:
        before, after = _differing(before, after)
    # The rules in force use the addresses with which the pot was started.
    networks6 = vnet(app).networks6
    held, wanted = (
        pf.pot_rules(replace(run.pot, exports=exports), bridge, app.config, external, networks6)
        for exports in (before, after)
    )
    return plan_exports(held, wanted, not run.changing)


def _differing(before: Sequence[Export], after: Sequence[Export]) -> tuple[tuple[Export, ...], ...]:
    """Leave out the exports that stay, except those with limits, which share rules with others."""
    stay = {each for each in {*before} & {*after} if not each.sources and each.max_connections is None}
    return tuple(tuple(each for each in exports if each not in stay) for exports in (before, after))
