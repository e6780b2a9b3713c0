"""Ranges of numbers (addresses): free ranges besides used ones, without counting through them.

A span is its first and last number. The cost grows with the number of spans, never with their length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netaddr import IPNetwork

Span = tuple[int, int]


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether two networks have an address in common."""
    return one in other or other in one


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same numbers in ascending spans that neither overlap nor touch."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def gaps(free: Iterable[Span], busy: Iterable[Span]) -> Iterator[Span]:
    """Return the parts of `free` (ascending, disjoint) outside all of `busy`, lowest first."""
    taken = iter(merged(busy))
    block = next(taken, None)
    for first, last in free:
        while block is not None and block[0] <= last:
            if block[0] > first:
                yield first, block[0] - 1
            first = max(first, block[1] + 1)
            if block[1] > last:
                break
            block = next(taken, None)
        if first <= last:
            yield first, last


def aligned(free: Iterable[Span], bits: int) -> Span | None:
    """Return the lowest block of 2**bits numbers, aligned as a subnet, that lies in one span."""
    size = 1 << bits
    for first, last in free:
        start = -(-first // size) * size
        if start + size - 1 <= last:
            return start, start + size - 1
    return None


def subnet_bits(hosts: int) -> int:
    """Return the host bits of the smallest subnet for so many pots, its two ends and the gateway."""
    return (hosts + 2).bit_length()  # The smallest with 2**bits >= hosts + 3.
