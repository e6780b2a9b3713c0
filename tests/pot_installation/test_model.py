"""next, validate and new-net against a model that counts address by address, in small networks."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from made_up import MadeUp

from potnet.app import Records
from potnet.errors import PotnetError
from potnet.operations.from_pot import helper
from potnet.pot_installation import find
from potnet.store.store import Store

BITS = 6


@dataclass(frozen=True)
class Case:
    """Offsets into a network of 2**BITS addresses. bridges: host bits, block, gateway's place in it."""

    base: str
    gateway: int
    dns: int
    pots: frozenset[int]
    bridges: tuple[tuple[int, int, int], ...]
    own: int

    def address(self, offset: int) -> str:
        return str(ip_address(int(ip_address(self.base)) + offset))

    def network(self, bits: int = BITS, offset: int = 0) -> str:
        length = ip_address(self.base).max_prefixlen - bits
        return f"{self.address(offset)}/{length}"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    base = draw(st.sampled_from(["10.1.2.64", "10.0.0.0", "fd00::40", "2001:db8:ffff::ffff:ff80"]))
    offsets = st.integers(1, (1 << BITS) - 2)
    bridges: list[tuple[int, int, int]] = []
    taken: set[int] = set()
    for bits, place in draw(st.lists(st.tuples(st.integers(2, 4), st.integers(0, 15)), max_size=4)):
        block = (place << bits) % (1 << BITS)
        members = set(range(block, block + (1 << bits)))
        if not members & taken:
            taken |= members
            bridges.append((bits, block, draw(st.integers(1, (1 << bits) - 2))))
    return Case(
        base,
        draw(offsets),
        draw(offsets),
        draw(st.frozensets(offsets, max_size=40)),
        tuple(bridges),
        draw(st.integers(0, 3)),
    )


def lay_out(case: Case, directory: Path) -> MadeUp:
    made = MadeUp.at(
        directory,
        f"POT_GATEWAY={case.address(case.gateway)}",
        f"POT_DNS_IP={case.address(case.dns)}",
        network=case.network(),
    )
    for offset in case.pots:
        made.public(f"p{offset}", case.address(offset))
    for number, (bits, block, gateway) in enumerate(case.bridges):
        made.bridge(f"b{number}", case.network(bits, block), case.address(block + gateway))
    return made


def naive_taken(case: Case) -> set[int]:
    taken = {0, (1 << BITS) - 1, case.gateway, case.dns, *case.pots}
    for bits, block, _ in case.bridges:
        taken |= set(range(block, block + (1 << bits)))
    return taken


def naive_subnet(taken: set[int], size: int) -> tuple[int, int] | None:
    bits = next(bits for bits in range(32) if (1 << bits) - 3 >= size)
    for block in range(0, 1 << BITS, 1 << bits):
        if block + (1 << bits) <= 1 << BITS and not taken & set(range(block, block + (1 << bits))):
            return bits, block
    return None


@given(cases(), st.integers(2, 40))
def test_answers_are_those_of_the_model(case: Case, size: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        made = lay_out(case, Path(name))
        with Store.open_copy(Path(name) / "none", "sim") as store:
            taken = naive_taken(case)
            for _ in range(case.own if ip_address(case.base).version == 4 else 0):
                _lease(store, case, taken)
            records = Records(None, store if case.own else None, find(None, made.path.split(":")))
            _check(records, case, taken, size)


def _lease(store: Store, case: Case, taken: set[int]) -> None:
    """A lease of potnet's own, as create would make it."""
    from netaddr import IPAddress, IPNetwork

    store.define_network("public", IPNetwork(case.network()), (IPAddress(case.address(case.gateway)),))
    free = next((n for n in range(1 << BITS) if n not in taken), None)
    if free is not None:
        store.reserve("public", f"own{free}", IPAddress(case.address(free)))
        taken.add(free)


def _check(records: Records, case: Case, taken: set[int], size: int) -> None:
    free = [offset for offset in range(1 << BITS) if offset not in taken]
    assert _next(records, None) == (case.address(free[0]) if free else None)
    for offset in range(-1, (1 << BITS) + 1):
        assert _valid(records, case.address(offset), None) == (offset in free)
    wanted, found = naive_subnet(taken, size), _new_network(records, size)
    assert found == (None if wanted is None else case.network(*wanted))
    for number, (bits, block, gateway_at) in enumerate(case.bridges):
        ends = {0, (1 << bits) - 1, gateway_at}
        open_ = [n for n in range(1 << bits) if n not in ends and block + n not in case.pots]
        best = case.address(block + open_[0]) if open_ else None
        assert _next(records, f"b{number}") == best
        for offset in range(-1, (1 << bits) + 1):
            assert _valid(records, case.address(block + offset), f"b{number}") == (offset in open_)


def _next(records: Records, bridge: str | None) -> str | None:
    try:
        return str(helper.next_address(records, bridge))
    except PotnetError:
        return None


def _valid(records: Records, address: str, bridge: str | None) -> bool:
    try:
        helper.validate(records, address, bridge)
    except PotnetError:
        return False
    return True


def _new_network(records: Records, size: int) -> str | None:
    try:
        network, gateway = helper.new_network(records, size)
    except PotnetError:
        return None
    assert gateway == network[1]
    assert network.num_addresses - 3 >= size
    return str(network)
