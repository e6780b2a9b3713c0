"""Open the store for each kind of command, also on a read-only or full file system."""

from __future__ import annotations

from pathlib import Path

from potnet.store.file import spare
from potnet.store.file.permissions import is_read_only
from potnet.store.store import Store


def to_read(directory: Path, kind: str) -> Store:
    """Open the store for a command that changes nothing: a copy in memory if the file cannot be written."""
    if is_read_only(directory):
        return Store.open_copy(directory, kind)
    return Store.open(directory, kind)


def to_plan(directory: Path, kind: str) -> Store:
    """Open a copy in memory, for a dry run."""
    return Store.open_copy(directory, kind)


def to_change(directory: Path, kind: str) -> Store:
    """Open the store for a command that may write it; disk space is reserved for `to_free`."""
    store = Store.open(directory, kind)
    spare.keep(directory)
    return store


def to_free(directory: Path, kind: str) -> Store:
    """Open the store for a command that releases resources and must work on a full disk."""
    spare.give_up(directory)
    return Store.open(directory, kind)
