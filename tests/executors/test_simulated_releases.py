"""The simulated host answers as each release of FreeBSD does, and potnet's readers understand both.

The differences and their sources are data; none was seen on a machine, as the records were.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from potnet.drivers.freebsd.facts import parse, parse_ifconfig
from potnet.drivers.freebsd.facts.packet_filter import FilterReader
from potnet.drivers.freebsd.pf import parse_pf
from potnet.executors.base import Command
from potnet.executors.simulated import HostFacts, SimulatedHost
from tests.executors.replay import mask

DIFFERENCES = Path(__file__).parent.parent / "data" / "freebsd-15" / "differences.json"
KNOWN: list[dict[str, Any]] = json.loads(DIFFERENCES.read_text())
RELEASES = ("14.3", "15.0")
each_release = pytest.mark.parametrize("release", RELEASES)


def host_of(directory: Path, release: str) -> SimulatedHost:
    host = SimulatedHost(directory, facts=HostFacts().of_release(release))
    (host.tree / "etc/rules").write_text("block in quick on em0 inet from 192.0.2.0/24 to any\n")
    return host


def run(host: SimulatedHost, *argv: str) -> Any:
    return host.run(Command(argv))


def prepared(directory: Path, release: str, lines: list[str]) -> SimulatedHost:
    """A host after these commands, which succeed on every release."""
    host = host_of(directory, release)
    for line in lines:
        match line.split():
            case ["listen", protocol, port]:
                host.listen(protocol, int(port), command="")
            case argv:
                result = run(host, *argv)
                assert result.code == 0, (line, result)
    return host


def shown(text: str) -> str:
    return re.sub(r"\bport \d+ priority", "port PORT priority", mask(text))


@each_release
@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["what"])
def test_answers(tmp_path: Path, known: dict[str, Any], release: str) -> None:
    host = prepared(tmp_path, release, known["setup"])
    result = host.run(Command(tuple(known["argv"]), known.get("stdin")))
    expected = known[release]
    if release == "15.0" and "simulated" in known:
        assert (result.code, known["simulated"] in result.err) == (64, True)
        return
    assert (result.code, shown(result.out), result.err) == (
        expected["code"],
        shown(expected["stdout"]),
        expected["stderr"],
    )


def test_each_difference_has_its_source() -> None:
    assert len({known["what"] for known in KNOWN}) == len(KNOWN)
    for known in KNOWN:
        assert known["source"] and all(known["source"]), known["what"]


def answer(release: str, what: str) -> Any:
    (known,) = (each for each in KNOWN if each["what"] == what)
    return known[release]


@each_release
def test_a_limit_belongs_to_the_member_before_it(release: str) -> None:
    text = answer(release, "a bridge with two members, one with a limit")["stdout"]
    found = parse_ifconfig.interface(text)
    assert (found.members, found.open) == (("epair8a", "epair7a"), {"epair8a"})
    assert parse_ifconfig.interfaces(text, ("bridge7",)) == {"bridge7": found}


@each_release
def test_a_listener_of_the_kernel_is_one(release: str) -> None:
    (found,) = parse.listeners(answer(release, "a listening socket of the kernel")["stdout"])
    assert (str(found.protocol), found.port) == ("udp", 51820)


@each_release
def test_a_missing_table_has_no_entries(tmp_path: Path, release: str) -> None:
    host = prepared(tmp_path, release, ["pfctl -a one -f /etc/rules"])
    assert FilterReader(host).table("one", "others") == frozenset()


@each_release
def test_absent_anchors_are_empty(tmp_path: Path, release: str) -> None:
    reader = FilterReader(host_of(tmp_path, release))
    assert reader.below("nothing") == ()
    assert not reader.holds_rules("pot-filter/none")
    assert reader.redirections("pot-rdr/none") == ()


@pytest.mark.parametrize(
    ("line", "conditional"),
    [
        ("pass out on em0 inet all flags S/SA keep state nat-to (em0:0) round-robin", False),
        ("match out on em0 inet from 10.0.0.0/8 to any nat-to (em0:0)", False),
        ("pass in on em0 inet all flags S/SA set ( prio 3 ) scrub( no-df ) rdr-to 10.0.0.5", False),
        ("pass in on em0 inet all received-on em1 flags S/SA keep state", True),
        ("pass in on em0 inet all max-pkt-rate 5/1 flags S/SA keep state", True),
    ],
)
def test_rules_of_15_are_read(line: str, conditional: bool) -> None:
    """The order of parts is that of print_rule in sbin/pfctl/pfctl_parser.c of 15.0."""
    (rule,) = parse_pf.main_rules(f"{line}\n")
    assert (rule.interface, rule.family, rule.conditional) == ("em0", 4, conditional)
    assert not parse_pf.redirections(f"{line}\n")
