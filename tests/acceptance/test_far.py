"""What the suite does to a real host before and after its scenarios, tried on one that is simulated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost

from .far import PROBE, TRANSFERRED
from .host import HOST, PORT, UnfitError
from .rehearsal import Rehearsal, furnish_host
from .sim import simulated
from .user import User, eventually


@pytest.fixture
def far(tmp_path: Path) -> SimulatedHost:
    """A host as it comes from its installer, with the modules that the suite loads."""
    host = simulated(tmp_path / "far", "14.3", bare=True)
    furnish_host(host)
    return host


def test_a_host_that_is_not_prepared_is_left_alone(far: SimulatedHost, tmp_path: Path) -> None:
    before = far.snapshot()
    with pytest.raises(UnfitError, match="PREPARE=1"):
        Rehearsal(tmp_path, prepare="")
    assert far.snapshot() == before


def test_preparations_are_taken_back(far: SimulatedHost, tmp_path: Path) -> None:
    before = far.snapshot()
    host = Rehearsal(tmp_path)
    assert far.pf_enabled() and far.anchor()
    assert far.sysctl("net.pf.filter_local") == "1"
    host.close()
    # The main ruleset is empty, where there was none.
    assert far.snapshot() | {"anchors": {}} == before
    assert not far.anchor() and not far.pf_enabled()


@pytest.mark.parametrize(
    ("line", "stdin", "why"),
    [
        (
            "pfctl -a pot-rdr/web -f -",
            "rdr on em0 inet proto tcp to em0 port 80 -> 10.192.0.3\n",
            "pot-rdr/web",
        ),
        ("ifconfig bridge7 create group potbridge", "", "bridge7"),
        ("mkdir /var/db/potnet-acceptance", "", "another run"),
    ],
    ids=["rules", "interface", "another run"],
)
def test_a_host_in_use_is_refused(
    far: SimulatedHost, tmp_path: Path, line: str, stdin: str, why: str
) -> None:
    done = far.run(Command(tuple(line.split()), stdin))
    assert done.code == 0, done
    before = far.snapshot()
    with pytest.raises(UnfitError, match=why):
        Rehearsal(tmp_path)
    assert far.snapshot() == before


def test_a_run_that_was_killed_is_taken_back(far: SimulatedHost, tmp_path: Path) -> None:
    before = far.snapshot()
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    killed = Rehearsal(first, far=tmp_path / "far")
    User(killed).run("web", "-N", "public-bridge")
    killed.serve(HOST, PORT)
    killed.hang_up()
    with pytest.raises(UnfitError, match="CLEAN=1"):
        Rehearsal(second, far=tmp_path / "far")
    following = Rehearsal(second, clean=True, far=tmp_path / "far")
    assert not far.jails() and not first.exists()
    following.close()
    assert far.snapshot() | {"anchors": {}} == before
    assert not far.anchor() and not far.pf_enabled()


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Path]:
    """The real probe, with a server that answers on this machine."""
    if shutil.which("nc") is None:
        pytest.skip("nc is not installed")
    if "-N" not in subprocess.run(["nc", "-h"], capture_output=True, text=True, check=False).stderr:
        pytest.skip("nc is not the one of OpenBSD, which FreeBSD has, too")
    path = tmp_path / "probe"
    shutil.copy(PROBE, path)
    subprocess.run(["sh", path, "serve", "cook", str(QUIET)], check=True, timeout=60)
    yield path
    subprocess.run(["sh", path, "stop", "cook"], check=True, timeout=60)


#: A port that no other program of this machine uses.
QUIET = 47583


def test_the_probe_names_itself(probe: Path) -> None:
    def ask(protocol: str, address: str, port: int = QUIET) -> str:
        argv = ["sh", str(probe), "ask", protocol, address, str(port)]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout

    for _ in range(2):
        assert "name=cook\n" in ask("tcp", "127.0.0.1")
        assert "name=cook\n" in ask("udp", "127.0.0.1")
    assert "refused" in ask("tcp", "127.0.0.1", QUIET + 1)
    subprocess.run(["sh", probe, "stop", "cook"], check=True, timeout=60)
    assert "refused" in ask("tcp", "127.0.0.1")


def test_the_probe_measures_what_it_receives(probe: Path) -> None:
    words = ("sh", str(probe))
    subprocess.run([*words, "bulk", "cook", str(QUIET + 2), "64"], check=True, timeout=60)
    found = []

    def received() -> bool:
        argv = [*words, "fetch", "127.0.0.1", str(QUIET + 2)]
        said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
        found[:] = TRANSFERRED.findall(said)
        return bool(found)

    assert eventually(received)
    assert int(found[0][0]) == 64 * 1024 and float(found[0][1]) > 0


def test_dd_of_freebsd_is_understood() -> None:
    said = "64+0 records in\n64+0 records out\n65536 bytes transferred in 0.524288 secs (125000 bytes/sec)\n"
    assert TRANSFERRED.findall(said) == [("65536", "0.524288")]
