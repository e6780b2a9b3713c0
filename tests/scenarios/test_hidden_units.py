"""Units of interfaces that are in use though the host does not show them: renamed, or moved into a jail."""

from __future__ import annotations

import pytest
from test_life import prepare
from world import Faulty, World

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.attach import attach
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def hide(world: World, name: str) -> None:
    """Make interfaces, and give them other names: their unit stays in use."""
    world.do_there("ifconfig", name, "create")
    for end in ("a", "b") if name.startswith("epair") else ("",):
        world.do_there("ifconfig", f"{name}{end}", "name", f"vm-{name}{end}")


@pytest.mark.parametrize("hidden", [("bridge0",), ("bridge0", "bridge1", "bridge2")])
def test_vnet_start_takes_a_unit_that_the_host_does_not_hide(world: World, hidden: tuple[str, ...]) -> None:
    for name in hidden:
        hide(world, name)
    world.do(vnet_start, None)
    made = f"bridge{len(hidden)}"
    assert made in world.interfaces()
    prepare(world, "public-bridge", "ipv4")
    world.do(start, ["casserole"])
    assert world.members(made) == {"epair0a"}
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("hidden", [("bridge0",), ("epair0", "bridge0", "bridge1")])
def test_a_start_that_takes_another_unit_tells_once_what_it_tells(
    world: World, hidden: tuple[str, ...]
) -> None:
    world.do_there("pfctl", "-f", "-", stdin='nat-anchor pot-nat\nrdr-anchor "pot-rdr/*"\n')
    for name in hidden:
        hide(world, name)
    prepare(world, "public-bridge", "ipv4")
    world.notices.clear()
    world.do(start, ["casserole"])
    assert "is not isolated" in world.notices[1]
    assert len(world.notices) == len({*world.notices})


def test_vnet_start_that_finds_no_unit_gives_up_with_the_tools_own_words(world: World) -> None:
    class Full(Faulty):
        def run(self, command: Command) -> CommandResult:
            if command.argv[2:3] == ("create",):
                return CommandResult(1, "", f"ifconfig: interface {command.argv[1]} already exists\n")
            return super().run(command)

    before = world.snapshot()
    world.executor = Full(world.host)
    with pytest.raises(PotnetError, match="already exists"):
        world.do(vnet_start, None)
    assert world.snapshot() == before


@pytest.mark.parametrize("hidden", [("bridge0",), ("epair0",), ("bridge0", "epair0", "epair2", "bridge2")])
def test_repair_takes_a_unit_that_the_host_does_not_hide(world: World, hidden: tuple[str, ...]) -> None:
    prepare(world, "public-bridge", "dual")
    world.do(start, ["casserole"])
    for name in ("bridge0", "epair0a"):
        if name.rstrip("a") in hidden:
            world.remove_interface(name)
    for name in hidden:
        hide(world, name)
    assert world.do(check, [], None)
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert world.reaches("casserole", "203.0.113.9", 80)
    assert world.reaches("outside", world.address, 30080)
    before = {f"vm-{name}" for name in hidden if name.startswith("bridge")}
    world.do(stop, ["casserole"])
    assert {name for name in world.interfaces() if "bridge" in name} == before
    world.do(start, ["casserole"])
    assert world.do(check, [], None) == ()


def test_what_set_has_changed_since_stays_when_repair_takes_another_unit(world: World) -> None:
    prepare(world, "public-bridge", "ipv4")
    world.do(start, ["casserole"])
    world.do(
        set_options,
        "casserole",
        SettingsRequest(resolver=None, addresses=(), hostname="pan", command=None, boot=None),
    )
    world.remove_interface("epair0a")
    hide(world, "epair0")
    world.do(repair, [], None)
    (pot,), (run,) = world.records()["pots"], world.records()["runs"]
    assert (pot.hostname, run.pot.hostname) == ("pan", "casserole")
    assert pot.attachments == run.pot.attachments


def test_attach_takes_a_unit_that_the_host_does_not_hide(world: World) -> None:
    pot = world.create("casserole", "public-bridge")
    for name in ("bridge0", "epair0"):
        hide(world, name)
    world.do_there("jail", "-c", "name=casserole", f"path={pot.root}", "persist", "vnet")
    world.do(attach, "casserole", None, False)
    assert world.members("bridge1") == {"epair1a"}
    assert "epair1b" in world.host.interfaces("casserole")
