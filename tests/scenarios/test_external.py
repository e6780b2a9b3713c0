"""The host's way outside changes while pots run: what is in force follows, whatever command comes next."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import World, both_hosts, both_hosts_with

from potnet.drivers.base import CommandError
from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.in_force import OUTLETS
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.running.attach import attach
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

SIX = 'ipv6 = "nat"\n'
NEW = {"sim": "em1", "linux": "eth1"}


def other(world: World) -> str:
    """A second interface that leads somewhere."""
    name = NEW[world.kind]
    if world.kind == "linux":
        world.do_there("ip", "link", "add", name, "type", "veth", "peer", "far1")
        world.do_there("ip", "addr", "add", "198.51.100.2/24", "dev", name)
        for end in (name, "far1"):
            world.do_there("ip", "link", "set", end, "up")
    else:
        world.host.plug(name)
        world.do_there("ifconfig", name, "inet", "198.51.100.2/24", "up")
    return name


def move(world: World, gateway: str = "198.51.100.1") -> None:
    if world.kind == "linux":
        world.do_there("ip", "route", "replace", "default", "via", gateway)
    else:
        world.do_there("route", "delete", "default")
        world.do_there("route", "add", "default", gateway)


def no_route(world: World) -> None:
    world.do_there(*(("ip", "route", "del") if world.kind == "linux" else ("route", "delete")), "default")


def rules(world: World) -> list[str]:
    """All rules that name an interface that leads outside."""
    if world.kind == "linux":
        text = world.host.run(Command(("nft", "list", "table", "inet", "potnet"))).out
        return [line.strip() for line in text.splitlines() if '"eth' in line]
    lines = [line for name in world.host.anchors() for line in world.host.anchor(name)]
    return [line for line in lines if " on em" in line]


def pots(world: World) -> None:
    """web and db run and export; spare is there; guest is on a bridge of its own with NAT for IPv6."""
    world.configure(f"[network]\n{SIX}")
    world.do(create_private_bridge, BridgeRequest("inner", 5, "auto"))
    world.do(create_private_bridge, BridgeRequest("store", 5))
    for name in ("web", "spare"):
        world.create(name, "public-bridge")
    world.create("db", "private-bridge", bridge="store")
    world.create("guest", "private-bridge", "dual", bridge="inner")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    world.do(export_ports, "guest", ExportRequest(["80:30081"]))
    world.do(start, ["web", "db", "guest"])


def configured(world: World, name: str) -> None:
    world.configure(f'[network]\n{SIX}external_interface = "{name}"\n')


Step = Callable[[World], object]
COMMANDS: dict[str, Step] = {
    "start": lambda w: w.do(start, ["spare"]),
    "start several": lambda w: w.do(start, ["spare", "more"]),
    "export of one that runs": lambda w: w.do(export_ports, "db", ExportRequest(["443:30443"])),
    "one more export": lambda w: w.do(
        export_ports, "web", ExportRequest(["443:30443"], False, change=Change.ADD)
    ),
    "export taken away": lambda w: w.do(
        export_ports, "web", ExportRequest(["80:30080"], False, change=Change.REMOVE)
    ),
    "vnet-start": lambda w: w.do(vnet_start, None),
    "vnet-start of a bridge": lambda w: w.do(vnet_start, "inner"),
    "policy": lambda w: w.do(policies.add, "db", "guest", "80", False),
    "policy away": lambda w: w.do(policies.remove, "db", "guest", "443"),
    "repair": lambda w: w.do(repair, [], None),
    "restart": lambda w: (w.do(stop, ["web"]), w.do(start, ["web"])),
}


def prepared(world: World) -> str:
    # On Linux, check reports an address that comes later.
    new = other(world)
    pots(world)
    world.create("more", "public-bridge")
    world.do(policies.add, "db", "guest", "443", False)
    return new


def cleaned(world: World, name: str) -> None:
    if world.kind == "linux":
        world.do_there("ip", "link", "del", name)


@both_hosts_with(
    ("command",),
    [(command,) for command in COMMANDS],
    [("start several",), ("one more export",), ("vnet-start",), ("policy",), ("repair",)],
)
def test_everything_follows_the_default_route(world: World, command: str) -> None:
    new = prepared(world)
    assert world.do(check, [], None) == ()
    move(world)
    world.notices.clear()
    COMMANDS[command](world)
    assert world.do(check, [], None) == ()
    found = rules(world)
    assert found and all(new in line and f"{world.external} " not in line for line in found), found
    assert any(f"was {world.external} and is {new} now" in line for line in world.notices) == (
        command != "repair"
    )
    # The next one finds nothing to do, and back again it follows as well.
    world.notices.clear()
    world.do(export_ports, "db", ExportRequest(["22:30022"], False, change=Change.ADD))
    assert world.notices == []
    gateway = "192.0.2.9" if world.kind == "linux" else "192.168.178.1"
    move(world, gateway)
    world.do(stop, ["db"])
    world.do(start, ["db"])
    assert world.do(check, [], None) == ()
    assert world.reaches("outside", world.address, 30081)
    cleaned(world, new)


@both_hosts
def test_everything_follows_the_configuration(world: World) -> None:
    new = prepared(world)
    configured(world, new)
    world.do(start, ["spare"])
    assert world.do(check, [], None) == ()
    assert all(new in line for line in rules(world))
    cleaned(world, new)


@both_hosts
def test_a_configured_interface_that_is_not_there_is_refused(world: World) -> None:
    new = prepared(world)
    before = rules(world)
    configured(world, "nosuch0")
    for command in ("start", "one more export", "vnet-start", "policy"):
        with pytest.raises(PotnetError, match="no interface nosuch0"):
            COMMANDS[command](world)
    assert rules(world) == before
    cleaned(world, new)


@both_hosts
def test_without_any_default_route_what_is_in_force_stays(world: World) -> None:
    new = prepared(world)
    no_route(world)
    world.do(start, ["spare"])
    assert any(
        f"no default route: NAT and exports stay on {world.external}" in line for line in world.notices
    )
    world.do(export_ports, "db", ExportRequest(["443:30443"]))
    found = rules(world)
    assert found and not any(new in line for line in found)
    gateway = "192.0.2.9" if world.kind == "linux" else "192.168.178.1"
    if world.kind == "linux":
        world.do_there("ip", "route", "add", "default", "via", gateway)
    else:
        world.do_there("route", "add", "default", gateway)
    assert world.do(check, [], None) == ()
    cleaned(world, new)


def test_an_interface_that_gets_another_name(world: World) -> None:
    prepared(world)
    world.do_there("ifconfig", "em0", "name", "wan")
    world.do(start, ["spare"])
    assert world.do(check, [], None) == ()
    lines = [line for name in world.host.anchors() for line in world.host.anchor(name)]
    assert any(" on wan " in line for line in lines) and not any("em0" in line for line in lines)


def test_other_addresses_and_further_interfaces_are_followed(world: World) -> None:
    prepared(world)
    world.configure(
        f'[network]\n{SIX}external_address = "192.168.178.20"\n'
        '[network.extra_interfaces]\nem1 = "172.16.0.0/12"\n'
    )
    world.do(start, ["spare"])
    assert world.do(check, [], None) == ()
    assert any(" on em1 " in line for line in world.host.anchor("pot-filter/ext"))
    assert any("192.168.178.20" in line for line in world.host.anchor("pot-rdr/web"))


@both_hosts
def test_the_member_of_the_slaac_bridge_follows(world: World) -> None:
    world.create("six", "public-bridge", "ipv6")
    world.create("late", "public-bridge", "ipv6")
    world.create("four", "public-bridge")
    world.do(start, ["six", "four"])
    new = other(world)
    move(world)
    if world.kind == "linux":
        pytest.skip("a dummy interface cannot be one of a bridge")
    if world.lan_bridge:
        pytest.skip("pots stay on a bridge of the host's own: test_lan_bridges")
    world.do(start, ["late"])
    assert new in world.members("bridge1") | world.members("bridge0")
    assert world.do(check, [], None) == ()


def test_a_failure_on_the_way_leaves_all_as_it_was(world: World) -> None:
    prepared(world)
    move(world)
    before = rules(world)
    world.executor.commands.clear()
    with world.app() as app:
        known = app.store.remembered(OUTLETS)
    for number in range(4):
        world.executor.commands.clear()
        world.executor.fail_at = number
        with pytest.raises(CommandError):
            world.do(start, ["spare"])
        world.executor.fail_at = None
        assert sorted(rules(world)) == sorted(before)
        with world.app() as app:
            assert app.store.remembered(OUTLETS) == known
    world.do(start, ["spare"])
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("text", [None, "{}", "[]", "{", '{"outlets": []}', '{"outlets": [["em0"]]}', "7"])
def test_a_store_that_does_not_say_what_is_in_force(world: World, text: str | None) -> None:
    prepared(world)
    move(world)
    with world.app() as app:
        app.store.forget(OUTLETS)
        if text is not None:
            app.store.remember(OUTLETS, text)
    world.do(start, ["spare"])
    assert world.do(check, [], None) == ()


def test_a_move_that_was_cut_off_is_done_again(world: World) -> None:
    """As a kill leaves it: recorded as begun, and the half of it done."""
    prepared(world)
    move(world)
    old = rules(world)
    with world.app() as app:
        known = str(app.store.remembered(OUTLETS))
        app.store.remember(OUTLETS, known.replace('"settled": true', '"settled": false'))
    move(world, "192.168.178.1")
    world.do(start, ["spare"])
    assert sorted(rules(world)) == sorted(old)
    assert world.do(check, [], None) == ()


def test_many_are_not_started_past_it(world: World) -> None:
    """Those that are started together follow one that is started alone."""
    prepared(world)
    for number in range(3):
        world.create(f"p{number}", "public-bridge")
    move(world)
    world.do(start, ["p0", "p1", "p2", "more"])
    assert world.do(check, [], None) == ()


def test_antispoofed_exports_follow(world: World) -> None:
    world.configure("network.antispoof = true\n")
    for name in ("web", "spare"):
        world.create(name, "public-bridge")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    world.do(start, ["web"])
    other(world)
    move(world)
    world.do(start, ["spare"])
    assert world.do(check, [], None) == ()
    assert any(" on em1 " in line for line in world.host.anchor("pot-filter/-web"))


def test_a_jail_of_others_that_is_attached(world: World) -> None:
    prepared(world)
    pot = next(pot for pot in world.records()["pots"] if pot.name == "spare")
    world.do_there("jail", "-c", "name=spare", f"path={pot.root}", "vnet", "persist")
    move(world)
    world.do(attach, "spare", None, False)
    assert world.do(check, [], None) == ()
