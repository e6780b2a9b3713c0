"""Whether packets of pots reach the rules of our anchors in pf's main ruleset, and how it is told if not."""

from __future__ import annotations

import pytest
from main_rules import FILTER, TRANSLATION, kinds, limited, load, two_bridges
from world import World

from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.host.findings import Kind, Verdict
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def test_a_prepared_host_has_nothing_to_tell(world: World) -> None:
    two_bridges(world)
    world.do(start, ["wok", "tray"])
    assert world.notices == []
    assert kinds(world) == []
    assert limited(world) == []


@pytest.mark.plain_interface
@pytest.mark.parametrize(
    "names", ["{ lo0 bridge }", "bridge", "potbridge", "potnet", "{ lo0, bridge0, bridge1, bridge2 }"]
)
def test_skipped_bridges_are_told_at_start_check_and_doctor(world: World, names: str) -> None:
    other = two_bridges(world)
    load(world, f"set skip on {names}\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["wok"])
    world.do(start, ["tray"])
    assert world.reaches("wok", other, 80)
    told = [notice for notice in world.notices if "(set skip)" in notice and "not isolated" in notice]
    assert len(told) == 2
    found = world.do(check, [], None)
    assert {each.kind for each in found} == {Kind.INTERFACE_SKIPPED}
    assert {each.bridge for each in found} == {"stove", "oven"}
    assert limited(world)


def test_a_mark_counts_that_no_file_names_any_more(world: World) -> None:
    """pf keeps marks of interfaces over loads of rules without them."""
    other = two_bridges(world)
    world.do(start, ["wok", "tray"])
    load(world, f"set skip on {{ bridge1 bridge2 bridge0 }}\n{TRANSLATION}{FILTER}pass\n")
    load(world, f"{TRANSLATION}{FILTER}pass\n")
    assert world.reaches("wok", other, 80)
    assert set(kinds(world)) == {Kind.INTERFACE_SKIPPED}
    world.do_there("pfctl", "-F", "all")
    load(world, f"{TRANSLATION}{FILTER}pass\n")
    assert not world.reaches("wok", other, 80)
    assert kinds(world) == []


def test_a_skip_of_others_is_none_of_ours(world: World) -> None:
    two_bridges(world)
    load(world, f"set skip on {{ lo0 em1 }}\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["wok", "tray"])
    assert (world.notices, kinds(world), limited(world)) == ([], [], [])


def test_a_skipped_external_interface(world: World) -> None:
    pot = world.create("casserole", "public-bridge")
    load(world, f"set skip on em0\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["casserole"])
    assert world.reaches("outside", str(pot.ipv4), 80)
    assert "pf skips em0 (set skip): no NAT" in world.notices[0]
    assert kinds(world) == [Kind.INTERFACE_SKIPPED]
    assert len(limited(world)) == 1


@pytest.mark.parametrize(
    "condition",
    ["in on em0", "out", "in", "on ! potbridge", "inet proto tcp", "from 10.0.0.0/16 to any", "tagged X",
     "user root", "probability 50%", "inet6", "on em0"],
)  # fmt: skip
def test_a_condition_on_the_filter_anchor_is_told(world: World, condition: str) -> None:
    two_bridges(world)
    load(world, f'{TRANSLATION}anchor "pot-filter/*" {condition}\npass\n')
    world.do(start, ["wok"])
    assert any("is not isolated" in notice for notice in world.notices)
    assert kinds(world) == [Kind.ANCHOR_LIMITED]
    assert len(limited(world)) == 1


@pytest.mark.parametrize(
    "call",
    ['anchor "pot-filter/*" quick', 'anchor "pot-filter/*" label "x"', 'anchor "pot-filter/*" rtable 0',
     'anchor "pot-filter/*" in\nanchor "pot-filter/*" out', 'anchor "pot-filter/*" on { em0 potbridge }'],
)  # fmt: skip
def test_a_call_that_leaves_nothing_out_is_enough(world: World, call: str) -> None:
    other = two_bridges(world)
    load(world, f"{TRANSLATION}{call}\npass\n")
    world.do(start, ["wok", "tray"])
    assert (world.notices, kinds(world), limited(world)) == ([], [], [])
    assert not world.reaches("wok", other, 80)


def test_an_anchor_within_another_is_not_ours(world: World) -> None:
    other = two_bridges(world)
    load(world, f'{TRANSLATION}anchor "outer" {{\nanchor "pot-filter/*"\n}}\npass\n')
    world.do(start, ["wok", "tray"])
    assert world.reaches("wok", other, 80)
    assert 'lacks anchor "pot-filter/*"' in world.notices[0]
    assert kinds(world) == [Kind.ANCHOR_UNCALLED]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("pass quick", True),
        ("pass in quick on potbridge", True),
        ("pass in quick from 10.0.0.0/8", True),
        ("pass in quick on em0 proto tcp to any port 22", True),
        ("anchor in on potbridge {\npass quick\n}", True),
        ("pass quick on lo0", False),
        ("pass in quick on em0 proto tcp to (em0) port 22", False),
        ("pass in quick on em0 proto tcp to 192.168.178.20 port 22", False),
        ("block in quick on em0 from 203.0.113.0/24", False),
        ("pass out quick on em0", False),
        ("pass in on potbridge", False),
        ('anchor "f2b/*"', False),
    ],
)
def test_quick_rules_before_the_anchor(world: World, rule: str, told: bool) -> None:
    two_bridges(world)
    load(world, f"{TRANSLATION}{rule}\n{FILTER}pass\n")
    world.do(start, ["wok", "tray"])
    assert kinds(world) == [Kind.ANCHOR_BYPASSED] * told
    assert bool(limited(world)) == bool(world.notices) == told
    world.do(stop, ["wok", "tray"])
    world.notices.clear()
    load(world, f"{TRANSLATION}{FILTER}{rule}\npass\n")
    world.do(start, ["wok", "tray"])
    assert world.notices == []


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("no nat on em0\n", Kind.ANCHOR_BYPASSED),
        ("no nat on em0 from 10.192.0.0/10\n", Kind.ANCHOR_BYPASSED),
        ("no nat on em1\n", None),
        ("no nat on em0 from 10.0.0.0/16\n", None),
        ("no rdr on em0\n", Kind.ANCHOR_BYPASSED),
        ("nat on em0 from 10.7.0.0/16 -> (em0:0)\n", None),
    ],
)
def test_exceptions_before_the_anchors_of_translation(world: World, before: str, kind: Kind | None) -> None:
    world.create("casserole", "public-bridge")
    load(world, f"{before}{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["casserole"])
    assert kinds(world) == ([] if kind is None else [kind])
    assert bool(world.notices) == (kind is not None)


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ('nat-anchor "pot-nat" on em0\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\n', False),
        ('nat-anchor "pot-nat" on em1\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\n', True),
        ('nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*" on em0\n', True),
        ('nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*" proto tcp\n', True),
    ],
)
def test_conditions_on_the_anchors_of_translation(world: World, calls: str, told: bool) -> None:
    world.create("casserole", "public-bridge")
    load(world, f"{calls}{FILTER}pass\n")
    world.do(start, ["casserole"])
    assert kinds(world) == [Kind.ANCHOR_LIMITED] * told


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("block all\npass out on em0\npass in on em0 proto tcp to port 22\n", True),
        ("block in\npass out keep state\npass in on em0\n", True),
        ("set block-policy return\nblock\npass on em0\n", True),
        ("block all\npass on { em0 potbridge }\n", False),
        ("block in all\npass out keep state\npass in on potbridge keep state\n", False),
        ("block all\npass from 10.192.0.0/10\npass out on em0\n", False),
        ("block in on em0\n", False),
        ("block all\npass on ! em0\npass out on em0 from (em0)\n", False),
    ],
)
def test_rules_that_keep_pots_in(world: World, rules: str, told: bool) -> None:
    world.create("casserole", "public-bridge")
    options = "set block-policy return\n" if rules.startswith("set") else ""
    load(world, options + TRANSLATION + FILTER + rules.removeprefix(options))
    world.do(start, ["casserole"])
    assert world.reaches("casserole", "198.51.100.7", 443) == (not told)
    assert (kinds(world) == [Kind.TRAFFIC_BLOCKED]) == told
    assert bool(world.notices) == bool(limited(world)) == told


def test_rules_that_keep_connections_from_an_export(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    block = "block all\npass in on potbridge\npass out on em0\n"
    load(world, f"{TRANSLATION}{FILTER}{block}")
    world.do(start, ["casserole"])
    assert not world.reaches("outside", world.address, 30080)
    assert kinds(world) == [Kind.TRAFFIC_BLOCKED]
    assert "port 80 of casserole" in world.notices[0]
    load(world, f"{TRANSLATION}{FILTER}{block}pass out on potbridge proto tcp to any port 80\n")
    assert world.reaches("outside", world.address, 30080)
    assert kinds(world) == []


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("rdr on em0 proto tcp to (em0) port 30080 -> 10.0.0.9 port 80", True),
        ("rdr pass on em0 proto tcp to port 30000:30100 -> 10.0.0.9", True),
        ("no rdr on em0 proto tcp to port 30080", True),
        ("rdr on em0 proto udp to (em0) port 30080 -> 10.0.0.9 port 80", False),
        ("rdr on em0 proto tcp to (em0) port 8080 -> 10.0.0.9 port 80", False),
        ("rdr on em1 proto tcp to port 30080 -> 10.0.0.9 port 80", False),
        ("no rdr on em0 proto tcp to port 22", False),
    ],
)
def test_a_redirection_of_the_administrators(world: World, rule: str, told: bool) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    load(world, f"{rule}\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["casserole"])
    answer = world.host.connect("outside", world.address, 30080)
    assert (getattr(answer, "server", None) == "casserole") == (not told)
    assert kinds(world) == [Kind.EXPORT_SHADOWED] * told
    assert bool(world.notices) == told
    world.do(stop, ["casserole"])
    world.notices.clear()
    load(world, f"{TRANSLATION}{rule}\n{FILTER}pass\n")
    world.do(start, ["casserole"])
    assert (world.notices, kinds(world)) == ([], [])
    assert world.reaches("outside", world.address, 30080)


@pytest.mark.plain_interface
def test_vnet_start_tells_it_too(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    load(world, f"set skip on bridge\n{TRANSLATION}{FILTER}pass\n")
    world.do(vnet_start, "stove")
    assert "pf skips bridge" in world.notices[0]


def test_loopback_exports_are_refused_where_lo0_is_skipped(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do_there("sysctl", "net.pf.filter_local=1")
    world.do_there("pfctl", "-d")
    world.do_there("pfctl", "-e")
    load(world, f"set skip on lo0\n{TRANSLATION}{FILTER}pass\n")
    found = {each.subject: each for each in world.do(doctor)}
    assert found["loopback exports"].verdict is Verdict.LIMITED
    with pytest.raises(PotnetError, match="skips lo0"):
        world.do(export_ports, "casserole", ExportRequest(["80:30080"], True))
    world.do_there("pfctl", "-F", "all")
    load(world, f"{TRANSLATION}{FILTER}pass\n")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"], True))


def test_antispoof_takes_a_filter_that_looks_at_members(world: World) -> None:
    world.configure("[network]\nantispoof = true\n")
    two_bridges(world)
    load(world, f'{TRANSLATION}anchor "pot-filter/*" on {{ em0 potbridge }}\npass\n')
    with pytest.raises(PotnetError, match="antispoof would have no effect"):
        world.do(start, ["wok"])
    load(world, f"set skip on epair\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["wok"])
    assert any("antispoof has no effect" in notice for notice in world.notices)
    assert kinds(world) == [Kind.INTERFACE_SKIPPED]


def test_without_pfs_module_the_message_is_ours(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do_there("kldunload", "pf")
    for work in (lambda: world.do(start, ["casserole"]), lambda: world.do(vnet_start, "public")):
        with pytest.raises(PotnetError, match="pf is not enabled"):
            work()
    assert {each.subject: each.verdict for each in world.do(doctor)}["packet filter"] is Verdict.MISSING
    assert world.host.run(Command(("pfctl", "-s", "info"))).code == 1
