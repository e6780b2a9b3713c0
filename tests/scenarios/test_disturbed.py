"""Hosts that changed under potnet: reboots, and other people's hands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_life import FEW_KINDS, KINDS, every_kind, prepare
from world import Faulty, World, both_hosts, both_hosts_with

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.info import environment, info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: Only these have interfaces of their own.
every_bridge = both_hosts_with(("kind", "stack"), [k for k in KINDS if "bridge" in k[0]], FEW_KINDS)


def run(world: World, *argv: str, stdin: str | None = None) -> None:
    result = world.host.run(Command(argv, stdin))
    assert result.code == 0, result


@every_kind
def test_after_a_reboot_pots_are_stopped_and_start_again(world: World, kind: str, stack: str) -> None:
    prepare(world, kind, stack, base=world.base)
    before = world.snapshot()
    world.do(start, ["casserole"])
    running = world.lasting()
    world.reboot()
    assert world.do(info, "casserole")["state"] == "stopped"
    (outcome,) = world.do(start, ["casserole"])
    assert outcome.changed
    assert world.lasting() == running
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@every_kind
def test_after_a_reboot_stop_gives_the_files_back(world: World, kind: str, stack: str) -> None:
    prepare(world, kind, stack, base=world.base)
    before = world.snapshot()
    world.do(start, ["casserole"])
    world.reboot()
    world.do(stop, ["casserole"])
    assert world.snapshot() == before
    assert world.records()["runs"] == ()


@both_hosts
def test_a_reboot_with_forwarding_on_leaves_it_on(world: World) -> None:
    world.forwarding = False
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    world.reboot()
    # Meanwhile the administrator has set gateway_enable; the host boots with it.
    world.forwarding = True
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    assert world.forwarding


@both_hosts
def test_vnet_start_after_a_reboot_makes_the_bridge_again(world: World) -> None:
    world.do(vnet_start, None)
    before = world.lasting()
    world.reboot()
    assert world.do(vnet_start, None)
    assert world.lasting() == before
    assert not world.do(vnet_start, None)
    assert world.do(vnet_stop, None)
    assert not world.do(vnet_stop, None)


@every_bridge
@pytest.mark.parametrize("hand", ["jail", "epair", "bridge"])
def test_stop_finishes_what_other_hands_began(world: World, kind: str, stack: str, hand: str) -> None:
    world.forwarding = False
    prepare(world, kind, stack, base=world.base)
    before = world.snapshot()
    world.do(start, ["casserole"])
    bridges = [name for name in world.interfaces() if name.startswith("bridge")]
    match hand:
        case "jail":
            world.remove_jail("casserole")
        case "epair":
            world.remove_interface("epair0a")
        case "bridge" if bridges:
            world.remove_interface(bridges[0])
        case "bridge":
            # The pot is on a bridge of the host's own.
            world.do_there("ifconfig", world.slaac_bridge(), "deletem", "epair0a")
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


def test_units_that_the_host_has_without_showing_them_are_worked_around(world: World) -> None:
    class Hidden(Faulty):
        """epair0, epair1 and bridge0 were renamed: not to be seen, and not to be made."""

        def run(self, command: Command) -> CommandResult:
            if command.argv[2:3] == ("create",) and command.argv[1] in ("epair0", "epair1", "bridge0"):
                return CommandResult(1, "", f"ifconfig: interface {command.argv[1]} already exists\n")
            return super().run(command)

    world.create("casserole", "public-bridge")
    before = world.snapshot()
    world.executor = Hidden(world.host)
    world.do(start, ["casserole"])
    assert world.host.interface("bridge1").members == ("epair2a",)
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


def test_a_host_that_has_every_unit_gives_up_with_the_tools_own_words(world: World) -> None:
    class Full(Faulty):
        def run(self, command: Command) -> CommandResult:
            if command.argv[2:3] == ("create",):
                return CommandResult(1, "", f"ifconfig: interface {command.argv[1]} already exists\n")
            return super().run(command)

    world.create("casserole", "public-bridge")
    before, records = world.snapshot(), world.records()["pots"]
    world.executor = Full(world.host)
    with pytest.raises(PotnetError, match="already exists"):
        world.do(start, ["casserole"])
    assert (world.snapshot(), world.records()["pots"]) == (before, records)


def test_devfs_of_a_jail_that_somebody_else_removed_is_unmounted(world: World) -> None:
    pot = world.create("casserole", "inherit", base=world.base)
    world.do(start, ["casserole"])
    run(world, "jail", "-r", "casserole")
    assert f"{pot.root}/dev" in world.host.mounts()
    world.do(stop, ["casserole"])
    assert f"{pot.root}/dev" not in world.host.mounts()
    world.do(destroy_pot, "casserole")


@both_hosts
def test_vnet_start_fills_flushed_anchors_anew(world: World) -> None:
    prepare(world, "private-bridge", "ipv4")
    world.do(start, ["casserole"])
    world.do(vnet_start, "stove")
    whole = world.lasting()
    world.flush_rules()
    assert world.lasting() != whole
    assert not world.do(vnet_start, "stove")
    assert world.lasting() == whole


@every_bridge
def test_a_bridge_that_was_destroyed_under_its_pots_takes_them_up_again(
    world: World, kind: str, stack: str
) -> None:
    for name in ("casserole", "ragout"):
        prepare_plain(world, kind, stack, name)
        world.do(start, [name])
    bridges = {name: world.members(name) for name in world.interfaces() if name.startswith("bridge")}
    for bridge in bridges:
        world.remove_interface(bridge)
    world.do(stop, ["ragout"])
    world.do(start, ["ragout"])
    for bridge, members in bridges.items():
        assert world.members(bridge) == members


def prepare_plain(world: World, kind: str, stack: str, name: str) -> None:
    if kind == "private-bridge" and not [b for b in world.records()["bridges"] if b.name == "stove"]:
        world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create(name, kind, stack, bridge="stove" if kind == "private-bridge" else None)


@both_hosts
def test_the_ipv6_bridge_goes_although_the_external_interface_is_another_by_now(world: World) -> None:
    world.create("casserole", "public-bridge", "ipv6")
    before = world.snapshot()
    world.do(start, ["casserole"])
    world.configure('[network]\nexternal_interface = "em7"\n')
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


def test_stop_and_destroy_work_where_pf_is_gone(world: World) -> None:
    prepare(world, "public-bridge", "ipv4")
    world.do(start, ["casserole"])

    class NoModule(Faulty):
        def run(self, command: Command) -> CommandResult:
            if command.argv[0] == "pfctl":
                return CommandResult(1, "", "pfctl: /dev/pf: No such file or directory\n")
            return super().run(command)

    world.executor = NoModule(world.host)
    world.do(stop, ["casserole"])
    world.do(destroy_pot, "casserole")
    assert "bridge0" not in world.host.interfaces()


@both_hosts
@pytest.mark.parametrize("code", [124, 255])
def test_no_answer_is_not_taken_for_absence(world: World, code: int) -> None:
    class Silent(Faulty):
        """Changes go through, looks are not answered: an ssh whose connection is gone."""

        def run(self, command: Command) -> CommandResult:
            if not command.changes_host and command.argv[0] in ("ifconfig", "ip", "stat"):
                return CommandResult(code, "", "ssh: connection reset\n")
            return super().run(command)

    world.create("casserole", "public-bridge", base=world.base)
    world.do(start, ["casserole"])
    running, records = world.snapshot(), world.records()
    world.executor = Silent(world.host)
    with pytest.raises(PotnetError, match="ssh"):
        world.do(stop, ["casserole"])
    assert world.snapshot() == running
    # Where the jail's own rc.shutdown was run, it is on record that a stop has begun.
    now = world.records()
    assert now | {"runs": tuple(replace(run, stopping=False) for run in now["runs"])} == records


@both_hosts
def test_a_network_that_moved_under_its_pots_is_refused(world: World) -> None:
    prepare(world, "private-bridge", "ipv4")
    world.do(start, ["casserole"])
    world.configure('[network]\npublic = "10.9.0.0/16"\n')
    for operation, argument in ((start, ["ragout"]), (vnet_start, "stove")):
        with pytest.raises(PotnetError, match=r"10\.192\.0\.0/10|not found"):
            world.do(operation, argument)
    with pytest.raises(PotnetError, match=r"10\.192\.0\.0/10"):
        world.do(export_ports, "casserole", ExportRequest(["81:30081"]))
    # What runs can be stopped all the same.
    world.do(stop, ["casserole"])
    with pytest.raises(PotnetError, match=r"10\.192\.0\.0/10"):
        world.do(start, ["casserole"])


def test_stop_empties_the_anchors_that_start_filled_whatever_they_are_called_now(world: World) -> None:
    prepare(world, "private-bridge", "ipv4")
    before = world.snapshot()
    world.do(start, ["casserole"])
    world.configure('[pf]\nnat_anchor = "n"\nrdr_anchor = "r"\nfilter_anchor = "f"\n')
    world.do(export_ports, "casserole", ExportRequest(["443:30443"]))
    assert world.host.anchor("pot-rdr/casserole")
    world.do(stop, ["casserole"])
    assert world.snapshot() == before
    with pytest.raises(PotnetError, match='nat-anchor "n"'):
        world.do(start, ["casserole"])


@both_hosts
def test_an_external_interface_that_is_not_there_is_told(world: World) -> None:
    world.configure('[network]\nexternal_interface = "em7"\n')
    before = world.interfaces()
    for stack in ("ipv4", "ipv6"):
        world.create(f"pot-{stack}", "public-bridge", stack)
        with pytest.raises(PotnetError, match="no interface em7"):
            world.do(start, [f"pot-{stack}"])
    with pytest.raises(PotnetError, match="no interface em7"):
        world.do(vnet_start, None)
    assert world.interfaces() == before


def test_a_template_that_fails_leaves_nothing_and_says_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    world.create("casserole", "public-bridge")
    before = world.snapshot()
    for text in ("{{ nosuch }}", "{{ 1/0 }}", "{% if %}"):
        (tmp_path / "own/jail.conf.j2").write_text(text)
        world.configure(f'[paths]\ntemplates = "{tmp_path}/own"\n')
        with pytest.raises(PotnetError, match=r"template jail\.conf\.j2") as caught:
            world.do(start, ["casserole"])
        assert not caught.value.left_behind
        assert world.snapshot() == before
    world.configure('[paths]\ntemplates = "/nosuch"\n')
    with pytest.raises(PotnetError, match="not a directory"):
        world.do(start, ["casserole"])


@both_hosts
def test_what_info_says_of_a_running_pot_is_what_it_was_started_with(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    world.do(start, ["casserole"])
    nothing = {"resolver": None, "hostname": None, "command": None, "boot": None}
    world.do(set_options, "casserole", SettingsRequest(addresses=("10.192.0.50",), **nothing))
    assert world.do(info, "casserole")["addresses"][0]["address"] == "10.192.0.3"
    assert world.do(environment, "casserole")["_POT_IP"] == "10.192.0.3"
    world.do(start, ["ragout"])
    hosts = world.etc("ragout", "hosts")
    assert "10.192.0.3 casserole" in hosts
    assert "10.192.0.50" not in hosts
    world.do(stop, ["casserole"])
    assert world.do(info, "casserole")["addresses"][0]["address"] == "10.192.0.50"


@pytest.mark.parametrize("name", ["a/b", "../x", "a" * 300, "nosuch", "a\nb"])
def test_unknown_names_are_told_and_leave_no_trace(world: World, name: str) -> None:
    world.create("casserole")
    nothing = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": True}
    for operation, arguments, more in (
        (destroy_pot, (name,), {}),
        (export_ports, (name, ExportRequest(["80"])), {}),
        (set_options, (name, SettingsRequest(**nothing)), {}),
        (start, ([name],), {}),
        (stop, ([name],), {}),
    ):
        with pytest.raises(PotnetError, match="not found"):
            world.do(operation, *arguments, **more)
    locks = {lock.name for lock in (world.directory / "state/locks").iterdir()}
    assert locks == {"pot-casserole", "store"}
