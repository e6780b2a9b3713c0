"""IPv6 by SLAAC where the external interface is a bridge of the host's own, and on FreeBSD 15."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from on_linux import LinuxWorld
from world import World, both_hosts

from potnet.errors import HostError, PotnetError
from potnet.executors.simulated import SimulatedHost
from potnet.host.findings import Verdict
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import info, list_bridges
from potnet.operations.reports.metrics import metrics
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

MAC = re.compile("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


#: On FreeBSD 15, too, these tests begin with the addresses on em0 itself.
pytestmark = pytest.mark.plain_interface


class WorldWithSpare(World):
    """With a second interface, em1, and without IPv6 addresses."""

    def _make_host(self, bare: bool) -> Any:
        return SimulatedHost(self.directory / "sim", bare, replace(self._facts(), spare="em1"))


@pytest.fixture
def world15(tmp_path: Path) -> World:
    """A FreeBSD 15, whose bridges take no interface that has addresses."""
    return WorldWithSpare(tmp_path)


def inet6(world: World) -> list[str]:
    """The IPv6 addresses of em0."""
    shown = world.host.run(_command("ifconfig em0")).out
    return re.findall(r"inet6 ([0-9a-f:]+)", shown)


def bridged(world: World, name: str) -> None:
    """Move the host's addresses and default route to a new bridge of its own, with the interface on it."""
    if isinstance(world, LinuxWorld):
        lines = (
            f"link add name {name} type bridge mcast_snooping 0",
            "addr flush dev eth0",
            f"link set dev eth0 master {name}",
            f"link set dev {name} addrgenmode none up",
            f"addr add 192.0.2.1/24 dev {name}",
            f"addr add 2001:db8:7::20/64 dev {name} nodad",
            f"route add default via 192.0.2.9 dev {name}",
        )
        for line in lines:
            world.do_there("ip", *line.split())
        return
    for line in (
        "ifconfig em0 inet 192.168.178.20 -alias",
        "ifconfig bridge0 create",
        f"ifconfig bridge0 name {name}",
        *(f"ifconfig em0 inet6 {address} -alias" for address in inet6(world)),
        f"ifconfig {name} addm em0 up",
        f"ifconfig {name} inet 192.168.178.20/24",
        f"ifconfig {name} inet6 2001:db8:7::20/64 no_dad -ifdisabled",
        "route add default 192.168.178.1",
    ):
        if line not in ("ifconfig bridge0 name bridge0",):
            world.do_there(*line.split())


def members(world: World, bridge: str) -> set[str]:
    if isinstance(world, LinuxWorld):
        shown = world.machine.run("ip", "-br", "link", "show", "master", bridge).out
        return {line.split()[0].partition("@")[0] for line in shown.splitlines()}
    return set(world.host.interface(bridge).members)


@both_hosts
@pytest.mark.parametrize("name", ["bridge0", "lanbr"])
@pytest.mark.parametrize("stack", ["ipv6", "dual"])
def test_pots_join_the_bridge_of_the_host(world: World, name: str, stack: str) -> None:
    bridged(world, name)
    own = members(world, name)
    pots = [world.create(each, "public-bridge", stack) for each in ("one", "two")]
    before = world.snapshot()
    world.do(start, ["one", "two"])
    ends = {a.host_end for pot in pots for a in pot.attachments if a.bridge == "public6"}
    assert members(world, name) == own | ends
    assert world.do(check, [], None) == ()
    view = next(each for each in world.do(list_bridges) if each["name"] == "public6")
    assert (view["interface"], view["state"]) == (name, "up")
    assert world.do(info, "one")["state"] == "running"
    assert name in [each["name"] for each in world.do(graph)["interfaces"]]
    up = next(each for each in world.do(metrics) if each["name"] == "potnet_bridge_up")
    assert ({"bridge": "public6", "interface": name}, 1) in [(s["labels"], s["value"]) for s in up["samples"]]
    world.do(stop, ["one"])
    assert members(world, name) == own | {a.host_end for a in pots[1].attachments if a.bridge == "public6"}
    world.do(stop, ["two"])
    assert world.snapshot() == before
    assert world.do(check, [], None) == ()


@both_hosts
def test_nat_and_exports_name_the_bridge(world: World) -> None:
    bridged(world, "lanbr")
    pot = world.create("one", "public-bridge", "dual")
    world.do(export_ports, "one", ExportRequest(["80:30080"]))
    before = world.snapshot()
    world.do(start, ["one"])
    assert world.reaches("outside", world.address, 30080)
    assert not world.reaches("outside", str(pot.ipv4), 80)
    assert world.reaches("one", f"{world.prefix}{9 if isinstance(world, LinuxWorld) else 99}", 80)
    if not isinstance(world, LinuxWorld):
        assert "(lanbr" in world.host.run(_command("pfctl -a pot-nat -sn")).out
    assert world.do(check, [], None) == ()
    world.do(stop, ["one"])
    assert world.snapshot() == before


@both_hosts
def test_it_is_never_destroyed_or_changed(world: World) -> None:
    bridged(world, "lanbr")
    own = members(world, "lanbr")
    before = world.snapshot()
    world.do(vnet_start, "public6")
    assert world.snapshot() == before
    world.create("one", "public-bridge", "ipv6")
    before = world.snapshot()
    world.do(start, ["one"])
    with pytest.raises(PotnetError, match="bridge public6 is in use: one"):
        world.do(vnet_stop, "public6")
    world.do(stop, ["one"])
    assert world.snapshot() == before
    world.do(vnet_stop, "public6")
    assert members(world, "lanbr") == own
    assert world.snapshot() == before
    for _ in world.failing_starts("one"):
        assert world.snapshot() == before


def test_what_is_taken_off_is_put_back(world: World) -> None:
    bridged(world, "lanbr")
    pot = world.create("one", "public-bridge", "ipv6")
    world.do(start, ["one"])
    end = pot.attachments[0].host_end
    world.do_there("ifconfig", "lanbr", "deletem", end)
    assert [str(each.kind) for each in world.do(check, [], None)] == ["member-missing"]
    world.do(repair, [], None)
    assert end in members(world, "lanbr")
    assert world.do(check, [], None) == ()
    # What is the host's own stays as it is, and check tells.
    world.do_there("ifconfig", "lanbr", "down")
    found = world.do(check, [], None)
    assert [(str(each.kind), each.repairable) for each in found] == [("interface-down", False)]
    world.do(stop, ["one"])
    with pytest.raises(HostError, match="the host's own bridge lanbr, which pots join for IPv6, is down"):
        world.do(start, ["one"])


def test_another_external_interface_counts_once_no_pot_is_on_the_old_one(tmp_path: Path) -> None:
    world = WorldWithSpare(tmp_path)
    bridged(world, "lanbr")
    world.create("one", "public-bridge", "ipv6")
    world.do(start, ["one"])
    world.configure('[network]\nexternal_interface = "em1"\n')
    world.do_there("ifconfig", "em1", "up")
    assert [str(each.kind) for each in world.do(check, [], None)] == ["member-missing"]
    world.do(stop, ["one"])
    world.do(start, ["one"])
    (made,) = (each.interface for each in world.records()["bridges"])
    assert "em1" in members(world, made)
    assert members(world, "lanbr") == {"em0"}
    assert world.do(check, [], None) == ()
    world.do(stop, ["one"])
    assert world.host.interface(made) is None
    world.configure("")
    world.do(start, ["one"])
    assert len(members(world, "lanbr")) == 2


@pytest.mark.parametrize("antispoof", [False, True])
@both_hosts
def test_options_hold_there(world: World, antispoof: bool) -> None:
    bridged(world, "lanbr")
    world.configure(f"[network]\nisolate = true\nantispoof = {str(antispoof).lower()}\n")
    for name in ("one", "two"):
        world.create(name, "public-bridge", "ipv6", mtu=1500)
    with pytest.raises(PotnetError, match="cannot have the MTU 1400: lanbr, which is on it, has 1500"):
        world.create("three", "public-bridge", "ipv6", mtu=1400)
    before = world.snapshot()
    world.do(start, ["one", "two"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["one", "two"])
    assert world.snapshot() == before
    world.do(destroy_pot, "one")


# FreeBSD 15.


def test_15_refuses_an_interface_with_addresses(world15: World) -> None:
    world15.create("one", "public-bridge", "dual")
    before = world15.snapshot()
    with pytest.raises(HostError, match="FreeBSD 15 refuses em0 as a member of a bridge") as refused:
        world15.do(start, ["one"])
    assert world15.snapshot() == before
    said = refused.value.message
    for line in (
        'cloned_interfaces="bridge0"',
        'ifconfig_em0="up"',
        'ifconfig_bridge0="inet 192.168.178.20/24 addm em0 up"',
        'ifconfig_bridge0_ipv6="inet6 auto_linklocal"',
    ):
        assert f"\n  {line}" in said
    assert "net.link.bridge.member_ifaddrs=0" in said


def allow(world: World) -> None:
    world.do_there("sysctl", "net.link.bridge.member_ifaddrs=1")


def use_em1(world: World) -> None:
    world.do_there("ifconfig", "em1", "up")
    world.configure('[network]\nexternal_interface = "em1"\n')


def move_addresses(world: World) -> None:
    bridged(world, "bridge0")


@pytest.mark.parametrize(
    ("prepare", "bridge", "external"),
    [(allow, "bridge0", "em0"), (use_em1, "bridge0", "em1"), (move_addresses, "bridge0", "em0")],
)
def test_15_takes_the_others(
    world15: World, prepare: Callable[[World], None], bridge: str, external: str
) -> None:
    prepare(world15)
    pot = world15.create("one", "public-bridge", "ipv6")
    before = world15.snapshot()
    world15.do(start, ["one"])
    assert members(world15, bridge) == {external, pot.attachments[0].host_end}
    assert world15.do(check, [], None) == ()
    world15.do(repair, [], None)
    world15.do(stop, ["one"])
    assert world15.snapshot() == before


def test_15_gives_no_alias_to_a_member(world15: World) -> None:
    move_addresses(world15)
    world15.configure('[network]\nexternal_interface = "em0"\n')
    world15.create("one", "alias")
    before = world15.snapshot()
    with pytest.raises(HostError, match=r"SIOCAIFADDR\): Invalid argument") as refused:
        world15.do(start, ["one"])
    assert "create the pot with -i BRIDGE|ADDRESS" in str(refused.value.hint)
    assert world15.snapshot() == before
    world15.do(destroy_pot, "one")
    before = world15.snapshot()
    world15.create("one", "alias", addresses=("bridge0|192.168.178.200",))
    world15.do(start, ["one"])
    assert "192.168.178.200" in world15.addresses("bridge0")
    assert world15.do(check, [], None) == ()
    world15.do(stop, ["one"])
    world15.do(destroy_pot, "one")
    assert world15.snapshot() == before


def bridges_of(world: World) -> tuple[Verdict, str | None]:
    (found,) = (each for each in world.do(doctor) if each.subject == "bridges")
    return found.verdict, found.remedy


def test_doctor_tells_on_15_before_a_pot_is_refused(world15: World) -> None:
    verdict, remedy = bridges_of(world15)
    assert (verdict, remedy) == (
        Verdict.LIMITED,
        'write into rc.conf, and reboot: cloned_interfaces="bridge0"; ifconfig_em0="up"; '
        'ifconfig_bridge0="inet 192.168.178.20/24 addm em0 up"; '
        'ifconfig_bridge0_ipv6="inet6 auto_linklocal"',
    )
    move_addresses(world15)
    assert bridges_of(world15) == (Verdict.OK, None)


@pytest.mark.parametrize("configured", ['network.ipv6 = "nat"', 'network.external_interface = "em1"'])
def test_doctor_tells_only_where_it_matters(world15: World, configured: str) -> None:
    world15.configure(f"{configured}\n")
    assert bridges_of(world15) == (Verdict.OK, None)


def test_15_says_what_the_kernel_says(world15: World) -> None:
    world15.do_there("ifconfig", "bridge7", "create")
    refused = world15.host.run(_command("ifconfig bridge7 addm em0"))
    assert (refused.code, refused.err.startswith("ifconfig: BRDGADD em0: Invalid argument")) == (1, True)
    world15.do_there("ifconfig", "bridge7", "addm", "em1")
    assert world15.host.run(_command("ifconfig em1 inet 192.0.2.7/24")).code == 1
    allow(world15)
    world15.do_there("ifconfig", "bridge7", "addm", "em0")
    assert world15.host.run(_command("uname -r")).out in ("15.0-RELEASE\n", "")


def _command(line: str) -> Any:
    from potnet.executors.base import Command

    return Command(tuple(line.split()))
