"""Bridges that are part of a VLAN: machines there are neighbours of the pots, and nothing of it stays."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from on_linux import LinuxWorld
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult, Executor
from potnet.host.findings import Finding
from potnet.model.bridges import Bridge
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge, set_bridge
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import bridge_info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.planning.uplink import read_uplink

#: On FreeBSD 15, too, the addresses are on em0 itself: its VLANs are those of an interface of hardware.
pytestmark = pytest.mark.plain_interface

#: A machine of the VLAN, in the network of the first private bridge.
MACHINE = "10.192.0.14"


class Wires:
    """A kernel without VLANs, with a wire of its own to the outside in the place of each.

    What goes through has no tag; all else is real.
    """

    _VLAN = re.compile(r"link add link \S+ name (\S+)(.*) type vlan id (\d+)")

    def __init__(self, host: Executor) -> None:
        self._host = host
        #: Addresses of machines by the tags of their VLANs.
        self.machines: dict[str, str] = {}

    def run(self, command: Command) -> CommandResult:
        """See `Executor`."""
        if command.argv[0] == "unshare":
            # What is tried beforehand.
            argv = tuple("plain" if word == "vlan" else word for word in command.argv)
            return self._host.run(replace(command, argv=argv))
        found = self._VLAN.search(command.stdin) if isinstance(command.stdin, str) else None
        if found is None:
            return self._host.run(command)
        name, options, tag = found.groups()
        # Whoever is on a VLAN keeps his MAC address when its interface here is made anew.
        far = f"wire.{tag} address 02:00:00:00:00:{int(tag):02x}"
        wire = f"link add name {name}{options} type veth peer name {far} netns outside"
        result = self._host.run(replace(command, stdin=self._VLAN.sub(wire, str(command.stdin))))
        if result.code == 0:
            self._connect(f"wire.{tag}", self.machines.get(tag))
        return result

    def _connect(self, name: str, address: str | None) -> None:
        lines = [f"addr add {address} dev {name}"] if address else []
        for line in (*lines, f"link set {name} up"):
            assert self._host.run(Command(("ip", "-n", "outside", *line.split()))).code == 0

    def attach(self, command: Command) -> int:
        """See `Executor`."""
        return self._host.attach(command)


@pytest.fixture(autouse=True)
def _has_vlans(request: pytest.FixtureRequest) -> None:
    """Wires in the place of VLANs where the kernel has none, which a start says in its words."""
    found = request.getfixturevalue("world") if "world" in request.fixturenames else None
    if isinstance(found, LinuxWorld) and "without_vlans" not in request.node.name:
        add = "ip link add link eth0 name eth0.1 type vlan id 1 && ip link del eth0.1"
        if found.machine.run("sh", "-c", add).code != 0:
            found.host = found.executor.inner = Wires(found.host)


def bridge(world: World, name: str = "stove", vlan: int = 30, mtu: int | None = None) -> Bridge:
    """One that is part of a VLAN on the external interface."""
    made = world.do(create_private_bridge, BridgeRequest(name, 4, mtu=mtu, uplink=f"{world.external}.{vlan}"))
    assert isinstance(made, Bridge)
    return made


def machine(world: World, vlan: int = 30, address: str = f"{MACHINE}/29") -> None:
    """A machine on that VLAN."""
    if isinstance(world.host, Wires):
        world.host.machines[str(vlan)] = address
        world.machine.serve("outside", 80)
    elif isinstance(world, LinuxWorld):
        there = ("ip", "-n", "outside")
        world.do_there(
            *there, "link", "add", "link", "wire", "name", "wire.30", "type", "vlan", "id", str(vlan)
        )
        world.do_there(*there, "addr", "add", address, "dev", "wire.30")
        world.do_there(*there, "link", "set", "wire.30", "up")
        world.machine.serve("outside", 80)
    else:
        world.host.add_machine(f"{world.external}.{vlan}", address)


def kinds(found: tuple[Finding, ...]) -> list[tuple[str, str | None]]:
    return [(str(finding.kind), finding.interface) for finding in found]


@both_hosts
def test_a_pot_reaches_a_machine_on_the_vlan(world: World) -> None:
    bridge(world)
    machine(world)
    pot = world.create("web", "private-bridge", bridge="stove")
    world.do(start, ["web"])
    assert world.members("bridge0") == {f"{world.external}.30", pot.attachments[0].host_end}
    assert world.do(check, [], None) == ()
    if isinstance(world, LinuxWorld):
        # The other end takes only what has the tag.
        world.machine.serve("web", 80)
        assert world.machine.ask("web", "tcp", MACHINE, 80) == str(pot.ipv4)
        assert world.machine.ask("outside", "tcp", str(pot.ipv4), 80) == MACHINE
        return
    found = world.host.connect("web", MACHINE, 80)
    assert (found.server, found.client) == ("outside", str(pot.ipv4))
    found = world.host.connect("outside", str(pot.ipv4), 80, client=MACHINE)
    assert (found.server, found.client) == ("web", MACHINE)
    assert not world.host.connect("outside", str(pot.ipv4), 80).ok


@both_hosts
def test_another_vlan_is_another_network(world: World) -> None:
    bridge(world)
    machine(world, 31)
    world.create("web", "private-bridge", bridge="stove")
    world.do(start, ["web"])
    assert not world.reaches("web", MACHINE, 80)


@both_hosts
def test_the_uplink_comes_and_goes_with_its_bridge(world: World) -> None:
    bridge(world)
    world.create("one", "private-bridge", bridge="stove")
    world.create("two", "private-bridge", bridge="stove")
    before, name = world.snapshot(), f"{world.external}.30"
    world.do(start, ["one", "two"])
    assert name in world.interfaces()
    world.do(stop, ["one"])
    assert name in world.interfaces()
    world.do(stop, ["two"])
    assert world.snapshot() == before
    world.do(vnet_start, "stove")
    assert world.members("bridge0") == {name}
    assert world.do(check, [], None) == ()
    world.do(start, ["one"])
    world.do(stop, ["one"])
    assert world.members("bridge0") == {name}
    world.do(vnet_stop, "stove")
    assert world.snapshot() == before
    for pot in ("one", "two"):
        world.do(destroy_pot, pot)
    world.do(vnet_start, "stove")
    world.do(destroy_bridge, "stove")
    assert name not in world.interfaces()


@pytest.mark.parametrize("world", ["linux"], indirect=True)
def test_a_kernel_without_vlans_is_told_before_anything_is_changed(world: LinuxWorld) -> None:
    bridge(world)
    world.create("web", "private-bridge", bridge="stove")
    before, records = world.snapshot(), world.records()
    # An ip(8) in front of the real one that knows no VLANs.
    script = '#!/bin/sh\ncase "$*" in *vlan*) echo no such type >&2; exit 2 ;; esac\nexec /sbin/ip "$@"\n'
    world.machine.run("mkdir", "-p", "/run/less")
    world.machine.run("tee", "/run/less/ip", stdin=script)
    world.machine.run("chmod", "755", "/run/less/ip")
    real = world.executor.inner.run
    world.executor.inner.run = lambda command: real(_less(command))  # type: ignore[method-assign]
    with pytest.raises(PotnetError, match="the kernel of this host has no VLANs"):
        world.do(start, ["web"])
    assert world.snapshot() == before
    assert world.records() == records


def _less(command: Command) -> Command:
    """With that ip(8), where it is tried what the kernel can do."""
    if command.argv[0] != "unshare":
        return command
    return replace(command, argv=("env", "PATH=/run/less:/usr/sbin:/usr/bin:/sbin:/bin", *command.argv))


def test_pots_on_it_start_in_groups(world: World) -> None:
    bridge(world)
    names = ["one", "two", "three"]
    for name in names:
        world.create(name, "private-bridge", bridge="stove")
    before = world.host.snapshot()
    world.do(start, names)
    assert world.host.interface("em0.30").descr == "potnet uplink stove"
    world.do(stop, names)
    assert world.host.snapshot() == before


@both_hosts
@pytest.mark.parametrize("mtu", [None, 1400])
def test_the_uplink_has_the_mtu_of_the_bridge(world: World, mtu: int | None) -> None:
    bridge(world, mtu=mtu)
    world.create("web", "private-bridge", bridge="stove")
    world.do(start, ["web"])
    name = f"{world.external}.30"
    if isinstance(world, LinuxWorld):
        assert f" mtu {mtu or 1500} " in world.machine.run("ip", "link", "show", name).out
    else:
        assert {world.host.interface(each).mtu for each in (name, "bridge0", "epair0a")} == {mtu or 1500}


@both_hosts
def test_the_uplink_gets_another_mtu_with_its_bridge(world: World) -> None:
    bridge(world)
    machine(world)
    world.create("web", "private-bridge", bridge="stove")
    world.do(start, ["web"])
    assert world.do(set_bridge, "stove", mtu=1400)
    world.do(repair, [], "stove")
    assert world.do(check, [], None) == ()
    name = f"{world.external}.30"
    if isinstance(world, LinuxWorld):
        assert " mtu 1400 " in world.machine.run("ip", "link", "show", name).out
    else:
        assert world.host.interface(name).mtu == 1400
    assert world.reaches("web", MACHINE, 80)
    world.do(stop, ["web"])
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()


@both_hosts
def test_what_is_wrong_with_it_is_told_and_mended(world: World) -> None:
    bridge(world)
    machine(world)
    world.create("web", "private-bridge", bridge="stove")
    world.do(start, ["web"])
    name, linux = f"{world.external}.30", isinstance(world, LinuxWorld)
    down = ("ip", "link", "set", name, "down") if linux else ("ifconfig", name, "down")
    off = ("ip", "link", "set", name, "nomaster") if linux else ("ifconfig", "bridge0", "deletem", name)
    for argv, kind in ((down, "interface-down"), (off, "member-missing"), ((), "interface-missing")):
        if argv:
            world.do_there(*argv)
        else:
            world.remove_interface(name)
        assert kinds(world.do(check, [], None)) == [(kind, name)]
        assert kinds(world.do(check, [], "stove")) == [(kind, name)]
        world.do(repair, [], None)
        assert world.do(check, [], None) == ()
        assert world.reaches("web", MACHINE, 80)
    world.remove_interface("bridge0")
    assert kinds(world.do(check, [], None)) == [("bridge-missing", "bridge0")]
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert world.reaches("web", MACHINE, 80)
    world.remove_interface("bridge0")
    world.remove_interface(name)
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert world.reaches("web", MACHINE, 80)


@both_hosts
def test_one_that_is_left_over_is_taken_away(world: World) -> None:
    bridge(world)
    world.create("web", "private-bridge", bridge="stove")
    before = world.snapshot()
    world.do(start, ["web"])
    with world.app() as app:
        app.store.remove_run("web")
    assert f"{world.external}.30" in {finding.interface for finding in world.do(check, [], None)}
    if not isinstance(world, LinuxWorld):
        world.remove_jail("web")
        world.do(repair, [], None)
        assert world.without_folders(world.snapshot())["interfaces"] == before["interfaces"]


@both_hosts
def test_a_bridge_that_somebody_removed_leaves_no_uplink_at_stop(world: World) -> None:
    bridge(world)
    world.create("web", "private-bridge", bridge="stove")
    before = world.interfaces()
    world.do(start, ["web"])
    world.remove_interface("bridge0")
    world.do(stop, ["web"])
    assert world.interfaces() == before


def test_a_start_after_somebody_removed_the_bridge_makes_the_uplink_anew(world: World) -> None:
    bridge(world)
    world.create("one", "private-bridge", bridge="stove")
    world.create("two", "private-bridge", bridge="stove")
    world.do(start, ["one"])
    world.remove_interface("bridge0")
    world.do(start, ["two"])
    assert world.members("bridge0") == {"em0.30", "epair0a", "epair1a"}
    assert world.do(check, [], None) == ()


def test_an_interface_of_somebody_elses_with_that_name(world: World) -> None:
    bridge(world)
    world.create("web", "private-bridge", bridge="stove")
    world.do_there("ifconfig", "em0.30", "create")
    before, records = world.host.snapshot(), world.records()
    with pytest.raises(PotnetError, match=r"the host has em0\.30 already, which potnet did not make"):
        world.do(start, ["web"])
    assert world.host.snapshot() == before
    assert world.records() == records
    world.remove_interface("em0.30")
    world.do(start, ["web"])
    world.remove_interface("em0.30")
    world.do_there("ifconfig", "em0.30", "create")
    assert kinds(world.do(check, [], None)) == [("interface-foreign", "em0.30")]
    world.do(stop, ["web"])
    assert "em0.30" in world.interfaces()


def test_a_parent_that_is_down_or_gone(world: World) -> None:
    world.host.plug("em1")
    world.do(create_private_bridge, BridgeRequest("stove", 4, uplink="em1.30"))
    world.create("web", "private-bridge", bridge="stove")
    world.do_there("ifconfig", "em1", "down")
    before = world.host.snapshot()
    with pytest.raises(PotnetError, match=r"em1 is down: the uplink em1\.30 would carry nothing"):
        world.do(start, ["web"])
    assert world.host.snapshot() == before
    world.do_there("ifconfig", "em1", "up")
    world.do(start, ["web"])
    world.do_there("ifconfig", "em1", "down")
    assert kinds(world.do(check, [], None)) == [("interface-down", "em1")]
    report = world.do(repair, [], None)
    assert (report.mended, kinds(report.left)) == ((), [("interface-down", "em1")])


def test_a_failed_start_takes_the_uplink_back(world: World) -> None:
    bridge(world)
    world.create("web", "private-bridge", bridge="stove")
    before, records = world.host.snapshot(), world.records()
    for number in world.failing_starts("web"):
        assert world.host.snapshot() == before, number
        assert world.records() == records, number


def test_it_is_in_the_views(world: World) -> None:
    bridge(world)
    assert world.do(bridge_info, "stove")["vlan"] == "em0.30"
    assert [each["vlan"] for each in world.do(graph)["bridges"]] == ["em0.30"]


@pytest.mark.parametrize(
    ("uplink", "words"),
    [
        ("em0", "not a VLAN on an interface"),
        ("em0.", "not a VLAN on an interface"),
        ("em0.0", "not a VLAN on an interface"),
        ("em0.030", "not a VLAN on an interface"),
        ("em0.30.40", "not a VLAN on an interface"),
        (".30", "not a VLAN on an interface"),
        ("em0 .30", "not a VLAN on an interface"),
        ("em0.4095", "VLANs are 1 to 4094"),
        ("em0.9999", "VLANs are 1 to 4094"),
        ("abcdefghijkl.4000", "too long"),
        ("em7.30", "the host has no interface em7"),
        ("lo0.30", "leads to no network outside"),
        ("bridge0.30", "leads to no network outside"),
        ("em0.30", r"em0\.30 is the uplink of bridge first"),
    ],
)
def test_uplinks_that_are_refused(world: World, uplink: str, words: str) -> None:
    bridge(world, "first")
    world.do(create_private_bridge, BridgeRequest("second", 4))
    world.do(vnet_start, "second")
    world.do_there("ifconfig", "bridge1", "name", "bridge0")
    records = world.records()
    with pytest.raises(PotnetError, match=words):
        world.do(create_private_bridge, BridgeRequest("stove", 4, uplink=uplink))
    assert world.records() == records


def test_its_mtu_fits_into_that_of_the_parent(world: World) -> None:
    with pytest.raises(PotnetError, match=r"em0 has the MTU 1500: em0\.30 cannot have 9000"):
        bridge(world, mtu=9000)
    with pytest.raises(PotnetError, match=r"the host has em0\.30 already, and potnet makes its own"):
        world.do_there("ifconfig", "em0.30", "create")
        bridge(world)


@given(st.text(max_size=20) | st.from_regex(r"[a-z]{1,12}[0-9]?\.[0-9]{1,5}", fullmatch=True))
def test_what_is_taken_for_an_uplink_is_one(text: str) -> None:
    try:
        vlan = read_uplink(text)
    except ValueError:
        return
    assert vlan.interface == text
    assert 1 <= vlan.tag <= 4094
    assert len(text) <= 15
    assert vlan.parent.isascii()
