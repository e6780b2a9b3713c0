"""An installation with 10,000 pots and 300 bridges: the same answers as from counting, in a bounded time."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from made_up import Call, MadeUp, Result

POTS, BRIDGES = 10_000, 300
#: Seconds of one processor for one answer. To read so many files takes a tenth of a second; to go through all
#: pots for each pot would take more than this.
LONGEST = 2.0
PUBLIC = ""


@dataclass
class Large:
    """Offsets into the network. pots: offset by name, of each bridge; blocks: first offset and host bits."""

    made: MadeUp
    base: str
    pots: dict[str, dict[str, int]] = field(default_factory=lambda: {PUBLIC: {}})
    blocks: dict[str, tuple[int, int]] = field(default_factory=dict)

    def address(self, offset: int) -> str:
        return str(ip_address(int(ip_address(self.base)) + offset))

    def network(self, offset: int, bits: int) -> str:
        return f"{self.address(offset)}/{ip_address(self.base).max_prefixlen - bits}"

    def members(self, bridge: str) -> range:
        first, bits = self.blocks[bridge]
        return range(first, first + (1 << bits))

    def taken(self) -> set[int]:
        """Of the network that all share, but for its last address, which is far away."""
        found = {0, 1, 2, *self.pots[PUBLIC].values()}
        for bridge in self.blocks:
            found.update(self.members(bridge))
        return found


def lay_out(directory: Path, network: str) -> Large:
    """Bridges with a few pots each, and pots in three of four places around them."""
    dice = random.Random(network)
    base = ip_network(network)
    made = MadeUp.at(directory, f"POT_DNS_IP={base[2]}", network=network)
    large = Large(made, str(base[0]))
    place = 3
    for number in range(BRIDGES):
        bits = dice.randint(3, 6)
        first = -(-(place + dice.randint(0, 40)) // (1 << bits)) << bits
        name = f"bridge{number}"
        large.blocks[name] = first, bits
        made.bridge(name, large.network(first, bits))
        inside = dice.sample(range(first + 2, first + (1 << bits) - 1), dice.randint(0, 5))
        large.pots[name] = {f"p{offset}": offset for offset in inside}
        place = first + (1 << bits)
    left = POTS - sum(map(len, large.pots.values()))
    reserved = large.taken()
    free = [offset for offset in range(left * 2) if offset not in reserved]
    # The lowest are all taken: the first free one is not the first that is looked at.
    some = dice.sample(free[1000 : left * 4 // 3], left - 1000)
    large.pots[PUBLIC] = {f"p{offset}": offset for offset in (*free[:1000], *some)}
    for bridge, pots in large.pots.items():
        for name, offset in pots.items():
            if bridge == PUBLIC:
                made.public(name, large.address(offset))
            else:
                made.private(name, large.address(offset), bridge)
    return large


@pytest.fixture(
    scope="module", params=["10.192.0.0/10", pytest.param("fd00:10::/64", marks=pytest.mark.slow)]
)
def large(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Large:
    return lay_out(tmp_path_factory.mktemp("large"), request.param)


@pytest.fixture
def ask(large: Large, call: Call) -> Call:
    """As `call`, of this installation, each within its time."""

    def ask(line: str) -> Result:
        with _bounded(line):
            return call(line, large.made.path)

    return ask


@contextmanager
def _bounded(what: str) -> Iterator[None]:
    before = time.process_time()
    yield
    took = time.process_time() - before
    assert took < LONGEST, f"{what} took {took:.1f} s"


def test_it_is_large(large: Large) -> None:
    assert len(list((large.made.root / "jails").iterdir())) == POTS
    assert sum(map(len, large.pots.values())) == POTS


def test_next_is_the_lowest_that_nobody_has(large: Large, ask: Call) -> None:
    taken = large.taken()
    assert ask("next").out == large.address(next(n for n in range(1 << 20) if n not in taken)) + "\n"
    for bridge in ("bridge0", f"bridge{BRIDGES // 2}"):
        members = large.members(bridge)
        taken = {members[0], members[1], members[-1], *large.pots[bridge].values()}
        free = [offset for offset in members if offset not in taken]
        found = ask(f"next -b {bridge}")
        assert (found.code, found.out) == ((0, f"{large.address(free[0])}\n") if free else (1, ""))


def test_validate_knows_what_is_taken(large: Large, ask: Call) -> None:
    taken = large.taken()
    dice = random.Random(1)
    some = [*dice.sample(sorted(taken), 4), *dice.sample(sorted({*range(max(taken))} - taken), 4)]
    for offset in some:
        assert ask(f"validate -H {large.address(offset)}").code == int(offset in taken)


def test_new_net_is_the_lowest_block_that_nothing_lies_in(large: Large, ask: Call) -> None:
    taken = large.taken()
    for size, bits in ((2, 3), (6, 4), (200, 8)):
        step = 1 << bits
        first = next(n for n in range(0, 1 << 20, step) if taken.isdisjoint(range(n, n + step)))
        expected = f"net={large.network(first, bits)}\ngateway={large.address(first + 1)}\n"
        assert ask(f"new-net -s {size}").out == expected


def test_show_and_hosts_have_every_pot_in_order(large: Large, ask: Call) -> None:
    bridge = max(large.blocks, key=lambda name: len(large.pots[name]))
    members, pots = large.members(bridge), large.pots[bridge]
    lines = [
        (members[0], f"{bridge} bridge - network "),
        (members[1], f"{bridge} bridge - gateway "),
        *sorted((offset, name) for name, offset in pots.items()),
        (members[-1], f"{bridge} bridge - broadcast "),
    ]
    expected = "".join(f"\t{large.address(offset)}\t{what}\n" for offset, what in lines)
    assert ask(f"show -b {bridge}").out == expected
    for option, of in (("", PUBLIC), (f" -b {bridge}", bridge)):
        named = sorted((offset, name) for name, offset in large.pots[of].items())
        expected = "".join(f"{large.address(offset)} {name}\n" for offset, name in named)
        assert ask(f"etc-hosts{option}").out == expected
