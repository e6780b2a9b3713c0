"""The versions of the store: what each consists of, and how an older one becomes the newest.

A version that was released never changes; what is new comes as one more script.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from potnet.store.file.database import Database, Row, connect

#: Script N leads from schema version N to N + 1. By importlib.resources it took 8 ms to read them.
SCRIPTS: tuple[str, ...] = tuple(
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("schema.sql", "schema-2.sql", "schema-3.sql")
)


def newest() -> int:
    """The version that this potnet writes."""
    return len(SCRIPTS)


def version_of(store: Database) -> int:
    """The version that a store has; 0 for an empty file."""
    return pragma(store, "PRAGMA user_version")


def migrate(store: Database) -> None:
    """Apply what is missing, inside the caller's transaction. Another process may have done it already."""
    for script in SCRIPTS[version_of(store) :]:
        _apply(store, script)
    store.change(f"PRAGMA user_version = {newest()}")


def schema(version: int) -> list[Row]:
    """What a store of a version consists of, as `parts` has it."""
    blank = Database(connect("file::memory:", "schema"), "schema")
    with blank, blank.transaction():
        for script in SCRIPTS[:version]:
            _apply(blank, script)
        return parts(blank)


def parts(store: Database) -> list[Row]:
    """The rows of sqlite_schema; what SQLite makes by itself is left out."""
    return store.rows(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name"
    )


def pragma(store: Database, sql: str) -> int:
    """The number that a pragma answers."""
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
