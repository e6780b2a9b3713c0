"""Several processes at one store, and one that is killed."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from netaddr import IPAddress, IPNetwork

from potnet.model.ports import Export, Transport
from potnet.model.pots import Attachment, NetworkType, Pot, Stack
from potnet.store.exports import PortSearch
from potnet.store.store import Store

PUBLIC = IPNetwork("10.192.0.0/10")
GATEWAY = IPAddress("10.192.0.1")
EACH = 200


def create_pots(directory: str) -> list[str]:
    """Open the store, which may not exist yet, and make pots of which everything is chosen."""
    made = []
    with Store.open(Path(directory), "simulated") as store:
        store.define_network("public", PUBLIC, [GATEWAY])
        for _ in range(EACH):
            with store.transaction():
                name = store.next_pot_name()
                address = store.reserve("public", name)
                epair = Attachment("public", store.free_unit("epair", ()), store.new_mac(), address)
                port = store.free_port(PortSearch(Transport.TCP, 1024, 65535, ()))
                store.add_pot(
                    Pot(
                        name,
                        NetworkType.PUBLIC_BRIDGE,
                        Stack.IPV4,
                        f"/jails/{name}",
                        attachments=(epair,),
                        exports=(Export(Transport.TCP, 80, port, chosen=True),),
                    )
                )
            made.append(name)
    return made


def test_two_processes_share_nothing_and_lose_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        made = list(executor.map(create_pots, [str(tmp_path / "state")] * 2))
    assert sorted(made[0] + made[1]) == sorted(f"pot{number}" for number in range(1, 2 * EACH + 1))
    with Store.open(tmp_path / "state", "simulated") as store:
        pots = store.pots()
        assert {pot.name for pot in pots} == set(made[0] + made[1])
        assert {pot.attachments[0].unit for pot in pots} == set(range(2 * EACH))
        assert {pot.exports[0].host_port for pot in pots} == set(range(1024, 1024 + 2 * EACH))
        leases = {lease.pot: lease.address for lease in store.leases("public")}
        assert leases == {pot.name: pot.ipv4 for pot in pots}
        assert len(set(leases.values())) == 2 * EACH
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["potnet.db"]


def open_new(directories: list[str]) -> int:
    """Open new stores one after the other; returns how many of them opened."""
    for directory in directories:
        Store.open(Path(directory), "simulated").close()
    return len(directories)


def test_processes_that_make_one_store_at_once(tmp_path: Path) -> None:
    directories = [str(tmp_path / str(number)) for number in range(25)]
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert list(executor.map(open_new, [directories] * 3)) == [25] * 3
    # Of processes that close at once each may leave the log to the other; the next one takes it in.
    assert open_new(directories) == 25
    assert {path.name for path in tmp_path.glob("*/*")} == {"potnet.db"}


KILLED = """
import sys, time
from pathlib import Path
from potnet.store.store import Store
store = Store.open(Path(sys.argv[1]), "simulated")
for number in range(40):
    print(store.reserve("public", f"pan{number}"), flush=True)
with store.transaction():
    for number in range(5000):
        store.reserve("public", "unfinished")
    print("inside", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_loses_no_lease_and_leaves_no_half(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state", "simulated") as store:
        store.define_network("public", PUBLIC, [GATEWAY])
    command = [sys.executable, "-c", KILLED, str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            if line == "inside\n":
                process.send_signal(signal.SIGKILL)
                break
            told.append(IPAddress(line.strip()))
    with Store.open(tmp_path / "state", "simulated") as store:
        leases = store.leases("public")
        assert [lease.address for lease in leases] == told and len(told) == 40
        assert not any(lease.pot == "unfinished" for lease in leases)
        assert store.next_free("public") == IPAddress("10.192.0.42")
        assert store.row("PRAGMA integrity_check") == ("ok",)
