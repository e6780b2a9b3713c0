"""A SQLite connection with the transactions and errors of potnet; this module knows no table.

Every sqlite3 error becomes a `StoreError` with a hint, so callers need not know sqlite3.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from potnet.errors import DamagedError, StoreError
from potnet.store.file.permissions import is_read_only

#: Maximum wait for another process that is writing.
BUSY_SECONDS = 30.0

#: Message and hint for each primary result code (https://www.sqlite.org/rescode.html).
_BUSY = ("is locked by another process", "wait until the other potnet is done, then repeat the command")
_DENIED = (
    "cannot be written",
    "run this as the user that owns the store, usually root; its file system must not be read-only",
)
_TROUBLES = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "run this as the user that owns the store, usually root"),
    sqlite3.SQLITE_FULL: ("cannot grow: the file system is full", "free some space; nothing was changed"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check for a full disk, then read the system log"),
}

_READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

#: The errors of sqlite3, including those for values that no column accepts and for invalid text.
FAILURES = (sqlite3.Error, UnicodeError, OverflowError)

#: Number of values in one query; SQLite before 3.32 accepts 999.
_AT_ONCE = 500

Row = tuple[Any, ...]


class RefusedError(StoreError):
    """SQLite refused for an unexpected reason: the store is damaged, or potnet has a bug."""


def damaged(place: str, what: str | None = None) -> DamagedError:
    """Return the error for a damaged store at `place`; what: the damage, if known."""
    return DamagedError(
        f"the store {place} is damaged{f': {what}' if what else ' or is not a store'}",
        hint="`potnet store restore FILE` puts a backup in its place",
    )


def trouble(place: str, error: Exception) -> StoreError:
    """Return the `StoreError` for a failure of sqlite3 on the store at `place`."""
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return StoreError(f"the store {place} cannot hold this value: {error}", hint="use names in UTF-8")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    garbled = isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error)
    if code in _DAMAGES or garbled:
        return damaged(place)
    if code not in _TROUBLES:
        hint = "this is a fault in potnet; please report it"
        return RefusedError(f"the store {place} refused: {error}", hint=hint)
    what, hint = _TROUBLES[code]
    if code in _READ_ONLY and is_read_only(Path(place)):
        what, hint = "cannot be written: its file system is mounted read-only", "mount it read-write"
    return StoreError(f"the store {place} {what}", hint=hint)


def connect(uri: str, place: str) -> sqlite3.Connection:
    """Open a database with the settings of a store; messages show `place`."""
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
    except FAILURES as error:
        raise trouble(place, error) from error
    return connection


class Database:
    """One open store. Threads cannot share it, and a fork cannot keep it."""

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        self._connection = connection
        self._place = place
        self._depth = 0

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return all rows of a query."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except FAILURES as error:
            raise trouble(self._place, error) from error

    def rows_of(self, sql: str, names: Sequence[str], then: str = "") -> list[Row]:
        """Return all rows of a query that ends with ``IN``, for any number of names. then: follows them."""
        found: list[Row] = []
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            found += self.rows(f"{sql} ({', '.join('?' * len(some))}) {then}", *some)
        return found

    def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None."""
        try:
            found: Row | None = self._connection.execute(sql, values).fetchone()
        except FAILURES as error:
            raise trouble(self._place, error) from error
        return found

    def each(self, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query one by one, for a reader that may stop early."""
        try:
            yield from self._connection.execute(sql, values)
        except FAILURES as error:
            raise trouble(self._place, error) from error

    def change(self, sql: str, *values: object) -> int:
        """Run one changing statement; return the number of changed rows."""
        try:
            return self._connection.execute(sql, values).rowcount
        except FAILURES as error:
            raise trouble(self._place, error) from error

    def change_each(self, sql: str, rows: Iterable[Row]) -> None:
        """Run one changing statement for each of many rows."""
        try:
            self._connection.executemany(sql, rows)
        except FAILURES as error:
            raise trouble(self._place, error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block completely or not at all. An inner block that fails undoes its own part at once."""
        outer = self._depth == 0
        self.change("BEGIN IMMEDIATE" if outer else "SAVEPOINT part")
        self._depth += 1
        try:
            yield
            self.change("COMMIT" if outer else "RELEASE part")
        except BaseException:
            self._undo(outer)
            raise
        finally:
            self._depth -= 1

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state several times, whatever other processes write meanwhile."""
        if self._busy():
            yield
            return
        self.change("BEGIN")
        try:
            yield
        finally:
            self._undo(outer=True)

    def _busy(self) -> bool:
        """Whether a transaction is open."""
        try:
            return self._connection.in_transaction
        except FAILURES as error:
            raise trouble(self._place, error) from error

    def _undo(self, outer: bool) -> None:
        # After some errors, such as a full disk, SQLite itself has ended the transaction.
        if not self._busy():
            return
        if outer:
            self.change("ROLLBACK")
        else:
            self.change("ROLLBACK TO part")
            self.change("RELEASE part")

    def close(self) -> None:
        """Close the store; a second call does nothing."""
        try:
            self._connection.close()
        except FAILURES as error:
            raise trouble(self._place, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
