"""The store's file: creation, opening and upgrade."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from potnet.errors import DamagedError, StoreError
from potnet.store.file import FILE_NAME, copies, migrations
from potnet.store.file.database import Database, RefusedError, connect, damaged
from potnet.store.file.permissions import check_directory, check_private, make_directory, os_errors

#: In the file's header; it distinguishes a store from another program's database ("potn").
APPLICATION_ID = 0x706F746E


def open_file(directory: Path, host_kind: str) -> sqlite3.Connection:
    """Open the store in `directory`; create both if they are missing.

    Errors: StoreError for a store that is damaged, newer, of another kind of host, or open to other users.
    """
    path = directory / FILE_NAME
    with os_errors(path):
        make_directory(directory)
        check_directory(directory)
        _refuse_lone_log(path)
        if not present(path):
            _create(path, host_kind)
        check_private(path, path.lstat())
    connection = connect(path.absolute().as_uri() + "?mode=rw", str(path))
    return checked(connection, str(path), host_kind, former=path)


def open_memory(directory: Path, host_kind: str) -> sqlite3.Connection:
    """Return a copy in memory of the store in `directory`, or an empty one; the disk is not changed."""
    path = directory / FILE_NAME
    with os_errors(path):
        if present(path):
            check_directory(directory)
            check_private(path, path.lstat())
            return checked(copies.in_memory(path), str(path), host_kind)
        _refuse_lone_log(path)
    return open_blank(path, host_kind)


def open_blank(path: Path, host_kind: str) -> sqlite3.Connection:
    """Return an empty store in memory in place of the store at `path`."""
    memory = connect("file::memory:", str(path))
    _initialise(memory, str(path), host_kind)
    return memory


def checked(
    connection: sqlite3.Connection, place: str, host_kind: str, former: Path | None = None
) -> sqlite3.Connection:
    """Check that a store is of this kind of host, and upgrade it; close the connection on failure.

    former: the file; a copy of it is kept before an upgrade.
    """
    try:
        _check(Database(connection, place), place, host_kind, former)
    except RefusedError as error:
        connection.close()
        raise damaged(place) from error
    except BaseException:
        connection.close()
        raise
    return connection


def present(path: Path) -> bool:
    """Whether something of this name exists; raises OSError if that cannot be determined."""
    # os.path.lexists() also returns False if the directory cannot be searched.
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _refuse_lone_log(path: Path) -> None:
    """Refuse a log without its store: SQLite would apply it to the next store that is made."""
    # The order matters: a store that another process makes meanwhile exists before its log.
    if present(Path(f"{path}-wal")) and not present(path):
        raise DamagedError(
            f"the store {path} is missing, but its log {path}-wal exists",
            hint="`potnet store restore FILE` replaces both with a backup",
        )


def _create(path: Path, host_kind: str) -> None:
    """Make a complete store under another name, then rename it: no process ever sees an incomplete store."""
    fresh = path.with_name(".new.db")
    with _alone(path.parent):
        if present(path):
            return
        # Remains of a creation that was cut off must not become part of this store.
        for name in (fresh, Path(f"{fresh}-journal"), Path(f"{fresh}-wal"), Path(f"{fresh}-shm")):
            name.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = connect(fresh.absolute().as_uri(), str(fresh))
        try:
            _initialise(connection, str(fresh), host_kind)
            Database(connection, str(fresh)).row("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            fresh.unlink()
            raise
        connection.close()
        fresh.rename(path)
        copies.sync(path.parent)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other processes from making a store in this directory during the block."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _initialise(connection: sqlite3.Connection, place: str, host_kind: str) -> None:
    store = Database(connection, place)
    with store.transaction():
        store.change(f"PRAGMA application_id = {APPLICATION_ID}")
        migrations.migrate(store)
        store.change("INSERT INTO meta (key, value) VALUES ('host_kind', ?)", host_kind)


def _check(store: Database, place: str, host_kind: str, former: Path | None) -> None:
    """Refuse another file, a newer store, or another host's; upgrade an older store."""
    version = migrations.version_of(store)
    if migrations.pragma(store, "PRAGMA application_id") != APPLICATION_ID or version < 1:
        raise damaged(place)
    if version > migrations.newest():
        raise StoreError(
            f"the store {place} has schema version {version}, this potnet knows {migrations.newest()}",
            hint="use the newer potnet that wrote it",
        )
    if version < migrations.newest():
        with store.transaction():
            if former is not None:
                _keep(former, migrations.version_of(store))
            migrations.migrate(store)
    found = store.row("SELECT value FROM meta WHERE key = 'host_kind'")
    if found != (host_kind,):
        theirs = found[0] if found else "unknown"
        raise StoreError(
            f"this store belongs to a {theirs} host, not to a {host_kind} one: {place}",
            hint="name another state directory for this host",
        )


def _keep(path: Path, version: int) -> None:
    """Keep a copy of a store from an older potnet, for a return to that version.

    The caller's transaction keeps all others from writing meanwhile, and has written nothing yet.
    """
    if version < migrations.newest():
        with os_errors(path):
            copies.save(path, Path(f"{path}.version-{version}"), overwrite=True)
