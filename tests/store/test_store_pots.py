"""Pots, bridges, runs and the small values: what is written is read again, and nothing is had twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.ports import Export, Transport
from potnet.model.pots import (
    Alias,
    Attachment,
    HookKind,
    NetworkType,
    Pot,
    Resolver,
    ResolverKind,
    Run,
    Stack,
)
from potnet.store.exports import PortSearch
from potnet.store.pot_json import pot_from_json, pot_to_json
from potnet.store.store import Store

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(lambda a: IPAddress(int(a), a.version))
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ports = st.integers(1, 65535)
macs = st.binary(min_size=5, max_size=5).map(lambda b: ":".join(f"{o:02x}" for o in b"\x02" + b))

attachments = st.lists(
    st.builds(Attachment, words, st.integers(0, 2**31 - 1), macs, st.none() | addresses),
    max_size=4,
    unique_by=(lambda a: a.unit, lambda a: a.mac),
)
aliases = st.lists(st.builds(Alias, words, addresses), max_size=4, unique=True)
exports = st.lists(
    st.builds(Export, st.sampled_from(Transport), ports, st.none() | ports, st.booleans(), st.booleans()),
    max_size=5,
    unique_by=lambda e: e.host_port or object(),
)
pots = st.builds(
    Pot,
    name=st.just("casserole"),
    network_type=st.sampled_from(NetworkType),
    stack=st.sampled_from(Stack),
    root=words,
    root_made=st.booleans(),
    hostname=words,
    base=st.none() | words,
    resolver=st.builds(Resolver, st.sampled_from(ResolverKind), st.none() | words),
    command=st.lists(words).map(tuple),
    boot=st.booleans(),
    attachments=attachments.map(tuple),
    aliases=aliases.map(tuple),
    exports=exports.map(tuple),
    hooks=st.lists(st.sampled_from(HookKind), unique=True).map(tuple),
)


def plain(name: str, **fields: object) -> Pot:
    """A pot that has a root of its own and nothing else that could clash."""
    made = Pot(name, NetworkType.INHERIT, Stack.DUAL, f"/jails/{name}")
    return replace(made, **fields)  # type: ignore[arg-type]


@given(pots)
def test_json_round_trip(pot: Pot) -> None:
    again = pot_from_json(pot_to_json(pot))
    assert again == pot and repr(again) == repr(pot)


@settings(max_examples=60, deadline=None)
@given(pots, pots)
def test_store_round_trip(first: Pot, second: Pot) -> None:
    with Store.open_copy(Path("/nonexistent"), "simulated") as store:
        store.add_pot(first)
        assert repr(store.pot("casserole")) == repr(first)
        store.update_pot(second)
        assert store.pots() == (second,) and repr(store.pots()[0]) == repr(second)
        store.put_run(Run(first, None, ("etc/hosts",)))
        store.put_run(Run(first, 7, ("etc/hosts", "etc/resolv.conf")))
        assert store.run("casserole") == Run(first, 7, ("etc/hosts", "etc/resolv.conf")) == store.runs()[0]
        store.remove_pot("casserole")
        assert store.pots() == () and store.runs() == ()
        left = store.rows("SELECT pool, last FROM free_range WHERE pool = '#epair'")
        assert left == [("#epair", (2**31 - 1).to_bytes(16, "big"))]


EPAIR = Attachment("public", 3, "02:00:00:00:00:03", IPAddress("10.192.0.3"))
ALIAS = Alias("em0", IPAddress("192.0.2.7"))
EXPORT = Export(Transport.TCP, 80, 30080)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"root": "/jails/one"}, "/jails/one is the root of pot one"),
        ({"attachments": (replace(EPAIR, mac="02:00:00:00:00:09"),)}, "epair unit 3 is used by pot one"),
        ({"attachments": (replace(EPAIR, unit=9),)}, "MAC address 02:00:00:00:00:03 is used by pot one"),
        ({"attachments": (replace(EPAIR, unit=2**31),)}, "epair unit 2147483648 is out of range"),
        ({"aliases": (ALIAS,)}, "192.0.2.7 on em0 is an alias of pot one"),
        ({"exports": (EXPORT,)}, "host port tcp 30080 is exported by pot one"),
    ],
)
def test_nothing_is_had_twice(store: Store, fields: dict[str, object], message: str) -> None:
    store.add_pot(plain("one", attachments=(EPAIR,), aliases=(ALIAS,), exports=(EXPORT,)))
    with pytest.raises(PotnetError) as refused:
        store.add_pot(plain("two", **fields))
    assert refused.value.message == message and refused.value.hint
    assert store.pot_names() == ("one",)
    store.add_pot(plain("two"))
    with pytest.raises(PotnetError) as refused:
        store.update_pot(plain("two", **fields))
    assert refused.value.message == message
    assert store.pot("two") == plain("two")
    assert store.pot("one") == plain("one", attachments=(EPAIR,), aliases=(ALIAS,), exports=(EXPORT,))


def test_what_does_not_clash(store: Store) -> None:
    waiting = Export(Transport.TCP, 80)
    store.add_pot(plain("one", aliases=(ALIAS,), exports=(EXPORT, waiting)))
    other = (replace(EXPORT, protocol=Transport.UDP), waiting, waiting)
    store.add_pot(plain("two", aliases=(replace(ALIAS, interface="em1"),), exports=other))
    store.update_pot(plain("one", aliases=(ALIAS,), exports=(EXPORT,)))
    with pytest.raises(PotnetError, match="exported by pot three"):
        store.add_pot(plain("three", exports=(Export(Transport.UDP, 1, 53), Export(Transport.UDP, 2, 53))))


def test_names(store: Store) -> None:
    assert store.next_pot_name() == "pot1"
    for name in ("pot1", "pot3", "pot02", "potato"):
        store.add_pot(plain(name))
    assert store.next_pot_name() == "pot2"
    store.remove_pot("pot1")
    store.remove_pot("pot1")
    assert store.next_pot_name() == "pot1"
    assert store.pot_names() == ("pot02", "pot3", "potato")
    with pytest.raises(PotnetError, match="pot potato already exists"):
        store.add_pot(plain("potato", root="/elsewhere"))
    with pytest.raises(PotnetError, match="pot pot1 not found"):
        store.update_pot(plain("pot1"))
    with pytest.raises(PotnetError, match="pot pot1 not found"):
        store.put_run(Run(plain("pot1"), 1))


def test_bridged_names(store: Store) -> None:
    six = Attachment("public6", 4, "02:00:00:00:00:04")
    store.add_pot(plain("zest", attachments=(EPAIR, six)))
    store.add_pot(plain("apple", attachments=(Attachment("public", 0, "02:00:00:00:00:00"),)))
    assert store.bridged_names("public") == ("apple", "zest")
    assert store.bridged_names("public6") == ("zest",)
    assert store.bridged_names("stove") == ()


def test_removing_a_pot_gives_everything_back(store: Store) -> None:
    store.add_pot(plain("pot1", attachments=(EPAIR,), exports=(EXPORT,)))
    store.reserve("public", "pot1")
    store.put_run(Run(plain("pot1"), 5))
    store.remove_pot("pot1")
    assert store.leases("public") == () and store.run("pot1") is None
    for table in ("attachment", "alias", "export", "run", "lease"):
        assert store.rows(f"SELECT * FROM {table}") == []  # noqa: S608
    store.add_pot(plain("two", attachments=(EPAIR,), exports=(EXPORT,)))


def test_pots_takes_as_many_statements_for_many(store: Store) -> None:
    counts = []
    for number in range(3):
        store.add_pot(plain(f"p{number}", exports=(Export(Transport.TCP, 80),)))
        seen: list[str] = []
        store._connection.set_trace_callback(seen.append)
        store.pots()
        store._connection.set_trace_callback(None)
        counts.append(len(seen))
    assert len(set(counts)) == 1


def test_many_are_read_as_each_is_by_itself(store: Store) -> None:
    """More than go into one query, in another order, one of them twice, and one that is not there."""
    names = [f"pot{number}" for number in range(1_200)]
    with store.transaction():
        for number, name in enumerate(names):
            address = store.reserve("public", name)
            ends = (
                Attachment("b", 2 * number + 1, mac=_mac(2 * number + 1), address=address),
                Attachment("a", 2 * number, mac=_mac(2 * number)),
            )
            pot = Pot(name, NetworkType.PUBLIC_BRIDGE, Stack.IPV4, f"/jails/{name}", attachments=ends)
            store.add_pot(pot)
            if number % 2:
                store.put_run(Run(pot, number))
    asked = [*reversed(names), names[0], "nobody"]
    assert store.pots_named(asked) == {name: store.pot(name) for name in names}
    assert store.runs_named(asked) == {name: store.run(name) for name in names[1::2]}
    assert store.pots_named([]) == store.runs_named([]) == {}
    kept = {name: [] if number % 3 else _pairs(store, name) for number, name in enumerate(names)}
    store.release_pots(kept)
    assert [lease.pot for lease in store.leases("public")] == names[::3]
    store.remove_run(*names[1::4])
    assert {run.pot.name for run in store.runs()} == {*names[3::4]}


def _mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def _pairs(store: Store, name: str) -> list[tuple[str, IPAddress]]:
    pot = store.pot(name)
    assert pot is not None
    return [("public", a.address) for a in pot.attachments if a.address is not None]


def test_bridges(store: Store) -> None:
    stove = Bridge(
        "stove", BridgeKind.PRIVATE, 1, IPNetwork("10.192.0.16/29"), IPAddress("10.192.0.17"), 4, pinned=True
    )
    public6 = Bridge("public6", BridgeKind.PUBLIC6, 0)
    store.add_bridge(stove)
    store.add_bridge(public6)
    assert store.bridges() == (public6, stove) and store.bridge("stove") == stove
    with pytest.raises(PotnetError, match="bridge stove already exists"):
        store.add_bridge(replace(stove, unit=9))
    with pytest.raises(PotnetError, match="bridge unit 1 is used by bridge stove"):
        store.add_bridge(replace(public6, name="other", unit=1))
    with pytest.raises(PotnetError, match="bridge unit 1 is used by bridge stove"):
        store.update_bridge(replace(public6, unit=1))
    assert store.bridge("public6") == public6
    store.update_bridge(replace(stove, unit=5, pinned=False))
    assert store.free_unit("bridge", ()) == 1
    store.remove_bridge("stove")
    store.remove_bridge("stove")
    assert store.bridge("stove") is None
    with pytest.raises(PotnetError, match="bridge stove not found"):
        store.update_bridge(stove)


def test_small_values(store: Store) -> None:
    assert store.remembered("net.inet.ip.forwarding") is None
    store.remember("net.inet.ip.forwarding", "0")
    store.remember("net.inet.ip.forwarding", "1")
    assert store.remembered("net.inet.ip.forwarding") == "1"
    store.forget("net.inet.ip.forwarding")
    store.forget("net.inet.ip.forwarding")
    assert store.remembered("net.inet.ip.forwarding") is None


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 12), max_size=12), st.sets(st.integers(0, 14)))
def test_the_lowest_unit(used: set[int], busy: set[int]) -> None:
    with Store.open_copy(Path("/nonexistent"), "simulated") as store:
        for unit in used:
            mac = f"02:00:00:00:00:{unit:02x}"
            store.add_pot(plain(f"p{unit}", attachments=(Attachment("public", unit, mac),)))
        assert store.free_unit("epair", busy) == min(set(range(40)) - used - busy)
        assert store.free_unit("bridge", busy) == min(set(range(40)) - busy)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1020, 1032)), st.sets(st.integers(1020, 1032)))
def test_the_lowest_port(used: set[int], busy: set[int]) -> None:
    with Store.open_copy(Path("/nonexistent"), "simulated") as store:
        store.add_pot(plain("one", exports=tuple(Export(Transport.TCP, 80, port) for port in used)))
        free = set(range(1024, 1031)) - busy
        assert store.free_port(PortSearch(Transport.UDP, 1024, 2000, busy)) == min(
            set(range(1024, 2001)) - busy
        )
        if free - used:
            assert store.free_port(PortSearch(Transport.TCP, 1024, 1030, busy)) == min(free - used)
        else:
            with pytest.raises(PotnetError, match="no tcp port is free on the host from 1024 to 1030"):
                store.free_port(PortSearch(Transport.TCP, 1024, 1030, busy))


def test_mac_addresses(store: Store) -> None:
    made = {store.new_mac() for _ in range(50)}
    assert len(made) == 50
    for mac in made:
        octets = bytes.fromhex(mac.replace(":", ""))
        assert len(octets) == 6 and octets[0] == 2 and mac == mac.lower()
