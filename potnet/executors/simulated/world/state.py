"""The state of a simulated host: rows of (kind, key, JSON) in one SQLite file.

Several processes may use one file: a changing command is one ``BEGIN IMMEDIATE`` transaction, and a reading
command sees a single snapshot (WAL). Keys of one kind sort as text, so that a prefix is a cheap range.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""


#: A name may contain bytes outside UTF-8, which SQLite stores as private characters.
_STORED = {0xDC80 + byte: 0xF0080 + byte for byte in range(128)}
_READ = {stored: byte for byte, stored in _STORED.items()}


class WriteInReadError(Exception):
    """A command that should only read tried to change the host."""


class NeedsWriteError(Exception):
    """A look changes the world (a dying jail ends, an advertisement arrives); the command is run again as
    a change."""


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite's busy time-out does not cover two processes that switch at once."""
    give_up = time.monotonic() + 30.0
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


class State:
    """One open database; with path None it is in memory and temporary."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite would derive the file's mode from the umask.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path or ":memory:", timeout=30.0, isolation_level=None)
        self._writing = False
        try:
            if path is not None:
                _write_ahead(self._db)
            # A power cut may lose the last moments of a simulation without harm.
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(_SCHEMA)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self, write: bool) -> Iterator[None]:
        """Run a transaction; an exception rolls it back."""
        self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self._writing = write
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite itself rolls back on some errors, for example a full disk.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._writing = False

    def look(self) -> None:
        """Announce a change that a look causes, not the command."""
        if not self._writing:
            raise NeedsWriteError

    def changing(self) -> None:
        """Announce any change."""
        if not self._writing:
            raise WriteInReadError

    def get(self, kind: str, key: str) -> Row | None:
        found = self._db.execute(
            "SELECT value FROM thing WHERE kind = ? AND key = ?", (kind, key.translate(_STORED))
        ).fetchone()
        return None if found is None else json.loads(found[0])

    def put(self, kind: str, key: str, value: Row) -> None:
        self.changing()
        self._db.execute(
            "INSERT INTO thing VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (kind, key.translate(_STORED), json.dumps(value, separators=(",", ":"))),
        )

    def delete(self, kind: str, key: str) -> None:
        self.changing()
        self._db.execute("DELETE FROM thing WHERE kind = ? AND key = ?", (kind, key.translate(_STORED)))

    def scan(self, kind: str, prefix: str = "") -> list[tuple[str, Row]]:
        """Return the rows whose key begins with the prefix, in the order of their keys."""
        rows = self._db.execute(
            "SELECT key, value FROM thing WHERE kind = ? AND key >= ? AND key < ? ORDER BY key",
            (kind, *_range(prefix)),
        )
        return [(key.translate(_READ), json.loads(value)) for key, value in rows]

    def first(self, kind: str, prefix: str = "") -> str | None:
        """Return the first key of the kind that begins with the prefix."""
        row = self._db.execute(
            "SELECT key FROM thing WHERE kind = ? AND key >= ? AND key < ? ORDER BY key LIMIT 1",
            (kind, *_range(prefix)),
        ).fetchone()
        return None if row is None else str(row[0]).translate(_READ)

    def keys(self, kind: str, prefix: str = "") -> list[str]:
        rows = self._db.execute(
            "SELECT key FROM thing WHERE kind = ? AND key >= ? AND key < ? ORDER BY key",
            (kind, *_range(prefix)),
        )
        return [str(row[0]).translate(_READ) for row in rows]

    def next_number(self, name: str, start: int = 1) -> int:
        """Return the next value of a counter that never decreases."""
        row = self.get("counter", name)
        number = start if row is None else int(row["n"]) + 1
        self.put("counter", name, {"n": number})
        return number


def _range(prefix: str) -> tuple[str, str]:
    """Return the first key with a prefix, and a key after the last one."""
    stored = prefix.translate(_STORED)
    return stored, stored + "\U0010ffff"
