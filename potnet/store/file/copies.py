"""Copies of a store's file, made while other processes use the store."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from potnet.errors import StoreError
from potnet.store.file.database import FAILURES, Database, connect, trouble
from potnet.store.file.permissions import os_errors

_TRIES = 20
#: A database, its log and the log's index.
ENDINGS = ("", "-wal", "-shm")


def in_memory(path: Path) -> sqlite3.Connection:
    """Return a copy of the file in memory; the copy leaves no files beside the store.

    After reading a WAL database, SQLite would leave -wal and -shm files. If the store has no log, these
    would be empty. potnet then reads the file as immutable, and again if it changed meanwhile. If a log
    has no -shm file, another process may be opening the store, so potnet waits for the file. If none
    appears (the two were copied, or their file system is now read-only), potnet reads a copy of both.
    """
    memory = connect("file::memory:", str(path))
    for _ in range(_TRIES):
        before = _state(path)
        how = "mode=ro&readonly_shm=1" if before[-1] else "mode=ro&immutable=1"
        try:
            _read(f"{path.absolute().as_uri()}?{how}", str(path), memory)
        except (*FAILURES, StoreError) as error:
            half_open = before[-1] and not Path(f"{path}-shm").exists()
            if _state(path) == before and not half_open:
                raise error if isinstance(error, StoreError) else trouble(str(path), error) from error
            time.sleep(0.01)
            continue
        if before[-1] or _state(path) == before:
            return memory
    _through_copy(path, memory)
    return memory


def _through_copy(path: Path, memory: sqlite3.Connection) -> None:
    """Read a store and its log through a copy of both; SQLite can create its files beside the copy."""
    import tempfile  # for this and a backup only: 3 ms

    before = _state(path)
    try:
        with tempfile.TemporaryDirectory(prefix="potnet-") as place:
            copy = Path(place) / path.name
            for ending in ENDINGS[:2]:
                Path(f"{copy}{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
            if _state(path) == before:
                _read(f"{copy.as_uri()}?mode=rw", str(path), memory)
                return
    except FAILURES as error:
        raise trouble(str(path), error) from error
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be read through a copy: {error.strerror or error}",
            hint="name a directory with some space in TMPDIR",
        ) from error
    raise StoreError(f"the store {path} changed while it was read", hint="run the command again")


def _read(uri: str, place: str, memory: sqlite3.Connection) -> None:
    source = connect(uri, place)
    try:
        source.backup(memory)
    finally:
        source.close()


def save(path: Path, target: Path, overwrite: bool) -> None:
    """Copy a store into a file with mode 0600; the file is complete or not made.

    Errors: StoreError; OSError; FileExistsError for an existing target, unless `overwrite`.
    """
    import tempfile  # for a backup only: 3 ms

    handle, name = tempfile.mkstemp(prefix=".potnet-", suffix=".db", dir=target.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        _copy(path, fresh, str(target))
        put(fresh, target, overwrite)
        sync(target.parent)
    finally:
        for ending in ENDINGS:
            Path(f"{fresh}{ending}").unlink(missing_ok=True)


def put(fresh: Path, target: Path, overwrite: bool) -> None:
    """Rename a new file to its final name. Errors: OSError, FileExistsError unless `overwrite`."""
    if overwrite:
        fresh.replace(target)
        return
    try:
        os.link(fresh, target)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems, as on a memory stick, have no hard links.
        if os.path.lexists(target):
            raise
        fresh.replace(target)


def sync(directory: Path) -> None:
    """Write the names in a directory to the disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def set_aside(path: Path) -> Path:
    """Rename a store, its log and the log's index, and return the new name of the store.

    The log goes first. A store without its log is an earlier state of the store. A log without its store
    would be applied to the next store.
    """
    target = free_name(path)
    for ending in reversed(ENDINGS):
        if os.path.lexists(f"{path}{ending}"):
            Path(f"{path}{ending}").rename(f"{target}{ending}")
    sync(path.parent)
    return target


def free_name(path: Path) -> Path:
    """Return a free name beside a store, for the former store."""
    target, number = Path(f"{path}.replaced"), 0
    while any(os.path.lexists(f"{target}{ending}") for ending in ENDINGS):
        number += 1
        target = Path(f"{path}.replaced.{number}")
    return target


def _copy(path: Path, fresh: Path, place: str) -> None:
    try:
        source = connect(path.absolute().as_uri() + "?mode=rw", str(path))
        try:
            copy = connect(fresh.absolute().as_uri(), place)
            try:
                source.backup(copy)
                # A single file without a log is easier to move.
                Database(copy, place).row("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()
        finally:
            source.close()
    except FAILURES as error:
        raise trouble(place, error) from error


def _state(path: Path) -> tuple[int, int, int, bool]:
    """Return inode, size and time of the store, and whether it has a log.

    A log means that another process has the store open, or was killed.
    """
    with os_errors(path):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, Path(f"{path}-wal").exists()
