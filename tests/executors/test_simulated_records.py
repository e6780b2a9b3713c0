"""The simulated host answers as the recorded FreeBSD did: every recorded command, compared to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from potnet.executors.base import Command
from potnet.executors.simulated import HostFacts, SimulatedHost
from potnet.executors.simulated.files.archive import base

RECORDS = Path(__file__).parent.parent / "data" / "freebsd"
MACHINE = HostFacts(
    interface="vtnet0",
    address="10.0.2.15/24",
    gateway="10.0.2.2",
    hostname="fbsd14",
    resolver="10.0.2.3",
    release="14.0-STABLE",
    osreldate=1400507,
)
RC_CONF = (
    'hostname="fbsd14"\npf_enable="YES"\nifconfig_vtnet0="inet 10.0.2.15/24"\ndefaultrouter="10.0.2.2"\n'
)

_KINDS = "potnet makes no vxlan and no tap"
_CREATED = "potnet's jail.conf has no exec.created: it runs before the interfaces have moved"
_SHELL = "shell scripts are not simulated"
_SERVER = "the recorded server in the jail did not answer; the paths are tried in test_simulated_network"
_TRAFFIC = "states of connections that were made by programs outside the vocabulary"
#: What is not compared, and why: (session, number of the command from 1).
OUTSIDE = {
    **{("01", number): _KINDS for number in (66, 67, 68)},
    ("03", 40): "potnet does not ask arp(8)",
    **{("04", number): _TRAFFIC for number in (53, 56)},
    **{("05", number): _CREATED for number in (15, 22)},
    ("05", 21): "that jail(8) crashed on the syntax error; ours reports it with code 1",
    ("06", 10): _SHELL,
    ("07", 23): _SHELL,
    **{("07", number): _SERVER for number in (25, 26, 27, 28, 31, 32, 33, 38, 39, 41)},
    **{("07", number): _TRAFFIC for number in (34, 40, 43, 45, 46, 47)},
    ("08", 35): "potnet asks netstat -ibn for JSON, which cuts no name short",
    ("08", 36): "potnet does not run chroot",
}


def mask(text: str) -> str:
    """Without what differs from run to run, and with one blank where its length moved a column."""
    text = re.sub(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC", text)
    text = re.sub(r"time=[0-9.]+ ms", "time=T", re.sub(r"stddev = [0-9./]+ ms", "stddev = T", text))
    text = re.sub(r"pid \d+", "pid P", re.sub(r'"nhop-kidx":\d+', '"nhop-kidx":N', text))
    text = re.sub(r"^all icmp .*", _ports, text, flags=re.MULTILINE)
    return re.sub(r"^.*fe80::[0-9a-f:]+%.*$", _linklocal, text, flags=re.MULTILINE)


def _ports(match: re.Match[str]) -> str:
    return re.sub(r":\d{4,5}\b", ":PORT", match[0])


def _linklocal(match: re.Match[str]) -> str:
    if "fe80::1%" in match[0]:
        return match[0]
    return re.sub(r" +", " ", re.sub(r"fe80::[0-9a-f:]+%", "fe80::LOCAL%", match[0]))


def machine(directory: Path) -> SimulatedHost:
    """The host that the sessions ran on."""
    host = SimulatedHost(directory, bare=True, facts=MACHINE)
    (host.tree / "etc/pf.conf").touch()
    (host.tree / "etc/rc.conf").write_text(RC_CONF)
    (host.tree / "tmp/base.txz").write_bytes(base("14.0-RELEASE"))
    for root in ("/jails/t1", "/jails/t2"):
        host.run(Command(("mkdir", "-p", root)))
        assert host.run(Command(("tar", "-x", "-f", "/tmp/base.txz", "-C", root))).code == 0
    return host


@pytest.mark.parametrize("path", sorted(RECORDS.glob("0*.json")), ids=lambda path: path.stem)
def test_answers_as_recorded(path: Path, tmp_path: Path) -> None:
    host = machine(tmp_path / "host")
    session = path.name[:2]
    compared = 0
    skipped: list[tuple[int, str]] = []
    commands: list[dict[str, Any]] = json.loads(path.read_text())["commands"]
    for number, recorded in enumerate(commands, 1):
        result = host.run(Command(tuple(recorded["argv"]), stdin=recorded.get("stdin")))
        wanted = (recorded["code"], mask(recorded["stdout"]), mask(recorded["stderr"]))
        same = wanted == (result.code, mask(result.out), mask(result.err))
        if (session, number) in OUTSIDE:
            assert not same, f"{session} {number} is the same: compare it"
            skipped.append((number, OUTSIDE[session, number]))
            continue
        compared += 1
        assert (result.code, mask(result.out), mask(result.err)) == wanted, (number, recorded["argv"])
    print(f"{path.stem}: {compared} compared, {len(skipped)} outside the vocabulary: {skipped}")
    assert compared + len(skipped) == len(commands)
