"""Opening a store where the file system is read-only, or full."""

from __future__ import annotations

from pathlib import Path

from potnet.store.file import spare
from potnet.store.file.private import is_read_only
from potnet.store.store import Store


def to_read(directory: Path, kind: str) -> Store:
    """The store for a command that changes nothing: a copy in memory where it cannot be written."""
    return (Store.open_copy if is_read_only(directory) else Store.open)(directory, kind)


def opened(
    directory: Path, kind: str, dry_run: bool, changes: bool, frees: bool, restores: bool
) -> tuple[Store, bool]:
    """The store for one command, and whether it is damaged, which only one that restores can do with.

    frees: the command gives back what pots take up, and works on a full disk, too.
    """
    if restores:
        from potnet.store.backups import open_for_restore

        return open_for_restore(directory, kind, copy=dry_run)
    if dry_run:
        return Store.open_copy(directory, kind), False
    if not changes:
        return to_read(directory, kind), False
    if frees:
        spare.give_up(directory)
    store = Store.open(directory, kind)
    if not frees:
        spare.keep(directory)
    return store, False
