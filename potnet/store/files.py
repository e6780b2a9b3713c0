"""The store's file: who may have it, how it comes to be, how it is opened and brought up to date."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from potnet.errors import StoreError
from potnet.store import database
from potnet.store.database import Database, trouble

FILE_NAME = "potnet.db"

#: In the file's header, so that another program's database is told from a store ("potn").
APPLICATION_ID = 0x706F746E

#: Script N leads from schema version N to N + 1.
SCRIPTS: tuple[str, ...] = tuple(
    files("potnet.store").joinpath(name).read_text(encoding="utf-8")
    for name in ("schema.sql", "schema-2.sql")
)

_COPY_TRIES = 20


def open_file(directory: Path, host_kind: str) -> sqlite3.Connection:
    """Open the store in `directory`, making both when they are missing.

    Errors: StoreError for a store that is damaged, newer, of another kind of host, or open to others.
    """
    path = directory / FILE_NAME
    with _os_errors(path):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(directory, directory.stat())
        if not _present(path):
            _create(path, host_kind)
        _check_private(path, path.lstat())
    connection = _connect(path.absolute().as_uri() + "?mode=rw", str(path))
    return _checked(connection, str(path), host_kind)


def open_memory(directory: Path, host_kind: str) -> sqlite3.Connection:
    """A copy in memory of the store in `directory`, empty when there is none. Changes nothing on disk."""
    path = directory / FILE_NAME
    with _os_errors(path):
        present = _present(path)
        if present:
            _check_private(directory, directory.stat())
            _check_private(path, path.lstat())
    memory = _connect("file::memory:", str(path))
    if present:
        _copy(path, memory)
        return _checked(memory, str(path), host_kind)
    _initialise(memory, str(path), host_kind)
    return memory


def _create(path: Path, host_kind: str) -> None:
    """Make a complete store under another name, then give it its own: nobody ever sees half a store,
    and of two processes the link of one succeeds."""
    handle, name = tempfile.mkstemp(prefix=".new-", suffix=".db", dir=path.parent)  # mode 0600
    os.close(handle)
    try:
        connection = _connect(Path(name).absolute().as_uri(), name)
        try:
            _initialise(connection, name, host_kind)
            Database(connection, name).row("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        with suppress(FileExistsError):
            os.link(name, path)
        _sync(path.parent)
    finally:
        Path(name).unlink()


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _connect(uri: str, place: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=database.BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise trouble(place, error) from error
    return connection


def _initialise(connection: sqlite3.Connection, place: str, host_kind: str) -> None:
    store = Database(connection, place)
    with store.transaction():
        store.change(f"PRAGMA application_id = {APPLICATION_ID}")
        _migrate(store)
        store.change("INSERT INTO meta (key, value) VALUES ('host_kind', ?)", host_kind)


def _checked(connection: sqlite3.Connection, place: str, host_kind: str) -> sqlite3.Connection:
    try:
        _check(Database(connection, place), place, host_kind)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(store: Database, place: str, host_kind: str) -> None:
    """Refuse what is no store, a newer one, or another host's; bring an older one up to date."""
    if _pragma(store, "PRAGMA application_id") != APPLICATION_ID:
        raise StoreError(
            f"{place} is damaged or is no potnet store", hint="put back a backup, or move it away"
        )
    version = _pragma(store, "PRAGMA user_version")
    if version > len(SCRIPTS):
        raise StoreError(
            f"the store {place} has schema version {version}, this potnet knows {len(SCRIPTS)}",
            hint="use the newer potnet that wrote it",
        )
    if version < len(SCRIPTS):
        with store.transaction():
            _migrate(store)
    found = store.row("SELECT value FROM meta WHERE key = 'host_kind'")
    if found != (host_kind,):
        theirs = found[0] if found else "unknown"
        raise StoreError(
            f"this store belongs to a {theirs} host, not to a {host_kind} one: {place}",
            hint="name another state directory for this host",
        )


def _migrate(store: Database) -> None:
    """Apply what is missing, inside the caller's transaction. Another process may have done it already."""
    for script in SCRIPTS[_pragma(store, "PRAGMA user_version") :]:
        for statement in _statements(script):
            store.change(statement)
    store.change(f"PRAGMA user_version = {len(SCRIPTS)}")


def _statements(script: str) -> Iterator[str]:
    # executescript() would commit the transaction first.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(store: Database, sql: str) -> int:
    found = store.row(sql)
    return int(found[0]) if found else 0


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    """Copy the file into memory, leaving no trace beside it.

    SQLite would leave -wal and -shm files behind after reading a WAL database. Without a log nothing is
    to be found there, so the file is read as immutable, and once more if it changed meanwhile. A log
    without its -shm file (another process is just opening the store, or it was copied so) is waited for.
    """
    for _ in range(_COPY_TRIES):
        before = _state(path)
        how = "mode=ro&readonly_shm=1" if before[-1] else "mode=ro&immutable=1"
        try:
            source = _connect(f"{path.absolute().as_uri()}?{how}", str(path))
            try:
                source.backup(memory)
            finally:
                source.close()
        except (sqlite3.Error, StoreError) as error:
            half_open = before[-1] and not Path(f"{path}-shm").exists()
            if _state(path) == before and not half_open:
                raise error if isinstance(error, StoreError) else trouble(str(path), error) from error
            time.sleep(0.01)
            continue
        if before[-1] or _state(path) == before:
            return
    raise StoreError(
        f"the store {path} cannot be read without a change to it",
        hint="run a command that is no dry run (potnet show), then this one again",
    )


def _present(path: Path) -> bool:
    # os.path.lexists() also says no where permission to look is missing.
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _state(path: Path) -> tuple[int, int, int, bool]:
    """Inode, size and time of the store, and whether it has a log (so that another process has it open,
    or was killed)."""
    with _os_errors(path):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, Path(f"{path}-wal").exists()


def _check_private(path: Path, found: os.stat_result) -> None:
    """Refuse a directory or file that somebody else could have written."""
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise StoreError(f"{path} is neither a directory nor a file", hint="move it away")
    if found.st_uid not in (0, os.geteuid()):
        raise StoreError(
            f"{path} belongs to user {found.st_uid}", hint=f"chown root {path}, or run as that user"
        )
    if found.st_mode & 0o022:
        mode = stat.S_IMODE(found.st_mode)
        raise StoreError(f"{path} can be written by others (mode {mode:04o})", hint=f"chmod go-w {path}")


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be reached: {error.strerror}",
            hint="run this as root, or name another state directory",
        ) from error
