"""What other hands do to a host: check names just that, and repair mends just that."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World

from potnet.app import App
from potnet.errors import PotnetError
from potnet.executors.base import Command, as_shell
from potnet.executors.dry_run import DryRun
from potnet.host.findings import Finding
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import Report, repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.runtime.locks import Locks
from potnet.store.store import Store

#: casserole on the private bridge0, stew on the public bridges 1 and 2, lid with aliases.
EPAIR, PUBLIC, PUBLIC6 = "epair0a", "epair1a", "epair2a"


def run(world: World, *lines: str, stdin: str | None = None) -> None:
    """What somebody types on the host."""
    for line in lines:
        result = world.host.run(Command(tuple(line.split()), stdin))
        assert result.code == 0, result


NAMES = ["casserole", "stew", "lid", "spoon"]


@pytest.fixture
def kitchen(world: World) -> World:
    """A host with a running pot of each kind, all of it as it should be."""
    prepare(world)
    world.do(start, NAMES)
    assert found(world) == []
    return world


def prepare(world: World) -> None:
    """A pot of each kind."""
    run(world, "sysctl net.inet.ip.forwarding=0")
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create("casserole", "private-bridge", "ipv4", bridge="stove", base="12.2")
    world.create("stew", "public-bridge", "dual", base="12.2")
    world.create("lid", "alias", "dual", base="12.2")
    world.create("spoon", "inherit", "dual")
    world.do(export_ports, "casserole", ExportRequest(["80:30080", "udp:53:30053"]))


def named(finding: Finding) -> str:
    return " ".join(str(x) for x in (finding.kind, finding.pot, finding.bridge, finding.interface) if x)


def found(world: World, *pots: str, bridge: str | None = None) -> list[str]:
    """What check names, without looking at how it words it."""
    return [named(finding) for finding in world.do(check, pots, bridge)]


def mend(world: World, *pots: str, bridge: str | None = None) -> Report:
    """Repair, and once more: the second one changes nothing."""
    report: Report = world.do(repair, pots, bridge)
    done = world.executor.changes
    again: Report = world.do(repair, pots, bridge)
    assert (again.mended, again.left) == ((), report.left)
    assert world.executor.changes == done
    return report


def test_repair_of_rules_loads_all_rules_and_touches_nothing_else(kitchen: World) -> None:
    """As after somebody flushed the packet filter; the route is another matter."""
    flushed = (
        "pfctl -a pot-nat -F nat",
        "pfctl -a pot-filter/ext -F rules",
        "pfctl -a pot-filter/stove -F rules",
        "pfctl -a pot-rdr/casserole -F nat",
    )
    run(kitchen, *flushed, "route -j stew delete default")
    before = found(kitchen)
    assert len(before) == 5
    report: Report = kitchen.do(repair, ("stew",), None, True)
    assert [named(finding) for finding in report.mended] == ["rules-missing", "rules-missing"]
    assert (len(found(kitchen)), report.left) == (3, ())
    kitchen.do(repair, (), None, True)
    assert found(kitchen) == ["route-missing stew public epair1b"]
    changes = kitchen.executor.changes
    assert kitchen.do(repair, (), None, True) == Report()
    assert kitchen.executor.changes == changes


def mended(world: World, what: str) -> tuple[tuple[str, ...], list[str]]:
    lines, kinds = MENDED[what]
    if world.lan_bridge and any("bridge2" in line for line in lines):
        pytest.skip("potnet makes no bridge for IPv6 there")
    return lines, kinds


def cut_off(world: World, name: str) -> None:
    """As if a start had not come to its end."""
    with world.app() as app:
        app.store.put_run(replace(app.store.run(name), jid=None))


MENDED = {
    "a member taken off": (("ifconfig bridge0 deletem epair0a",), ["member-missing casserole stove epair0a"]),
    "a member on another bridge": (
        ("ifconfig bridge0 deletem epair0a", "ifconfig bridge1 addm epair0a"),
        ["member-missing casserole stove epair0a"],
    ),
    "a member made private": (
        ("ifconfig bridge0 private epair0a",),
        ["member-differs casserole stove epair0a"],
    ),
    "another MAC address": (
        ("ifconfig -j stew epair1b ether 02:11:22:33:44:55",),
        ["mac-differs stew public epair1b"],
    ),
    "an uplink taken off": (("ifconfig bridge2 deletem em0",), ["member-missing public6 em0"]),
    "NAT flushed": (("pfctl -a pot-nat -F nat",), ["rules-missing"]),
    "the outside let in": (("pfctl -a pot-filter/ext -F rules",), ["rules-missing"]),
    "a bridge let together": (("pfctl -a pot-filter/stove -F rules",), ["rules-missing stove"]),
    "a table of a bridge killed": (("pfctl -a pot-filter/stove -t others -T kill",), ["rules-differ stove"]),
    "exports flushed": (("pfctl -a pot-rdr/casserole -F nat",), ["rules-missing casserole stove"]),
    "forwarding off": (("sysctl net.inet.ip.forwarding=0",), ["forwarding-off"]),
    "a pot's address taken": (
        ("ifconfig -j casserole epair0b inet 10.192.0.10 -alias",),
        ["address-missing casserole stove epair0b", "route-missing casserole stove epair0b"],
    ),
    "a wrong prefix": (
        ("ifconfig -j casserole epair0b inet 10.192.0.10/24",),
        ["address-missing casserole stove epair0b"],
    ),
    "a bridge's address taken": (
        ("ifconfig bridge0 inet 10.192.0.9 -alias",),
        ["address-missing stove bridge0"],
    ),
    "a route deleted": (("route -j stew delete default",), ["route-missing stew public epair1b"]),
    "loopback deleted": (("ifconfig -j stew lo0 inet 127.0.0.1 -alias",), ["address-missing stew lo0"]),
    "an epair destroyed": (("ifconfig epair1a destroy",), ["interface-missing stew public epair1a"]),
    "an epair of IPv6 destroyed": (("ifconfig epair2a destroy",), ["interface-missing stew public6 epair2a"]),
    "an end taken out of its jail": (
        ("ifconfig epair0b -vnet casserole",),
        ["interface-missing casserole stove epair0a"],
    ),
    "a bridge destroyed": (("ifconfig bridge0 destroy",), ["bridge-missing stove bridge0"]),
    "the bridge of IPv6 destroyed": (("ifconfig bridge2 destroy",), ["bridge-missing public6 bridge2"]),
    "an epair whose bridge is gone, too": (
        ("ifconfig bridge0 destroy", "ifconfig epair0b -vnet casserole"),
        ["bridge-missing stove bridge0", "interface-missing casserole stove epair0a"],
    ),
    "interfaces down": (
        ("ifconfig bridge2 down", "ifconfig epair0a down", "ifconfig -j stew epair1b down"),
        [
            "interface-down public6 bridge2",
            "interface-down casserole stove epair0a",
            "interface-down stew public epair1b",
        ],
    ),
    "a hosts file of another text": (
        ("cp /opt/potnet/jails/spoon/m/etc/hosts /opt/potnet/jails/stew/m/etc/hosts",),
        ["file-differs stew"],
    ),
    "a resolver of the pot's own": (
        ("cp /etc/pf.conf /opt/potnet/jails/lid/m/etc/resolv.conf",),
        ["file-differs lid"],
    ),
    "an alias taken": (("ifconfig em0 inet 192.168.178.200 -alias",), ["address-missing lid em0"]),
    "an alias of IPv6 taken": (("ifconfig em0 inet6 2001:db8:7::200 -alias",), ["address-missing lid em0"]),
    "an epair left over": (
        ("ifconfig epair9 create descr potnet:ragout group potnet up", "ifconfig bridge0 addm epair9a"),
        ["interface-left epair9a"],
    ),
    "an older epair of a pot that runs": (
        ("ifconfig epair9 create descr potnet:stew group potnet up",),
        ["interface-left epair9a"],
    ),
}


@pytest.mark.parametrize("what", MENDED)
def test_what_repair_mends(kitchen: World, what: str) -> None:
    lines, kinds = mended(kitchen, what)
    before, records = kitchen.host.snapshot(), kitchen.records()
    run(kitchen, *lines)
    disturbed = kitchen.host.snapshot()
    assert disturbed != before
    assert found(kitchen) == kinds
    assert kitchen.host.snapshot() == disturbed
    report = mend(kitchen)
    assert [named(finding) for finding in report.mended] == kinds
    assert report.left == ()
    assert kitchen.host.snapshot() == before
    assert kitchen.records() == records
    assert found(kitchen) == []


@pytest.mark.parametrize("what", [*MENDED, "all jails gone", "a start cut off"])
def test_a_dry_run_prints_what_then_runs(kitchen: World, what: str) -> None:
    match what:
        case "all jails gone":
            kitchen.do(vnet_start, "stove")
            kitchen.reboot()
        case "a start cut off":
            cut_off(kitchen, "stew")
        case _:
            run(kitchen, *mended(kitchen, what)[0])
    disturbed, records = kitchen.host.snapshot(), kitchen.records()
    printed: list[str] = []
    with Store.open_copy(kitchen.directory / "state", "sim") as store:
        app = App(
            config=kitchen.config, store=store, host_kind="sim", notify=kitchen.notices.append,
            locks=Locks(None), make_executor=lambda: DryRun(kitchen.host, printed.append), dry_run=True,
        )  # fmt: skip
        repair(app, (), None)
    assert (kitchen.host.snapshot(), kitchen.records()) == (disturbed, records)
    kitchen.executor.commands.clear()
    kitchen.do(repair, (), None)
    assert printed == [as_shell(c) for c in kitchen.executor.commands if c.changes_host]


LEFT = {
    "a foreign member": (
        ("ifconfig epair9 create", "ifconfig bridge0 addm epair9a"),
        ["member-foreign stove epair9a"],
    ),
    "something in our group": (
        ("ifconfig bridge9 create group potnet descr mine",), ["interface-foreign bridge9"],
    ),
    "an epair of another store's pot that runs": (
        (
            "ifconfig epair9 create descr potnet:ragout group potnet up",
            "jail -c name=ragout path=/ persist vnet vnet.interface=epair9b",
        ),
        ["interface-foreign epair9a"],
    ),
    "pf off": (("pfctl -d",), ["filter-disabled"]),
    "a file removed": (("rm /opt/potnet/jails/stew/m/etc/hosts",), ["file-missing stew"]),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFT)
def test_what_repair_leaves_alone(kitchen: World, what: str) -> None:
    lines, kinds = LEFT[what]
    run(kitchen, *lines)
    disturbed = kitchen.host.snapshot()
    assert found(kitchen) == kinds
    assert [named(finding) for finding in mend(kitchen).left] == kinds
    assert kitchen.host.snapshot() == disturbed
    assert found(kitchen) == kinds


def test_the_main_ruleset_is_a_matter_of_init(kitchen: World) -> None:
    run(kitchen, "pfctl -f -", stdin='nat-anchor "pot-nat"\nrdr-anchor "pot-rdr/*"\n')
    disturbed = kitchen.host.snapshot()
    findings = kitchen.do(check, (), None)
    assert [(f.kind, f.expected) for f in findings] == [
        ("anchor-uncalled", 'nat-anchor "pot-rdr/*"'),
        ("anchor-uncalled", 'anchor "pot-filter/*"'),
    ]
    assert all("potnet init" in f.remedy for f in findings)
    assert mend(kitchen).mended == ()
    assert kitchen.host.snapshot() == disturbed


def test_pots_that_started_before_isolation_was_wanted_are_told(kitchen: World) -> None:
    kitchen.config = replace(kitchen.config, isolate=True)
    differ = ["casserole stove epair0a", "stew public epair1a", "stew public6 epair2a"]
    assert found(kitchen) == [f"member-differs {which}" for which in differ]
    assert len(mend(kitchen).mended) == 3
    bridges = ("bridge0", "bridge1", kitchen.slaac_bridge())
    assert [kitchen.host.interface(bridge).private for bridge in bridges] == [
        ("epair0a",), ("epair1a",), ("epair2a",),
    ]  # fmt: skip
    assert found(kitchen) == []


def test_rules_that_differ_are_told_and_put_back(kitchen: World) -> None:
    before = kitchen.host.snapshot()
    rules = "rdr pass on em0 inet proto tcp from any to (em0) port 22 -> 10.192.0.10 port 22\n"
    run(kitchen, "pfctl -a pot-rdr/casserole -f -", stdin=rules)
    (finding,) = kitchen.do(check, (), None)
    assert named(finding) == "rules-differ casserole stove"
    assert finding.found == rules.replace("port 22 ->", "port = 22 ->").strip()
    assert len(finding.expected.splitlines()) == 6
    mend(kitchen)
    assert kitchen.host.snapshot() == before


def test_rules_of_the_administrators_own_templates_are_no_difference(world: World) -> None:
    folder = world.directory / "templates"
    folder.mkdir()
    own = "nat pass on { em0 em1 } inet from { 10.192.0.0/11, 10.224.0.0/11 } to any -> (em0)\n"
    (folder / "pf-nat.conf.j2").write_text(own)
    world.configure(f'[paths]\ntemplates = "{folder}"\n')
    world.create("stew", "public-bridge")
    world.do(start, ["stew"])
    assert len(world.host.anchor("pot-nat")) == 4
    assert found(world) == []
    run(world, "pfctl -a pot-nat -F nat")
    assert found(world) == ["rules-missing"]
    mend(world)
    assert len(world.host.anchor("pot-nat")) == 4


@pytest.mark.parametrize("name", ["casserole", "stew", "lid", "spoon"])
def test_a_pot_whose_jail_is_gone_is_stopped(kitchen: World, name: str) -> None:
    kitchen.do(stop, [name])
    stopped, records = kitchen.host.snapshot(), kitchen.records()
    kitchen.do(start, [name])
    root = kitchen.host.jails()[name].path
    run(kitchen, f"jail -r {name}")
    assert found(kitchen) == [f"pot-gone {name}"]
    assert [named(f) for f in mend(kitchen).mended] == [f"pot-gone {name}"]
    assert f"{root}/dev" not in kitchen.host.mounts()
    assert kitchen.host.snapshot() == stopped
    assert kitchen.records() == records


def test_after_a_reboot_all_pots_are_stopped(kitchen: World) -> None:
    kitchen.do(vnet_start, "stove")
    kitchen.do(stop, NAMES)
    stopped = kitchen.host.snapshot()
    kitchen.do(start, NAMES)
    kitchen.reboot()
    assert "bridge-missing stove bridge0" in found(kitchen)
    mend(kitchen)
    assert kitchen.host.snapshot() == stopped
    assert kitchen.records()["runs"] == ()


def test_a_start_that_was_cut_off_goes_back(kitchen: World) -> None:
    kitchen.do(stop, ["casserole"])
    before, records = kitchen.host.snapshot(), kitchen.records()
    kitchen.do(start, ["casserole"])
    cut_off(kitchen, "casserole")
    assert found(kitchen) == ["start-cut-off casserole"]
    mend(kitchen)
    assert kitchen.host.snapshot() == before
    assert kitchen.records() == records


def test_a_jail_of_that_name_that_potnet_did_not_start_stays(kitchen: World) -> None:
    run(kitchen, "jail -r spoon", "jail -c name=spoon path=/opt persist")
    foreign = kitchen.host.jails()["spoon"]
    assert found(kitchen) == ["pot-gone spoon", "jail-foreign spoon"]
    report = mend(kitchen)
    assert ([named(f) for f in report.mended], [named(f) for f in report.left]) == (
        ["pot-gone spoon"],
        ["jail-foreign spoon"],
    )
    assert kitchen.host.jails()["spoon"] == foreign
    assert found(kitchen) == ["jail-foreign spoon"]


def test_what_a_stopped_pot_left_in_its_anchor(kitchen: World) -> None:
    kitchen.do(stop, ["casserole"])
    before = kitchen.host.snapshot()
    run(kitchen, "pfctl -a pot-rdr/casserole -f -", stdin="nat on em0 inet from 10.0.0.0/8 to any -> (em0)\n")
    assert found(kitchen) == ["rules-left"]
    mend(kitchen)
    assert kitchen.host.snapshot() == before
    run(kitchen, "pfctl -a pot-rdr/goulash -f -", stdin="nat on em0 inet from 10.0.0.0/8 to any -> (em0)\n")
    foreign = kitchen.host.snapshot()
    assert found(kitchen) == ["rules-foreign"]
    mend(kitchen)
    assert kitchen.host.snapshot() == foreign


def test_a_bridge_and_rules_that_nothing_needs_go(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    before = world.host.snapshot()
    world.do(vnet_start, "stove")
    with world.app() as app:
        app.store.update_bridge(replace(app.store.bridge("stove"), pinned=False))
    assert found(world) == ["interface-left bridge0", *["rules-left"] * 3]
    mend(world)
    assert world.host.snapshot() == before
    assert found(world) == []


def test_what_pot_keeps_in_anchors_of_the_same_name_stays(world: World) -> None:
    run(world, "pfctl -a pot-nat -f -", stdin="nat on em0 inet from 10.192.0.0/10 to any -> (em0)\n")
    before = world.host.snapshot()
    world.create("stew", "public-bridge")
    assert found(world) == []
    mend(world)
    before["files"] = world.host.snapshot()["files"]
    assert world.host.snapshot() == before


def test_leases_of_pots_that_are_not_there_are_given_back(kitchen: World) -> None:
    with kitchen.app() as app:
        leases = app.store.leases("stove")
        address = app.store.reserve("stove", "ghost")
    assert found(kitchen) == ["lease-left stove"]
    mend(kitchen)
    with kitchen.app() as app:
        assert app.store.leases("stove") == leases
        assert app.store.next_free("stove") == address


def test_a_port_that_a_program_of_the_host_has_is_told(kitchen: World) -> None:
    kitchen.host.listen("tcp", 30080)
    kitchen.host.listen("tcp", 30053)
    (finding,) = kitchen.do(check, (), None)
    assert named(finding) == "port-held casserole"
    assert "server" in finding.found
    mend(kitchen)


def test_connections_of_other_pots_go_on(kitchen: World) -> None:
    kitchen.do(export_ports, "stew", ExportRequest(["80:30090"]))
    kitchen.host.listen("tcp", 80, jail="stew")
    assert kitchen.host.connect("outside", "192.168.178.20", 30090)
    states = kitchen.host.states()
    assert states
    run(kitchen, "ifconfig epair0a destroy", "pfctl -a pot-rdr/casserole -F nat", "pfctl -a pot-nat -F nat")
    mend(kitchen)
    assert kitchen.host.states() == states


@pytest.mark.parametrize(
    ("pots", "bridge", "kinds"),
    [
        (("stew",), None, ["forwarding-off", "member-missing stew public epair1a"]),
        ((), "public", ["forwarding-off", "member-missing stew public epair1a"]),
        ((), "stove", ["forwarding-off", "member-missing casserole stove epair0a"]),
        (("spoon",), None, ["forwarding-off"]),
    ],
)
def test_one_pot_or_bridge_alone(
    kitchen: World, pots: tuple[str, ...], bridge: str | None, kinds: list[str]
) -> None:
    run(
        kitchen,
        "ifconfig bridge0 deletem epair0a",
        "ifconfig bridge1 deletem epair1a",
        "sysctl net.inet.ip.forwarding=0",
        "ifconfig epair9 create descr potnet:ragout group potnet up",
    )
    assert found(kitchen, *pots, bridge=bridge) == kinds
    mend(kitchen, *pots, bridge=bridge)
    assert found(kitchen, *pots, bridge=bridge) == []
    assert "interface-left epair9a" in found(kitchen)


def test_nothing_is_looked_at_that_another_command_is_at_work_on(kitchen: World) -> None:
    run(kitchen, "ifconfig bridge0 deletem epair0a", "sysctl net.inet.ip.forwarding=0")
    with kitchen.app() as other, other.locks.hold("pot-casserole"):
        assert found(kitchen) == ["forwarding-off"]
        mend(kitchen)
        assert "casserole is skipped: another potnet command is changing it" in kitchen.notices
    assert found(kitchen) == ["member-missing casserole stove epair0a"]


def test_a_repair_that_fails_says_so_and_does_the_rest(kitchen: World) -> None:
    before = kitchen.host.snapshot()
    run(kitchen, "ifconfig bridge0 deletem epair0a", "pfctl -a pot-nat -F nat")
    kitchen.executor.commands.clear()
    kitchen.executor.fail_at = 0
    with pytest.raises(PotnetError, match="cannot repair the host: rules-missing\n  not done: pfctl"):
        kitchen.do(repair, (), None)
    kitchen.executor.fail_at = None
    assert found(kitchen) == ["rules-missing"]
    mend(kitchen)
    assert kitchen.host.snapshot() == before


def test_forwarding_that_repair_switched_on_goes_off_with_the_last_bridge(kitchen: World) -> None:
    run(kitchen, "sysctl net.inet.ip.forwarding=0")
    mend(kitchen)
    kitchen.do(stop, NAMES)
    assert kitchen.host.sysctl("net.inet.ip.forwarding") == "0"


def test_forwarding_goes_off_when_a_foreign_member_kept_the_last_bridge(kitchen: World) -> None:
    run(kitchen, "ifconfig epair9 create", "ifconfig bridge1 addm epair9a")
    run(kitchen, "jail -r casserole", "jail -r stew")
    kinds = {finding.kind for finding in mend(kitchen).mended}
    assert "forwarding-left" in kinds
    assert kitchen.host.snapshot()["sysctls"]["/net.inet.ip.forwarding"] == "0"
    with kitchen.app() as app:
        assert not app.store.remembered("forwarding4")


@pytest.mark.parametrize("operation", [vnet_start, vnet_stop])
def test_pinned_bridges_are_as_the_store_says(world: World, operation: Callable[..., bool]) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.do(vnet_start, "stove")
    if operation is vnet_stop:
        world.do(vnet_stop, "stove")
        assert found(world) == []
        return
    before = world.host.snapshot()
    run(world, "ifconfig bridge0 destroy", "pfctl -a pot-filter/stove -F rules", "pfctl -a pot-nat -F nat")
    assert found(world) == ["rules-missing", "rules-missing stove", "bridge-missing stove bridge0"]
    mend(world)
    assert world.host.snapshot() == before


#: What somebody may type at any time, in any order; some of it fails then, and does nothing.
HANDS = sorted({line for lines, _ in MENDED.values() for line in lines} - {"ifconfig bridge1 addm epair0a"})
GONE = [f"jail -r {name}" for name in NAMES]
FOREIGN = [
    "ifconfig bridge1 addm epair8a",
    "ifconfig bridge0 addm epair8b",
    "jail -c name=ladle path=/ persist",
]


def unnumbered(world: World) -> dict[str, Any]:
    """The host without the indexes of interfaces, which one made anew may get another of."""
    found = world.host.snapshot()
    routes = {
        stack: [(to, by.partition("#")[0], *more) for to, by, *more in lines]
        for stack, lines in found["routes"].items()
    }
    return found | {"routes": routes}


def type_all(world: World, lines: list[str]) -> int:
    """Type lines, some of which have nothing left to work on; how many did something."""
    return sum(world.host.run(Command(tuple(line.split()))).code == 0 for line in lines)


@settings(
    max_examples=settings.default.max_examples // 8, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(lines=st.lists(st.sampled_from(HANDS), min_size=1, max_size=10))
def test_whatever_hands_do_to_pots_that_run_is_mended(figure: Callable[..., None], lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        prepare(world)
        world.do(start, NAMES)
        before, records = unnumbered(world), world.records()
        drifts = type_all(world, lines)
        assert bool(found(world)) == (unnumbered(world) != before)
        assert mend(world).left == ()
        assert unnumbered(world) == before
        assert world.records() == records
        assert found(world) == []
    figure("drift", sequences=1, drifts=drifts)


@settings(
    max_examples=settings.default.max_examples // 8, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(lines=st.lists(st.sampled_from([*HANDS, *GONE, *FOREIGN]), min_size=1, max_size=12))
def test_what_is_mended_leaves_nothing_and_touches_nothing_foreign(
    figure: Callable[..., None], lines: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        prepare(world)
        run(world, "ifconfig epair8 create")
        before = world.host.snapshot()
        world.do(start, NAMES)
        drifts = type_all(world, lines)
        foreign = {name for name in ("ladle",) if name in world.host.jails()}
        left = {finding.kind for finding in mend(world).left}
        assert left <= {"member-foreign", "jail-foreign", "interface-foreign"}
        assert set(found(world)) == {named(finding) for finding in mend(world).left}
        assert {"epair8a", "epair8b"} <= set(world.host.interfaces())
        assert {run.pot.name for run in world.records()["runs"]} == set(world.host.jails()) - foreign
        # What is foreign goes by hand; then all is as it was before the pots ran.
        for line in ("ifconfig bridge0 deletem epair8b", "ifconfig bridge1 deletem epair8a", "jail -r ladle"):
            world.host.run(Command(tuple(line.split())))
        assert mend(world).left == ()
        world.do(stop, NAMES)
        after = world.host.snapshot()
        for interface in ("/epair8a", "/epair8b"):
            after["interfaces"][interface] = before["interfaces"][interface]
        assert after == before
    figure("drift", sequences=1, drifts=drifts)


def test_what_a_check_costs(world: World, figure: Callable[..., None]) -> None:
    def commands() -> int:
        world.executor.commands.clear()
        assert found(world) == []
        return len(world.executor.commands)

    for number in range(8):
        world.create(f"pot{number}", "public-bridge")
    for number in (0, 1, 2):
        world.do(export_ports, f"pot{number}", ExportRequest([f"80:3008{number}", f"443:3044{number}"]))
    world.do(start, ["pot0", "pot4"])
    few = commands()
    world.do(start, ["pot1", "pot5"])
    # Of each pot its interfaces and its route, and of one with exports what they are and what they should be.
    assert commands() == few + 6
    for number in range(100):
        world.create(f"more{number}", "public-bridge")
    assert commands() == few + 6
    figure("check", fixed_commands=few - 6, commands_for_each_pot_that_runs=2, more_with_exports=2)
