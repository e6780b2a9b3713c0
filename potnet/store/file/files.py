"""The store's file: how it comes to be, how it is opened and brought up to date."""

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

#: In the file's header, so that another program's database is told from a store ("potn").
APPLICATION_ID = 0x706F746E


def open_file(directory: Path, host_kind: str) -> sqlite3.Connection:
    """Open the store in `directory`, making both when they are missing.

    Errors: StoreError for a store that is damaged, newer, of another kind of host, or open to others.
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
    """A copy in memory of the store in `directory`, empty when there is none. Changes nothing on disk."""
    path = directory / FILE_NAME
    with os_errors(path):
        if present(path):
            check_directory(directory)
            check_private(path, path.lstat())
            return checked(copies.in_memory(path), str(path), host_kind)
        _refuse_lone_log(path)
    return open_blank(path, host_kind)


def open_blank(path: Path, host_kind: str) -> sqlite3.Connection:
    """An empty store in memory, to stand for the one at `path`."""
    memory = connect("file::memory:", str(path))
    _initialise(memory, str(path), host_kind)
    return memory


def checked(
    connection: sqlite3.Connection, place: str, host_kind: str, former: Path | None = None
) -> sqlite3.Connection:
    """The connection, if it is to a store of this kind of host, brought up to date; else it is closed.

    former: the file, of which a copy as it was is kept when it is brought up to date.
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
    """Whether something of this name is there; raises OSError where that cannot be seen."""
    # os.path.lexists() also says no where permission to look is missing.
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _refuse_lone_log(path: Path) -> None:
    """A log without its store would be taken for that of the next store that is made."""
    # In this order: a store that another process makes meanwhile is there before its log is.
    if present(Path(f"{path}-wal")) and not present(path):
        raise DamagedError(
            f"the store {path} is gone, and its log {path}-wal is not",
            hint="put the store back, or move its log away, too; `potnet store restore FILE` does that",
        )


def _create(path: Path, host_kind: str) -> None:
    """Make a complete store under another name, then give it its own: nobody ever sees half a store."""
    fresh = path.with_name(".new.db")
    with _alone(path.parent):
        if present(path):
            return
        # What is left of one that was cut off must not be taken for part of this one.
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
    """Keep other processes from making a store in this directory while the block runs."""
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
    """Refuse what is no store, a newer one, or another host's; bring an older one up to date."""
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
    """Keep a store as an older potnet wrote it, for whoever goes back to that one.

    The caller's transaction keeps all others from writing meanwhile, and has written nothing yet.
    """
    if version < migrations.newest():
        with os_errors(path):
            copies.save(path, Path(f"{path}.version-{version}"), overwrite=True)
