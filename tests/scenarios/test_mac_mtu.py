"""MAC addresses and MTUs that are given: checked, in force on both hosts, and mended."""

from __future__ import annotations

import re
import shlex
from itertools import product
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from linux_world import HERE, PYTHON
from on_linux import LinuxWorld
from world import World, both_hosts, both_hosts_with

from potnet.cli.main import cli
from potnet.errors import PotnetError, UsageError
from potnet.host.findings import Finding
from potnet.model.pots import NetworkType
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge, set_bridge
from potnet.operations.networks.interfaces import parse_mac
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.info import bridge_info, info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

PUBLIC, PRIVATE = NetworkType.PUBLIC_BRIDGE, NetworkType.PRIVATE_BRIDGE
MAC, OTHER = "02:00:00:12:34:56", "06:ab:cd:ef:00:01"
CHANGES: dict[str, Any] = {
    "resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None,
}  # fmt: skip


def shown(world: World, interface: str, pot: str | None = None) -> tuple[int, str]:
    """MTU and MAC address of an interface of the host, or of a pot."""
    if isinstance(world, LinuxWorld):
        argv = world.machine.within(pot, "ip", "link", "show", "dev", interface)
        out = world.machine.run(*argv).out
        mtu, mac = re.search(r" mtu (\d+) ", out), re.search(r" link/ether (\S+) ", out)
        assert mtu and mac, out
        return int(mtu[1]), mac[1]
    found = world.host.interface(interface, pot or "")
    return found.mtu, found.mac


def kinds(found: tuple[Finding, ...]) -> list[tuple[str, str | None]]:
    return [(str(finding.kind), finding.interface) for finding in found]


@both_hosts
def test_a_mac_address_that_is_given(world: World) -> None:
    pot = world.create("web", "public-bridge", macs=(MAC.upper(),))
    world.do(start, ["web"])
    assert shown(world, pot.attachments[0].jail_end, "web")[1] == MAC
    assert world.do(info, "web")["mac"] == MAC
    assert world.do(check, [], None) == ()
    assert world.do(set_options, "web", SettingsRequest(**CHANGES, macs=(OTHER,)))
    assert shown(world, pot.attachments[0].jail_end, "web")[1] == MAC
    assert world.do(check, [], None) == ()
    # Until the pot stops, the old one is in use.
    with pytest.raises(PotnetError, match=f"MAC address {MAC} is in use by pot web"):
        world.create("late", "public-bridge", macs=(MAC,))
    world.do(stop, ["web"])
    world.do(start, ["web"])
    assert shown(world, pot.attachments[0].jail_end, "web")[1] == OTHER


def test_mac_addresses_are_given_in_the_order_of_interfaces(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("back", 4))
    pot = world.create("web", "public-bridge", more=((PRIVATE, "back"),), macs=(MAC, OTHER))
    assert [a.mac for a in pot.attachments] == [MAC, OTHER]
    with pytest.raises(UsageError, match="given 3 times, and the pot has 2 interfaces"):
        world.do(set_options, "web", SettingsRequest(**CHANGES, macs=(MAC, OTHER, "02:00:00:00:00:99")))
    # What it has already it may be given again, the other way round as well.
    world.do(set_options, "web", SettingsRequest(**CHANGES, macs=(OTHER, MAC)))
    assert [a.mac for a in world.records()["pots"][0].attachments] == [OTHER, MAC]


@pytest.mark.plain_interface
@pytest.mark.parametrize(
    ("macs", "words"),
    [
        (("zz:00:00:00:00:01",), "invalid MAC address"),
        (("02:00:00:00:00",), "invalid MAC address"),
        (("02-00-00-00-00-01",), "invalid MAC address"),
        (("03:00:00:00:00:01",), "a group address"),
        (("ff:ff:ff:ff:ff:ff",), "a group address"),
        (("00:00:00:00:00:00",), "all zero"),
        ((MAC, MAC.upper()), "given twice"),
        ((MAC, OTHER), "given 2 times, and the pot has 1 interface on bridges"),
        (("52:54:00:12:34:56",), "is in use by em0 of the host"),
        ((OTHER,), "is used by pot first"),
    ],
)
def test_mac_addresses_that_are_refused(world: World, macs: tuple[str, ...], words: str) -> None:
    world.create("first", "public-bridge", macs=(OTHER,))
    records = world.records()
    with pytest.raises(PotnetError, match=words):
        world.create("web", "public-bridge", macs=macs)
    assert world.records() == records


def test_a_pot_without_bridges_has_no_mac_address(world: World) -> None:
    with pytest.raises(UsageError, match="the pot has no interfaces on bridges"):
        world.create("web", "inherit", macs=(MAC,))


@given(st.text(alphabet="0123456789abcdefABCDEF:-gz", max_size=20) | st.from_regex("[0-9a-fA-F:]{17}"))
def test_what_is_taken_for_a_mac_address_is_one(text: str) -> None:
    try:
        mac = parse_mac(text)
    except UsageError:
        return
    octets = [int(octet, 16) for octet in mac.split(":")]
    assert len(octets) == 6
    assert octets[0] % 2 == 0
    assert any(octets)
    assert mac == ":".join(f"{octet:02x}" for octet in octets) == text.lower()


@both_hosts_with(("mtu",), [(576,), (1000,), (1279,), (1280,), (1400,), (9000,)], [(576,), (1280,), (9000,)])
def test_all_on_a_bridge_have_its_mtu(world: World, mtu: int) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, mtu))
    pots = [world.create(name, "private-bridge", bridge="stove") for name in ("one", "two")]
    before = world.snapshot()
    world.do(start, ["one", "two"])
    assert shown(world, "bridge0")[0] == mtu
    for pot in pots:
        (own,) = pot.attachments
        assert shown(world, own.host_end)[0] == shown(world, own.jail_end, pot.name)[0] == mtu
        assert world.do(info, pot.name)["interfaces"][0]["mtu"] == mtu
    assert world.do(bridge_info, "stove")["mtu"] == mtu
    assert world.do(check, [], None) == ()
    assert world.reaches("one", str(pots[1].ipv4), 80)
    if isinstance(world, LinuxWorld):
        talk = (*PYTHON, str(HERE / "talk.py"), "whole", str(pots[1].ipv4), "80")
        # The headers of IPv4 and UDP take 28 bytes.
        answers = [
            world.machine.run(*world.machine.within("one", *talk, str(size))).out.strip()
            for size in (mtu - 28, mtu - 27)
        ]
        assert answers == [str(pots[0].ipv4), "Message too long"]
    else:
        world.do(stop, ["one", "two"])
        assert world.snapshot() == before


@both_hosts
def test_a_bridge_that_is_up_without_pots_has_its_mtu(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, 1400))
    world.do(vnet_start, "stove")
    assert shown(world, "bridge0")[0] == 1400
    pot = world.create("one", "private-bridge", bridge="stove")
    world.do(start, ["one"])
    assert shown(world, "bridge0")[0] == shown(world, pot.attachments[0].jail_end, "one")[0] == 1400


@both_hosts
def test_the_first_pot_on_a_bridge_says_the_mtu(world: World) -> None:
    first = world.create("first", "public-bridge", mtu=1400)
    second = world.create("second", "public-bridge", mtu=1400)
    third = world.create("third", "public-bridge")
    records = world.records()
    with pytest.raises(PotnetError, match="all on bridge public have the MTU 1400, such as first"):
        world.create("fourth", "public-bridge", mtu=1500)
    with pytest.raises(PotnetError, match="all on bridge public have the MTU 1400, such as first"):
        world.do(set_options, "third", SettingsRequest(**CHANGES, mtu=9000))
    assert world.records() == records
    world.do(start, ["first", "second", "third"])
    assert {shown(world, pot.attachments[0].jail_end, pot.name)[0] for pot in (first, second, third)} == {
        1400
    }
    assert world.do(check, [], None) == ()


def test_alone_on_its_bridge_a_pot_may_change_the_mtu(world: World) -> None:
    world.create("web", "public-bridge")
    assert not world.do(set_options, "web", SettingsRequest(**CHANGES, mtu=1400))
    world.do(start, ["web"])
    assert world.host.interface("bridge0").mtu == 1400
    assert world.do(set_options, "web", SettingsRequest(**CHANGES, mtu=1300))
    assert {interface for _, interface in kinds(world.do(check, [], None))} == {"bridge0", "epair0b"}
    world.do(stop, ["web"])
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()
    assert world.host.interface("bridge0").mtu == 1300


def test_a_bridge_that_stays_up_is_told_of(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.do(vnet_start, "stove")
    world.create("web", "private-bridge", bridge="stove")
    world.do(set_options, "web", SettingsRequest(**CHANGES, mtu=1400))
    assert world.notices[-1].startswith("bridge stove is up and keeps its MTU: `potnet repair")
    with pytest.raises(PotnetError, match="has the MTU 1500"):
        world.do(start, ["web"])
    world.do(repair, [], "stove")
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()


@both_hosts
def test_a_bridge_with_several_pots_gets_another_mtu(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    for name in ("one", "two"):
        world.create(name, "private-bridge", bridge="stove")
    assert not world.do(set_bridge, "stove", mtu=1400)
    world.do(start, ["one", "two"])
    assert world.do(check, [], None) == ()
    assert world.do(set_bridge, "stove", mtu=1300)
    found = {interface for kind, interface in kinds(world.do(check, [], None)) if kind == "mtu-differs"}
    assert found >= {"bridge0", "epair0b", "epair1b"}
    # What joins would take the MTU that the bridge has; a repair gives it to all, and none of them stops.
    world.create("three", "private-bridge", bridge="stove")
    with pytest.raises(PotnetError, match="has the MTU 1400"):
        world.do(start, ["three"])
    world.do(repair, [], "stove")
    world.do(start, ["three"])
    assert world.do(check, [], None) == ()
    assert world.do(info, "one")["interfaces"][0]["mtu"] == 1300
    world.do(stop, ["one", "two", "three"])
    assert not world.do(set_bridge, "stove", mtu=1500)


def test_what_a_bridge_cannot_have_is_refused(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("six", 4, "auto"))
    world.do(create_private_bridge, BridgeRequest("floor", 4, uplink="em0.30"))
    world.create("web", "public-bridge", "dual")
    for name, mtu, words in (
        ("six", 1279, "too small for IPv6"),
        ("public6", 1400, "em0, which is on it, has 1500"),
        ("floor", 9000, "em0 has the MTU 1500"),
        ("floor", 100, "invalid MTU"),
        ("oven", 1400, "bridge 'oven' not found"),
    ):
        before = world.records()
        with pytest.raises(PotnetError, match=words):
            world.do(set_bridge, name, mtu=mtu)
        assert world.records() == before


@both_hosts
def test_another_mtu_is_told_and_mended(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, 1400))
    pot = world.create("one", "private-bridge", bridge="stove")
    world.do(start, ["one"])
    (own,) = pot.attachments
    linux = isinstance(world, LinuxWorld)
    for name, jail in ((own.jail_end, "one"), ("bridge0", None), *(((own.host_end, None),) if linux else ())):
        if isinstance(world, LinuxWorld):
            world.do_there(*world.machine.within(jail, "ip", "link", "set", name, "mtu", "1300"))
        else:
            world.do_there("ifconfig", *(("-j", jail) if jail else ()), name, "mtu", "1300")
        assert kinds(world.do(check, [], None)) == [("mtu-differs", name)]
        if name == "bridge0":
            late = world.create(f"late{name}", "private-bridge", bridge="stove")
            with pytest.raises(PotnetError, match="bridge stove has the MTU 1300 on bridge0"):
                world.do(start, [late.name])
        world.do(repair, [], None)
        assert world.do(check, [], None) == ()
        assert shown(world, own.host_end)[0] == shown(world, own.jail_end, "one")[0] == 1400


@both_hosts
def test_what_is_made_anew_has_the_mtu(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, 1400))
    pot = world.create("one", "private-bridge", bridge="stove")
    world.do(start, ["one"])
    (own,) = pot.attachments
    for name in (own.host_end, "bridge0"):
        world.remove_interface(name)
        world.do(repair, [], None)
        assert world.do(check, [], None) == ()
        assert shown(world, "bridge0")[0] == shown(world, own.jail_end, "one")[0] == 1400


@pytest.mark.plain_interface
def test_a_dry_run_prints_what_a_start_does(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, 1400, uplink="em0.30"))
    for name in ("one", "two"):
        world.create(name, "private-bridge", bridge="stove")
    state = str(world.directory / "state")
    (world.directory / "sim").rename(world.directory / "state/sim")
    there = CliRunner().invoke(cli, ["--state-dir", state, "-n", "start", "one", "two"])
    assert there.exit_code == 0
    dry = [line for line in there.stdout.splitlines() if line.startswith("ifconfig")]
    (world.directory / "state/sim").rename(world.directory / "sim")
    world.executor.commands.clear()
    world.do(start, ["one", "two"])
    typed = [line for line in world.executor.changed if line.startswith("ifconfig")]
    assert [shlex.join(shlex.split(line)).replace("'", "") for line in dry] == typed


@pytest.mark.parametrize("mtu", [-1, 0, 575, 65536])
def test_mtus_that_are_none(world: World, mtu: int) -> None:
    with pytest.raises(UsageError, match=f"invalid MTU {mtu}"):
        world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, mtu))
    with pytest.raises(UsageError, match=f"invalid MTU {mtu}"):
        world.create("web", "public-bridge", mtu=mtu)
    assert world.records()["pots"] == ()


def test_ipv6_takes_1280_bytes(world: World) -> None:
    with pytest.raises(PotnetError, match="an MTU of 1279 is too small for IPv6"):
        world.do(create_private_bridge, BridgeRequest("stove", 4, "auto", False, 1279))
    world.do(create_private_bridge, BridgeRequest("stove", 4, "auto", False, 1280))
    with pytest.raises(PotnetError, match="too small for IPv6"):
        world.create("web", "private-bridge", "dual", bridge="stove", mtu=1279)
    # The bridge has IPv6, if not this pot.
    with pytest.raises(PotnetError, match="too small for IPv6"):
        world.create("web", "private-bridge", "ipv4", bridge="stove", mtu=1279)
    world.configure('[network]\nipv6 = "nat"\n')
    world.create("small", "public-bridge", "ipv4", mtu=1000)
    with pytest.raises(PotnetError, match="an MTU of 1000 is too small for IPv6"):
        world.create("web", "public-bridge", "dual")
    assert [pot.name for pot in world.records()["pots"]] == ["small"]


@both_hosts
def test_a_small_mtu_grows_and_the_pots_stay_without_ipv6(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, None, False, 1000))
    pots = [world.create(name, "private-bridge", bridge="stove") for name in ("one", "two")]
    world.do(start, ["one", "two"])
    for mtu in (1500, 600, 1280):
        assert world.do(set_bridge, "stove", mtu=mtu)
        world.do(repair, [], "stove")
        assert world.do(check, [], None) == ()
        assert shown(world, "bridge0")[0] == shown(world, pots[0].attachments[0].jail_end, "one")[0] == mtu
        assert world.reaches("one", str(pots[1].ipv4), 80)
        if isinstance(world, LinuxWorld):
            for name, interface in ((None, "bridge0"), (None, "epair0a"), ("one", "epair0b")):
                argv = world.machine.within(name, "ip", "-6", "addr", "show", "dev", interface)
                assert world.machine.run(*argv).out == ""
    world.do(stop, ["one", "two"])


@both_hosts_with(
    ("stack", "ipv6", "tap"),
    [*product(("ipv6", "dual"), ("slaac", "nat", "routed"), (False, True))],
    [("ipv6", "slaac", False), ("dual", "nat", True), ("dual", "routed", False)],
)
def test_a_pot_with_ipv6_is_refused_a_small_mtu(world: World, stack: str, ipv6: str, tap: bool) -> None:
    world.configure(f'[network]\nipv6 = "{ipv6}"\n')
    records = world.records()
    with pytest.raises(PotnetError, match="an MTU of 1279 is too small for IPv6") as refused:
        world.create("web", "public-bridge", stack, mtu=1279, tap=tap)
    assert str(refused.value.hint).startswith("use at least 1280")
    assert world.records()["pots"] == records["pots"] == ()
    world.create("small", "public-bridge", "ipv4", mtu=1279)
    world.do(start, ["small"])


def test_a_small_public_bridge_gets_no_ipv6_network(world: World) -> None:
    world.configure('[network]\nipv6 = "nat"\nstack = "dual"\n')
    world.create("small", "public-bridge", "ipv4", mtu=1000)
    with pytest.raises(PotnetError, match="too small for IPv6"):
        world.do(vnet_start, None)
    world.do(start, ["small"])
    assert world.do(check, [], None) == ()


@both_hosts
def test_with_slaac_the_mtu_is_that_of_the_external_interface(world: World) -> None:
    with pytest.raises(
        PotnetError, match=f"cannot have the MTU 1400: {world.external}, which is on it, has 1500"
    ):
        world.create("web", "public-bridge", "ipv6", mtu=1400)
    assert world.records()["pots"] == ()
    pot = world.create("web", "public-bridge", "ipv6", mtu=1500)
    world.do(start, ["web"])
    assert shown(world, pot.attachments[0].jail_end, "web")[0] == 1500
    assert world.do(check, [], None) == ()


def test_an_mtu_is_for_bridges(world: World) -> None:
    with pytest.raises(UsageError, match="--mtu is for pots on bridges, not inherit"):
        world.create("web", "inherit", mtu=1400)


def test_what_fails_leaves_the_mtu_of_the_bridge_alone(world: World) -> None:
    world.executor.commands.clear()
    world.executor.fail_at = 0
    with pytest.raises(PotnetError):
        world.create("web", "public-bridge", mtu=1400)
    assert [bridge.mtu for bridge in world.records()["bridges"]] == [None]


def test_without_these_options_no_command_speaks_of_them(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, "auto"))
    world.create("one", "private-bridge", "dual", bridge="stove")
    world.create("two", "public-bridge", "dual")
    world.executor.commands.clear()
    world.do(start, ["one", "two"])
    world.do(stop, ["one", "two"])
    words = {word for line in world.executor.changed for word in line.split()}
    assert not words & {"mtu", "no_radr", "-vnet"}
