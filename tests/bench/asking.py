"""Questions about addresses, with few and with many pots: in potnet's store, and in files of pot."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from made_up import MadeUp
from measure import POTNET, environment, in_turns, work
from netaddr import IPAddress, IPNetwork
from rows import Row, Table

from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.names import PUBLIC
from potnet.model.pots import Attachment, NetworkType, Pot, Stack
from potnet.store.store import Store

SIZES = (10, 1_000, 10_000, 100_000)
FILES = 10_000
ROUNDS = 11
FREE = "10.255.0.9"
#: Reads what pot has of its pots, and does nothing with it.
READ = """
import os, sys
jails, bridges = sys.argv[1:]
for name in os.listdir(jails):
    with open(f"{jails}/{name}/conf/pot.conf", "rb") as file:
        file.read()
for name in os.listdir(bridges):
    with open(f"{bridges}/{name}", "rb") as file:
        file.read()
"""
QUESTIONS = {
    "next": ("next",),
    "validate": ("validate", "-H", FREE),
    "new-net": ("new-net", "-s", "10"),
    "show -b": ("show", "-b", "stove"),
}


def measure(table: Table, place: Path) -> None:
    stores = fill(place)
    _installation(table, place)
    for name, words in QUESTIONS.items():
        times = in_turns(ROUNDS, [work(*POTNET, *words, env=environment(at)) for at in stores])
        table.rows += [
            Row("store", f"potnet {name}, {size:,} pots", took, "ms", 1.1, times[0], "the same with 10 pots")
            for size, took in zip(SIZES[1:], times[1:], strict=True)
        ]


def fill(place: Path) -> list[Path]:
    """Stores of those sizes, each made from the one before."""
    found: list[Path] = []
    for before, size in zip((0, *SIZES), SIZES, strict=False):
        directory = place / f"store-{size}"
        directory.mkdir(mode=0o700)
        if found:
            _copy(found[-1], directory)
        with Store.open(directory, "sim") as store, store.transaction():
            if not found:
                _bridges(store)
            for number in range(before, size):
                _add(store, number)
        found.append(directory)
    return found


def _copy(source: Path, target: Path) -> None:
    name = "potnet.db"
    with sqlite3.connect(source / name) as old, sqlite3.connect(target / name) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode = WAL")
    (target / name).chmod(0o600)


def _bridges(store: Store) -> None:
    network, gateway = IPNetwork("10.192.0.0/10"), IPAddress("10.192.0.1")
    store.define_network(PUBLIC, network, (gateway, IPAddress("10.192.0.2")))
    store.add_bridge(Bridge(PUBLIC, BridgeKind.PUBLIC, 0, network, gateway))
    store.add_bridge(
        Bridge(
            "stove",
            BridgeKind.PRIVATE,
            1,
            network=store.carve(PUBLIC, "stove", 20),
            gateway=IPAddress("10.192.0.33"),
            size=20,
        )
    )


def _add(store: Store, number: int) -> None:
    name, bridge = f"pot{number:06}", "stove" if number < 5 else PUBLIC
    mac = f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    address = store.reserve(bridge, name)
    kind = NetworkType.PRIVATE_BRIDGE if bridge == "stove" else NetworkType.PUBLIC_BRIDGE
    store.add_pot(
        Pot(
            name=name,
            network_type=kind,
            stack=Stack.IPV4,
            root=f"/opt/potnet/jails/{name}/m",
            root_made=True,
            hostname=name,
            attachments=(Attachment(bridge, number, mac, address),),
        )
    )


def _installation(table: Table, place: Path) -> None:
    made = MadeUp.at(place / "installation")
    made.bridge("stove", "10.192.200.0/24")
    for number in range(FILES):
        address = str(IPAddress("10.192.0.3") + number)
        if number < 5:
            made.private(f"pot{number}", str(IPAddress("10.192.200.2") + number), "stove")
        else:
            made.public(f"pot{number}", address)
    env = environment(place / "no-store", PATH=made.path)
    floor = work(sys.executable, "-c", READ, str(made.root / "jails"), str(made.root / "bridges"), env=env)
    questions = [work(*POTNET, *words, env=env) for words in QUESTIONS.values()]
    read, *times = in_turns(ROUNDS, [floor, *questions])
    against = "the same files read by a bare loop in Python, which knows what is in them no more than before"
    table.rows += [
        Row("files", f"potnet {name}, {FILES:,} pots of pot", took, "ms", 1.3, read, against)
        for name, took in zip(QUESTIONS, times, strict=True)
    ]
