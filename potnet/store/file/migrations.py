"""The versions of the store: the schema of each, and the upgrade from older versions.

A released version never changes; each new version adds one script.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from potnet.store.file.database import Database, Row, connect

#: Script N upgrades schema version N to N + 1. importlib.resources took 8 ms to read the scripts.
SCRIPTS: tuple[str, ...] = tuple(
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("schema.sql", "schema-2.sql", "schema-3.sql")
)


def newest() -> int:
    """Return the version that this potnet writes."""
    return len(SCRIPTS)


def version_of(store: Database) -> int:
    """Return the version of a store; 0 for an empty file."""
    return pragma(store, "PRAGMA user_version")


def migrate(store: Database) -> None:
    """Apply missing scripts in the caller's transaction, unless another process has applied them."""
    for script in SCRIPTS[version_of(store) :]:
        _apply(store, script)
    store.change(f"PRAGMA user_version = {newest()}")


def schema(version: int) -> list[Row]:
    """Return the schema of a store version, in the form of `parts`."""
    blank = Database(connect("file::memory:", "schema"), "schema")
    with blank, blank.transaction():
        for script in SCRIPTS[:version]:
            _apply(blank, script)
        return parts(blank)


def parts(store: Database) -> list[Row]:
    """Return the rows of sqlite_schema, without the objects that SQLite makes itself."""
    return store.rows(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name"
    )


def pragma(store: Database, sql: str) -> int:
    """Return the number that a pragma reports."""
    found = store.row(sql)
    return int(found[0]) if found else 0


def _apply(store: Database, script: str) -> None:
    for statement in _statements(script):
        store.change(statement)


def _statements(script: str) -> Iterator[str]:
    # executescript() would commit the transaction first.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
