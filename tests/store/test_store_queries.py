"""The statements behind the frequent calls look rows up in an index: none reads a whole table."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from netaddr import IPAddress

from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.ports import Export, Transport
from potnet.model.pots import Alias, Attachment, NetworkType, Pot, Run, Stack
from potnet.store.exports import PortSearch
from potnet.store.store import Store

POT = Pot(
    "pot1",
    NetworkType.PUBLIC_BRIDGE,
    Stack.IPV4,
    "/jails/pot1",
    attachments=(Attachment("public", 0, "02:00:00:00:00:01"),),
    aliases=(Alias("em0", IPAddress("192.0.2.1")),),
    exports=(Export(Transport.TCP, 80, 1024),),
)
ADDRESS = IPAddress("10.192.0.9")

CALLS: dict[str, Callable[[Store], object]] = {
    "reserve": lambda s: s.reserve("public", "pan"),
    "reserve one": lambda s: s.reserve("public", "pan", ADDRESS),
    "release": lambda s: (s.reserve("public", "pan", ADDRESS), s.release("public", ADDRESS)),
    "release_pot": lambda s: (s.reserve("public", "pan"), s.release_pot("pan")),
    "next_free": lambda s: s.next_free("public"),
    "check_free": lambda s: s.check_free("public", ADDRESS),
    "leases": lambda s: s.leases("public"),
    "counts": lambda s: s.counts("public"),
    "carve": lambda s: (s.carve("public", "stove", 4), s.uncarve("stove")),
    "free_unit": lambda s: s.free_unit("epair", {0, 1}),
    "new_mac": lambda s: s.new_mac(),
    "free_port": lambda s: s.free_port(PortSearch(Transport.TCP, 1024, 65535, ())),
    "next_pot_name": lambda s: s.next_pot_name(),
    "pot": lambda s: (
        s.add_pot(POT),
        s.update_pot(POT),
        s.pot("pot1"),
        s.put_run(Run(POT, 1)),
        s.run("pot1"),
    ),
    "pots_named": lambda s: (
        s.add_pot(POT),
        s.pots_named(["pot1", "pan"]),
        s.put_run(Run(POT, 1)),
        s.runs_named(["pot1", "pan"]),
        s.remove_run("pot1", "pan"),
        s.release_pots({"pot1": (), "pan": ()}),
    ),
    "remove_pot": lambda s: (s.add_pot(POT), s.remove_pot("pot1")),
    "bridged_names": lambda s: s.bridged_names("public"),
    "bridge": lambda s: (
        s.add_bridge(Bridge("b", BridgeKind.PRIVATE, 0)),
        s.bridge("b"),
        s.remove_bridge("b"),
    ),
    "remember": lambda s: (s.remember("k", "v"), s.remembered("k"), s.forget("k")),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_table_is_scanned(store: Store, name: str) -> None:
    seen: list[str] = []
    store._connection.set_trace_callback(seen.append)
    CALLS[name](store)
    store._connection.set_trace_callback(None)
    queries = [sql for sql in seen if re.match(r"SELECT|UPDATE|DELETE|INSERT", sql)]
    assert queries
    for sql in queries:
        plan = [row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {sql}")]
        sorting = "LIMIT" in sql and any("FOR ORDER BY" in line for line in plan)
        assert not sorting and not [line for line in plan if line.startswith("SCAN")], sql
