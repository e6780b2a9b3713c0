"""Anchors that an administrator or another program calls before potnet's, with rules that catch pots."""

from __future__ import annotations

import pytest
from main_rules import FILTER, TRANSLATION, kinds, limited, load, two_bridges
from world import World

from potnet.executors.base import Command
from potnet.host.findings import Kind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.running.start import start


def fill(world: World, anchor: str, rules: str) -> None:
    world.do_there("pfctl", "-a", anchor, "-f", "-", stdin=f"{rules}\n")


def pfctl_calls(world: World) -> list[tuple[str, ...]]:
    return [each.argv for each in world.executor.commands if each.argv[0] == "pfctl"]


BYPASSES = [
    ('anchor "x"', {"x": "pass quick"}),
    ('anchor "x" on potbridge', {"x": "pass quick"}),
    ('anchor "x" quick', {"x": "pass"}),
    ('anchor "f2b/*"', {"f2b/ssh": "block quick from 203.0.113.9", "f2b/web": "pass quick"}),
    ('anchor "x"', {"x": 'anchor "y"', "x/y": "pass quick"}),
    ('anchor "x"', {"x": 'anchor "y/*" inet', "x/y/z": "pass quick"}),
    ('anchor "x"', {"x": 'anchor "/y"', "y": "pass quick"}),
    ('anchor "x"', {"x": "anchor on potbridge {\npass quick\n}"}),
    ('anchor on potbridge {\nanchor "/y"\n}', {"y": "pass quick"}),
    ('anchor "x" {\npass quick\n}', {}),
]
HARMLESS = [
    ('anchor "x"', {"x": "pass"}),
    ('anchor "x" on em1', {"x": "pass quick"}),
    ('anchor "x"', {"x": "pass quick on lo0"}),
    ('anchor "x" proto tcp', {"x": "block quick proto tcp from 203.0.113.9"}),
    ('anchor "f2b/*"', {"f2b/ssh": "block quick from 203.0.113.9"}),
    ('anchor "f2b/*"', {"f2b": "pass quick"}),
    ('anchor "x"', {"x": 'anchor "y"', "y": "pass quick"}),
    ('anchor "x"', {}),
    ('anchor "f2b/*"', {}),
]


@pytest.mark.parametrize(("call", "anchors"), BYPASSES)
def test_an_anchor_that_passes_packets_of_pots_is_told(
    world: World, call: str, anchors: dict[str, str]
) -> None:
    other = two_bridges(world)
    for anchor, rules in anchors.items():
        fill(world, anchor, rules)
    load(world, f"{TRANSLATION}{call}\n{FILTER}pass\n")
    world.do(start, ["wok", "tray"])
    assert world.reaches("wok", other, 80)
    assert kinds(world) == [Kind.ANCHOR_BYPASSED]
    assert limited(world) and "are not isolated" in world.notices[0]
    load(world, f"{TRANSLATION}{FILTER}{call}\npass\n")
    assert not world.reaches("wok", other, 80)
    assert (kinds(world), limited(world)) == ([], [])


@pytest.mark.parametrize(("call", "anchors"), HARMLESS)
def test_an_anchor_that_leaves_pots_to_potnet_is_not_told(
    world: World, call: str, anchors: dict[str, str]
) -> None:
    other = two_bridges(world)
    for anchor, rules in anchors.items():
        fill(world, anchor, rules)
    load(world, f"{TRANSLATION}{call}\n{FILTER}pass\n")
    world.do(start, ["wok", "tray"])
    assert not world.reaches("wok", other, 80)
    assert (world.notices, kinds(world), limited(world)) == ([], [], [])


def test_the_message_names_the_rule_and_its_anchor(world: World) -> None:
    two_bridges(world)
    fill(world, "f2b/web", "pass in quick on potbridge")
    load(world, f'{TRANSLATION}anchor "f2b/*"\n{FILTER}pass\n')
    world.do(start, ["wok"])
    rule = "`pass in quick on potbridge all flags S/SA keep state`"
    assert world.notices[0].startswith(f'{rule} in the anchor f2b/web comes before `anchor "pot-filter/*"`')
    assert "before the line that calls the anchor f2b/web" in world.notices[0]


def test_vnet_start_reads_anchors_too(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 5))
    fill(world, "x", "pass quick")
    load(world, f'{TRANSLATION}anchor "x"\n{FILTER}pass\n')
    world.do(vnet_start, "stove")
    assert "in the anchor x comes before" in world.notices[0]


KEEPING_IN = [
    ('anchor "x"', {"x": "block quick"}, True),
    ('anchor "x"', {"x": "block drop in quick on potbridge"}, True),
    ('anchor "x" in on potbridge', {"x": "block quick"}, True),
    ('anchor "f2b/*"', {"f2b/a": "block in quick from 10.192.0.0/10"}, True),
    ('anchor "x"', {"x": 'anchor "y"', "x/y": "block quick"}, True),
    ('block\nanchor "x"', {"x": "pass on em0"}, True),
    ('block\nanchor "x" on em0', {"x": "pass"}, True),
    ('anchor "x" quick', {"x": "pass\nblock"}, True),
    ('block\nanchor "x"', {"x": "pass"}, False),
    ('block\nanchor "x" quick', {"x": "block\npass"}, False),
    ('anchor "x"', {"x": "block"}, False),
    ('anchor "x"', {"x": "block quick from 203.0.113.9"}, False),
    (
        'anchor "x"',
        {"x": "pass quick on potbridge from 10.192.0.0/10\npass quick on em0\nblock quick"},
        False,
    ),
]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("rules", "anchors", "told"), KEEPING_IN)
def test_an_anchor_that_keeps_pots_in_is_told(
    world: World, rules: str, anchors: dict[str, str], told: bool, last: bool
) -> None:
    world.create("casserole", "public-bridge")
    for anchor, text in anchors.items():
        fill(world, anchor, text)
    end = "" if "block\n" in rules else "pass\n"
    load(world, TRANSLATION + (FILTER if last else "") + rules + "\n" + ("" if last else FILTER) + end)
    told = told or (last and anchors.get("x") == "block" and not end)
    world.do(start, ["casserole"])
    assert world.reaches("casserole", "198.51.100.7", 443) == (not told)
    assert (Kind.TRAFFIC_BLOCKED in kinds(world)) == told
    assert any("reach nothing outside" in notice for notice in world.notices) == told


def test_an_anchor_that_keeps_connections_from_an_export(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    fill(world, "x", "block out quick on potbridge proto tcp to port 80")
    load(world, f'{TRANSLATION}anchor "x"\n{FILTER}pass\n')
    world.do(start, ["casserole"])
    assert not world.reaches("outside", world.address, 30080)
    assert kinds(world) == [Kind.TRAFFIC_BLOCKED]
    assert "port 80 of casserole" in world.notices[0]
    assert "`pass out quick on potbridge` behind potnet's anchors" in world.notices[0]


SHADOWS = [
    (
        'rdr-anchor "own/*"',
        {"own/web": "rdr pass on em0 proto tcp to (em0) port 30080 -> 10.0.0.9 port 80"},
        True,
    ),
    ('rdr-anchor "own"', {"own": "no rdr on em0 proto tcp to port 30080"}, True),
    ('rdr-anchor "own" on em0', {"own": "rdr proto tcp to port 30000:30100 -> 10.0.0.9"}, True),
    (
        'rdr-anchor "own"',
        {"own": 'rdr-anchor "in"', "own/in": "rdr proto tcp to port 30080 -> 10.0.0.9"},
        True,
    ),
    ('rdr-anchor "own"', {"own": "rdr on em0 proto udp to port 30080 -> 10.0.0.9"}, False),
    ('rdr-anchor "own"', {"own": "nat on em0 proto tcp to port 30080 -> 10.0.0.9"}, False),
    ('nat-anchor "own"', {"own": "rdr on em0 proto tcp to port 30080 -> 10.0.0.9"}, False),
    ('rdr-anchor "own" on em1', {"own": "rdr proto tcp to port 30080 -> 10.0.0.9"}, False),
    ('rdr-anchor "own"', {"own": "rdr on em0 proto tcp to 192.168.178.77 port 30080 -> 10.0.0.9"}, False),
]


@pytest.mark.parametrize(("call", "anchors", "told"), SHADOWS)
def test_a_redirection_in_an_anchor_that_takes_an_export(
    world: World, call: str, anchors: dict[str, str], told: bool
) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    for anchor, rules in anchors.items():
        fill(world, anchor, rules)
    load(world, f"{call}\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["casserole"])
    answer = world.host.connect("outside", world.address, 30080)
    assert (getattr(answer, "server", None) == "casserole") == (not told)
    assert kinds(world) == [Kind.EXPORT_SHADOWED] * told
    if told:
        assert "takes tcp port 30080: it does not reach casserole" in world.notices[0]
        load(world, f"{TRANSLATION}{call}\n{FILTER}pass\n")
        assert world.reaches("outside", world.address, 30080)
        assert kinds(world) == []


def test_a_redirection_that_takes_an_export_from_pots_alone(world: World) -> None:
    for name in ("casserole", "wok"):
        world.create(name, "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    fill(world, "own", "rdr on potbridge proto tcp to (em0) port 30080 -> 10.0.0.9 port 80")
    load(world, f'rdr-anchor "own"\n{TRANSLATION}{FILTER}pass\n')
    world.do(start, ["casserole", "wok"])
    assert world.reaches("outside", world.address, 30080)
    assert getattr(world.host.connect("wok", world.address, 30080), "server", None) != "casserole"
    assert kinds(world) == [Kind.EXPORT_SHADOWED]


NATS = [
    ('nat-anchor "x"', "no nat on em0", True),
    ('nat-anchor "x/*"', "no nat on em0 from 10.192.0.0/10", True),
    ('nat-anchor "x"', "nat on em0 from 10.192.0.0/10 -> 10.0.0.9", True),
    ('nat-anchor "x"', "nat on em0 from 10.192.0.0/10 -> (em0:0)", False),
    ('nat-anchor "x"', "nat on em0 from 10.192.0.0/10 -> 192.168.178.20", False),
    ('nat-anchor "x"', "no nat on em0 from 10.0.0.0/16", False),
    ('rdr-anchor "x"', "no nat on em0", False),
]


@pytest.mark.parametrize(("call", "rules", "told"), NATS)
def test_a_translation_in_an_anchor_that_catches_pots(
    world: World, call: str, rules: str, told: bool
) -> None:
    world.create("casserole", "public-bridge")
    fill(world, "x/one" if "*" in call else "x", rules)
    load(world, f"{call}\n{TRANSLATION}{FILTER}pass\n")
    world.do(start, ["casserole"])
    assert world.reaches("casserole", "198.51.100.7", 443) == (not told)
    assert kinds(world) == [Kind.ANCHOR_BYPASSED] * told
    assert bool(world.notices) == (told and "no nat" in rules)


def test_potnets_anchor_may_be_called_from_another_by_its_whole_path(world: World) -> None:
    other = two_bridges(world)
    fill(world, "x", 'anchor "/pot-filter/*"')
    load(world, f'{TRANSLATION}anchor "x"\npass\n')
    world.do(start, ["wok", "tray"])
    assert not world.reaches("wok", other, 80)
    assert (world.notices, kinds(world), limited(world)) == ([], [], [])


def test_anchors_that_call_each_other_end(world: World) -> None:
    two_bridges(world)
    fill(world, "x", 'anchor "/y"')
    fill(world, "y", 'anchor "/x"')
    load(world, f'{TRANSLATION}{FILTER}anchor "x"\npass\n')
    assert kinds(world) == []


def test_a_start_reads_nothing_more_without_foreign_anchors(world: World) -> None:
    """One listing for each part of the main ruleset; potnet's own anchors are not read."""
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    read = [each for each in pfctl_calls(world) if each[-1] == "-P"]
    assert read == [("pfctl", "-sn", "-P"), ("pfctl", "-sr", "-P")]


def test_each_anchor_is_listed_once_and_never_all_at_once(world: World) -> None:
    world.create("casserole", "public-bridge")
    fill(world, "f2b/ssh", "block quick from 203.0.113.9")
    load(world, f'nat-anchor "own"\nrdr-anchor "own"\n{TRANSLATION}anchor "f2b/*"\n{FILTER}pass\n')
    world.executor.commands.clear()
    world.do(start, ["casserole"])
    read = [
        each[1:] for each in pfctl_calls(world) if each[1] == "-a" and each[2].split("/")[0] in ("own", "f2b")
    ]
    assert read == [
        ("-a", "own", "-sn", "-P"),
        ("-a", "f2b", "-s", "Anchors"),
        ("-a", "f2b/ssh", "-sr", "-P"),
    ]
    assert not any("*" in word for each in pfctl_calls(world) for word in each)


def test_very_many_anchors_do_not_stop_a_start(world: World) -> None:
    """The rest is not read, and counts as rules that may pass some packets."""
    world.create("casserole", "public-bridge")
    for number in range(210):
        fill(world, f"f2b/{number:03}", "block quick from 203.0.113.9")
    load(world, f'{TRANSLATION}{FILTER}block\nanchor "f2b/*"\n')
    world.executor.commands.clear()
    found = world.do(check, [], None)
    assert found == ()
    assert len(pfctl_calls(world)) < 230
    assert world.host.run(Command(("pfctl", "-a", "f2b/209", "-sr"))).out
