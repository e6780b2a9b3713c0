"""Hosts that changed under potnet: reboots, and other people's hands."""

from __future__ import annotations

import pytest
from test_life import KINDS, prepare
from world import World

from potnet.executors.base import Command
from potnet.operations.info import info
from potnet.operations.start import start
from potnet.operations.stop import stop
from potnet.operations.vnet import vnet_start, vnet_stop


def run(world: World, *argv: str, stdin: str | None = None) -> None:
    result = world.host.run(Command(argv, stdin))
    assert result.code == 0, result


def reboot(world: World) -> None:
    """What a host is after it went down with its pots up: files stay, all else is as at the first boot."""
    for name, jail in world.host.jails().items():
        run(world, "jail", "-r", name)
        if f"{jail.path}/dev" in world.host.mounts():
            run(world, "umount", f"{jail.path}/dev")
    for name in world.host.interfaces():
        if name.startswith("bridge") or (name.startswith("epair") and name.endswith("a")):
            run(world, "ifconfig", name, "destroy")
    for address in ("192.168.178.200", "2001:db8:7::200"):
        if any(address in a for a in world.host.interface("em0").addresses):
            family = "inet6" if ":" in address else "inet"
            run(world, "ifconfig", "em0", family, address, "-alias")
    for anchor in world.host.anchors():
        run(world, "pfctl", "-a", anchor, "-f", "-", stdin="")


@pytest.mark.parametrize(("kind", "stack"), KINDS)
def test_after_a_reboot_pots_are_stopped_and_start_again(world: World, kind: str, stack: str) -> None:
    prepare(world, kind, stack, base="12.2")
    before = world.host.snapshot()
    world.do(start, ["casserole"])
    running = world.host.snapshot()
    reboot(world)
    assert world.do(info, "casserole")["state"] == "stopped"
    (outcome,) = world.do(start, ["casserole"])
    assert outcome.changed
    again = world.host.snapshot()
    assert {name: jail[1:] for name, jail in again.pop("jails").items()} == {
        name: jail[1:] for name, jail in running.pop("jails").items()
    }
    assert again["files"] == running["files"]
    assert again["anchors"] == running["anchors"]
    world.do(stop, ["casserole"])
    assert world.host.snapshot() == before


@pytest.mark.parametrize(("kind", "stack"), KINDS)
def test_after_a_reboot_stop_gives_the_files_back(world: World, kind: str, stack: str) -> None:
    prepare(world, kind, stack, base="12.2")
    before = world.host.snapshot()
    world.do(start, ["casserole"])
    reboot(world)
    world.do(stop, ["casserole"])
    assert world.host.snapshot() == before
    assert world.records()["runs"] == ()


def test_a_reboot_with_forwarding_on_leaves_it_on(world: World) -> None:
    run(world, "sysctl", "net.inet.ip.forwarding=0")
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    reboot(world)
    # Meanwhile the administrator has set gateway_enable; the host boots with it.
    run(world, "sysctl", "net.inet.ip.forwarding=1")
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    assert world.host.sysctl("net.inet.ip.forwarding") == "1"


def test_vnet_start_after_a_reboot_makes_the_bridge_again(world: World) -> None:
    world.do(vnet_start, None)
    before = world.host.snapshot()
    reboot(world)
    assert world.do(vnet_start, None)
    assert world.host.snapshot() == before
    assert not world.do(vnet_start, None)
    assert world.do(vnet_stop, None)
    assert not world.do(vnet_stop, None)


@pytest.mark.parametrize(("kind", "stack"), [k for k in KINDS if "bridge" in k[0]])
@pytest.mark.parametrize("hand", ["jail", "epair", "bridge"])
def test_stop_finishes_what_other_hands_began(world: World, kind: str, stack: str, hand: str) -> None:
    run(world, "sysctl", "net.inet.ip.forwarding=0")
    prepare(world, kind, stack, base="12.2")
    before = world.host.snapshot()
    world.do(start, ["casserole"])
    bridges = [name for name in world.host.interfaces() if name.startswith("bridge")]
    match hand:
        case "jail":
            run(world, "jail", "-r", "casserole")
            run(world, "umount", world.records()["pots"][0].root + "/dev")
        case "epair":
            run(world, "ifconfig", "epair0a", "destroy")
        case "bridge":
            run(world, "ifconfig", bridges[0], "destroy")
    world.do(stop, ["casserole"])
    assert world.host.snapshot() == before
