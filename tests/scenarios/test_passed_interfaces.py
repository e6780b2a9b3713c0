"""Interfaces of the host that a pot has while it runs, and that are as they were when it stops."""

from __future__ import annotations

import re
from typing import Any

import pytest
from on_linux import LinuxWorld
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.host.findings import Finding
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.graph import graph
from potnet.operations.reports.info import environment, info
from potnet.operations.running.attach import attach, detach
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

CHANGES: dict[str, Any] = {
    "resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None,
}  # fmt: skip
#: A machine at the other end of em1, and what the pot calls itself there.
MACHINE, OWN = "198.51.100.9", "198.51.100.1"


@pytest.fixture(autouse=True)
def _second_interface(request: pytest.FixtureRequest) -> None:
    """em1, up and without addresses, with a machine at the other end."""
    world: World = request.getfixturevalue("world")
    if not isinstance(world, LinuxWorld):
        world.host.plug("em1")
        world.host.add_machine("em1", f"{MACHINE}/24")
        return
    add = ("ip", "link", "add", "em1", "address", "52:54:00:00:00:01", "type", "veth", "peer", "lan1")
    world.do_there(*add, "netns", "outside")
    quiet(world, "em1")
    for command in ("addr add 198.51.100.9/24 dev lan1", "link set lan1 addrgenmode none up"):
        world.do_there("ip", "-n", "outside", *command.split())
    world.do_there("ip", "link", "set", "em1", "up")
    # The machine is not to be used again.
    request.addfinalizer(lambda: world.machine.run("ip", "link", "del", "em1"))


def quiet(world: World, name: str) -> None:
    """Without link-local addresses, which come a second later."""
    if isinstance(world, LinuxWorld):
        world.do_there("ip", "link", "set", name, "addrgenmode", "none")


def inside(world: World, *argv: str) -> None:
    """What root in the pot does to its network: words of ip(8) on Linux, of ifconfig(8) elsewhere."""
    if isinstance(world, LinuxWorld):
        world.do_there(*world.machine.within("web", "ip", *argv))
    else:
        world.do_there("ifconfig", "-j", "web", *argv)


def configure(world: World) -> None:
    """The pot sets its interface up by itself."""
    if isinstance(world, LinuxWorld):
        inside(world, "addr", "add", f"{OWN}/24", "dev", "em1")
        inside(world, "link", "set", "em1", "up")
    else:
        inside(world, "em1", "inet", f"{OWN}/24", "up")


def state(world: World, name: str = "em1") -> Any:
    """All of an interface of the host; None when it is not there."""
    if isinstance(world, LinuxWorld):
        shown = world.machine.run("ip", "-d", "addr", "show", "dev", name)
        # Its index, and what the other end is called, are not its own.
        out = re.sub(r"^\d+: (\S+)@\S+:", r"\1:", shown.out)
        out = re.sub(r"state \S+ |link-netns\S* \S+|,LOWER_UP|NO-CARRIER,|[gt]so_\w+ \d+|qdisc \w+", "", out)
        return out if shown.code == 0 else None
    return world.host.interface(name)


def has(world: World, name: str = "em1") -> bool:
    """Whether the pot has it."""
    if isinstance(world, LinuxWorld):
        argv = world.machine.within("web", "ip", "link", "show", "dev", name)
        return world.machine.run(*argv).code == 0
    return name in world.host.interfaces("web")


def kinds(found: tuple[Finding, ...]) -> list[tuple[str, str | None]]:
    return [(str(finding.kind), finding.interface) for finding in found]


@both_hosts
def test_a_passed_interface_works_in_the_pot_and_is_back_as_it_was(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    before, there = world.snapshot(), state(world)
    world.do(start, ["web"])
    assert state(world) is None
    assert has(world)
    configure(world)
    if isinstance(world, LinuxWorld):
        world.machine.serve("outside", 80)
    assert world.reaches("web", MACHINE, 80)
    assert world.do(check, [], None) == ()
    assert world.do(info, "web")["passed"] == ["em1"]
    assert world.do(environment, "web")["_POT_PASSED"] == "em1"
    if isinstance(world, LinuxWorld):
        assert world.machine.ask("web", "tcp", MACHINE, 80) == OWN
    world.do(stop, ["web"])
    assert state(world) == there
    if not isinstance(world, LinuxWorld):
        assert world.snapshot() == before
        assert world.do(info, "web")["passed"] == ["em1"]
        assert {(link["interface"], link["bridge"]) for link in world.do(graph)["pots"][0]["links"]} == {
            ("epair0b", "public"), ("em1", None),
        }  # fmt: skip


@both_hosts
def test_one_that_is_down_stays_down(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    down = (
        ("ip", "link", "set", "em1", "down") if isinstance(world, LinuxWorld) else ("ifconfig", "em1", "down")
    )
    world.do_there(*down)
    there = state(world)
    world.do(start, ["web"])
    world.do(stop, ["web"])
    assert state(world) == there


@both_hosts
def test_what_the_pot_did_to_it_is_undone(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    there = state(world)
    world.do(start, ["web"])
    if isinstance(world, LinuxWorld):
        for words in ("mtu 1300", "name lan0", "addrgenmode none"):
            inside(world, "link", "set", "em1" if words != "addrgenmode none" else "lan0", *words.split())
    else:
        inside(world, "em1", "mtu", "1300")
        inside(world, "em1", "name", "lan0")
    # A pot may call its own interface as it likes.
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    assert state(world) == there
    world.do(start, ["web"])
    mac = "52:54:00:00:00:99"
    words = ("link", "set", "em1", "address", mac) if isinstance(world, LinuxWorld) else ("em1", "ether", mac)
    inside(world, *words)
    world.do(stop, ["web"])
    assert state(world) == there


def test_one_with_ipv6_has_it_again(world: World) -> None:
    world.do_there("ifconfig", "em1", "inet6", "-ifdisabled", "up")
    there = state(world)
    assert any(address.startswith("fe80:") for address in there.addresses)
    world.create("web", "public-bridge", passed=("em1",))
    world.do(start, ["web"])
    world.do(stop, ["web"])
    assert state(world) == there


def test_one_whose_address_was_changed_before_keeps_that(world: World) -> None:
    world.do_there("ifconfig", "em1", "ether", "02:00:00:00:00:42", "mtu", "9000")
    there = state(world)
    world.create("web", "public-bridge", passed=("em1",))
    world.do(start, ["web"])
    world.do(stop, ["web"])
    assert state(world) == there


@both_hosts
def test_it_is_back_when_the_jail_was_taken_away(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    before, there = world.interfaces(), state(world)
    world.do(start, ["web"])
    if isinstance(world, LinuxWorld):
        # A virtual link ends with its namespace, a physical one goes to the first of all namespaces.
        world.machine.run("sh", "-c", "nsenter --net=/run/netns/web ip link set em1 netns $$; exit $?")
        quiet(world, "em1")
    world.remove_jail("web")
    assert state(world) != there
    assert [str(finding.kind) for finding in world.do(check, [], None)] == ["pot-gone"]
    world.do(repair, [], None)
    assert state(world) == there
    assert sorted(world.interfaces()) == sorted(before)
    assert world.do(check, [], None) == ()


def test_one_that_never_comes_back_is_told(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    world.do(start, ["web"])
    world.host.linger(99)
    world.do_there("jail", "-r", "web")
    world.do(stop, ["web"])
    assert world.notices == ["em1 did not return from web: look for it with `ifconfig -l`"]
    assert world.records()["runs"] == ()


def test_sockets_that_linger_do_not_keep_it(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    there = state(world)
    world.do(start, ["web"])
    world.host.linger(9)
    world.do(stop, ["web"])
    assert state(world) == there
    assert world.notices == []


@both_hosts
def test_one_that_somebody_took_out_of_the_jail_is_given_again(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    there = state(world)
    world.do(start, ["web"])
    if isinstance(world, LinuxWorld):
        world.machine.run("sh", "-c", "nsenter --net=/run/netns/web ip link set em1 netns $$; exit $?")
    else:
        world.do_there("ifconfig", "em1", "-vnet", "web")
    assert kinds(world.do(check, [], None)) == [("interface-missing", "em1")]
    world.do(repair, [], None)
    assert has(world)
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    if not isinstance(world, LinuxWorld):
        assert state(world) == there


def test_one_that_the_host_uses_by_now_is_not_taken_again(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    world.do(start, ["web"])
    world.do_there("ifconfig", "em1", "-vnet", "web")
    world.do_there("ifconfig", "em1", "inet", "198.51.100.5/24")
    (finding,) = world.do(check, [], None)
    assert not finding.repairable
    assert "198.51.100.5" in finding.found
    assert world.do(repair, [], None).left == (finding,)
    world.do_there("ifconfig", "em1", "mtu", "9000")
    world.do(stop, ["web"])
    assert "198.51.100.5/24" in world.addresses("em1")
    assert world.host.interface("em1").mtu == 9000


def test_nothing_keeps_it_from_the_internet(world: World) -> None:
    with pytest.raises(PotnetError, match="em1 is passed to web: --no-internet cannot hold there"):
        world.create("web", "public-bridge", passed=("em1",), network=NetworkOptions(internet=False))
    world.create("web", "public-bridge", network=NetworkOptions(internet=False))
    with pytest.raises(PotnetError, match="--no-internet cannot hold there"):
        world.do(set_options, "web", SettingsRequest(**CHANGES, passed=("em1",)))


def test_a_failed_start_gives_it_back(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    before, records = world.host.snapshot(), world.records()
    for after in (False, True):
        for number in world.failing_starts("web", after=after):
            if not after:
                assert world.host.snapshot() == before, number
                assert world.records() == records, number
            # What an undone command had done all the same goes with a stop.
            world.do(stop, ["web"])
            assert world.host.snapshot()["interfaces"] == before["interfaces"], number


def test_a_failed_stop_is_finished_by_another(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    before = world.host.snapshot()
    world.do(start, ["web"])
    world.executor.commands.clear()
    world.do(stop, ["web"])
    changes = world.executor.changes
    for number in range(changes):
        world.do(start, ["web"])
        world.executor.commands.clear()
        world.executor.fail_at = number
        try:
            world.do(stop, ["web"])
        except PotnetError as error:
            assert "left behind" in error.message
        world.executor.fail_at = None
        world.do(stop, ["web"])
        assert world.host.snapshot() == before, number


def test_two_pots_cannot_have_one(world: World) -> None:
    world.create("first", "public-bridge", passed=("em1",))
    records = world.records()
    with pytest.raises(PotnetError, match="em1 is passed to pot first"):
        world.create("web", "public-bridge", passed=("em1",))
    assert world.records() == records
    world.do(start, ["first"])
    assert world.do(set_options, "first", SettingsRequest(**CHANGES, passed=()))
    # Until it stops.
    with pytest.raises(PotnetError, match="the host has no interface em1: pot first has it until it stops"):
        world.create("web", "public-bridge", passed=("em1",))
    world.do(stop, ["first"])
    world.create("web", "public-bridge", passed=("em1",))
    world.do(destroy_pot, "web")
    world.do(set_options, "first", SettingsRequest(**CHANGES, passed=("em1",)))
    world.do(start, ["first"])
    assert "em1" in world.host.interfaces("first")


@pytest.mark.parametrize(
    ("prepare", "name", "words"),
    [
        ((), "em0", "the default route of the host leads there"),
        ((), "em7", "the host has no interface em7"),
        ((), "lo0", "it does not lead to a network"),
        (("ifconfig em1 inet 198.51.100.5/24",), "em1", r"the host has the address 198\.51\.100\.5 there"),
        (
            ("ifconfig em1 inet6 2001:db8:9::5/64 -ifdisabled",),
            "em1",
            "the host has the address 2001:db8:9::5",
        ),
        (("ifconfig bridge9 create", "ifconfig bridge9 addm em1"), "em1", "it is a member of bridge9"),
        (("ifconfig em1.40 create",), "em1", r"it carries em1\.40"),
    ],
)
def test_interfaces_that_the_host_needs(
    world: World, prepare: tuple[str, ...], name: str, words: str
) -> None:
    world.create("late", "public-bridge", passed=("em1",))
    for line in prepare:
        world.do_there(*line.split())
    before, records = world.host.snapshot(), world.records()
    with pytest.raises(PotnetError, match=words):
        if name == "em1":
            world.do(start, ["late"])
        else:
            world.create("web", "public-bridge", passed=(name,))
    assert world.host.snapshot() == before
    assert world.records() == records


def test_interfaces_that_the_store_needs(world: World) -> None:
    world.create("alias", "alias", addresses=("em1|198.51.100.7",))
    with pytest.raises(PotnetError, match="pot alias has an alias there"):
        world.create("web", "public-bridge", passed=("em1",))
    world.do(destroy_pot, "alias")
    world.do(create_private_bridge, BridgeRequest("stove", 4, uplink="em1.30"))
    with pytest.raises(PotnetError, match="bridge stove has its uplink there"):
        world.create("web", "public-bridge", passed=("em1",))
    world.configure('[network]\nexternal_interface = "em1"\n')
    with pytest.raises(PotnetError, match="cannot be passed to a pot"):
        world.create("web", "public-bridge", passed=("em1",))


def test_the_uplink_of_a_bridge_needs_an_interface_that_is_free(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    with pytest.raises(PotnetError, match="em1 is passed to pot web"):
        world.do(create_private_bridge, BridgeRequest("stove", 4, uplink="em1.30"))


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (("em 1",), "invalid interface name"), (("-l",), "invalid interface name"),
        (("",), "invalid interface name"),
        (("abcdefghijklmnop",), "invalid interface name"), (("em1", "em1"), "passed twice"),
        (("em1\n",), "invalid interface name"),
    ],
)  # fmt: skip
def test_what_is_no_interface(world: World, passed: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        world.create("web", "public-bridge", passed=passed)


def test_a_pot_without_a_stack_of_its_own_has_none(world: World) -> None:
    for kind in ("inherit", "alias"):
        with pytest.raises(UsageError, match="--pass is for pots with a network stack of their own"):
            world.create("web", kind, passed=("em1",))


@both_hosts
def test_a_jail_that_something_else_makes_gets_it_too(world: World) -> None:
    pot = world.create("web", "public-bridge", passed=("em1",))
    there = state(world)
    if isinstance(world, LinuxWorld):
        world.do_there("ip", "netns", "add", "web")
        world.do_there(
            *world.machine.within("web", "ip", "link", "set", "lo", "alias", f"potnet-root:{pot.root}")
        )
    else:
        world.do_there("jail", "-c", "name=web", f"path={pot.root}", "persist", "vnet")
    world.do(attach, "web", None, True)
    assert has(world)
    world.do(detach, ["web"])
    assert state(world) == there
    assert "web" in world.jails()


def test_pots_with_and_without_start_together(world: World) -> None:
    for name in ("one", "two", "three"):
        world.create(name, "public-bridge")
    world.create("web", "public-bridge", passed=("em1",))
    before = world.host.snapshot()
    world.do(start, ["one", "two", "three", "web"])
    assert "em1" in world.host.interfaces("web")
    world.do(stop, ["one", "two", "three", "web"])
    assert world.host.snapshot() == before


def test_what_is_typed(world: World) -> None:
    world.create("web", "public-bridge", passed=("em1",))
    world.executor.commands.clear()
    world.do(start, ["web"])
    world.do(stop, ["web"])
    assert [line for line in world.executor.changed if "em1" in line] == [
        "ifconfig em1 vnet web",
        "ifconfig em1 -vnet web",
        f"ifconfig em1 ether {world.host.interface('em1').mac} mtu 1500 up",
    ]
    assert world.host.run(Command(("ifconfig", "em1"), changes_host=False)).code == 0
