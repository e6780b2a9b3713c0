"""The free numbers of a pool, as sorted ranges: each operation is a few look-ups in one index.

A pool is a network (numbers are addresses) or a numbering of the host's things (`EPAIR`, `BRIDGE`, `POT`).
Ranges of a pool neither overlap nor touch. The caller holds the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from potnet.store.file.database import Database, Row

EPAIR = "#epair"
BRIDGE = "#bridge"
POT = "#pot"


def key(number: int) -> bytes:
    """An address or unit as it is stored: 16 bytes that sort as the number does."""
    return number.to_bytes(16, "big")


def number(stored: bytes) -> int:
    """The reverse of `key`."""
    return int.from_bytes(stored, "big")


def lowest(store: Database, pool: str) -> int | None:
    """The lowest free number, None when the pool is full."""
    found = store.row("SELECT first FROM free_range WHERE pool = ? ORDER BY first LIMIT 1", pool)
    return number(found[0]) if found else None


def spans(store: Database, pool: str) -> Iterator[tuple[int, int]]:
    """The free ranges, first and last number of each, from the lowest up."""
    for first, last in store.each("SELECT first, last FROM free_range WHERE pool = ? ORDER BY first", pool):
        yield number(first), number(last)


def spans_in(store: Database, pool: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """What is free from first to last, as `spans`."""
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
    """The lowest free number that is not in `busy` either."""
    busy = frozenset(busy)
    for first, last in spans(store, pool):
        while first <= last and first in busy:
            first += 1
        if first <= last:
            return first
    return None


def is_free(store: Database, pool: str, wanted: int) -> bool:
    """Whether this one number is free."""
    found = _below(store, pool, key(wanted))
    return found is not None and found[1] >= key(wanted)


def add(store: Database, pool: str, first: int, last: int) -> None:
    """A range that touches no other, for a new pool."""
    store.change("INSERT INTO free_range (pool, first, last) VALUES (?, ?, ?)", pool, key(first), key(last))


def take(store: Database, pool: str, first: int, last: int) -> bool:
    """Make first to last not free; False, and nothing changed, when one of them is not free."""
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
    """Make first to last free again and join them with their neighbours. None of them may be free."""
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
    """Let the range that begins at `start` begin at another number."""
    store.change("UPDATE free_range SET first = ? WHERE pool = ? AND first = ?", key(first), pool, start)


def _end(store: Database, pool: str, start: bytes, last: int) -> None:
    """Let the range that begins at `start` end at another number."""
    store.change("UPDATE free_range SET last = ? WHERE pool = ? AND first = ?", key(last), pool, start)


def drop(store: Database, pool: str) -> None:
    """Forget a whole pool."""
    store.change("DELETE FROM free_range WHERE pool = ?", pool)


def _below(store: Database, pool: str, at: bytes) -> Row | None:
    """The last range that begins at or below `at`."""
    return store.row(
        "SELECT first, last FROM free_range WHERE pool = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        pool,
        at,
    )
