"""Machines of somebody's on taps: no jail, and in all else pots like any."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import FAILURE, World, both_hosts

from potnet.drivers.freebsd.facts import parse_ifconfig
from potnet.errors import HostError, PotnetError, UsageError
from potnet.executors.base import Command
from potnet.host.findings import Kind
from potnet.model.pots import HookKind, NetworkType
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.files.hooks import set_hook
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.maintenance.store import backup, restore
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.pots.copy_in import copy_in
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.pots.virtual_machines import with_owner
from potnet.operations.reports.dns import zones
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import environment, info, list_pots
from potnet.operations.reports.metrics import metrics
from potnet.operations.reports.show import show_pot
from potnet.operations.running.attach import attach, detach, jail_conf
from potnet.operations.running.run_exec import execute, run
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NOTHING = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None}


def machine(world: World, name: str = "vm1", kind: str = "private-bridge", **more: Any) -> None:
    """A machine that is to be; on the bridge lab unless another is given."""
    if kind == "private-bridge":
        if "lab" not in [bridge.name for bridge in world.records()["bridges"]]:
            world.do(create_private_bridge, BridgeRequest("lab", 6))
        more.setdefault("bridge", "lab")
    world.create(name, kind, tap=True, **more)


def tap(world: World, name: str = "vm1") -> dict[str, Any]:
    """What is told of its first tap."""
    found: dict[str, Any] = world.do(info, name)["taps"][0]
    return found


def open_tap(world: World, name: str = "vm1", user: str = "root") -> str:
    """Let the guest of a simulated host have the addresses that it is told; the error if it cannot."""
    told = tap(world, name)
    given = [each for each in told["addresses"] if each["address"]]
    found: str = world.host.open_tap(
        told["name"], name, *(each["address"] for each in given),
        gateways=tuple(each["gateway"] for each in given if each["gateway"]), user=user,
    )  # fmt: skip
    return found


def address(world: World, name: str) -> str:
    return str(next(pot for pot in world.records()["pots"] if pot.name == name).leased[0])


# Its life


@both_hosts
def test_a_tap_comes_with_the_start_and_goes_with_the_stop(world: World) -> None:
    machine(world)
    fresh, stored = world.snapshot(), world.records()
    world.do(start, ["vm1"])
    view = world.do(info, "vm1")
    assert (view["state"], view["type"], view["owner"], view["root"], view["jid"]) == (
        "running", "tap", "root", None, None,
    )  # fmt: skip
    told = view["taps"][0]
    assert told["name"] in world.interfaces()
    assert world.jails() == []
    bridge = next(bridge for bridge in world.records()["bridges"] if bridge.name == "lab").interface
    assert world.members(bridge) == {told["name"]}
    assert [each["state"] for each in world.do(list_pots)] == ["running"]
    assert world.do(check, [], None) == ()
    link = world.do(graph)["pots"][0]["links"][0]
    assert (link["interface"], link["bridge"]) == (told["name"], "lab")
    assert world.do(show_pot, "vm1")["usage"]["disk"] is None
    found = {each["name"]: each["samples"] for each in world.do(metrics)}
    assert found["potnet_pot_running"][0]["value"] == 1
    assert found["potnet_pot_receive_bytes_total"][0]["labels"]["interface"] == told["name"]
    assert [each.changed for each in world.do(start, ["vm1"])] == [False]
    with pytest.raises(PotnetError, match="vm1 is running"):
        world.do(destroy_pot, "vm1")
    world.do(stop, ["vm1"])
    assert world.snapshot() == fresh
    assert world.records() == stored
    assert [each.changed for each in world.do(stop, ["vm1"])] == [False]
    world.do(destroy_pot, "vm1")
    assert world.do(check, [], None) == ()


def test_no_look_makes_a_tap_that_is_gone(world: World) -> None:
    """A look at its node would (net.link.tap.devfs_cloning, tap(4)), and leave it with another owner."""
    machine(world, owner="alice")
    world.do(start, ["vm1"])
    gone = world.do(info, "vm1")["taps"][0]["name"]
    world.remove_interface(gone)
    without = world.interfaces()
    assert world.do(check, [], None)
    assert world.interfaces() == without
    world.do(repair, [], None)
    assert gone not in world.interfaces()
    world.do(start, ["vm1"])
    world.remove_interface(gone)
    world.do(stop, ["vm1"])
    assert gone not in world.interfaces()


def test_the_commands_of_a_start_and_a_stop(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("lab", 6))
    world.create("web", "private-bridge", bridge="lab")
    machine(world, owner="alice", network=NetworkOptions(isolate=True))
    world.do(start, ["web"])
    world.executor.commands.clear()
    world.do(start, ["vm1"])
    # In the order in which nobody can open what is not up.
    assert world.executor.changed == [
        "ifconfig tap1 create descr potnet:vm1 group potnet link0 up",
        "chown alice /dev/tap1",
        "ifconfig bridge0 addm tap1 private tap1",
    ]
    world.executor.commands.clear()
    world.do(stop, ["vm1"])
    assert world.executor.changed == ["chown root /dev/tap1", "ifconfig tap1 destroy"]


@both_hosts
def test_a_machine_on_several_networks_has_a_tap_on_each(world: World) -> None:
    machine(world, more=((NetworkType.PUBLIC_BRIDGE, None),), stack="dual", macs=("02:00:00:00:00:07",))
    world.do(start, ["vm1"])
    view = world.do(info, "vm1")
    names = [each["name"] for each in view["taps"]]
    assert [each["bridge"] for each in view["taps"]] == ["lab", "public", "public6"]
    assert len(set(names)) == 3 and {*names} <= {*world.interfaces()}
    assert view["taps"][0]["mac"] == "02:00:00:00:00:07"
    # The default route is by the first; on the last one it learns its address by itself.
    first, second, third = (each["addresses"] for each in view["taps"])
    assert first[0]["gateway"] is not None and second[0]["gateway"] is None
    assert third == [{"family": 6, "address": None, "gateway": None}]
    assert len(re.findall(r"id=net\d", " ".join(each["qemu"] for each in view["taps"]))) == 3
    assert "netdev=net1" in view["taps"][1]["qemu"]
    assert world.do(check, [], None) == ()
    variables = world.do(environment, "vm1")
    assert variables["_POT_TAP"].split() == names
    assert variables["_POT_MAC"].split()[0] == "02:00:00:00:00:07"
    world.do(stop, ["vm1"])
    assert not {*names} & {*world.interfaces()}


@both_hosts
def test_many_machines_start_and_stop_together(world: World) -> None:
    names = [f"vm{number}" for number in range(5)]
    for name in names:
        machine(world, name)
    fresh = world.snapshot()
    world.do(start, names)
    assert {each["state"] for each in world.do(list_pots)} == {"running"}
    assert world.do(check, [], None) == ()
    world.do(stop, names)
    assert world.snapshot() == fresh


@both_hosts
def test_the_mtu_of_the_bridge_is_that_of_the_tap_and_told(world: World) -> None:
    machine(world, mtu=1400)
    world.do(start, ["vm1"])
    told = tap(world)
    assert told["mtu"] == 1400
    assert told["qemu"].endswith(",host_mtu=1400")
    assert world.do(check, [], None) == ()


# Who may open it


def test_of_a_tap_of_root_s_nothing_is_taken_away(world: World) -> None:
    machine(world)
    world.do(start, ["vm1"])
    world.executor.commands.clear()
    world.do(stop, ["vm1"])
    assert "ifconfig tap0 destroy" in world.executor.changed
    assert [line for line in world.executor.changed if line.startswith("chown")] == []


@pytest.mark.parametrize("owner", ["alice", None])
def test_another_who_may_open_a_tap_is_noticed_and_mended(world: World, owner: str | None) -> None:
    machine(world, more=((NetworkType.PUBLIC_BRIDGE, None),), owner=owner)
    world.do(start, ["vm1"])
    world.host.run(Command(("chown", "nobody", "/dev/tap1")))
    (found,) = world.do(check, [], None)
    assert (found.kind, found.interface, found.repairable) == (Kind.OWNER_DIFFERS, "tap1", True)
    assert (found.expected, found.found) == (f"{owner or 'root'} may open tap1", "nobody may")
    world.do(repair, [], None)
    assert world.host.interface("tap1").owner == (owner or "root")
    assert world.do(check, [], None) == ()


def test_an_owner_by_another_name_is_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from potnet.executors.simulated.system import tools

    machine(world)
    world.do(start, ["vm1"])
    monkeypatch.setitem(tools.USERS, "toor", 0)
    world.host.run(Command(("chown", "toor", "/dev/tap0")))
    assert world.do(check, [], None) == ()


def test_one_who_is_no_user_any_more_is_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from potnet.executors.simulated.system import tools

    machine(world)
    world.do(start, ["vm1"])
    world.host.run(Command(("chown", "alice", "/dev/tap0")))
    monkeypatch.delitem(tools.USERS, "alice")
    assert [each.found for each in world.do(check, [], None)] == ["alice may"]


def test_only_the_owner_opens_the_tap(world: World) -> None:
    machine(world, owner="alice")
    world.do(start, ["vm1"])
    name = tap(world)["name"]
    assert world.host.interface(name).owner == "alice"
    assert open_tap(world, user="nobody") == "EACCES"
    assert open_tap(world, user="alice") == ""
    assert open_tap(world) == "EBUSY"
    assert world.reaches("host", address(world, "vm1"), 80)
    # It stays up for the next one to open it.
    world.host.close_tap(name)
    assert world.host.interface(name).up
    open_tap(world)
    assert world.reaches("host", address(world, "vm1"), 80)


def test_without_an_owner_it_is_root_s_whoever_called(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    machine(world)
    world.do(start, ["vm1"])
    assert world.host.interface(tap(world)["name"]).owner == "root"


def test_another_owner_holds_from_the_next_start(world: World) -> None:
    machine(world)
    world.do(start, ["vm1"])
    assert world.do(set_options, "vm1", SettingsRequest(**NOTHING, owner="alice"))
    assert world.host.interface(tap(world)["name"]).owner == "root"
    world.do(stop, ["vm1"])
    world.do(start, ["vm1"])
    assert world.host.interface(tap(world)["name"]).owner == "alice"
    with pytest.raises(PotnetError, match="the host has no user carol"):
        world.do(set_options, "vm1", SettingsRequest(**NOTHING, owner="carol"))


def test_an_owner_who_is_gone_fails_the_start_and_nothing_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from potnet.executors.simulated.system import tools

    machine(world, owner="alice")
    before, stored = world.snapshot(), world.records()
    monkeypatch.setattr(tools, "USERS", {"root": 0})
    with pytest.raises(HostError, match="chown: alice: illegal user name"):
        world.do(start, ["vm1"])
    assert (world.snapshot(), world.records()) == (before, stored)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "inherit", "tap": True}, "--tap requires a bridge"),
        ({"kind": "alias", "tap": True}, "--tap requires a bridge"),
        ({"kind": "public-bridge", "owner": "alice"}, "--owner requires --tap"),
        ({"kind": "public-bridge", "tap": True, "owner": "nosuch"}, "the host has no user nosuch"),
        ({"kind": "public-bridge", "tap": True, "owner": "-R"}, "invalid user name"),
        ({"kind": "public-bridge", "tap": True, "owner": "a" * 33}, "invalid user name"),
        ({"kind": "public-bridge", "tap": True, "owner": "1001"}, "invalid user name"),
        ({"kind": "public-bridge", "tap": True, "base": "12.2"}, "-b is for jails"),
        ({"kind": "public-bridge", "tap": True, "path": "/jails/web"}, "--path is for jails"),
        ({"kind": "public-bridge", "tap": True, "command": "sleep 9"}, "--cmd is for jails"),
        ({"kind": "public-bridge", "tap": True, "passed": ("em1",)}, "--pass is for jails"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, options: dict[str, Any], words: str) -> None:
    before, stored = world.snapshot(), world.records()
    with pytest.raises(PotnetError, match=re.escape(words)):
        world.create("vm1", options.pop("kind"), **options)
    assert (world.snapshot(), world.records()) == (before, stored)


def test_what_needs_a_jail_is_refused(world: World) -> None:
    machine(world)
    for running in (False, True):
        if running:
            world.do(start, ["vm1"])
        before = world.snapshot()
        for operation, *args in (
            (run, "vm1"), (execute, "vm1", ("ls",)), (attach, "vm1", None, False), (detach, ["vm1"]),
            (jail_conf, "vm1", ["potnet"]), (copy_in, "vm1", world.config_file, "/etc"),
        ):  # fmt: skip
            with pytest.raises(PotnetError, match="vm1 has taps and no jail"):
                world.do(operation, *args)
        for more in ({"command": "ls"}, {"passed": ("em1",)}):
            with pytest.raises(UsageError, match="is for jails"):
                world.do(set_options, "vm1", SettingsRequest(**NOTHING | more))
        assert world.snapshot() == before
    with pytest.raises(UsageError, match="--owner requires --tap"):
        world.create("web")
        world.do(set_options, "web", SettingsRequest(**NOTHING, owner="root"))


@given(st.text(max_size=40))
def test_no_owner_that_is_taken_can_be_an_option_or_two_words(text: str) -> None:
    from types import SimpleNamespace

    from potnet.model.pots import Pot, Stack

    pot = Pot("vm1", NetworkType.PUBLIC_BRIDGE, Stack.IPV4, "/m", owner="root")
    everybody = SimpleNamespace(observe=lambda query: SimpleNamespace(users=frozenset(query.users)))
    app = SimpleNamespace(rootless=None, driver=everybody)
    try:
        owner = with_owner(app, pot, text).owner
    except UsageError:
        return
    assert owner == text and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text)


# What it reaches, and who reaches it


def test_a_guest_is_on_the_network_like_a_pot(world: World) -> None:
    machine(world)
    world.create("web", "private-bridge", bridge="lab")
    world.create("far", "public-bridge")
    world.do(export_ports, "vm1", ExportRequest(["80:8080"]))
    world.do(start, ["vm1", "web", "far"])
    guest = address(world, "vm1")
    # Nobody has opened it yet.
    assert not world.reaches("web", guest, 80)
    open_tap(world)
    for source in ("web", "host"):
        assert world.reaches(source, guest, 80)
    assert world.host.connect("outside", world.address, 8080).server == "vm1"
    assert world.host.connect("web", world.address, 8080).server == "vm1"
    assert world.reaches("vm1", "192.168.178.99", 80)
    assert world.reaches("vm1", address(world, "web"), 80)
    assert not world.reaches("far", guest, 80)
    assert not world.reaches("outside", guest, 80)
    assert not world.reaches("vm1", address(world, "far"), 80)
    assert world.redirections("vm1") == [("tcp", 8080)]
    # Its name is that of any pot.
    assert f"{guest} vm1" in re.sub(r"\s+", " ", world.etc("web", "hosts"))
    assert [each["name"] for zone in world.do(zones) for each in zone["records"]].count("vm1.lab") == 1
    # Exports change while it runs.
    world.do(export_ports, "vm1", ExportRequest(["81:8081"]))
    assert world.reaches("outside", world.address, 8081)
    assert not world.reaches("outside", world.address, 8080)


def test_policies_isolation_and_no_internet_hold_for_a_guest(world: World) -> None:
    machine(world, network=NetworkOptions(isolate=True, internet=False))
    machine(world, "vm2", network=NetworkOptions(isolate=True))
    world.do(create_private_bridge, BridgeRequest("rack", 6))
    world.create("db", "private-bridge", bridge="rack")
    world.do(start, ["vm1", "vm2", "db"])
    for name in ("vm1", "vm2"):
        open_tap(world, name)
    assert not world.reaches("vm1", address(world, "vm2"), 80)
    assert not world.reaches("vm1", "192.168.178.99", 80)
    assert world.reaches("vm2", "192.168.178.99", 80)
    assert not world.reaches("vm2", address(world, "db"), 5432)
    world.do(policies.add, "vm2", "db", "5432", False)
    assert world.reaches("vm2", address(world, "db"), 5432)
    assert not world.reaches("vm2", address(world, "db"), 80)
    assert world.do(check, [], None) == ()


def test_ipv6_of_a_guest(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("lab", 6, ipv6="auto"))
    machine(world, stack="dual")
    world.create("web", "private-bridge", "dual", bridge="lab")
    world.do(start, ["vm1", "web"])
    open_tap(world)
    six = str(next(pot for pot in world.records()["pots"] if pot.name == "vm1").leased[1])
    assert world.reaches("web", six, 80)
    assert world.reaches("host", six, 80)
    assert [each["family"] for each in tap(world)["addresses"]] == [4, 6]


# When it is open at the stop


def test_a_stop_never_waits_for_who_has_the_tap(world: World) -> None:
    machine(world, owner="alice")
    world.create("web", "private-bridge", bridge="lab")
    world.do(export_ports, "vm1", ExportRequest(["80:8080"]))
    fresh = world.snapshot()
    world.do(start, ["vm1", "web"])
    open_tap(world, user="alice")
    name, guest = tap(world)["name"], address(world, "vm1")
    world.executor.commands.clear()
    with pytest.raises(HostError, match=rf"{name} is down, and is removed when process \d+ ends") as caught:
        world.do(stop, ["vm1"])
    assert caught.value.left_behind
    # The kernel would let nobody make or destroy an interface until then.
    assert f"ifconfig {name} destroy" not in world.executor.changed
    assert not world.reaches("web", guest, 80)
    assert not world.reaches("vm1", address(world, "web"), 80)
    assert not world.reaches("outside", world.address, 8080)
    assert [found.kind for found in world.do(check, [], None)] == [Kind.STOP_CUT_OFF]
    # Again, and at a start, it is the same.
    for operation in (stop, start):
        with pytest.raises(HostError, match="is removed when process"):
            world.do(operation, ["vm1"])
    # No one else comes in through it, and when the process has ended a stop does the rest.
    world.host.close_tap(name)
    assert open_tap(world, user="alice") == "EACCES"
    world.do(stop, ["vm1"])
    world.do(stop, ["web"])
    assert world.snapshot() == fresh
    assert world.do(check, [], None) == ()


def test_a_failed_start_does_not_wait_for_who_has_opened_the_tap_meanwhile(world: World) -> None:
    machine(world, owner="alice")
    world.do(export_ports, "vm1", ExportRequest(["80:8080"]))
    world.do(start, ["vm1"])
    world.do(stop, ["vm1"])

    class Opening:
        """Opens the tap as soon as it is there."""

        def __init__(self) -> None:
            self.opened = False

        def run(self, command: Any) -> Any:
            argv = command.argv
            if argv[:2] == ("pfctl", "-a") and "pot-rdr/vm1" in argv and command.stdin:
                world.host.open_tap("tap0", "vm1", user="alice")
                self.opened = True
                return FAILURE
            return world.host.run(command)

    world.executor.inner = Opening()
    with pytest.raises(HostError, match="is removed when process") as caught:
        world.do(start, ["vm1"])
    assert caught.value.left_behind
    world.executor.inner = world.host
    world.host.close_tap("tap0")
    world.do(stop, ["vm1"])
    assert "tap0" not in world.interfaces()
    assert world.do(check, [], None) == ()


@given(st.text(max_size=300), st.integers(0, 10**9))
def test_who_has_a_tap_is_read_from_its_own_line_only(noise: str, process: int) -> None:
    lines = "".join(f"\tx{line}\n" for line in noise.splitlines())
    assert parse_ifconfig.opened_by(lines) is None
    assert parse_ifconfig.opened_by(f"{lines}\tOpened by PID {process}\n{lines}") == process


# Other hands


def test_units_that_others_have_are_worked_round(world: World) -> None:
    world.do_there("ifconfig", "tap0", "create")
    machine(world)
    assert tap(world)["name"] == "tap1"
    # One that is taken while the machine is stopped, and one that hides under another name.
    world.do_there("ifconfig", "tap1", "create")
    world.do_there("ifconfig", "tap2", "create")
    world.do_there("ifconfig", "tap2", "name", "vmnet9")
    world.do(start, ["vm1"])
    assert tap(world)["name"] == "tap3"
    assert world.do(check, [], None) == ()
    world.do(stop, ["vm1"])
    assert [name for name in world.interfaces() if name.startswith(("tap", "vmnet"))] == [
        "tap0", "tap1", "vmnet9",
    ]  # fmt: skip


def test_a_tap_of_somebody_else_after_a_reboot_is_not_the_machine(world: World) -> None:
    machine(world)
    world.do(start, ["vm1"])
    name = tap(world)["name"]
    world.remove_interface(name)
    world.reboot()
    world.do_there("ifconfig", name, "create")
    assert world.do(info, "vm1")["state"] == "stopped"
    assert [found.kind for found in world.do(check, [], None)] == [Kind.POT_GONE]
    world.do(start, ["vm1"])
    assert tap(world)["name"] != name
    assert world.do(check, [], None) == ()
    world.do(stop, ["vm1"])
    assert name in world.interfaces()


@both_hosts
def test_repair_mends_what_others_have_done_to_a_tap(world: World) -> None:
    machine(world, network=NetworkOptions(isolate=True))
    world.do(start, ["vm1"])
    name = tap(world)["name"]
    bridge = next(bridge for bridge in world.records()["bridges"] if bridge.name == "lab").interface
    if world.kind == "linux":
        away = ("ip", "link", "set", "dev", name, "nomaster")
        down = ("ip", "link", "set", "dev", name, "down")
    else:
        away, down = ("ifconfig", bridge, "deletem", name), ("ifconfig", name, "down")
    for argv, kind in ((away, Kind.MEMBER_MISSING), (down, Kind.INTERFACE_DOWN)):
        world.do_there(*argv)
        assert [found.kind for found in world.do(check, [], None)] == [kind]
        world.do(repair, [], None)
        assert world.do(check, [], None) == ()
    world.remove_interface(bridge)
    world.do(repair, [], None)
    assert world.members(bridge) == {name}
    assert world.do(check, [], None) == ()
    world.remove_interface(name)
    assert [found.kind for found in world.do(check, [], None)] == [Kind.POT_GONE]
    world.do(repair, [], None)
    assert world.do(info, "vm1")["state"] == "stopped"
    assert world.do(check, [], None) == ()


@both_hosts
def test_repair_removes_a_tap_that_nobody_remembers(world: World) -> None:
    machine(world)
    world.do(start, ["vm1"])
    name = tap(world)["name"]
    with world.app() as app:
        app.store.remove_run("vm1")
    found = world.do(check, [], None)
    assert (Kind.INTERFACE_LEFT, name) in [(each.kind, each.interface) for each in found]
    world.do(repair, [], None)
    assert name not in world.interfaces()
    # A start does so, too.
    world.do(start, ["vm1"])
    with world.app() as app:
        app.store.remove_run("vm1")
    world.do(start, ["vm1"])
    assert tap(world)["name"] == name
    assert world.do(check, [], None) == ()


def test_a_jail_of_the_same_name_is_another_matter(world: World) -> None:
    machine(world)
    world.add_jail("vm1")
    world.do(start, ["vm1"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["vm1"])
    assert world.jails() == ["vm1"]


def test_hooks_know_the_tap(world: World) -> None:
    machine(world)
    path = world.directory / "hook"
    path.write_text("#!/bin/sh\n")
    world.do(set_hook, "vm1", {HookKind.POSTSTART: path, HookKind.PRESTOP: path})
    world.do(start, ["vm1"])
    told = tap(world)
    world.do(stop, ["vm1"])
    assert [hook["environment"]["_POT_TAP"] for hook in world.host.hooks()] == [told["name"]] * 2
    assert {hook["environment"]["_POT_MAC"] for hook in world.host.hooks()} == {told["mac"]}
    assert all("_POT_JID" not in hook["environment"] for hook in world.host.hooks())
    world.do(destroy_pot, "vm1")
    assert not (world.host.tree / "opt/potnet/jails/vm1").exists()


def test_a_backup_without_a_running_machine_is_not_put_in_place(world: World) -> None:
    machine(world)
    world.do(backup, world.directory / "saved", False)
    world.do(start, ["vm1"])
    with pytest.raises(PotnetError, match=r"the backup lacks or differs from what is running.*pot vm1"):
        world.do(restore, world.directory / "saved", False)
    world.do(stop, ["vm1"])
    world.do(restore, world.directory / "saved", False)
    assert [pot.owner for pot in world.records()["pots"]] == ["root"]
    world.do(start, ["vm1"])


@pytest.mark.parametrize(
    ("resolver", "expected"), [("inherit", ["192.168.178.1"]), ("off", []), ("pot", ["10.192.0.2"])]
)
def test_the_resolver_is_told(world: World, resolver: str, expected: list[str]) -> None:
    machine(world, "vm1", "public-bridge", resolver=resolver)
    assert list(world.do(info, "vm1")["dns"]) == expected


def test_a_pot_says_that_it_has_no_owner(world: World) -> None:
    world.create("web", "public-bridge")
    view = world.do(info, "web")
    assert (view["owner"], view["type"]) == (None, "single")
    assert "taps" not in view
    assert replace(world.records()["pots"][0], owner=None).is_jail


def test_a_guest_is_kept_to_its_own_addresses_where_antispoof_says_so(world: World) -> None:
    world.configure("network.antispoof = true\n")
    machine(world)
    world.create("web", "private-bridge", bridge="lab")
    world.do(start, ["vm1", "web"])
    told = tap(world)
    bridge = next(bridge for bridge in world.records()["bridges"] if bridge.name == "lab").interface
    # The address behind the tap is the guest's, not the tap's own.
    assert f"{told['name']} {told['mac']}" in world.host.interface(bridge).alone
    open_tap(world)
    assert world.reaches("web", address(world, "vm1"), 80)
    assert world.reaches("vm1", address(world, "web"), 80)
    assert world.do(check, [], None) == ()
    # One that takes another's address.
    world.host.close_tap(told["name"])
    world.host.open_tap(told["name"], "vm1", "10.192.0.13/29")
    assert not world.reaches("vm1", address(world, "web"), 80)
    # It counts among those for which it holds, or not.
    world.do(stop, ["web"])
    world.configure("")
    world.do(start, ["web"])
    assert {run.pot.name: run.pot.antispoof for run in world.records()["runs"]} == {"vm1": True, "web": True}
