"""From which ports of the host one is chosen, on hosts that reserve none, or keep all for themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.running.start import start

_SETTINGS = {
    "sim": ("net.inet.ip.portrange.reservedhigh={}", "net.inet.ip.portrange.first={}"),
    "linux": ("net.ipv4.ip_unprivileged_port_start={}", "net.ipv4.ip_local_port_range={} 65535"),
}


def ports_of_host(world: World, reserved: int, own: int) -> None:
    """Let the host reserve the ports up to one, and use those from another one on by itself."""
    lowest, first = _SETTINGS[world.kind]
    reserved += world.kind == "linux"
    command = ("sysctl", "-w") if world.kind == "linux" else ("sysctl",)
    for setting in (lowest.format(reserved), first.format(own)):
        assert world.host.run(Command((*command, setting))).code == 0


def chosen(world: World) -> int | None:
    (pot,) = world.records()["pots"]
    return pot.exports[0].host_port


@pytest.fixture
def exporting(world: World) -> Iterator[World]:
    world.create("web", "public-bridge")
    world.do(export_ports, "web", ExportRequest(["443"]))
    yield world
    ports_of_host(world, 1023, 32768)


@both_hosts
@pytest.mark.parametrize(("reserved", "lowest"), [(0, 1024), (79, 1024), (1023, 1024), (2000, 2001)])
def test_a_port_is_chosen_above_those_of_services(exporting: World, reserved: int, lowest: int) -> None:
    ports_of_host(exporting, reserved, 32768)
    exporting.do(start, ["web"])
    assert chosen(exporting) == lowest


@pytest.mark.parametrize(
    ("world", "reserved", "own"),
    [
        *(("freebsd", *each) for each in ((1023, 1024), (0, 1024), (2000, 1500), (1023, 1), (0, 1))),
        *(("linux", *each) for each in ((1023, 1024), (0, 1024))),
    ],
    indirect=["world"],
)
def test_a_host_that_uses_all_ports_by_itself(exporting: World, reserved: int, own: int) -> None:
    ports_of_host(exporting, reserved, own)
    with pytest.raises(PotnetError, match="cannot choose a host port") as error:
        exporting.do(start, ["web"])
    assert "ports.first" in str(error.value.hint)
    assert "ports.last" in str(error.value.hint)
    assert f"from {own} on" in error.value.message
    exporting.configure("[ports]\nfirst = 20000\nlast = 20009")
    exporting.do(start, ["web"])
    assert chosen(exporting) == 20000


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ("first = 20000", "begins at 20000 (ports.first) and ends at 9999 (default)"),
        ("last = 80", "begins at 1024 (default) and ends at 80 (ports.last)"),
    ],
)
def test_one_end_alone_that_leaves_nothing(exporting: World, configuration: str, says: str) -> None:
    exporting.configure(f"[ports]\n{configuration}")
    with pytest.raises(PotnetError) as error:
        exporting.do(start, ["web"])
    assert says in error.value.message


def test_ports_below_1024_are_chosen_where_they_are_asked_for(exporting: World) -> None:
    exporting.configure("[ports]\nfirst = 500\nlast = 600")
    exporting.do(start, ["web"])
    assert chosen(exporting) == 500


def test_a_range_that_is_used_up_says_how_to_widen_it(exporting: World) -> None:
    exporting.configure("[ports]\nfirst = 2000\nlast = 2001")
    with pytest.raises(PotnetError, match="from 2000 to 2001") as error:
        exporting.do(export_ports, "web", ExportRequest(["443", "80", "22"]))
        exporting.do(start, ["web"])
    assert "ports.first" in str(error.value.hint)
