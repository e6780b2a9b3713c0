"""The allocator against a naive model that keeps plain sets of numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.store.store import Store

#: How many addresses above the network address the machine plays with.
REACH = 64


class Allocation(RuleBasedStateMachine):
    """Reserve, release, carve and give back in any order. Subclasses name the network."""

    network = IPNetwork("10.192.0.0/26")
    version = 4

    def __init__(self) -> None:
        super().__init__()
        self.store = Store.open_copy(Path("/nonexistent"), "simulated")
        self.base = int(self.network.first)
        self.excluded = {self.base + 1, self.base + 5}
        self.store.define_network("public", self.network, [self._address(n) for n in self.excluded])
        top = int(self.network.last) - (self.version == 4)
        self.usable = set(range(self.base + 1, min(top, self.base + REACH) + 1)) - self.excluded
        self.leased: dict[int, str] = {}
        self.parts: dict[str, set[int]] = {}
        self.inner: dict[int, tuple[str, str]] = {}

    def teardown(self) -> None:
        self.store.close()

    def _address(self, number: int) -> IPAddress:
        return IPAddress(number, self.version)

    def _free(self) -> set[int]:
        return self.usable - set(self.leased).union(*self.parts.values())

    @precondition(lambda self: self.version == 4 or self._free())
    @rule(pot=st.sampled_from("abc"))
    def reserve_lowest(self, pot: str) -> None:
        free = self._free()
        if not free:
            with pytest.raises(PotnetError, match="is full"):
                self.store.reserve("public", pot)
            return
        expected = self._address(min(free))
        assert self.store.next_free("public") == expected
        assert self.store.reserve("public", pot) == expected
        self.leased[min(free)] = pot

    @rule(pot=st.sampled_from("abc"), offset=st.integers(-2, REACH))
    def reserve_one(self, pot: str, offset: int) -> None:
        number = self.base + offset
        if number in self._free():
            self.store.check_free("public", self._address(number))
            self.store.reserve("public", pot, self._address(number))
            self.leased[number] = pot
            return
        with pytest.raises(PotnetError) as checked:
            self.store.check_free("public", self._address(number))
        with pytest.raises(PotnetError) as refused:
            self.store.reserve("public", pot, self._address(number))
        assert refused.value.message == checked.value.message
        assert refused.value.hint

    @rule(offset=st.integers(0, REACH))
    def release(self, offset: int) -> None:
        self.store.release("public", self._address(self.base + offset))
        self.leased.pop(self.base + offset, None)

    @rule(pot=st.sampled_from("abc"), kept=st.sets(st.integers(0, REACH)))
    def release_pot(self, pot: str, kept: set[int]) -> None:
        keep = {("public", self._address(self.base + offset)) for offset in kept}
        self.store.release_pot(pot, keep)
        numbers = {self.base + offset for offset in kept}
        self.leased = {n: p for n, p in self.leased.items() if p != pot or n in numbers}
        gone = [n for n, (_, holder) in self.inner.items() if holder == pot]
        for number in gone:
            del self.inner[number]

    @precondition(lambda self: self.version == 4)
    @rule(name=st.sampled_from("xyz"), hosts=st.integers(1, 30))
    def carve(self, name: str, hosts: int) -> None:
        size = next(2**bits for bits in range(2, 8) if 2**bits >= hosts + 3)
        free = self._free()
        blocks = (range(start, start + size) for start in range(self.base, self.base + REACH, size))
        block = next((set(block) for block in blocks if set(block) <= free), None)
        if name in self.parts or block is None:
            with pytest.raises(PotnetError):
                self.store.carve("public", name, hosts)
            return
        expected = IPNetwork(f"{self._address(min(block))}/{32 - (size - 1).bit_length()}")
        assert self.store.next_subnet("public", hosts) == expected
        assert self.store.carve("public", name, hosts) == expected
        assert self.store.counts(name) == (0, size - 3) and size - 3 >= hosts
        self.parts[name] = block

    @precondition(lambda self: self.parts)
    @rule(data=st.data(), pot=st.sampled_from("abc"))
    def reserve_in_part(self, data: st.DataObject, pot: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.parts)))
        block = self.parts[name]
        free = block - {min(block), min(block) + 1, max(block)} - set(self.inner)
        if free:
            assert int(self.store.reserve(name, pot)) == min(free)
            self.inner[min(free)] = (name, pot)
        else:
            with pytest.raises(PotnetError, match="is full"):
                self.store.reserve(name, pot)

    @rule(name=st.sampled_from("xyz"))
    def uncarve(self, name: str) -> None:
        if any(part == name for part, _ in self.inner.values()):
            with pytest.raises(PotnetError, match="still used by pot"):
                self.store.uncarve(name)
            return
        self.store.uncarve(name)
        self.parts.pop(name, None)

    @invariant()
    def store_is_as_the_model(self) -> None:
        leases = self.store.leases("public")
        assert [(int(lease.address), lease.pot) for lease in leases] == sorted(self.leased.items())
        spans = [
            (int.from_bytes(first, "big"), int.from_bytes(last, "big"))
            for first, last in self.store.rows(
                "SELECT first, last FROM free_range WHERE pool = 'public' ORDER BY first"
            )
        ]
        near = self.base + REACH
        numbers = [n for first, last in spans for n in range(first, min(last, near) + 1)]
        assert numbers == sorted(self._free())
        assert all(after[0] > before[1] + 1 for before, after in pairwise(spans))

    @invariant()
    def counts_are_right(self) -> None:
        leased, usable = self.store.counts("public")
        assert leased == len(self.leased)
        if self.version == 4:
            assert usable == len(self._free()) + leased


class Allocation6(Allocation):
    """The same in an IPv6 /64."""

    network = IPNetwork("2001:db8:0:1::/64")
    version = 6


TestAllocation = Allocation.TestCase
TestAllocation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAllocation6 = Allocation6.TestCase
TestAllocation6.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
