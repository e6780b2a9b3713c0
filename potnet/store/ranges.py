"""The free numbers of a pool, as sorted ranges; each operation needs a few look-ups in one index.

A pool is a network (numbers are addresses) or a numbering of the host's objects (`EPAIR`, `BRIDGE`,
`POT`). Ranges of a pool neither overlap nor touch. The caller holds the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from potnet.store.file.database import Database, Row

EPAIR = "#epair"
BRIDGE = "#bridge"
POT = "#pot"


def key(number: int) -> bytes:
    """Return the stored form of an address or unit: 16 bytes that sort like the number."""
    return number.to_bytes(16, "big")


def number(stored: bytes) -> int:
    """Return the number of a stored form; the reverse of `key`."""
    return int.from_bytes(stored, "big")


def lowest(store: Database, pool: str) -> int | None:
    """Return the lowest free number, None if the pool is full."""
    found = store.row("SELECT first FROM free_range WHERE pool = ? ORDER BY first LIMIT 1", pool)
    return number(found[0]) if found else None


def spans(store: Database, pool: str) -> Iterator[tuple[int, int]]:
    """Return the free ranges as first and last number, lowest first."""
    for first, last in store.each("SELECT first, last FROM free_range WHERE pool = ? ORDER BY first", pool):
        yield number(first), number(last)


def spans_in(store: Database, pool: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Return the free numbers from first to last, as `spans` does."""
    around = _below(store, pool, key(first))
    if around is not None and around[1] >= key(first):
        yield first, min(number(around[1]), last)
    for start, end in store.each(
        "SELECT first, last FROM free_range WHERE pool = ? AND first > ? AND first <= ? ORDER BY first",
        pool,
        key(first),
        key(last),
    ):
        yield number(start), min(number(end), last)


def lowest_beside(store: Database, pool: str, busy: Collection[int]) -> int | None:
    """Return the lowest free number that is not in `busy`."""
    busy = frozenset(busy)
    for first, last in spans(store, pool):
        while first <= last and first in busy:
            first += 1
        if first <= last:
            return first
    return None


def is_free(store: Database, pool: str, wanted: int) -> bool:
    """Whether a single number is free."""
    found = _below(store, pool, key(wanted))
    return found is not None and found[1] >= key(wanted)


def add(store: Database, pool: str, first: int, last: int) -> None:
    """Add a range to a new pool; it must not touch another range."""
    store.change("INSERT INTO free_range (pool, first, last) VALUES (?, ?, ?)", pool, key(first), key(last))


def take(store: Database, pool: str, first: int, last: int) -> bool:
    """Reserve first to last; return False, with nothing changed, if any of these numbers is not free."""
    found = _below(store, pool, key(first))
    if found is None or found[1] < key(last):
        return False
    start, end = found
    if start < key(first):
        _end(store, pool, start, first - 1)
        if key(last) < end:
            add(store, pool, last + 1, number(end))
    elif key(last) < end:
        _begin(store, pool, start, last + 1)
    else:
        store.change("DELETE FROM free_range WHERE pool = ? AND first = ?", pool, start)
    return True


def give(store: Database, pool: str, first: int, last: int) -> None:
    """Free first to last and join them with neighbouring ranges. None of the numbers may be free."""
    before = _below(store, pool, key(first))
    joins = before is not None and number(before[1]) == first - 1
    after = store.row("SELECT last FROM free_range WHERE pool = ? AND first = ?", pool, key(last + 1))
    if before is not None and joins:
        if after:
            store.change("DELETE FROM free_range WHERE pool = ? AND first = ?", pool, key(last + 1))
        _end(store, pool, before[0], number(after[0]) if after else last)
    elif after:
        _begin(store, pool, key(last + 1), first)
    else:
        add(store, pool, first, last)


def _begin(store: Database, pool: str, start: bytes, first: int) -> None:
    """Change the first number of the range that begins at `start`."""
    store.change("UPDATE free_range SET first = ? WHERE pool = ? AND first = ?", key(first), pool, start)


def _end(store: Database, pool: str, start: bytes, last: int) -> None:
    """Change the last number of the range that begins at `start`."""
    store.change("UPDATE free_range SET last = ? WHERE pool = ? AND first = ?", key(last), pool, start)


def drop(store: Database, pool: str) -> None:
    """Delete a whole pool."""
    store.change("DELETE FROM free_range WHERE pool = ?", pool)


def _below(store: Database, pool: str, at: bytes) -> Row | None:
    """Return the last range that begins at or below `at`."""
    return store.row(
        "SELECT first, last FROM free_range WHERE pool = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        pool,
        at,
    )
