"""Opening: who may have a store, what is refused, what a dry run leaves behind; and transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError, StoreError
from potnet.store.file import database, migrations
from potnet.store.store import Store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a store in it that has one lease."""
    with Store.open(tmp_path / "state", "simulated") as store:
        store.define_network("public", IPNetwork("10.192.0.0/10"), [IPAddress("10.192.0.1")])
        store.reserve("public", "casserole")
    return tmp_path / "state"


@pytest.fixture
def wide_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


def content(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """All files of a directory, with what would tell that one was touched."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in directory.iterdir()
    }


@pytest.mark.usefixtures("wide_umask")
def test_a_new_store_is_private(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a" / "b", "simulated") as store:
        store.remember("key", "value")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "b").iterdir()}
        assert modes == {"potnet.db": 0o600, "potnet.db-wal": 0o600, "potnet.db-shm": 0o600}
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
        settings = [store.row(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert settings == [("wal",), (2,), (1,)]
        assert store.row("PRAGMA user_version") == (len(migrations.SCRIPTS),)


@pytest.mark.parametrize("name", ["", "potnet.db"])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_store_that_others_can_write_is_refused(place: Path, name: str, mode: int) -> None:
    (place / name).chmod(mode)
    for way in (Store.open, Store.open_copy):
        with pytest.raises(StoreError, match="can be written by others") as refused:
            way(place, "simulated")
        assert "chmod" not in str(refused.value.hint)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
@pytest.mark.parametrize("name", ["", "potnet.db"])
def test_another_users_store_is_refused(place: Path, name: str) -> None:
    os.chown(place / name, 12345, -1)
    with pytest.raises(StoreError, match="belongs to user 12345"):
        Store.open(place, "simulated")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_store_out_of_reach_is_no_empty_store(place: Path) -> None:
    place.chmod(0)
    try:
        for way in (Store.open, Store.open_copy):
            with pytest.raises(StoreError, match="cannot be reached"):
                way(place, "simulated")
    finally:
        place.chmod(0o700)


def test_a_link_in_place_of_the_file_is_refused(place: Path) -> None:
    (place / "potnet.db").rename(place / "other.db")
    (place / "potnet.db").symlink_to("other.db")
    with pytest.raises(StoreError, match="neither a directory nor a file"):
        Store.open(place, "simulated")


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be reached"):
        Store.open(tmp_path / "file" / "state", "simulated")


def test_another_hosts_store_is_refused(place: Path) -> None:
    for way in (Store.open, Store.open_copy):
        with pytest.raises(StoreError, match="belongs to a simulated host, not to a freebsd one"):
            way(place, "freebsd")


def test_a_newer_store_is_refused(place: Path) -> None:
    with sqlite3.connect(place / "potnet.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    known = migrations.newest()
    with pytest.raises(StoreError, match=f"has schema version 99, this potnet knows {known}"):
        Store.open(place, "simulated")


@pytest.mark.parametrize("damage", ["text", "empty", "head", "cut", "middle", "foreign"])
def test_a_damaged_store_is_refused(place: Path, damage: str) -> None:
    path = place / "potnet.db"
    old = path.read_bytes()
    new = {
        "text": b"This is a shopping list.\n" * 100,
        "empty": b"",
        "head": b"\0" * 4096 + old[4096:],
        "cut": old[: len(old) // 2],
        "middle": old[:4096] + b"\xa5" * (len(old) - 4096),
        "foreign": old,
    }[damage]
    path.write_bytes(new)
    if damage == "foreign":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE shopping (what TEXT)")
        connection.close()
        path.chmod(0o600)
    for way in (Store.open, Store.open_copy):
        with pytest.raises(StoreError, match="is damaged or is no") as refused:
            way(place, "simulated")
        assert refused.value.hint


def test_an_older_store_is_brought_up_to_date(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = "CREATE TABLE extra (what TEXT) STRICT;\nINSERT INTO extra VALUES ('a; b');\n"
    monkeypatch.setattr(migrations, "SCRIPTS", (*migrations.SCRIPTS, more))
    for _ in range(2):
        with Store.open(place, "simulated") as store:
            assert store.rows("SELECT what FROM extra") == [("a; b",)]
            assert len(store.leases("public")) == 1


def test_a_failed_migration_changes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = migrations.SCRIPTS
    broken = "CREATE TABLE extra (what TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);\n"
    monkeypatch.setattr(migrations, "SCRIPTS", (*scripts, broken))
    with pytest.raises(StoreError):
        Store.open(place, "simulated")
    monkeypatch.setattr(migrations, "SCRIPTS", scripts)
    with Store.open(place, "simulated") as store:
        assert store.rows("SELECT name FROM sqlite_schema WHERE name = 'extra'") == []


def test_a_dry_run_without_a_store_makes_none(tmp_path: Path) -> None:
    with Store.open_copy(tmp_path / "state", "simulated") as store:
        store.remember("key", "value")
        assert store.pots() == ()
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_changes_nothing(place: Path) -> None:
    before = content(place)
    with Store.open_copy(place, "simulated") as copy:
        copy.reserve("public", "third")
        assert len(copy.leases("public")) == 2
    assert content(place) == before


WRITING = """
import sys
from pathlib import Path
from potnet.store.store import Store
with Store.open(Path(sys.argv[1]), "simulated") as store:
    store.reserve("public", "second")
    with store.transaction():
        store.reserve("public", "not yet")
        print(flush=True)
        sys.stdin.read()
"""


def test_a_dry_run_beside_a_writer(place: Path) -> None:
    command = [sys.executable, "-c", WRITING, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = content(place)
        with Store.open_copy(place, "simulated") as copy:
            assert [lease.pot for lease in copy.leases("public")] == ["casserole", "second"]
        assert content(place) == before
        process.communicate()
    with Store.open(place, "simulated") as store:
        assert len(store.leases("public")) == 3


def test_a_dry_run_sees_what_a_killed_process_committed(place: Path) -> None:
    with Store.open(place, "simulated") as store:
        store.reserve("public", "second")
        kept = {path.name: path.read_bytes() for path in place.iterdir()}
    for name, data in kept.items():
        (place / name).write_bytes(data)
        (place / name).chmod(0o600)
    before = content(place)
    with Store.open_copy(place, "simulated") as copy:
        assert len(copy.leases("public")) == 2
    assert content(place) == before


def test_a_log_without_its_index_is_read_and_left_as_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(place, "simulated") as store:
        store.reserve("public", "second")
        kept = {path.name: path.read_bytes() for path in place.iterdir() if path.suffix != ".db-shm"}
    for name, data in kept.items():
        (place / name).write_bytes(data)
        (place / name).chmod(0o600)
    before = content(place)
    with Store.open_copy(place, "simulated") as copy:
        assert len(copy.leases("public")) == 2
    assert content(place) == before
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(place / "nowhere"))
        with pytest.raises(StoreError, match="cannot be read through a copy") as refused:
            Store.open_copy(place, "simulated")
        assert "TMPDIR" in str(refused.value.hint)
    (place / "potnet.db").write_bytes(b"no store")
    with pytest.raises(StoreError):
        Store.open_copy(place, "simulated")


def test_all_or_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.reserve("public", "casserole")
        store.remember("key", "value")
        raise ZeroDivisionError
    assert store.leases("public") == () and store.remembered("key") is None


def test_an_inner_failure_undoes_its_own_part(store: Store) -> None:
    with store.transaction():
        store.reserve("public", "casserole")
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.reserve("public", "pan")
            raise ZeroDivisionError
        with pytest.raises(PotnetError):
            store.reserve("public", "pan", IPAddress("10.192.0.3"))
    assert [lease.pot for lease in store.leases("public")] == ["casserole"]


def test_a_locked_store_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with Store.open(place, "simulated") as one, Store.open(place, "simulated") as two, one.transaction():
        one.reserve("public", "pan")
        with pytest.raises(StoreError, match="is locked by another process") as refused:
            two.reserve("public", "pot")
        assert refused.value.hint
        assert len(two.leases("public")) == 1


def test_a_full_disk_says_so_and_loses_nothing(place: Path) -> None:
    with Store.open(place, "simulated") as store:
        pages = store.row("PRAGMA page_count")
        assert pages
        store.row(f"PRAGMA max_page_count = {pages[0]}")
        with pytest.raises(StoreError, match="the file system is full"), store.transaction():
            store.reserve("public", "pan")
            store.remember("key", "x" * 100_000)
        assert [lease.pot for lease in store.leases("public")] == ["casserole"]
        store.reserve("public", "pan")


def test_text_that_cannot_be_kept_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="cannot hold this value"):
        store.remember("key", "\udc80")
    assert store.remembered("key") is None


def test_closing_twice(place: Path) -> None:
    store = Store.open(place, "simulated")
    store.close()
    store.close()
    with pytest.raises(StoreError):
        store.pots()
