"""What other hands do to a Linux host: check names it, repair mends it, and packets flow again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from linux_world import HOST, OUTSIDE, World

#: Every case takes a repair and four looks at the kernel: one part of them is the sample.
PARTS = 5

#: Each: what somebody types, and what check calls it.
MENDED = (
    ("ip link set epair0a nomaster", "member-missing wok public epair0a"),
    ("ip link set epair1a master bridge0", "member-missing wok public6 epair1a"),
    ("ip link set epair2a type bridge_slave isolated on", "member-differs pan stove epair2a"),
    ("ip link set epair0a type bridge_slave hairpin off", "member-differs wok public epair0a"),
    ("nft add element inet potnet redirections { tcp . 31000 : 10.192.0.3 . 80 }", "rules-left"),
    ("nft add element inet potnet redirections6 { udp . 31000 : fd00::3 . 80 }", "rules-left"),
    ("nft add element inet potnet leaving { eth7 : drop }", "rules-left"),
    ("nft add element inet potnet translated6 { fd00:77::/64 }", "rules-left"),
    ("ip -n pan link set epair2b address 02:11:22:33:44:55", "mac-differs pan stove epair2b"),
    ("nft flush chain inet potnet pot-nat", "rules-differ"),
    ("nft add rule inet potnet forward drop", "rules-differ"),
    ("nft flush chain inet potnet pot-filter/stove", "rules-differ stove"),
    ("nft delete element inet potnet leaving { bridge0 }", "rules-differ stove"),
    ("nft delete element inet potnet redirections { udp . 30080 }", "rules-differ wok public"),
    ("nft delete element inet potnet loopback { tcp . 30090 }", "rules-differ pan stove"),
    ("tee /proc/sys/net/ipv4/conf/bridge0/route_localnet", "rules-differ pan stove"),
    ("ip link del bridge2", "bridge-missing public6 bridge2"),
    ("ip link set uplink2a nomaster", "member-missing public6 eth0"),
    ("nft delete table netdev potnet-bridge2", "member-missing public6 eth0"),
    ("nft flush chain netdev potnet-bridge2 from_outside", "member-missing public6 eth0"),
    ("tc qdisc del dev uplink2b clsact", "member-missing public6 eth0"),
    ("ip link set eth0 promisc off", "member-missing public6 eth0"),
    ("ip link del epair2a", "interface-missing pan stove epair2a"),
    ("ip -n pan link set epair2b netns 1", "interface-missing pan stove epair2a"),
    ("ip addr flush dev bridge1", "address-missing public bridge1"),
    ("ip -n pan route del default", "route-missing pan stove epair2b"),
    ("ip -n pan route replace default via 10.192.0.14", "route-differs pan stove epair2b"),
    ("ip -n wok link set lo down", "address-missing wok lo0"),
    ("ip addr del 192.0.2.200/32 dev eth0", "address-missing lid eth0"),
    ("ip link set bridge2 down", "interface-down public6 bridge2"),
    ("tee /proc/sys/net/ipv4/ip_forward", "forwarding-off"),
)
#: More than one thing goes with these.
TOGETHER = (
    (
        # Some of what an export by 127.0.0.1 needs is a setting of the bridge.
        "nft delete table inet potnet",
        [
            *("rules-missing", "rules-missing", "rules-missing stove"),
            *("rules-differ pan stove", "rules-differ wok public"),
        ],
    ),
    (
        # The way from 127.0.0.1 goes with the bridge.
        "ip link del bridge0",
        ["bridge-missing stove bridge0", "rules-differ pan stove"],
    ),
    ("ip link del bridge1", ["bridge-missing public bridge1", "rules-differ wok public"]),
    (
        "ip -n pan addr flush dev epair2b",
        ["address-missing pan stove epair2b", "route-missing pan stove epair2b"],
    ),
)  # fmt: skip


def kitchen(world: World) -> None:
    """Running pots of several kinds, and somebody outside who may answer."""
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
    world.potnet("create", "-p", "wok", "-N", "public-bridge", "-S", "dual")
    world.potnet("create", "-p", "pan", "-N", "private-bridge", "-B", "stove")
    world.potnet("create", "-p", "lid", "-N", "alias", "-i", "eth0|192.0.2.200")
    world.potnet("create", "-p", "spoon", "-N", "inherit", "-S", "dual")
    for name, port in (("wok", "30080"), ("pan", "30090")):
        world.potnet("export-ports", "-p", name, "-e", f"80:{port}", "-e", f"udp:80:{port}", "--loopback")
    world.potnet("start", "pan", "wok", "lid", "spoon")
    assert found(world) == []


def found(world: World, *argv: str) -> list[str]:
    """What check names; its exit code says whether there is something."""
    done = world.try_potnet("-o", "json", "check", *argv)
    assert not done.err
    findings = json.loads(done.out)
    assert done.code == bool(findings)
    names = ("kind", "pot", "bridge", "interface")
    return [" ".join(each[name] for name in names if each[name]) for each in findings]


def seen(world: World) -> dict[str, Any]:
    """All of the host that matters, without what changes by itself or by making a link anew."""
    state: dict[str, Any] = {}
    for name in ("", *world.run("ls", "/run/netns").out.split()):
        within = ("-n", name) if name else ()
        links = json.loads(world.run("ip", *within, "-d", "-j", "addr", "show").out)
        state[f"links of {name}"] = {link["ifname"]: _link(link) for link in links}
        # Whether a link has a carrier is noticed a while later.
        routes = world.run("ip", *within, "route", "show").out.replace("linkdown ", "")
        state[f"routes of {name}"] = sorted(routes.splitlines())
    for family in ("inet", "netdev"):
        # The elements of a set have no order of their own, nor have the tables.
        # What a bridge of IPv6 has learnt is left out.
        terse = ("-t",) if family == "netdev" else ()
        listed = world.run("nft", *terse, "list", "ruleset", family).out.replace(",\n", "\n").replace("}", "")
        state[family] = sorted(line.strip().removeprefix("elements = { ") for line in listed.splitlines())
    state["local"] = world.run("cat", "/proc/sys/net/ipv4/conf/bridge0/route_localnet").out
    return state


def _link(link: dict[str, Any]) -> dict[str, Any]:
    kept = {key: link.get(key) for key in ("master", "ifalias", "group", "mtu")}
    # Those of IPv6 come by themselves.
    addresses = [(a["local"], a["prefixlen"]) for a in link["addr_info"] if a["family"] == "inet"]
    port = link.get("linkinfo", {}).get("info_slave_data", {})
    return kept | {
        "up": "UP" in link["flags"],
        "promiscuous": "PROMISC" in link["flags"],
        "addresses": sorted(addresses),
        "port": {key: port.get(key) for key in ("hairpin", "isolated")},
    }


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, PARTS))])
def test_what_repair_mends(world: World, part: int) -> None:
    kitchen(world)
    before = seen(world)
    cases: list[tuple[str, list[str]]] = [(line, [kind]) for line, kind in MENDED]
    for line, kinds in [*cases, *TOGETHER][part::PARTS]:
        done = world.run(*line.split(), stdin="0\n")
        assert done.code == 0, f"{line}: {done.err}"
        assert found(world) == kinds, line
        report = world.facts("repair")
        assert [each["kind"] for each in report["mended"]] == [kind.split()[0] for kind in kinds], line
        assert report["left"] == []
        assert seen(world) == before, line
        assert found(world) == [], line


def test_looking_changes_nothing(world: World) -> None:
    kitchen(world)
    world.run("nft", "delete", "table", "inet", "potnet")
    world.run("ip", "link", "set", "epair0a", "nomaster")
    disturbed = seen(world)
    assert len(found(world)) == 6
    shown = world.potnet("repair", "-n")
    assert "nft -f -" in shown
    assert "master bridge1" in shown
    assert seen(world) == disturbed
    world.potnet("repair")
    assert world.potnet("repair") == "nothing to do: the host is as it should be\n"


def test_an_entry_with_another_value_gives_way(world: World) -> None:
    kitchen(world)
    before = seen(world)
    world.run("nft", "delete element inet potnet redirections { tcp . 30080 }")
    wrong = "add element inet potnet redirections { tcp . 30080 : 10.192.0.99 . 99 }"
    assert world.run("nft", wrong).code == 0
    assert found(world) == ["rules-differ wok public"]
    world.potnet("repair", "wok")
    assert seen(world) == before


def test_what_is_left_of_a_bridge_that_nothing_needs_goes(world: World) -> None:
    before = seen(world)
    world.potnet("vnet-start", "-B", "public6")
    world.potnet("vnet-stop", "-B", "public6")
    world.potnet("store", "backup", "/run/down.backup")
    world.potnet("vnet-start", "-B", "public6")
    world.run("ip", "link", "del", "bridge0")
    world.potnet("store", "restore", "--force", "/run/down.backup")
    assert found(world) == ["interface-left bridge0"]
    world.potnet("repair")
    assert found(world) == []
    assert seen(world) == before


def test_a_bridge_and_its_only_pot_that_are_gone_leave_nothing(world: World) -> None:
    world.potnet("create", "-p", "wok", "-N", "public-bridge", "-S", "ipv6")
    before = seen(world)
    world.potnet("start", "wok")
    world.run("ip", "link", "del", "bridge0")
    world.run("ip", "netns", "del", "wok")
    world.potnet("repair")
    assert found(world) == []
    assert seen(world) == before


def test_packets_flow_again(world: World) -> None:
    kitchen(world)
    world.serve("wok", 80)
    world.serve("pan", 80)
    assert world.ask("outside", "tcp", HOST, 30080) == OUTSIDE
    for line in (
        "ip link del bridge0",
        "ip link set epair0a nomaster",
        "nft delete table inet potnet",
        "ip -n pan route del default",
    ):
        assert world.run(*line.split()).code == 0
    assert world.ask("outside", "tcp", HOST, 30080) != OUTSIDE
    world.potnet("repair")
    for port in (30080, 30090):
        for protocol in ("tcp", "udp"):
            assert world.ask("outside", protocol, HOST, port) == OUTSIDE
            assert world.ask(None, protocol, "127.0.0.1", port)


def test_what_repair_leaves_alone(world: World) -> None:
    kitchen(world)
    world.run("ip", "link", "add", "tap0", "type", "veth", "peer", "name", "tap1")
    world.run("ip", "link", "set", "tap0", "master", "bridge0")
    world.run("ip", "netns", "add", "spoon2")
    world.run("rm", "/etc/netns/pan/hosts")
    disturbed = seen(world)
    left = ["member-foreign stove tap0", "file-missing pan"]
    assert found(world) == left
    done = world.try_potnet("-o", "json", "repair")
    assert (done.code, json.loads(done.out)["mended"]) == (1, [])
    assert seen(world) == disturbed
    assert found(world) == left


@pytest.mark.parametrize("name", ["wok", "pan", "lid", "spoon"])
def test_a_pot_whose_namespace_is_gone_is_stopped(world: World, name: str) -> None:
    kitchen(world)
    world.potnet("stop", name)
    stopped, files = seen(world), world.run("find", "/etc/netns").out
    world.potnet("start", name)
    world.run("ip", "netns", "del", name)
    assert found(world) == [f"pot-gone {name}"]
    world.potnet("repair")
    assert (seen(world), world.run("find", "/etc/netns").out) == (stopped, files)
    assert found(world) == []


def test_a_namespace_of_that_name_that_potnet_did_not_make_stays(world: World) -> None:
    kitchen(world)
    world.run("ip", "netns", "del", "lid")
    world.run("ip", "netns", "add", "lid")
    assert found(world) == ["pot-gone lid", "jail-foreign lid"]
    assert world.try_potnet("repair").code == 1
    assert "lid" in world.run("ls", "/run/netns").out.split()
    assert found(world) == ["jail-foreign lid"]


def test_what_nothing_needs_goes(world: World) -> None:
    kitchen(world)
    before = seen(world)
    lines = (
        "link add epair9a group 7368564 type veth peer name epair9b",
        "link set epair9a alias potnet:ladle master bridge0",
        "link add bridge9 group 7368565 type bridge",
        'link set bridge9 alias "potnet bridge grill"',
    )
    assert world.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n").code == 0
    assert found(world) == ["interface-left bridge9", "interface-left epair9a"]
    world.potnet("repair")
    assert seen(world) == before
    world.potnet("stop", "--all")
    assert found(world) == []


def test_what_a_bridge_left_in_the_filter_goes(world: World) -> None:
    kitchen(world)
    world.potnet("stop", "pan")
    before = seen(world)
    lines = (
        "add chain inet potnet pot-filter/stove",
        "add rule inet potnet pot-filter/stove drop",
        'add element inet potnet entering { "bridge0" : jump pot-filter/stove }',
    )
    assert world.run("nft", "-f", "-", stdin="\n".join(lines) + "\n").code == 0
    assert found(world) == ["rules-left"]
    world.potnet("repair")
    assert found(world) == []
    assert seen(world) == before
