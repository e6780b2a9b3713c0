"""What FreeBSD's tools do that nobody expects, and what potnet makes of it."""

from __future__ import annotations

import pytest
from world import Faulty, World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command, CommandResult
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def run(world: World, *argv: str, stdin: str | None = None) -> None:
    result = world.host.run(Command(argv, stdin))
    assert result.code == 0, result


@both_hosts
def test_aliases_do_not_outlive_the_jail(world: World) -> None:
    world.create("casserole", "alias", "dual")
    before = world.snapshot()
    world.do(start, ["casserole"])
    assert f"{world.prefix}200" in world.addresses(world.external)
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@both_hosts
def test_aliases_of_a_jail_that_somebody_else_removed_go_at_stop_or_start(world: World) -> None:
    world.create("casserole", "alias", "dual")
    before = world.snapshot()
    for then in (stop, start):
        world.do(start, ["casserole"])
        world.remove_jail("casserole")
        assert f"{world.prefix}200" in world.addresses(world.external)
        world.do(then, ["casserole"])
        world.do(stop, ["casserole"])
        assert world.snapshot() == before


@both_hosts
def test_the_hosts_own_address_is_refused_at_create_and_at_start(world: World) -> None:
    with pytest.raises(PotnetError, match="host's own address"):
        world.create("casserole", "alias", addresses=(f"{world.external}|{world.address}",))
    assert world.records()["pots"] == ()
    world.create("casserole", "alias", addresses=(f"{world.external}|{world.prefix}30",))
    world.add_address(f"{world.prefix}30/24")
    before = world.snapshot()
    with pytest.raises(PotnetError, match="host's own address"):
        world.do(start, ["casserole"])
    assert world.snapshot() == before


@both_hosts
def test_names_that_jail_would_take_for_an_id_or_a_child_are_refused(world: World) -> None:
    for name in ("12", "with.dot", "-x", "", "a" * 64, "a b", "ä", "a\n"):
        with pytest.raises(UsageError):
            world.create(name)
    world.create("a" * 63, "public-bridge")
    world.do(start, ["a" * 63])
    world.do(stop, ["a" * 63])


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
    before = world.snapshot()
    if missing in ('nat-anchor "pot-nat"', 'rdr-anchor "pot-rdr/*"'):
        with pytest.raises(PotnetError, match="does not name") as caught:
            world.do(start, ["casserole"])
        assert missing.split()[1] in caught.value.message
        assert "potnet init" in str(caught.value.hint)
        assert world.snapshot() == before
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


@both_hosts
def test_a_jail_that_potnet_did_not_start_is_never_touched(world: World) -> None:
    world.create("casserole", "inherit")
    world.add_jail("casserole")
    before = world.snapshot()
    for operation in (start, stop):
        with pytest.raises(PotnetError, match="potnet did not start"):
            world.do(operation, ["casserole"])
        assert world.snapshot() == before


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


@both_hosts
def test_an_epair_unit_that_something_else_has_taken_is_chosen_anew(world: World) -> None:
    world.create("casserole", "public-bridge", "dual")
    world.take("epair0")
    world.take("epair2")
    before = world.snapshot()
    world.do(start, ["casserole"])
    ends = [name for name in world.interfaces() if name.startswith("epair") and name.endswith("a")]
    assert sorted(ends) == ["epair0a", "epair1a", "epair2a", "epair3a"]
    joined = world.members("bridge0") | world.members(world.slaac_bridge())
    assert joined - {world.external, "igb0"} == {"epair1a", "epair3a"}
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@both_hosts
def test_a_bridge_unit_that_something_else_has_taken_is_chosen_anew(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.take("bridge0")
    before = world.snapshot()
    world.do(start, ["casserole"])
    assert world.members("bridge1") == {"epair0a"}
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@both_hosts
def test_the_last_pot_takes_the_bridge_along_unless_vnet_start_made_it(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
        world.do(start, [name])
    world.do(stop, ["casserole"])
    assert world.members("bridge0") == {"epair1a"}
    world.do(stop, ["ragout"])
    assert "bridge0" not in world.interfaces()
    world.do(vnet_start, None)
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    assert world.members("bridge0") == set()


@both_hosts
@pytest.mark.parametrize("before", [False, True])
def test_forwarding_goes_back_only_if_potnet_set_it(world: World, before: bool) -> None:
    world.forwarding = before
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
        world.do(start, [name])
    assert world.forwarding
    world.do(stop, ["casserole"])
    assert world.forwarding
    world.do(stop, ["ragout"])
    assert world.forwarding is before


@both_hosts
def test_a_network_that_overlaps_a_route_is_refused_when_its_bridge_is_made(world: World) -> None:
    world.add_address("10.200.0.1/16")
    world.create("casserole", "public-bridge")
    before = world.snapshot()
    with pytest.raises(PotnetError, match=r"10\.200\.0\.0/16"):
        world.do(start, ["casserole"])
    assert world.snapshot() == before


@both_hosts
@pytest.mark.parametrize(
    "address",
    [
        "{external}|{address}",
        "127.0.0.1",
        "{external}|10.192.0.1",
        "{prefix}255",
        "{external}|{prefix}0",
        "{external}|2001:db8:7::20",
    ],
)
def test_an_address_of_any_interface_of_the_host_is_refused(world: World, address: str) -> None:
    world.do(vnet_start, None)
    stack = "ipv6" if ":" in address else "ipv4"
    address = address.format(external=world.external, address=world.address, prefix=world.prefix)
    with pytest.raises(PotnetError, match=r"host's own|network or broadcast"):
        world.create("casserole", "alias", stack, addresses=(address,))


@pytest.mark.parametrize(
    "address", ["255.255.255.255", "0.0.0.0", "224.0.0.1", "::ffff:192.168.178.77", "ff02::1"]
)
def test_an_address_that_no_host_has_is_refused(world: World, address: str) -> None:
    with pytest.raises(UsageError):
        world.create("casserole", "alias", "dual", addresses=(address, "192.168.178.200"))
