"""Copies of a store's file, made while others are at work on it."""

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
    """A copy of the file in memory, leaving no trace beside it.

    SQLite would leave -wal and -shm files behind after reading a WAL database. Without a log nothing is
    to be found there, so the file is read as immutable, and once more if it changed meanwhile. A log
    without its -shm file (another process is just opening the store) is waited for; where none comes (the
    two were copied so, or are on a file system that is read-only by now), a copy of both is read.
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
    """Read a store and its log through a copy of both, beside which SQLite can make what it needs."""
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
    """Copy a store into a file that is there whole, with mode 0600, or not at all.

    Errors: StoreError; OSError, which is FileExistsError for a target that is there, unless `overwrite`.
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
    """Give a new file its name. Errors: OSError, FileExistsError unless `overwrite`."""
    if overwrite:
        fresh.replace(target)
        return
    try:
        os.link(fresh, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links, as on a memory stick.
        if os.path.lexists(target):
            raise
        fresh.replace(target)


def sync(directory: Path) -> None:
    """Have the names in a directory on the disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def set_aside(path: Path) -> Path:
    """Rename a store, its log and the log's index, and return the new name of the first.

    The log goes first: without it the store is what it was at some time before, but a log without its store
    would be taken for that of the next one.
    """
    target = free_name(path)
    for ending in reversed(ENDINGS):
        if os.path.lexists(f"{path}{ending}"):
            Path(f"{path}{ending}").rename(f"{target}{ending}")
    sync(path.parent)
    return target


def free_name(path: Path) -> Path:
    """A name beside a store for what was there before it."""
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
                # One file to carry about, without a log beside it.
                Database(copy, place).row("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()
        finally:
            source.close()
    except FAILURES as error:
        raise trouble(place, error) from error


def _state(path: Path) -> tuple[int, int, int, bool]:
    """Inode, size and time of the store, and whether it has a log (so that another process has it open,
    or was killed)."""
    with os_errors(path):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, Path(f"{path}-wal").exists()
