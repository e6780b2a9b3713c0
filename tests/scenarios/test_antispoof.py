"""network.antispoof: a pot that takes the address of another gets nowhere with it."""

from __future__ import annotations

import shlex
from contextlib import suppress

import pytest
from click.testing import CliRunner
from world import World, both_hosts

from potnet.cli.main import cli
from potnet.errors import HostError
from potnet.host.findings import Kind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.reports.info import info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ON = '[network]\nantispoof = true\nipv6 = "nat"\n'
BOTH = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "open"])
OUTSIDE = {"freebsd": "192.168.178.99", "linux": "192.0.2.9"}
SWITCHES = ("net.link.bridge.pfil_member", "net.link.bridge.pfil_local_phys")


def kitchen(world: World, guarded: bool = True, running: bool = True) -> dict[str, str]:
    """thief, web and away on one bridge, far on another; away is stopped. Their addresses."""
    world.configure(ON if guarded else 'network.ipv6 = "nat"\n')
    world.do(create_private_bridge, BridgeRequest("stove", 5, "auto"))
    world.do(create_private_bridge, BridgeRequest("oven", 2, "auto"))
    for name, bridge in (("thief", "stove"), ("web", "stove"), ("away", "stove"), ("far", "oven")):
        world.create(name, "private-bridge", "dual", bridge=bridge)
    if running:
        world.do(start, ["thief", "web", "far"])
    return {pot.name: str(pot.ipv4) for pot in world.records()["pots"]}


def attachment(world: World, name: str) -> object:
    return next(pot for pot in world.records()["pots"] if pot.name == name).attachments[0]


def outside(world: World) -> str:
    return OUTSIDE["linux" if world.kind == "linux" else "freebsd"]


def take_address(world: World, name: str, address: str, prefix: int) -> None:
    """In the place of the pot's own."""
    own = attachment(world, name)
    old, end = own.address6 if ":" in address else own.address, own.jail_end
    if world.kind == "linux":
        inside = ("ip", "netns", "exec", name, "ip")
        world.do_there(*inside, "addr", "flush", "dev", end, "to", str(old))
        more = ("nodad",) if ":" in address else ()
        world.do_there(*inside, "addr", "add", f"{address}/{prefix}", "dev", end, *more)
        return
    family = "inet6" if ":" in address else "inet"
    world.do_there("ifconfig", "-j", name, end, family, str(old), "-alias")
    world.do_there("ifconfig", "-j", name, end, family, f"{address}/{prefix}", "alias")


def take_mac(world: World, name: str, mac: str) -> None:
    end = attachment(world, name).jail_end
    if world.kind == "linux":
        world.do_there("ip", "netns", "exec", name, "ip", "link", "set", "dev", end, "address", mac)
    else:
        world.do_there("ifconfig", "-j", name, end, "ether", mac)


@both_hosts
def test_pots_go_on_as_without_it(world: World) -> None:
    at = kitchen(world, running=False)
    world.create("open", "public-bridge")
    before = world.snapshot()
    world.do(start, ["thief", "web", "far", "open"])
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    ways = [("thief", at["web"], 80), ("web", at["thief"], 80), ("host", at["web"], 80)]
    ways += [(name, outside(world), 80) for name in ("thief", "open", "far")]
    ways += [(name, world.address, 30080) for name in ("outside", "thief", "web", "far", "open")]
    six = str(attachment(world, "web").address6)
    assert [way for way in ways if not world.reaches(*way)] == []
    assert world.reaches("thief", six, 80) and world.reaches("host", six, 80)
    assert not world.reaches("thief", at["far"], 80) and not world.reaches("open", at["web"], 80)
    assert world.do(info, "web")["antispoof"] is True
    assert world.do(check, [], None) == ()
    world.do(export_ports, "web", ExportRequest([]))
    world.do(stop, ["thief", "web", "far", "open"])
    assert world.snapshot() == before


@both_hosts
@BOTH
def test_an_address_that_is_not_its_own(world: World, guarded: bool) -> None:
    at = kitchen(world, guarded)
    take_address(world, "thief", at["away"], 29)
    if world.kind == "linux":
        world.do_there(
            "ip", "netns", "exec", "thief", "ip", "route", "replace", "default", "via", gateway(world)
        )
    ways = [
        ("thief", at["web"]),
        ("thief", gateway(world)),
        ("web", at["away"]),
        *from_host(world, at["away"]),
    ]
    world.listen(80, "httpd")
    assert [way for way in ways if world.reaches(*way, 80)] == ([] if guarded else ways)
    assert world.reaches("host", at["web"], 80)


def from_host(world: World, address: str) -> list[tuple[str, str]]:
    """What the host opens: pf knows the answer by its state, which is good for all interfaces."""
    return [("host", address)] if world.kind == "linux" else []


def gateway(world: World) -> str:
    return str(next(b for b in world.records()["bridges"] if b.name == "stove").gateway)


@both_hosts
@BOTH
def test_an_address_of_ipv6_that_is_not_its_own(world: World, guarded: bool) -> None:
    kitchen(world, guarded)
    away, web = (str(attachment(world, name).address6) for name in ("away", "web"))
    take_address(world, "thief", away, 64)
    ways = [("thief", web), ("web", away), *from_host(world, away)]
    assert [way for way in ways if world.reaches(*way, 80)] == ([] if guarded else ways)


@both_hosts
@BOTH
def test_a_mac_address_that_is_not_its_own(world: World, guarded: bool) -> None:
    at = kitchen(world, guarded)
    take_mac(world, "thief", "02:00:00:00:00:99")
    assert world.reaches("thief", at["web"], 80) != guarded
    assert world.reaches("host", at["thief"], 80) != guarded
    take_mac(world, "thief", attachment(world, "thief").mac)
    assert world.reaches("thief", at["web"], 80)


@both_hosts
def test_the_mac_address_of_a_neighbour(world: World) -> None:
    at = kitchen(world)
    world.listen(81, "httpd")
    assert world.reaches("thief", gateway(world), 81)
    take_mac(world, "thief", attachment(world, "web").mac)
    assert not world.reaches("thief", gateway(world), 81)
    assert not world.reaches("host", at["thief"], 80)
    assert world.reaches("host", at["web"], 80)


@both_hosts
def test_what_somebody_takes_away_comes_back(world: World) -> None:
    at = kitchen(world)
    if world.kind == "linux":
        world.do_there("nft", "delete", "table", "bridge", "potnet")
        expected = {Kind.MEMBERS_UNFILTERED, Kind.RULES_MISSING}
    else:
        world.do_there("sysctl", f"{SWITCHES[1]}=0")
        world.do_there("ifconfig", bridge_of(world), "ifmaxaddr", attachment(world, "web").host_end, "0")
        world.do_there("pfctl", "-a", "pot-filter/.thief", "-f", "-", stdin="")
        expected = {Kind.MEMBERS_UNFILTERED, Kind.MEMBER_DIFFERS, Kind.RULES_MISSING}
    assert {found.kind for found in world.do(check, [], None)} == expected
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    take_address(world, "thief", at["away"], 29)
    assert not world.reaches("thief", at["web"], 80)


def bridge_of(world: World) -> str:
    return str(next(b for b in world.records()["bridges"] if b.name == "stove").interface)


def antispoof(world: World) -> str:
    """What doctor says of it."""
    return str(next(each.verdict for each in world.do(doctor) if each.subject == "antispoof"))


@both_hosts
def test_it_holds_for_all_pots_or_for_none(world: World) -> None:
    kitchen(world, guarded=False)
    world.configure(ON)
    before = len(world.executor.changed)
    assert antispoof(world) == "limited"
    with pytest.raises(HostError, match=r"started without it: .*far.*thief.*web"):
        world.do(start, ["away"])
    assert len(world.executor.changed) == before
    world.do(stop, ["thief", "web", "far"])
    world.do(start, ["thief", "web"])
    assert antispoof(world) == "ok"
    # As long as one runs with it, all do.
    world.configure('network.ipv6 = "nat"\n')
    world.do(start, ["away", "far"])
    assert world.do(info, "far")["antispoof"] is True
    assert world.do(check, [], None) == ()
    world.do(stop, ["thief", "web", "far", "away"])
    world.do(start, ["thief", "far"])
    assert world.do(info, "far")["antispoof"] is False


@both_hosts
def test_the_last_pot_takes_it_away_though_its_bridge_stays(world: World) -> None:
    kitchen(world, running=False)
    world.do(vnet_start, "stove")
    whats = ("rules", "rules of members") if world.kind == "linux" else ("anchors", "sysctls", "interfaces")
    before = {what: world.snapshot()[what] for what in whats}
    world.do(start, ["thief", "web", "away"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["thief", "web", "away"])
    assert {what: world.snapshot()[what] for what in whats} == before
    world.do(vnet_stop, "stove")


@both_hosts
def test_after_a_reboot_it_is_in_force_again(world: World) -> None:
    at = kitchen(world)
    world.reboot()
    if world.kind != "linux":
        for name in SWITCHES:
            world.do_there("sysctl", f"{name}=0")
    world.do(start, ["thief", "web"])
    take_address(world, "thief", at["away"], 29)
    assert not world.reaches("thief", at["web"], 80)
    world.do(repair, [], None)
    world.do(stop, ["thief", "web"])
    assert not world.do(check, [], None)


@pytest.mark.parametrize("world", ["freebsd", pytest.param("linux", marks=pytest.mark.slow)], indirect=True)
def test_a_start_that_fails_leaves_nothing(world: World) -> None:
    kitchen(world, running=False)
    fresh = world.snapshot()
    world.executor.commands.clear()
    world.do(start, ["web"])
    commands = world.executor.changes
    world.do(stop, ["web"])
    assert world.snapshot() == fresh
    for number in range(commands):
        for after in (False, True):
            world.executor.commands.clear()
            world.executor.fail_at, world.executor.after = number, after
            with suppress(HostError):
                world.do(start, ["web"])
                # Where several anchors are loaded at once, they are loaded one by one then.
                world.do(stop, ["web"])
            world.executor.fail_at = None
            assert world.snapshot() == fresh, (number, after)
            assert world.records()["runs"] == ()


def test_slaac_is_left_to_itself(world: World) -> None:
    world.configure("network.antispoof = true\n")
    world.create("six", "public-bridge", "dual")
    before = world.without_folders(world.snapshot())
    world.do(start, ["six"])
    own = next(pot for pot in world.records()["pots"]).attachments[1]
    assert world.host.anchor("pot-filter/.six")[-5:] == [
        f"block drop in quick on {own.host_end} inet6 proto ipv6-icmp all icmp6-type routeradv",
        f"block drop in quick on {own.host_end} inet6 proto ipv6-icmp all icmp6-type redir",
        f"pass in quick on {own.host_end} inet6 all no state",
        f"block drop in quick on {own.host_end} all",
        f"pass out quick on {own.host_end} all no state",
    ]
    assert f"{own.host_end} {own.mac}" in world.host.interface(world.slaac_bridge()).alone
    assert world.do(check, [], None) == ()
    world.do(stop, ["six"])
    assert world.without_folders(world.snapshot()) == before


@pytest.mark.parametrize("kind", ["inherit", "alias"])
def test_pots_that_share_the_host_s_network_have_none(world: World, kind: str) -> None:
    world.configure("network.antispoof = true\n")
    world.create("web", kind)
    before = len(world.executor.changed)
    world.do(start, ["web"])
    assert not [line for line in world.executor.changed[before:] if line.startswith(("pfctl", "sysctl"))]
    assert world.do(info, "web")["antispoof"] is False
    assert world.do(check, [], None) == ()


def test_switches_that_were_on_stay_on(world: World) -> None:
    kitchen(world, running=False)
    world.do_there("sysctl", f"{SWITCHES[0]}=1")
    world.do(start, ["web"])
    assert [world.host.sysctl(name) for name in SWITCHES] == ["1", "1"]
    world.do(stop, ["web"])
    assert [world.host.sysctl(name) for name in SWITCHES] == ["1", "0"]


def test_without_the_anchor_nothing_starts(world: World) -> None:
    kitchen(world, running=False)
    rules = 'nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\npass\n'
    world.do_there("pfctl", "-f", "-", stdin=rules)
    with pytest.raises(HostError, match=r"network\.antispoof would have no effect"):
        world.do(start, ["web"])
    assert [each.verdict for each in world.do(doctor) if each.subject == "anchors"] == ["limited"]


@pytest.mark.parametrize(
    "rules",
    [
        "pass\n",
        "",
        "block in all\npass out keep state\npass in on potbridge keep state\npass in on em0 keep state\n",
    ],
    ids=["pass", "empty", "deny"],
)
def test_exports_work_under_any_main_ruleset(world: World, rules: str) -> None:
    at = kitchen(world)
    anchors = 'nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\nanchor "pot-filter/*"\n'
    world.do_there("pfctl", "-f", "-", stdin=anchors + rules)
    world.do(export_ports, "web", ExportRequest(["80:30080", "udp:53:30053"], False, ["0.0.0.0/0"], 9))
    for source in ("outside", "thief", "web", "far"):
        assert world.host.connect(source, world.address, 30080).ok, source
        assert world.host.connect(source, world.address, 30053, "udp").ok, source
    assert world.reaches("thief", at["web"], 80) and world.reaches("far", "192.168.178.99", 80)
    assert not world.reaches("thief", at["far"], 80)


def test_bandwidth_holds_for_exports_too(world: World) -> None:
    kitchen(world, running=False)
    world.create("slow", "public-bridge", network=NetworkOptions(bandwidth_in="1Mbit/s"))
    world.do(start, ["slow"])
    world.do(export_ports, "slow", ExportRequest(["80:30080"]))
    (*_, out) = world.host.anchor("pot-filter/-slow")
    assert out.startswith("pass out quick on bridge") and out.endswith(
        " dnpipe(10008, 10009) tagged potnet:tcp:30080"
    )
    assert world.host.connect("outside", world.address, 30080).ok
    assert world.do(check, [], None) == ()


def test_a_dry_run_prints_what_a_start_does(world: World) -> None:
    kitchen(world, running=False)
    before = world.snapshot()
    state = world.directory / "state"
    (world.directory / "sim").rename(state / "sim")
    options = ["--state-dir", str(state), "--config", str(world.config_file)]
    there = CliRunner().invoke(cli, [*options, "-n", "start", "web", "thief"])
    assert there.exit_code == 0, there.output
    (state / "sim").rename(world.directory / "sim")
    assert world.snapshot() == before
    world.executor.commands.clear()
    world.do(start, ["web", "thief"])
    programs = ("ifconfig", "sysctl")
    typed = [line for line in world.executor.changed if line.startswith(programs)]
    dry = [line for line in there.stdout.splitlines() if line.startswith(programs)]
    assert [shlex.join(shlex.split(line)).replace("'", "") for line in dry] == typed
    assert sum("pfil_member=1" in line for line in typed) == 1


def test_without_it_the_commands_are_those_of_before(world: World) -> None:
    kitchen(world, guarded=False)
    words = ("static", "ifmaxaddr", "pfil", "epair", "if-bound")
    assert not [line for line in world.executor.changed if any(word in line for word in words[:3])]
    rules = [rule for anchor in world.host.anchors() for rule in world.host.anchor(anchor)]
    assert not [rule for rule in rules if any(word in rule for word in words[3:])]
