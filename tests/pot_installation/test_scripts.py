"""A shell script that calls potnet by name, as pot's scripts call their helper, on a made-up installation.

What it is told is compared with what pot's documentation shows of the same pots and bridges.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks, write_program
from made_up import MadeUp, Result, documented
from test_helper import STOVE, TOPOLOGY

SCRIPTS = Path(__file__).with_name("scripts.sh")


class Kitchen:
    """An installation, and a PATH with potnet and pot in it. started: Python is started for each call."""

    def __init__(self, directory: Path, made: MadeUp, forks: Forks, started: bool = False) -> None:
        self.made = made
        self.state = directory / "state"
        programs = directory / "programs"
        programs.mkdir()
        words = ("-m", "potnet")
        write_program(programs / "potnet", [sys.executable, *words] if started else forks.argv(*words))
        self.environment = forks.environment | {
            "PATH": f"{programs}:{self.made.path}",
            "POTNET_STATE_DIR": str(self.state),
            "JAILS": str(self.made.root / "jails"),
            "BRIDGES": str(self.made.root / "bridges"),
        }

    def _run(self, *argv: str) -> Result:
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def script(self, line: str) -> Result:
        return self._run("sh", str(SCRIPTS), *line.split())

    def potnet(self, line: str) -> Result:
        return self._run("potnet", *line.split())

    def make_documented(self) -> None:
        """The pots and the bridge of pot's documentation, in its order, told what it tells."""
        for line, out in (
            ("create casserole4 public-bridge 10.192.0.10", "casserole4 has inet 10.192.0.10\n"),
            ("bridge stove 4", "10.192.0.16/29\n"),
            ("create casserole private-bridge 10.192.0.19 stove", "casserole has inet 10.192.0.19\n"),
        ):
            assert self.script(line) == (0, out, "")


@pytest.fixture
def kitchen(tmp_path: Path, forks: Forks) -> Kitchen:
    return Kitchen(tmp_path, MadeUp.at(tmp_path), forks)


def test_the_documented_session(tmp_path: Path, forks: Forks) -> None:
    kitchen = Kitchen(tmp_path, MadeUp.at(tmp_path), forks, started=True)
    kitchen.make_documented()
    assert kitchen.potnet("show") == (0, TOPOLOGY, "")
    assert kitchen.script("show stove") == (0, STOVE, "")
    assert kitchen.script("hosts") == (0, "127.0.0.1\tlocalhost\n10.192.0.10 casserole4\n", "")
    assert kitchen.script("hosts stove") == (0, "127.0.0.1\tlocalhost\n10.192.0.19 casserole\n", "")
    assert not kitchen.state.exists()


def test_the_first_bridge_is_recorded_as_it_was_printed(kitchen: Kitchen) -> None:
    assert kitchen.script("bridge stove 4") == (0, "10.192.0.8/29\n", "")
    written = (kitchen.made.root / "bridges" / "stove").read_text()
    assert written == "net=10.192.0.8/29\ngateway=10.192.0.9\nname=stove\n"


def test_addresses_are_chosen_around_all_that_is_there(tmp_path: Path, forks: Forks) -> None:
    kitchen = Kitchen(tmp_path, documented(tmp_path), forks)
    for line, out in (
        ("create wok public-bridge auto", "wok has inet 10.192.0.3\n"),
        ("create lid private-bridge auto stove", "lid has inet 10.192.0.18\n"),
        ("create pan private-bridge auto stove", "pan has inet 10.192.0.20\n"),
        ("create kettle alias 2a00:1234::80", "kettle has inet6 2a00:1234::80\n"),
        ("create ladle alias 192.168.178.200", "ladle has inet 192.168.178.200\n"),
        ("bridge oven 6", "10.192.0.32/28\n"),
        ("create tin private-bridge auto oven", "tin has inet 10.192.0.34\n"),
    ):
        assert kitchen.script(line) == (0, out, "")
    assert kitchen.script("hosts stove").out == (
        "127.0.0.1\tlocalhost\n10.192.0.18 lid\n10.192.0.19 casserole\n10.192.0.20 pan\n"
    )


@pytest.mark.parametrize(
    ("line", "reason", "last"),
    [
        ("create x public-bridge 10.192.0.10", "in use by pot casserole4", "10.192.0.10 is not to be had"),
        ("create x public-bridge 10.192.0.20", "private bridge stove", "10.192.0.20 is not to be had"),
        ("create x public-bridge 192.168.0.3", "outside", "192.168.0.3 is not to be had"),
        ("create x public-bridge 10.192.0", "invalid address '10.192.0'", "10.192.0 is not to be had"),
        ("create x private-bridge 10.192.0.19 stove", "by pot casserole", "10.192.0.19 is not to be had"),
        ("create x private-bridge 10.192.0.30 stove", "outside bridge stove", "10.192.0.30 is not to be had"),
        ("create x private-bridge auto grill", "bridge 'grill' not found", "no address is free"),
        ("create x alias em0", "invalid address 'em0'", "em0 is no address"),
        ("bridge oven 1", "size 1 is too small", "no network for 1 pots"),
        ("hosts grill", "bridge 'grill' not found", "no neighbours"),
    ],
)
def test_refusals_reach_the_script_and_its_user(
    tmp_path: Path, forks: Forks, line: str, reason: str, last: str
) -> None:
    kitchen = Kitchen(tmp_path, documented(tmp_path), forks)
    before = kitchen.made.contents()
    found = kitchen.script(line)
    assert found.code == 1
    assert found.out in ("", "127.0.0.1\tlocalhost\n")
    assert reason in found.err
    assert found.err.endswith(f"###> {last}\n")
    assert kitchen.made.contents() == before


def test_a_full_network_and_a_wrong_configuration_stop_the_script(tmp_path: Path, forks: Forks) -> None:
    kitchen = Kitchen(tmp_path, MadeUp.at(tmp_path, "POT_DNS_IP=10.1.1.2", network="10.1.1.0/29"), forks)
    for number in range(3, 6):
        kitchen.made.public(f"p{number}", f"10.1.1.{number}")
    assert kitchen.script("create p6 public-bridge auto") == (0, "p6 has inet 10.1.1.6\n", "")
    found = kitchen.script("create p7 public-bridge auto")
    assert (found.code, found.out) == (1, "")
    assert "is full: no address is free" in found.err
    (kitchen.made.prefix / "etc/pot/pot.conf").write_text("POT_GATEWAY=10.1.0.1\n")
    found = kitchen.script("create p7 public-bridge auto")
    assert (found.code, found.out) == (1, "")
    assert "the gateway 10.1.0.1 is outside the network 10.192.0.0/10" in found.err
    assert found.err.endswith("###> the configuration is not valid\n")
    assert not (kitchen.made.root / "jails" / "p7").exists()
