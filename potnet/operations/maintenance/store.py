"""Backup and restore of the whole store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.operations.common import first_names
from potnet.planning.ownership import cut_off, presence_of_all, running
from potnet.runtime.fast_dataclass import dataclass
from potnet.store import backups
from potnet.store.store import Store

if TYPE_CHECKING:
    from potnet.app import App


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of a backup. replaced: the new name of the former store, None for a dry run."""

    pots: int
    bridges: int
    replaced: Path | None = None


def backup(app: App, path: Path, force: bool) -> Saved:
    """Save the store in a file; other commands may run meanwhile. force: overwrite an existing file.

    Raises PotnetError, with nothing written.
    """
    if not app.dry_run:
        backups.write(app.store, path, force)
        if backups.others_may_replace(path):
            app.notify(
                f"others can write to {path.absolute().parent} and replace {path.name}: keep backups "
                "where only root can write"
            )
    return _counted(app.store)


def restore(app: App, path: Path, force: bool) -> Saved:
    """Replace the store with a backup and keep the former store beside it; no other command may run.

    The backup must hold everything that runs exactly as recorded; otherwise running pots would be unknown and
    their addresses handed out again. force: skip that check. Raises PotnetError, with nothing changed.
    """
    with backups.read(path, app.host_kind) as backup, app.locks.hold_all():
        if app.damaged:
            app.notify(
                "the store cannot be read, so running pots are not compared with the backup: run `potnet "
                "check` afterwards"
            )
        else:
            _compare(app, backup, force)
        return _counted(backup, None if app.dry_run else _put(app, backup))


def _put(app: App, backup: Store) -> Path:
    if app.damaged:
        store, kept = backups.start_over(app.store.path.parent, app.host_kind)
        with store:
            backups.replace(store, backup)
        return kept
    kept = backups.keep_former(app.store)
    backups.replace(app.store, backup)
    return kept


def _counted(store: Store, replaced: Path | None = None) -> Saved:
    return Saved(len(store.pot_names()), len(store.bridges()), replaced)


def _compare(app: App, backup: Store, force: bool) -> None:
    """Raise if running pots would be forgotten, and report the stopped pots that are."""
    different = list(_up_otherwise(app, backup))
    if different and not force:
        raise PotnetError(
            f"the backup lacks or differs from what is running: {first_names(different)}",
            hint="stop it first; with --force it runs on, and only `potnet check` reports it",
        )
    if different:
        app.notify(f"still running, but not in the restored store: {first_names(different)}")
    gone = sorted(set(app.store.pot_names()) - set(backup.pot_names()))
    if gone:
        app.notify(f"not in the backup, but their roots stay: {first_names(gone)}")


def _up_otherwise(app: App, backup: Store) -> Iterator[str]:
    """Return running pots and bridges that the backup does not hold exactly as recorded."""
    runs, bridges = app.store.runs(), app.store.bridges()
    if not runs and not bridges:
        return
    state = app.driver.observe(replace(presence_of_all(runs), pot_bridges=True))
    for run in runs:
        # A start or stop that was cut off may have left anything on the host.
        there = cut_off(run) or running(run, state)
        if there and backup.run(run.pot.name) != run:
            yield f"pot {run.pot.name}"
    for bridge in bridges:
        known = backup.bridge(bridge.name)
        # Two fields do not count: check compares whether the bridge is pinned, and the size concerns future
        # pots.
        same = known is not None and replace(known, pinned=bridge.pinned, size=bridge.size) == bridge
        if bridge.interface in state.pot_bridges and not same:
            yield f"bridge {bridge.name}"
