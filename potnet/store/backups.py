"""Backups of a store, and the replacement of a store by another."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from potnet.errors import DamagedError, PotnetError, StoreError
from potnet.runtime.trust import check_trusted
from potnet.store.file import FILE_NAME, copies
from potnet.store.file.database import damaged
from potnet.store.file.files import checked, open_blank
from potnet.store.file.permissions import check_private, exposed, os_errors
from potnet.store.store import Store


def write(store: Store, path: Path, overwrite: bool) -> None:
    """Save a store, which others may use meanwhile, in a private file that is complete or not made.

    Errors: the store is damaged; the target exists (with `overwrite`, if not a file); it cannot be
    written.
    """
    damage = store.damage()
    if damage is not None:
        raise damaged(str(store.path), damage)
    _check_target(store, path, overwrite)
    check_trusted(path.absolute().parent)
    try:
        copies.save(store.path, path, overwrite)
    except FileExistsError as error:
        raise _is_there(path) from error
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def others_may_replace(path: Path) -> bool:
    """Whether other users could replace a backup; raises StoreError."""
    with os_errors(path):
        return exposed(path.absolute().parent)


def read(path: Path, host_kind: str) -> Store:
    """Return a backup, in memory and upgraded.

    Errors: it is not found, no backup, damaged, newer, of another kind of host, or writable by others.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", hint="name a backup") from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path}: not a file", hint="name one that `potnet store backup` has made")
    check_private(path, found)
    check_trusted(path)
    try:
        backup = Store(checked(copies.in_memory(path), str(path), host_kind), str(path))
        damage = backup.damage() or _contradiction(backup)
    except DamagedError as error:
        raise DamagedError(error.message, hint="name another backup") from error
    if damage is not None:
        backup.close()
        raise DamagedError(f"the backup {path} is damaged: {damage}", hint="name another backup")
    return backup


def _contradiction(backup: Store) -> str | None:
    from potnet.store.consistency import contradictions, listed

    return listed(contradictions(backup)) or None


def replace(store: Store, other: Store) -> None:
    """Replace the content of this store with that of another store of the same version.

    Runs in the caller's transaction, so readers see either the old or the new content.
    """
    tables = [name for (name,) in store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    with store.transaction():
        # With deferred checks, the order of the tables does not matter.
        store.change("PRAGMA defer_foreign_keys = ON")
        for table in tables:
            store.change(f"DELETE FROM {table}")  # noqa: S608 - a name of our own schema
        for table in tables:
            for row in other.each(f"SELECT * FROM {table}"):  # noqa: S608
                places = ", ".join("?" * len(row))
                store.change(f"INSERT INTO {table} VALUES ({places})", *row)  # noqa: S608


def open_for_restore(directory: Path, host_kind: str) -> tuple[Store, bool]:
    """Return the store in a directory and False, or an empty store in memory and True if it is damaged.

    Errors: those of `Store.open`, except damage.
    """
    return _unless_damaged(Store.open, directory, host_kind)


def open_for_trial(directory: Path, host_kind: str) -> tuple[Store, bool]:
    """Return the same with a copy in memory, for a dry run."""
    return _unless_damaged(Store.open_copy, directory, host_kind)


def _unless_damaged(
    opens: Callable[[Path, str], Store], directory: Path, host_kind: str
) -> tuple[Store, bool]:
    try:
        store = opens(directory, host_kind)
    except DamagedError:
        pass
    else:
        if store.damage() is None:
            return store, False
        store.close()
    path = directory / FILE_NAME
    return Store(open_blank(path, host_kind), str(path)), True


def start_over(directory: Path, host_kind: str) -> tuple[Store, Path]:
    """Set a damaged store aside and begin an empty one; also return the damaged store's new name.

    The caller holds all locks. Errors: the store is no longer damaged.
    """
    store, damaged = open_for_restore(directory, host_kind)
    store.close()
    if not damaged:
        raise StoreError("the store has been repaired meanwhile", hint="check it with `potnet list`")
    with os_errors(directory / FILE_NAME):
        kept = copies.set_aside(directory / FILE_NAME)
    return Store.open(directory, host_kind), kept


def keep_former(store: Store) -> Path:
    """Save a store beside itself before it is replaced, and return the name of the copy."""
    kept = copies.free_name(store.path)
    with os_errors(kept):
        copies.save(store.path, kept, overwrite=False)
    return kept


def _check_target(store: Store, path: Path, overwrite: bool) -> None:
    own = {f"{store.path.resolve()}{ending}" for ending in copies.ENDINGS}
    try:
        if os.path.realpath(path) in own:
            raise PotnetError(f"{path} is the store itself", hint="name another file")
        found = path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path} already exists and is not a plain file", hint="name another file")
    if not overwrite:
        raise _is_there(path)


def _is_there(path: Path) -> StoreError:
    return StoreError(f"{path} already exists", hint="name another file, or replace it with --force")
