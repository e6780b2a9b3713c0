"""Addresses given and taken back in process, with few and with a million leases."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from netaddr import IPNetwork
from rows import Row, Table

from potnet.store.store import Store

FEW, MANY = 1_000, 1_000_000
NETWORKS = {"a /10": "10.192.0.0/10", "an IPv6 /64": "fd00:10::/64"}
#: How many pairs of a reservation and a release are timed, in turns with what they are measured against.
PAIRS = 400
NET = "public"
PAGE = b"p" * 4096
#: What part of SQLite's own commits a second potnet is held to where the disk makes no 3,000.
SHARE = 0.85
#: What SQLite calls where there is one.
SYNC = getattr(os, "fdatasync", os.fsync)


def measure(table: Table, place: Path) -> None:
    for name, cidr in NETWORKS.items():
        few, _ = _filled(place, cidr, FEW)
        many, seconds = _filled(place, cidr, MANY)
        with few, many, _Bare(place) as bare:
            times = _in_turns((_pair(few), _pair(many), bare.commits, bare.syncs))
        _rows(table, name, times, MANY / seconds)


def _rows(table: Table, name: str, times: list[float], bulk: float) -> None:
    few, many, commits, syncs = times
    what = f"reserve and release in {name}"
    table.rows += [
        Row("leases", f"{what}, {MANY:,} leases", many, "µs", 1.5, few, f"the same with {FEW:,} leases"),
        Row(
            "leases", f"reserve or release in {name}, each durable", 2e6 / few, "/s", 3000, at_least=True,
            held=SHARE * 2e6 / commits,
            why=f"Each is one commit, on the disk before it returns. SQLite by itself makes "
            f"{2e6 / commits:,.0f} commits of one row a second here, and the disk {2e6 / syncs:,.0f} writes "
            f"of 4 KiB. The second bound is {SHARE:g} of the commits of SQLite.",
        ),
        Row("leases", f"{name} leased in bulk", bulk, "/s", 50_000, at_least=True),
    ]  # fmt: skip
    table.notes.append(
        f"{what}: two transactions, each on the disk before it returns (WAL, synchronous=FULL: one fdatasync "
        f"a commit). Both take {few:,.0f} µs, which makes {1e6 / few:,.0f} pairs a second; two commits to a "
        f"row of SQLite's take {commits:,.0f} µs here, and two writes of 4 KiB with fdatasync "
        f"{syncs:,.0f} µs."
    )


def _filled(place: Path, cidr: str, leases: int) -> tuple[Store, float]:
    """A store with so many leases, and the seconds that they took."""
    directory = place / f"leases-{cidr.partition(':')[0][:4]}-{leases}"
    store = Store.open(directory, "sim")
    store.define_network(NET, IPNetwork(cidr), ())
    names = [f"pot{number}" for number in range(leases)]
    begin = time.perf_counter()
    store.reserve_each(NET, names)
    return store, time.perf_counter() - begin


def _pair(store: Store) -> Callable[[], object]:
    return lambda: store.release(NET, store.reserve(NET, "one-more"))


class _Bare:
    """What a durable change costs without potnet: twice each, as a pair is two of them."""

    def __init__(self, place: Path) -> None:
        self._connection = sqlite3.connect(place / "bare.db", isolation_level=None)
        self._file = os.open(place / "bare", os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> _Bare:
        for line in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE IF NOT EXISTS one (key INTEGER PRIMARY KEY, value INTEGER)",
        ):
            self._connection.execute(line)
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        os.close(self._file)

    def commits(self) -> None:
        for value in (1, 2):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT OR REPLACE INTO one VALUES (1, ?)", (value,))
            self._connection.execute("COMMIT")

    def syncs(self) -> None:
        for _ in range(2):
            os.pwrite(self._file, PAGE, 0)
            SYNC(self._file)


def _in_turns(works: tuple[Callable[[], object], ...]) -> list[float]:
    """The median of each in microseconds."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(PAIRS):
        for each, times in zip(works, taken, strict=True):
            begin = time.perf_counter()
            each()
            times.append(1e6 * (time.perf_counter() - begin))
    return [median(times) for times in taken]
