"""Checks whether jails on a host are potnet's own, and whether pots run."""

from __future__ import annotations

from collections.abc import Iterable

from potnet.errors import HostError
from potnet.host.query import Query
from potnet.host.state import HostState, JailState
from potnet.model.pots import Pot, Run


def presence(pots: Iterable[Pot]) -> Query:
    """Return the query for whether pots run: by jails, or by taps of machines. pots: as they were started."""
    known = tuple(pots)
    return Query(
        jails=tuple(pot.name for pot in known if pot.is_jail),
        roots=tuple((pot.name, pot.root) for pot in known if pot.is_jail),
        taps=tuple(tap for pot in known for tap in pot.taps),
    )


def presence_of_all(runs: Iterable[Run]) -> Query:
    """Return the same query for all recorded starts, and for jails unknown to potnet."""
    return Query(jails=None, taps=tuple(tap for run in runs for tap in run.pot.taps))


def owned(run: Run | None, found: JailState | None) -> bool:
    """Whether potnet started a jail on the host: name, path and JID match the record.

    An incomplete start has no recorded JID yet; then name and path suffice.
    """
    if run is None or found is None or found.dying or found.path not in (None, run.pot.root):
        return False
    return run.jid is None or run.jid == found.jid


def refuse_foreign(pot: Pot, run: Run | None, found: JailState | None) -> None:
    """Raises HostError if a jail of this name exists that potnet did not start."""
    if found is None or found.dying or owned(run, found):
        return
    where = f", path {found.path}" if found.path else ""
    raise HostError(
        f"a jail named {pot.name} is running (jid {found.jid}{where}) that potnet did not start",
        hint="stop it with the program that started it",
    )


def cut_off(run: Run) -> bool:
    """Whether a start is incomplete, or a stop has begun; then part of the pot may exist."""
    return run.jid is None or run.stopping


def complete(run: Run | None, state: HostState) -> bool:
    """Whether a pot runs with everything from its start, and no stop has begun."""
    return run is not None and running(run, state) and not cut_off(run)


def there(run: Run, state: HostState) -> bool:
    """Whether the jail of a recorded start exists, or a tap of a machine, complete or not."""
    if not run.pot.is_jail:
        return not state.taps.isdisjoint(run.pot.taps)
    return owned(run, state.jails.get(run.pot.name))


def running(run: Run | None, state: HostState) -> bool:
    """Whether a recorded start is complete and its jail exists, or all taps of a machine."""
    if run is None or run.jid is None:
        return False
    if not run.pot.is_jail:
        return state.taps >= {*run.pot.taps}
    return owned(run, state.jails.get(run.pot.name))
