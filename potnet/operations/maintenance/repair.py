"""repair: correct the host so that it matches the store, where potnet owns the state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from potnet.apply import try_all
from potnet.errors import HostError
from potnet.host.actions import Action, Plan
from potnet.host.findings import Finding, Kind
from potnet.host.state import HostState
from potnet.operations.common import NETWORK_LOCK, Failures, look_for, pot_lock, require_bridge
from potnet.operations.exports.export_ports import finish_exports
from potnet.operations.files.hooks import finish_hooks
from potnet.operations.files.hosts_files import record_updated, update_due_files
from potnet.operations.files.moves import take_back_rename
from potnet.operations.journal import unfinished
from potnet.operations.lan.dhcp import adopt
from potnet.operations.maintenance.check import Look, Scope, look, look_now, scope_of
from potnet.operations.maintenance.init import INIT, init
from potnet.operations.networks.external import record
from potnet.operations.networks.units import forget_switches, found_hidden, free_bridge, renumber, switched
from potnet.operations.pots.destroy import remove_rest
from potnet.operations.running.cleanup import clear_up
from potnet.planning.check.drift import Drift
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: Kinds of findings that a stop repairs, rather than single steps.
_STOPPED = (Kind.START_CUT_OFF, Kind.STOP_CUT_OFF, Kind.POT_GONE)
#: Kinds of findings about the content of anchors.
_RULES = (Kind.RULES_MISSING, Kind.RULES_DIFFER, Kind.RULES_LEFT)
#: Kinds of findings that a destroy, or the command that was cut off, repairs.
_CLEARED = (*_STOPPED, Kind.POT_CUT_OFF, Kind.COMMAND_CUT_OFF)


@dataclass(frozen=True, slots=True)
class Report:
    """mended: differences that are repaired. left: differences that only the administrator can repair."""

    mended: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()


def repair(app: App, pots: Sequence[str], bridge: str | None, rules: bool = False) -> Report:
    """Repair the differences within the scope. Every one is tried, then failures are raised together.

    rules: only those of the packet filter's rules.
    """
    scope = scope_of(app, pots, bridge, _RULES if rules else None)
    first = look(app, scope)
    for name in first.busy:
        app.notify(f"{name} is skipped: another potnet command is changing it")
    if not first.drifts:
        return Report()
    names = {drift.finding.pot for drift in first.drifts if drift.finding.pot is not None}
    # A new unit of a bridge changes the rules of the pots on it.
    missing = {drift.finding.bridge for drift in first.drifts if drift.finding.kind is Kind.BRIDGE_MISSING}
    names |= {pot for bridge in missing if bridge is not None for pot in app.store.bridged_names(bridge)}
    with ExitStack() as held:
        # Locks are taken in the order of all commands: pots by name, then the network.
        for lock in (*map(pot_lock, sorted(names)), NETWORK_LOCK):
            held.enter_context(app.locks.hold(lock))
        return _repair(app, scope, names)


def _repair(app: App, scope: Scope, names: set[str]) -> Report:
    failures = Failures("repair")
    mended: list[Finding] = []
    found = look_now(app, scope)
    drifts = _ours(found, names)
    gone = [drift.finding for drift in drifts if _by_command(drift.finding)]
    for finding in gone:
        with failures.collect(_subject(finding)):
            if finding.kind is Kind.COMMAND_CUT_OFF:
                _finish(app, finding.pot)
            else:
                _clear_up(app, str(finding.pot), finding.kind)
            mended.append(finding)
    if gone:
        # The repair removed what these pots had left.
        found = look_now(app, scope)
        drifts = _ours(found, names)
    hidden: frozenset[str] = frozenset()
    while taken := _mend_all(app, drifts, failures, mended, hidden):
        hidden |= taken
        found = look_now(app, scope)
        drifts = _ours(found, names)
    if not failures.names and scope.is_whole:
        record(
            app,
            found.facts.external,
            alone=True,
            further=found.facts.further,
            networks=found.facts.networks,
        )
        for bridge in app.store.bridges() if scope.kinds is None else ():
            record_updated(app, bridge.name)
    failures.throw([f"mended: {finding.kind} {_subject(finding)}" for finding in mended], app.notify)
    return Report(tuple(mended), tuple(d.finding for d in drifts if not d.finding.repairable))


def _ours(found: Look, names: set[str]) -> list[Drift]:
    """Keep the findings about locked pots; pots that appeared since must wait."""
    return [d for d in found.drifts if d.finding.pot is None or d.finding.pot in names]


def _subject(finding: Finding) -> str:
    return finding.pot or finding.bridge or finding.interface or "the host"


def _by_command(finding: Finding) -> bool:
    """Whether another command repairs the finding, rather than single steps."""
    return finding.repairable and finding.kind in _CLEARED


def _finish(app: App, name: str | None) -> None:
    """Complete an init or a set-hook that was cut off, or take back a rename."""
    if name is None:
        for each in unfinished(app):
            if each.verb == INIT:
                options, _, named = each.text.partition("--pf-conf ")
                init(app, "--apply" in options, "--loopback" in options, named or None)
        return
    pot = app.store.pot(name)
    if pot is not None:
        take_back_rename(app, pot)
        finish_hooks(app, pot)
        finish_exports(app, name)


def _clear_up(app: App, name: str, kind: Kind) -> None:
    pot = app.store.pot(name)
    if kind is Kind.POT_CUT_OFF and pot is not None:
        remove_rest(app, pot)
        update_due_files(app, pot)
        app.locks.discard(pot_lock(name))
        return
    run = app.store.run(name)
    if run is not None:
        clear_up(app, run, look_for(app, run.pot, run))


def _mend_all(
    app: App, drifts: Sequence[Drift], failures: Failures, mended: list[Finding], hidden: frozenset[str]
) -> frozenset[str]:
    """Repair one finding after another, until one takes another unit than recorded.

    hidden: names in use on the host but not shown. Returns the hidden names found now.
    """
    done: set[Action] = set()
    for drift in drifts:
        finding = drift.finding
        if finding.repairable and not _by_command(finding):
            with failures.collect(_subject(finding)):
                taken = _mend(app, drift, done, hidden)
                if taken:
                    return taken
                mended.append(finding)
    return frozenset()


def _mend(app: App, drift: Drift, done: set[Action], hidden: frozenset[str]) -> frozenset[str]:
    """Apply the steps of one finding that no earlier finding had. hidden, result: as of `_mend_all`."""
    steps = tuple(step for step in drift.steps if step.action not in done)
    done.update(step.action for step in steps)
    back = drift.finding.kind in (Kind.FORWARDING_LEFT, Kind.MEMBERS_FILTERED)
    for key, value in switched(Plan(steps)).items() if not back else ():
        # As with a start, the stop of the last bridge switches it off again.
        app.store.remember(key, value)
    failed = try_all(Plan(steps), app.driver)
    taken = found_hidden(failed, hidden)
    if taken:
        _renumber(app, drift.finding, hidden | taken)
        return taken
    if failed:
        raise HostError(
            f"{drift.finding.kind}" + "".join(f"\n  not done: {error.message}" for error in failed),
            hint="remove the cause, then run `potnet repair` again",
        )
    if back:
        forget_switches(app, Plan(steps))
    if drift.learned is not None:
        run = app.store.run(drift.learned.pot)
        if run is not None:
            adopt(app, run, [drift.learned])
    if drift.lease is not None:
        app.store.release(drift.lease.network, drift.lease.address)
    return frozenset()


def _renumber(app: App, finding: Finding, hidden: frozenset[str]) -> None:
    """Record other units for interfaces whose names are in use on the host but not shown."""
    if finding.pot is not None:
        renumber(app, finding.pot, hidden)
    elif finding.bridge is not None:
        free_bridge(app, require_bridge(app, finding.bridge), HostState(), hidden)
