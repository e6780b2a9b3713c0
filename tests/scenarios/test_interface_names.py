"""Interfaces whose names have hyphens, dots and underscores, wherever a name of an interface is given."""

from __future__ import annotations

import pytest
from on_linux import LinuxWorld
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NAMES = ["vm-public", "br-lan", "em0.30", "lan_1", "_x", "4g", "x" * 15]


def external(world: World, name: str) -> None:
    """The external interface gets another name, as administrators give it."""
    world.do_there("ifconfig", "em0", "name", name)
    world.configure(f'[network]\nexternal_interface = "{name}"\n')


@pytest.mark.parametrize("name", NAMES)
def test_the_external_interface(world: World, name: str) -> None:
    external(world, name)
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    before = world.snapshot()
    world.do(start, ["casserole"])
    assert world.do(check, [], None) == ()
    assert f"nat on {name} inet from 10.192.0.0/10 to any -> ({name}:0)" in world.host.anchor("pot-nat")
    rules = world.host.anchor("pot-rdr/casserole")
    assert any(f" on {name} " in rule and "port = 30080" in rule for rule in rules)
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@both_hosts
@pytest.mark.parametrize("name", ["vm-public", "br-lan", "lan_1", "_x", "4g", "x" * 15])
def test_aliases(world: World, name: str) -> None:
    if isinstance(world, LinuxWorld):
        world.do_there("ip", "link", "add", name, "type", "veth", "peer", "name", "far0")
        world.do_there("ip", "link", "set", name, "up")
    else:
        world.do_there("ifconfig", "em0", "name", name)
    world.create("casserole", "alias", addresses=(f"{name}|{world.prefix}201",))
    before = world.snapshot()
    world.do(start, ["casserole"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@pytest.mark.parametrize("name", ["", "-em0", ".em0", "x" * 16, "em 0", "em0/1", "é0", "em0\n"])
def test_what_is_no_name(world: World, name: str) -> None:
    with pytest.raises(UsageError, match="invalid interface name"):
        world.create("casserole", "alias", addresses=(f"{name}|192.168.178.201",))
    with pytest.raises(UsageError, match="invalid interface name"):
        world.create("casserole", "public-bridge", passed=(name,))
    with pytest.raises(PotnetError):
        world.do(create_private_bridge, BridgeRequest("stove", 4, uplink=f"{name}.30"))


@pytest.mark.parametrize("name", NAMES)
def test_passed_interfaces(world: World, name: str) -> None:
    world.host.plug("em1")
    world.do_there("ifconfig", "em1", "name", name)
    world.create("casserole", "public-bridge", passed=(name,))
    before = world.snapshot()
    world.do(start, ["casserole"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@pytest.mark.plain_interface
@pytest.mark.parametrize("name", ["vm-public", "lan_1", "_x", "4g"])
def test_uplinks(world: World, name: str) -> None:
    external(world, name)
    world.do(create_private_bridge, BridgeRequest("stove", 4, uplink=f"{name}.3"))
    world.create("casserole", "private-bridge", bridge="stove")
    world.do(start, ["casserole"])
    assert world.do(check, [], None) == ()
