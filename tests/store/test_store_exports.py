"""Which ports of the host are whose, against a model that counts them one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError, UsageError
from potnet.model.ports import Export, Transport
from potnet.model.pots import NetworkType, Pot, Stack
from potnet.operations.exports.export_text import parse_exports
from potnet.store.exports import PortSearch
from potnet.store.store import Store

#: Few ports and addresses, so that many are wanted twice.
ADDRESSES = [None, *map(IPAddress, ("192.0.2.1", "192.0.2.2", "2001:db8::1"))]
exports = st.builds(
    Export,
    st.sampled_from(Transport),
    st.integers(1, 9),
    st.integers(1024, 1036),
    count=st.integers(1, 4),
    host_address=st.sampled_from(ADDRESSES),
)
Claim = tuple[Transport, int, IPAddress | None]


def claims(export: Export) -> set[Claim]:
    """Each port with each protocol, at an address or, as None, at all."""
    return {(p, port, export.host_address) for p in export.protocol.each for port in export.host_ports}


def taken(claim: Claim, by: set[Claim]) -> bool:
    """An address clashes with itself and with all of them; all of them with any."""
    protocol, port, address = claim
    others = {at for one, number, at in by if (one, number) == (protocol, port)}
    return bool(others) and (address is None or None in others or address in others)


def pot(name: str, *exports: Export) -> Pot:
    return Pot(name, NetworkType.INHERIT, Stack.DUAL, f"/jails/{name}", exports=exports)


@given(exports, exports)
def test_two_clash_if_a_port_of_one_is_a_port_of_the_other(one: Export, other: Export) -> None:
    both = any(taken(claim, claims(other)) for claim in claims(one))
    assert (one.clash(other) is not None) == both == (other.clash(one) is not None)
    clash = one.clash(other)
    if clash:
        assert one.takes(*clash, one.host_address) and other.takes(*clash, other.host_address)


@given(st.lists(st.tuples(exports, st.booleans()), max_size=8))
def test_no_port_is_had_twice(steps: list[tuple[Export, bool]]) -> None:
    held: dict[str, Export] = {}
    with Store.open_copy(Path("/nonexistent"), "simulated") as store:
        for number, (export, give_up) in enumerate(steps):
            others = set().union(*map(claims, held.values()))
            free = not any(taken(claim, others) for claim in claims(export))
            try:
                store.add_pot(pot(f"p{number}", export))
            except PotnetError as refused:
                assert not free and "is exported by pot" in refused.message
                continue
            assert free
            held[f"p{number}"] = export
            if give_up:
                name = next(iter(held))
                store.remove_pot(name)
                del held[name]
        found = {each.name: each.exports for each in store.pots()}
        assert found == {name: (export,) for name, export in held.items()}
        for protocol in (Transport.TCP, Transport.UDP):
            for port in range(1022, 1042):
                for address in ADDRESSES:
                    owners = {n for n, e in held.items() if taken((protocol, port, address), claims(e))}
                    exporter = store.exporter(protocol, port, address)
                    assert (exporter[0] in owners) if exporter else not owners


@given(st.lists(exports, max_size=6), exports, st.sets(st.integers(1020, 1040), max_size=6))
def test_the_first_ports_that_are_free_together(before: list[Export], wanted: Export, busy: set[int]) -> None:
    with Store.open_copy(Path("/nonexistent"), "simulated") as store:
        held: set[Claim] = set()
        for number, export in enumerate(before):
            if not any(taken(claim, held) for claim in claims(export)):
                store.add_pot(pot(f"p{number}", export))
                held |= claims(export)
        first, last = 1026, 1040
        fitting = [
            port
            for port in range(first, last + 2 - wanted.count)
            if busy.isdisjoint(range(port, port + wanted.count))
            and not any(taken(claim, held) for claim in claims(replace(wanted, host_port=port)))
        ]
        ask = (wanted.protocol, first, last, busy, wanted.count, wanted.host_address)
        try:
            assert store.free_port(PortSearch(*ask)) == fitting[0]
        except PotnetError:
            assert not fitting


MAPPED = IPNetwork("::ffff:0:0/96")
#: Without IPv4-mapped ones, which are refused.
networks = (
    st.ip_addresses()
    .flatmap(
        lambda a: st.integers(0, 32 if a.version == 4 else 128).map(lambda n: IPNetwork(f"{a}/{n}").cidr)
    )
    .filter(lambda network: network not in MAPPED)
)


@given(exports, st.lists(networks, max_size=4), st.none() | st.integers(1, 65535), st.booleans())
def test_what_is_typed_is_read_as_that(
    export: Export, sources: list[IPNetwork], limit: int | None, loopback: bool
) -> None:
    (read,) = parse_exports([str(export)], loopback, [str(each) for each in sources], limit)
    assert read == replace(export, loopback=loopback, sources=read.sources, max_connections=limit)
    # Who is in the networks given is in those kept, and nobody else is.
    for one in sources:
        assert any(one in kept for kept in read.sources)
    for kept in read.sources:
        inside = [each for each in sources if each in kept]
        assert sum({each.cidr for each in inside} and _sizes(inside)) >= kept.size


def _sizes(networks: list[IPNetwork]) -> list[int]:
    """Those of networks none of which is in another."""
    apart = {each for each in networks if not any(each != other and each in other for other in networks)}
    return [each.size for each in apart]


@given(
    st.text(max_size=30)
    | st.from_regex(r"([0-9a-f.:]{0,9}@)?(tcp|udp|tcp\+udp)?:?[0-9:-]{0,20}", fullmatch=True)
)
def test_any_text_is_an_export_or_refused(text: str) -> None:
    try:
        (read,) = parse_exports([text])
    except UsageError as error:
        assert error.hint
    else:
        assert read.pot_port >= 1 and read.pot_port + read.count <= 65536
        assert read.host_port is None or 1 <= read.host_port <= 65536 - read.count
        assert parse_exports([str(read)]) == (read,)


@given(exports, exports)
def test_a_list_with_one_port_twice_is_refused(one: Export, other: Export) -> None:
    assume(one != other)
    try:
        assert parse_exports([str(one), str(other)]) == (one, other)
    except UsageError as error:
        assert one.clash(other) is not None and "twice" in error.message
