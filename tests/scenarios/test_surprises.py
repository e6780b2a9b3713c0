"""What FreeBSD's tools do that nobody expects, and what potnet makes of it."""

from __future__ import annotations

import pytest
from world import Faulty, World

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command, CommandResult
from potnet.operations.destroy import destroy_pot
from potnet.operations.start import start
from potnet.operations.stop import stop
from potnet.operations.vnet import vnet_start


def run(world: World, *argv: str, stdin: str | None = None) -> None:
    result = world.host.run(Command(argv, stdin))
    assert result.code == 0, result


def test_aliases_do_not_outlive_the_jail(world: World) -> None:
    world.create("casserole", "alias", "dual")
    before = world.host.snapshot()
    world.do(start, ["casserole"])
    assert "192.168.178.200" in str(world.host.interface("em0"))
    world.do(stop, ["casserole"])
    assert world.host.snapshot() == before


def test_aliases_of_a_jail_that_somebody_else_removed_go_at_stop_or_start(world: World) -> None:
    world.create("casserole", "alias", "dual")
    before = world.host.snapshot()
    for then in (stop, start):
        world.do(start, ["casserole"])
        run(world, "jail", "-r", "casserole")
        assert "192.168.178.200" in str(world.host.interface("em0"))
        world.do(then, ["casserole"])
        world.do(stop, ["casserole"])
        assert world.host.snapshot() == before


def test_the_hosts_own_address_is_refused_at_create_and_at_start(world: World) -> None:
    with pytest.raises(PotnetError, match="host's own address"):
        world.create("casserole", "alias", addresses=("em0|192.168.178.20",))
    assert world.records()["pots"] == ()
    world.create("casserole", "alias", addresses=("em0|192.168.178.30",))
    run(world, "ifconfig", "em0", "inet", "192.168.178.30/24", "alias")
    before = world.host.snapshot()
    with pytest.raises(PotnetError, match="host's own address"):
        world.do(start, ["casserole"])
    assert world.host.snapshot() == before


def test_names_that_jail_would_take_for_an_id_or_a_child_are_refused(world: World) -> None:
    for name in ("12", "with.dot", "-x", "", "a" * 52, "a b", "ä", "a\n"):
        with pytest.raises(UsageError):
            world.create(name)
    world.create("a" * 51, "public-bridge")
    world.do(start, ["a" * 51])
    world.do(stop, ["a" * 51])


MAIN = [
    'nat-anchor "pot-nat"',
    'nat-anchor "pot-rdr/*"',
    'rdr-anchor "pot-rdr/*"',
    'anchor "pot-filter/*"',
]


@pytest.mark.parametrize("missing", MAIN)
def test_anchors_that_would_have_no_effect(world: World, missing: str) -> None:
    rules = "\n".join(line for line in MAIN if line != missing) + "\npass\n"
    run(world, "pfctl", "-f", "-", stdin=rules)
    world.create("casserole", "public-bridge")
    before = world.host.snapshot()
    if missing in ('nat-anchor "pot-nat"', 'rdr-anchor "pot-rdr/*"'):
        with pytest.raises(PotnetError, match="does not name") as caught:
            world.do(start, ["casserole"])
        assert missing.split()[1] in caught.value.message
        assert "potnet init" in str(caught.value.hint)
        assert world.host.snapshot() == before
    else:
        world.do(start, ["casserole"])
        assert any(missing.split()[1] in notice for notice in world.notices)


def test_a_filter_that_is_off_is_refused(world: World) -> None:
    run(world, "pfctl", "-d")
    world.create("casserole", "public-bridge")
    with pytest.raises(PotnetError, match="pf is not enabled"):
        world.do(start, ["casserole"])
    with pytest.raises(PotnetError, match="pf is not enabled"):
        world.do(vnet_start, None)
    # What needs no bridge needs no filter.
    world.create("ragout", "inherit")
    world.do(start, ["ragout"])


def test_a_host_without_pf_at_all_is_told_so(world: World) -> None:
    class NoModule(Faulty):
        def run(self, command: Command) -> CommandResult:
            if command.argv[0] == "pfctl":
                return CommandResult(1, "", "pfctl: /dev/pf: No such file or directory\n")
            return super().run(command)

    world.create("casserole", "public-bridge")
    world.executor = NoModule(world.host)
    with pytest.raises(PotnetError, match="pf is not enabled") as caught:
        world.do(start, ["casserole"])
    assert "potnet init" in str(caught.value.hint)


def test_a_jail_that_is_still_dying_does_not_stand_in_the_way(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    world.host.linger(50)
    world.do(stop, ["casserole"])
    world.do(start, ["casserole"])
    assert world.host.interface("epair0a") is not None
    world.do(stop, ["casserole"])


def test_a_jail_that_potnet_did_not_start_is_never_touched(world: World) -> None:
    world.create("casserole", "inherit")
    run(world, "mkdir", "-p", "/jails/other")
    run(world, "jail", "-c", "name=casserole", "path=/jails/other", "persist")
    before = world.host.snapshot()
    for operation in (start, stop):
        with pytest.raises(PotnetError, match="potnet did not start"):
            world.do(operation, ["casserole"])
        assert world.host.snapshot() == before


def test_a_jail_of_the_same_name_and_root_with_another_jid_is_not_ours(world: World) -> None:
    pot = world.create("casserole", "inherit")
    world.do(start, ["casserole"])
    run(world, "jail", "-r", "casserole")
    run(world, "jail", "-c", "name=casserole", f"path={pot.root}", "persist")
    world.do(stop, ["casserole"])
    assert "casserole" in world.host.jails()
    assert any("stays" in notice for notice in world.notices)


def test_devfs_is_mounted_in_a_base_and_gone_after_stop(world: World) -> None:
    pot = world.create("casserole", "inherit", base="12.2")
    world.do(start, ["casserole"])
    mounted = world.host.run(Command(("mount",), changes_host=False)).out
    assert f"{pot.root}/dev" in mounted
    world.do(stop, ["casserole"])
    assert f"{pot.root}/dev" not in world.host.run(Command(("mount",), changes_host=False)).out


def test_nothing_is_removed_across_a_mount(world: World) -> None:
    pot = world.create("casserole", "inherit", base="12.2")
    run(world, "mount", "-t", "devfs", "devfs", f"{pot.root}/dev")
    with pytest.raises(PotnetError, match="mounted"):
        world.do(destroy_pot, "casserole")
    assert world.records()["pots"]
    run(world, "umount", f"{pot.root}/dev")
    world.do(destroy_pot, "casserole")
    assert world.records()["pots"] == ()


def test_an_epair_unit_that_something_else_has_taken_is_chosen_anew(world: World) -> None:
    world.create("casserole", "public-bridge", "dual")
    run(world, "ifconfig", "epair0", "create")
    run(world, "ifconfig", "epair2", "create")
    world.do(start, ["casserole"])
    assert world.host.interface("epair3a").descr == "potnet:casserole"
    world.do(stop, ["casserole"])
    assert world.host.interface("epair0a") is not None
    assert world.host.interface("epair2a") is not None


def test_a_bridge_unit_that_something_else_has_taken_is_chosen_anew(world: World) -> None:
    world.create("casserole", "public-bridge")
    run(world, "ifconfig", "bridge0", "create")
    world.do(start, ["casserole"])
    assert world.host.interface("bridge1").members
    world.do(stop, ["casserole"])
    assert world.host.interface("bridge0") is not None


def test_the_last_pot_takes_the_bridge_along_unless_vnet_start_made_it(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
        world.do(start, [name])
    world.do(stop, ["casserole"])
    assert world.host.interface("bridge0") is not None
    world.do(stop, ["ragout"])
    assert "bridge0" not in world.host.interfaces()
    world.do(vnet_start, None)
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    assert world.host.interface("bridge0").members == ()


@pytest.mark.parametrize("before", ["0", "1"])
def test_forwarding_goes_back_only_if_potnet_set_it(world: World, before: str) -> None:
    run(world, "sysctl", f"net.inet.ip.forwarding={before}")
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
        world.do(start, [name])
    assert world.host.sysctl("net.inet.ip.forwarding") == "1"
    world.do(stop, ["casserole"])
    assert world.host.sysctl("net.inet.ip.forwarding") == "1"
    world.do(stop, ["ragout"])
    assert world.host.sysctl("net.inet.ip.forwarding") == before


def test_a_network_that_overlaps_a_route_is_refused_when_its_bridge_is_made(world: World) -> None:
    run(world, "ifconfig", "em0", "inet", "10.200.0.1/16", "alias")
    world.create("casserole", "public-bridge")
    before = world.host.snapshot()
    with pytest.raises(PotnetError, match=r"10\.200\.0\.0/16"):
        world.do(start, ["casserole"])
    assert world.host.snapshot() == before


@pytest.mark.parametrize(
    "address",
    [
        "lo0|192.168.178.20",
        "127.0.0.1",
        "em0|10.192.0.1",
        "192.168.178.255",
        "em0|192.168.178.0",
        "lo0|2001:db8:7::20",
    ],
)
def test_an_address_of_any_interface_of_the_host_is_refused(world: World, address: str) -> None:
    world.do(vnet_start, None)
    stack = "ipv6" if ":" in address else "ipv4"
    with pytest.raises(PotnetError, match=r"host's own|network or broadcast"):
        world.create("casserole", "alias", stack, addresses=(address,))


@pytest.mark.parametrize(
    "address", ["255.255.255.255", "0.0.0.0", "224.0.0.1", "::ffff:192.168.178.77", "ff02::1"]
)
def test_an_address_that_no_host_has_is_refused(world: World, address: str) -> None:
    with pytest.raises(UsageError):
        world.create("casserole", "alias", "dual", addresses=(address, "192.168.178.200"))
