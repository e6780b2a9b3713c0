"""Stores that contradict themselves: each way is noticed, restore refuses it, and a sound store has none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from potnet.cli.main import run
from potnet.errors import DamagedError
from potnet.store import backups
from potnet.store.consistency import contradictions
from potnet.store.store import Store

LIFE = (
    "create-private-bridge -B stove -S 4",
    "create-private-bridge -B oven -S 6 -6 auto",
    "create -p a -N public-bridge",
    "create -N public-bridge",
    "create -p dns -N public-bridge",
    "create -p b -N private-bridge -B stove",
    "create -p c -N private-bridge -B oven -N public-bridge -S dual",
    "create -p vm --tap -N public-bridge",
    "start a b",
    "set -p a -i 10.192.0.77",
    "destroy -p c",
    "create -p d -N private-bridge -B oven",
    "export-ports -p a -e 80:30080 -e udp:53-54:30052-30053",
    "export-ports -p d -e 192.168.178.20@80:30090",
    "export-ports -p b -e udp:80:30080",
    "policy add --from b --to d",
)


def exported(pot: str, protocol: str, port: int, count: int = 1, address: str | None = None) -> str:
    """The SQL of one more export, which the store itself would refuse."""
    at = "NULL" if address is None else f"'{address}'"
    values = f"'{pot}', 9, '{protocol}', 80, {port}, 0, 0, {count}, {at}, '[]', NULL"
    return f"INSERT INTO export VALUES ({values})"  # noqa: S608


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of a store with something of everything."""
    options = ["-q", "--host", "sim", "--state-dir", str(tmp_path / "state")]
    for line in LIFE:
        assert run([*options, *line.split()]) == 0, line
    assert run([*options, "store", "backup", str(tmp_path / "backup")]) == 0
    return tmp_path / "backup"


def test_a_sound_store_has_no_contradictions(backup: Path) -> None:
    with backups.read(backup, "sim") as store:
        assert contradictions(store) == ()
    with Store.open(backup.parent / "state", "sim") as store:
        assert contradictions(store) == ()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "INSERT INTO lease VALUES ('public', x'0000000000000000000000000ac00050', 'nobody')",
            "belongs to no pot",
        ),
        ("DELETE FROM lease WHERE pot = 'a'", "is not leased to it"),
        ("UPDATE lease SET pot = 'b' WHERE pot = 'a'", "is not leased to it"),
        ("UPDATE attachment SET address = '10.192.0.99' WHERE pot = 'dns'", "is not leased to it"),
        ("UPDATE attachment SET bridge = 'none' WHERE pot = 'dns'", "which does not exist"),
        ("UPDATE attachment SET unit = 99 WHERE pot = 'dns'", "the free numbers of epair"),
        ("UPDATE bridge SET unit = 99 WHERE name = 'stove'", "the free numbers of bridge"),
        (
            "INSERT INTO lease VALUES ('public', x'0000000000000000000000000affffff', 'a')",
            "is outside network public",
        ),
        ("UPDATE lease SET network = 'public' WHERE network = 'stove'", "is inside network stove"),
        (
            "INSERT INTO lease VALUES ('public', x'0000000000000000000000000ac00060', 'a')",
            "the free numbers of public",
        ),
        ("DELETE FROM free_range WHERE pool = 'public'", "the free numbers of public"),
        ("DELETE FROM excluded WHERE network = 'public'", "the free numbers of public"),
        ("INSERT INTO free_range SELECT 'gone', first, last FROM free_range LIMIT 1", "for gone"),
        ("UPDATE bridge SET network = '10.192.0.32/29' WHERE name = 'stove'", "and network stove is"),
        ("UPDATE bridge SET gateway = '10.192.9.9' WHERE name = 'stove'", "the gateway 10.192.9.9"),
        ("UPDATE network SET cidr = '10.192.0.0/29' WHERE name = 'stove'", "outside network stove"),
        ("UPDATE network SET cidr = '10.1.0.0/29' WHERE name = 'stove'", "is not in public"),
        (
            "INSERT INTO network SELECT 'x', cidr, first, last, parent FROM network WHERE name = 'stove'",
            "overlap",
        ),
        ("DELETE FROM free_range WHERE pool = '#pot'", "the free numbers of pot"),
        (exported("b", "tcp", 30080), "host port tcp 30080 is exported by pot a and by pot b"),
        (exported("a", "tcp", 30080), "is exported by pot a and by pot a"),
        (exported("b", "tcp+udp", 30080), "tcp 30080 is exported by pot a and by pot b"),
        (exported("b", "tcp", 30075, 10), "tcp 30080 is exported by pot a and by pot b"),
        (exported("b", "tcp", 30080, address="192.168.178.20"), "30080 is exported by pot a and by pot b"),
        (exported("b", "udp", 30053), "udp 30053 is exported by pot a and by pot b"),
        (exported("b", "tcp", 65535, 2), "ports are 1 to 65535"),
        (exported("b", "tcp", 1, 10**9), "ports are 1 to 65535"),
        (exported("b", "tcp", 0), "ports are 1 to 65535"),
        ("UPDATE policy SET source = 'gone' WHERE source = 'b'", "a policy names pot gone"),
        ("UPDATE policy SET destination_bridge = 1", "a policy names bridge d"),
    ],
)
def test_a_contradiction_is_noticed_and_not_restored(backup: Path, sql: str, words: str) -> None:
    with closing(sqlite3.connect(backup)) as store:
        store.execute(sql)
        store.commit()
    with pytest.raises(DamagedError) as refused:
        backups.read(backup, "sim")
    assert words in refused.value.message


def test_check_tells_what_restore_refuses(backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-q", "--host", "sim", "--state-dir", str(backup.parent / "state")]
    with closing(sqlite3.connect(backup.parent / "state/potnet.db")) as store:
        store.execute("DELETE FROM lease WHERE pot = 'dns'")
        store.commit()
    capsys.readouterr()
    assert run([*options, "check"]) == 1
    assert "store-contradicts" in capsys.readouterr().out
