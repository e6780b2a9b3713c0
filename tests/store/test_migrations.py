"""Stores of earlier versions: today's potnet reads frozen dumps of them, whatever happens on the way."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from freeze import DATA, content

from potnet.errors import StoreError
from potnet.store.file import copies, migrations
from potnet.store.store import Store

VERSIONS = sorted(int(path.stem.removeprefix("version-")) for path in DATA.glob("*.sql"))


def thawed(directory: Path, version: int) -> Path:
    """A state directory with the store of a version in it, as that version left it."""
    directory.mkdir(mode=0o700)
    path = directory / "potnet.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATA / f"version-{version}.sql").read_text("utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o600)
    return directory


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]


def kept(old: Any, new: Any) -> bool:
    """Whether all that was known still is; new fields may have come to it."""
    if isinstance(old, dict):
        return all(key in new and kept(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(kept, old, new))
    return bool(old == new)


def test_every_version_before_todays_is_frozen() -> None:
    assert set(range(1, migrations.newest())) <= set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_released_is_what_the_scripts_make(tmp_path: Path, version: int) -> None:
    with closing(sqlite3.connect(thawed(tmp_path / "state", version) / "potnet.db")) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    scripted = [(name, sql) for _, name, _, sql in migrations.schema(version) if sql is not None]
    assert sorted(found) == sorted(scripted), "a version that was released never changes: add a script"


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_lost_on_the_way_to_todays_version(
    tmp_path: Path, version: int, figure: Callable[..., None]
) -> None:
    place = thawed(tmp_path / "state", version)
    before = json.loads((DATA / f"version-{version}.json").read_text("utf-8"))
    old = dump(place / "potnet.db")
    with Store.open_copy(place, "sim") as store:
        assert kept(before, content(store))
    assert dump(place / "potnet.db") == old
    for _ in range(2):
        with Store.open(place, "sim") as store:
            assert migrations.version_of(store) == migrations.newest()
            assert kept(before, content(store))
            assert store.damage() is None
    copy = place / f"potnet.db.version-{version}"
    assert copy.exists() == (version < migrations.newest())
    if copy.exists():
        assert dump(copy) == old
        assert copy.stat().st_mode & 0o777 == 0o600
    figure("store versions", migrated=1)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_addresses_of_an_old_store_are_not_given_away(tmp_path: Path, version: int) -> None:
    with Store.open(thawed(tmp_path / "state", version), "sim") as store:
        taken = {lease.address for lease in store.leases("public")}
        assert store.reserve("public", "wok") not in taken
        for pot in store.pots():
            store.remove_pot(pot.name)
        assert store.damage() is None
        assert [lease.pot for lease in store.leases("public")] == ["wok"]


def of_all_ipv6(place: Path, name: str) -> list[Any]:
    with closing(sqlite3.connect(place / "potnet.db")) as connection:
        parent = "SELECT name FROM network WHERE parent = ? ORDER BY name"
        free = "SELECT hex(first), hex(last) FROM free_range WHERE pool = ? ORDER BY first"
        return [connection.execute(sql, (name,)).fetchall() for sql in (parent, free)]


def test_all_of_ipv6_gets_a_name_that_no_bridge_has(tmp_path: Path) -> None:
    place = thawed(tmp_path / "state", 2)
    before = of_all_ipv6(place, "IPv6")
    assert before[0]
    with Store.open(place, "sim") as store:
        assert of_all_ipv6(place, "#IPv6") == before
        assert of_all_ipv6(place, "IPv6") == [[], []]
        taken = [bridge.network6 for bridge in store.bridges() if bridge.network6 is not None]
        new = store.carve6("IPv6/6", None)
        assert taken
        assert all(new not in each and each not in new for each in taken)
        store.carve("public", "IPv6", 4)
        assert store.damage() is None


def test_an_old_bridge_called_ipv6_keeps_its_network(tmp_path: Path) -> None:
    place = thawed(tmp_path / "state", 2)
    with closing(sqlite3.connect(place / "potnet.db")) as connection:
        # As it was where that bridge came before the first network of IPv6.
        connection.execute("PRAGMA foreign_keys = OFF")
        for table in ("lease", "excluded"):
            connection.execute(f"DELETE FROM {table} WHERE network = 'oven IPv6'")  # noqa: S608
        connection.execute("UPDATE bridge SET network6 = NULL")
        connection.execute("UPDATE attachment SET address6 = NULL")
        for table, column in (("free_range", "pool"), ("network", "parent"), ("network", "name")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = 'IPv6'")  # noqa: S608
        for table, column in (
            ("network", "name"),
            ("lease", "network"),
            ("excluded", "network"),
            ("free_range", "pool"),
            ("bridge", "name"),
        ):
            connection.execute(f"UPDATE {table} SET {column} = 'IPv6' WHERE {column} = 'stove'")  # noqa: S608
        connection.execute("UPDATE attachment SET bridge = 'IPv6' WHERE bridge = 'stove'")
        connection.commit()
    before = of_all_ipv6(place, "IPv6")
    with Store.open(place, "sim") as store:
        assert store.network("IPv6") is not None
        assert of_all_ipv6(place, "IPv6") == before
        assert [lease.pot for lease in store.leases("IPv6")] == ["kettle", "pan"]
        assert store.carve6("wok/6", None).version == 6
        assert store.damage() is None


#: What a store remembers until its exports at further addresses were named.
NARROWED = "exports-narrowed"


@pytest.mark.parametrize("version", range(1, migrations.newest()))
def test_exports_that_answered_at_further_addresses_are_to_be_named_once(
    tmp_path: Path, version: int
) -> None:
    place = thawed(tmp_path / "state", version)
    with Store.open(place, "sim") as store:
        assert store.remembered(NARROWED) == ""
        store.forget(NARROWED)
    with Store.open(place, "sim") as store:
        assert store.remembered(NARROWED) is None


@pytest.mark.parametrize("remaining", ["host_address IS NOT NULL", "0"])
def test_there_is_nothing_to_name_without_such_exports(tmp_path: Path, remaining: str) -> None:
    """One address was given, or nothing is exported."""
    place = thawed(tmp_path / "state", 2)
    with closing(sqlite3.connect(place / "potnet.db", isolation_level=None)) as connection:
        connection.execute(f"DELETE FROM export WHERE NOT ({remaining})")  # noqa: S608
    with Store.open(place, "sim") as store:
        assert store.remembered(NARROWED) is None


def test_a_new_store_has_nothing_to_name(store: Store) -> None:
    assert store.remembered(NARROWED) is None


def test_the_key_of_a_table_without_rowid_comes_first(store: Store) -> None:
    # Elsewhere, integrity_check of SQLite 3.40 reports NULL in whole tables, and no backup is made.
    for kind, table, _, sql in migrations.parts(store):
        if kind == "table" and sql and "WITHOUT ROWID" in sql:
            places = [place for *_, place in store.rows(f"PRAGMA table_info({table})")]
            keys = len([place for place in places if place])
            assert places[:keys] == list(range(1, keys + 1)), table


DYING = """
import os, signal, sys
from pathlib import Path
from potnet.store.file import migrations
from potnet.store.file.database import Database
from potnet.store.store import Store
migrations.SCRIPTS += ("CREATE TABLE extra (what TEXT) STRICT;\\nINSERT INTO extra VALUES ('a');\\n",)
left, change = int(sys.argv[2]), Database.change
def dying(self, sql, *values):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return change(self, sql, *values)
Database.change = dying
Store.open(Path(sys.argv[1]), "sim")
print("done")
"""


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_statement_it_is_the_old_version_still(
    tmp_path: Path, figure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    place = thawed(tmp_path / "state", 1)
    old = dump(place / "potnet.db")
    points = 0
    while True:
        argv = [sys.executable, "-c", DYING, str(place), str(points)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert dump(place / "potnet.db") == old
        points += stride
    assert points > 3
    monkeypatch.setattr(migrations, "SCRIPTS", (*migrations.SCRIPTS, "not run"))
    with Store.open(place, "sim") as store:
        assert store.rows("SELECT what FROM extra") == [("a",)]
    assert dump(place / "potnet.db.version-1") == old
    figure("store versions", points_killed_at=points // stride)


def test_without_room_for_the_copy_it_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = thawed(tmp_path / "state", 1)
    old = dump(place / "potnet.db")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies, "put", full)
    with pytest.raises(StoreError, match="No space left"):
        Store.open(place, "sim")
    assert dump(place / "potnet.db") == old
    assert [path.name for path in place.iterdir()] == ["potnet.db"]


def test_two_that_bring_it_up_to_date_at_once(tmp_path: Path) -> None:
    place = thawed(tmp_path / "state", 1)
    old = dump(place / "potnet.db")
    argv = [sys.executable, "-c", DYING, str(place), "1000"]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [process.communicate()[0] for process in processes] == ["done\n"] * 6
    assert dump(place / "potnet.db.version-1") == old
    with closing(sqlite3.connect(place / "potnet.db")) as connection:
        assert connection.execute("SELECT count(*) FROM extra").fetchone() == (1,)
