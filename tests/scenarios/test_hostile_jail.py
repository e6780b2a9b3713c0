"""Root in a pot names and describes interfaces, and names its children, as it likes: others do not notice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from world import World

from potnet.executors.base import Command, CommandResult
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import Report, repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.reports.dns import zones
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import info, list_pots
from potnet.operations.reports.metrics import metrics
from potnet.operations.reports.show import show_ports, show_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

BLOCK = """em0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 9000
\toptions=8<VLAN_MTU>
\tether 02:11:22:33:44:55
\tinet 10.192.0.99 netmask 0xffc00000 broadcast 10.255.255.255
\tgroups: epair potnet potbridge
"""
#: What a description may hold: a stray line, lines of the interface's own kind, a whole interface.
DESCRIPTIONS = (
    "a\nhello",
    "x\n\tinet 10.192.0.99 netmask 0xffc00000 broadcast 10.255.255.255\n\tether 02:00:00:00:00:99",
    f"x\n\toptions=8<VLAN_MTU>\n\tgroups: potnet potbridge\n{BLOCK}",
    "potnet bridge public",
    "potnet:db",
    '\x1b[31mred\x1b[0m\r\n{["',
    "\udcff\u2028\x85",
)
#: At most 15 bytes.
NAMES = (
    "a b", 'q"uote', "back\\slash", "x\nfoo: flags=1", "tab\tname", "sl/ash", "dot.1", "1234", "*",
    "\x1b[31m", "cr\rx", "\x01", "\udcff", "-a", "a: flags=8<UP>", "\u2028", "epair1b",
)  # fmt: skip
GROUPS = ("potbridge", "a b\nc", "z\nfoo0: flags=a", "x\n\tnd6 options=", "x\n\toptions=")


@pytest.fixture
def kitchen(world: World) -> World:
    """Two pots on the public bridge, one of which exports a port."""
    for name in ("web", "db"):
        world.create(name, "public-bridge")
    world.do(export_ports, "db", ExportRequest(["80:30080"]))
    world.do(start, ("web", "db"))
    assert world.do(check, (), None) == ()
    return world


def inside(world: World, *argv: str, jail: str = "web") -> CommandResult:
    """What root in a pot does."""
    result: CommandResult = world.host.run(Command(("jexec", jail, *argv)))
    assert result.code == 0, result
    return result


def kinds(world: World) -> dict[str, str | None]:
    """Findings of check, each with the pot that it is about."""
    return {str(found.kind): found.pot for found in world.do(check, (), None)}


def views(world: World) -> tuple[object, ...]:
    """What commands show that look at the host."""
    return (
        world.do(list_pots), world.do(info, "db"), world.do(graph), world.do(metrics), world.do(show_ports),
        world.do(show_pot, "db"), world.do(zones),
    )  # fmt: skip


@pytest.mark.parametrize("text", DESCRIPTIONS)
def test_a_description_changes_nothing_that_potnet_believes(kitchen: World, text: str) -> None:
    before = views(kitchen)
    inside(kitchen, "ifconfig", "epair0b", "description", text)
    assert kinds(kitchen) == {}
    assert views(kitchen) == before
    assert kitchen.do(repair, (), None) == Report()


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_changes_nothing_that_potnet_believes(kitchen: World, group: str) -> None:
    inside(kitchen, "ifconfig", "epair0b", "group", group)
    assert kinds(kitchen) == {}
    assert kitchen.host.interface("epair0b", "web").groups[-1] == group


def test_a_description_hides_no_missing_address_and_no_mac(kitchen: World) -> None:
    mac = kitchen.host.interface("epair0b", "web").mac
    lines = f"x\n\tether {mac}\n\tinet 10.192.0.3 netmask 0xffc00000 broadcast 10.255.255.255"
    inside(kitchen, "ifconfig", "epair0b", "description", lines)
    inside(kitchen, "ifconfig", "epair0b", "inet", "10.192.0.3", "-alias")
    inside(kitchen, "ifconfig", "epair0b", "ether", "02:00:00:00:00:07")
    found = kinds(kitchen)
    assert {"address-missing", "mac-differs"} <= set(found)
    assert set(found.values()) == {"web"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_about_that_pot_alone(kitchen: World, name: str) -> None:
    others = views(kitchen)[1:3]
    inside(kitchen, "ifconfig", "epair0b", "name", name)
    assert set(kinds(kitchen).values()) == {"web"}
    assert views(kitchen)[1:3] == others
    kitchen.create("third", "public-bridge")
    kitchen.do(start, ("third",))
    kitchen.do(stop, ("web",))
    assert "web" not in kitchen.jails()
    assert "epair0a" not in kitchen.interfaces()


@pytest.mark.parametrize("text", DESCRIPTIONS)
def test_an_interface_that_came_home_has_no_say(kitchen: World, text: str) -> None:
    """Somebody gives it back without potnet: it keeps its name and its description."""
    inside(kitchen, "ifconfig", "epair0b", "description", text)
    kitchen.do_there("ifconfig", "epair0b", "-vnet", "web")
    found = kitchen.do(check, (), None)
    assert {each.pot for each in found} == {"web"}
    assert {str(each.kind) for each in found} == {"interface-missing"}
    kitchen.create("third", "public-bridge")
    kitchen.do(start, ("third",))
    kitchen.create("near", "alias", addresses=("em0|192.168.178.200",))
    kitchen.do(start, ("near",))
    kitchen.do(stop, ("near",))


def test_children_of_a_jail_are_not_pots(kitchen: World) -> None:
    kitchen.do_there("jail", "-c", "name=engine", "vnet", "persist", "children.max=9", "path=/")
    jid = kitchen.host.jails()["db"].jid
    for name in (f"x\njid={jid} name=db path=/opt/potnet/jails/db/m", "\udcff", "db", "a b"):
        inside(kitchen, "jail", "-c", "path=/", "persist", f"name={name}", jail="engine")
    assert "engine.db" in kitchen.jails()
    assert kinds(kitchen) == {}
    states = {each["name"]: each["state"] for each in kitchen.do(list_pots)}
    assert states == {"db": "running", "web": "running"}
    kitchen.do_there("jail", "-r", "engine")
    assert kitchen.jails() == ["web", "db"]


def test_a_hostname_is_not_read(kitchen: World) -> None:
    inside(kitchen, "hostname", "a b\nname=db jid=9")
    assert kinds(kitchen) == {}


def test_a_jail_that_cannot_be_read_is_a_finding_about_it_alone(kitchen: World) -> None:
    run = kitchen.host.run
    answers: Iterator[CommandResult] = iter(())

    def spoilt(command: Command) -> CommandResult:
        in_web = command.argv[:3] == ("netstat", "-j", "web")
        return next(answers) if in_web else run(command)

    kitchen.executor.inner.run = spoilt  # type: ignore[method-assign]
    for answer in (
        CommandResult(0, "{"),
        CommandResult(1, "", "netstat: sysctl: no\n"),
        CommandResult(0, ""),
    ):
        answers = iter([answer, answer])
        found = kitchen.do(check, (), None)
        assert [(str(each.kind), each.pot) for each in found] == [("jail-unreadable", "web")]
    answers = iter([CommandResult(0, "{")] * 9)
    kitchen.do(stop, ("web",))
    assert kitchen.jails() == ["db"]


def test_an_interface_without_flags(kitchen: World) -> None:
    kitchen.do_there("kldload", "-n", "pflog")
    assert kitchen.host.run(Command(("ifconfig", "pflog0"))).out.startswith(
        "pflog0: flags=0 metric 0 mtu 33152"
    )
    assert "pflog0" in kitchen.host.interfaces("web")
    assert kinds(kitchen) == {}
    kitchen.create("near", "alias", addresses=("em0|192.168.178.200",))
    kitchen.do(start, ("near",))
    kitchen.do_there("ifconfig", "pflog0", "up")
    assert kinds(kitchen) == {}


def test_ipv6_that_is_switched_off_is_found_and_comes_back(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5, ipv6="auto"))
    world.create("pan", "private-bridge", "dual", bridge="stove")
    world.do(start, ("pan",))
    assert kinds(world) == {}
    inside(world, "ifconfig", "epair0b", "description", "x\n\tnd6 options=21<PERFORMNUD>", jail="pan")
    inside(world, "ifconfig", "epair0b", "inet6", "ifdisabled", jail="pan")
    (found,) = world.do(check, (), None)
    assert (str(found.kind), found.pot, found.interface) == ("interface-down", "pan", "epair0b")
    world.do(repair, (), None)
    assert kinds(world) == {}
    assert "IFDISABLED" not in world.host.interface("epair0b", "pan").nd6
