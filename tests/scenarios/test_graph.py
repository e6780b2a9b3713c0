"""graph: what there is on the host, and what hangs on what."""

from __future__ import annotations

from typing import Any

import pytest
from world import World

from potnet.cli.picture import drawing
from potnet.model.pots import NetworkType
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.reports.graph import graph
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def links(view: dict[str, Any]) -> dict[str, list[tuple[str | None, str, list[str]]]]:
    """By pot: the bridge, interface and addresses of each link."""
    return {
        pot["name"]: [(link["bridge"], link["interface"], link["addresses"]) for link in pot["links"]]
        for pot in view["pots"]
    }


def test_a_host_without_pots(bare_world: World) -> None:
    view = bare_world.do(graph)
    assert (view["pots"], view["bridges"]) == ([], [])
    assert [each["name"] for each in view["interfaces"]] == ["em0"]


def test_all_there_is(world: World) -> None:
    world.create("wok", "public-bridge", stack="dual", base="14.2")
    world.do(create_private_bridge, BridgeRequest("barbecue", 4))
    world.create("kettle", "private-bridge", bridge="barbecue")
    world.create("ladle", "alias", stack="dual")
    world.create("spoon", "inherit")
    before = world.do(graph)
    assert {pot["state"] for pot in before["pots"]} == {"stopped"}
    assert links(before)["wok"] == [("public", "epair0b", ["10.192.0.3/10"]), ("public6", "epair1b", [])]
    world.do(start, ["wok", "ladle", "spoon"])
    view = world.do(graph)
    found = links(view)
    assert found["kettle"] == [("barbecue", "epair2b", ["10.192.0.10/29"])]
    assert found["ladle"] == [(None, "em0", ["192.168.178.200/32", "2001:db8:7::200/128"])]
    assert found["spoon"] == []
    (_, _, (learnt,)) = found["wok"][1]
    assert learnt.startswith("2001:db8:7:")
    assert learnt.endswith("/64")
    states = {pot["name"]: pot["state"] for pot in view["pots"]}
    assert states == {"kettle": "stopped", "ladle": "running", "spoon": "running", "wok": "running"}
    bridges = [(each["name"], each["state"], each["uplink"]) for each in view["bridges"]]
    assert bridges == [("public", "up", "nat"), ("public6", "up", "member"), ("barbecue", "down", "nat")]
    (em0,) = view["interfaces"]
    assert em0["addresses"] == ["192.168.178.20/24", "2001:db8:7::20/64"]
    world.do(stop, ["wok", "ladle", "spoon"])
    if world.lan_bridge:
        # Pots have joined the bridge of the host's own, which is up.
        public6 = next(each for each in before["bridges"] if each["name"] == "public6")
        public6.update(interface="em0", state="up")
    assert world.do(graph) == before


@pytest.mark.plain_interface
def test_what_single_pots_and_bridges_have(world: World) -> None:
    world.host.plug("em1")
    world.do(create_private_bridge, BridgeRequest("floor", 4, uplink="em0.30", mtu=1400))
    world.do(create_private_bridge, BridgeRequest("guests", 4, ipv6="auto", routed=True, isolate=True))
    world.create("wok", "private-bridge", bridge="floor", passed=("em1",))
    world.create("fork", "private-bridge", bridge="guests", network=NetworkOptions(isolate=True))
    more = ((NetworkType.PRIVATE_BRIDGE, "guests"),)
    world.create("lid", "private-bridge", bridge="floor", more=more, network=NetworkOptions(isolate=True))
    world.do(policies.add, "wok", "fork", "tcp:80", False)
    world.do(policies.add, "floor", "fork", None, True)
    before = world.do(graph)
    world.do(start, ["wok", "fork"])
    running = world.do(graph)
    world.do(stop, ["wok", "fork"])
    assert world.do(graph) == before
    for view in (before, running):
        interfaces = [(each["name"], each["external"], each["passed"]) for each in view["interfaces"]]
        assert interfaces == [("em0", True, None), ("em1", False, "wok")]
        bridges = [(each["vlan"], each["mtu"], each["routed"], each["isolated"]) for each in view["bridges"]]
        assert bridges == [("em0.30", 1400, False, False), (None, None, True, True)]
        apart = {pot["name"]: [link["isolated"] for link in pot["links"]] for pot in view["pots"]}
        assert apart == {"fork": [True], "lid": [True, True], "wok": [False, False]}
        decided = [(each["action"], each["from"], each["to"], each["port"]) for each in view["policies"]]
        assert decided == [("allow", "wok", "fork", "tcp:80"), ("deny", "floor", "fork", None)]
        # What is said of a whole bridge is not said again of each of its pots.
        lines = {(edge.one, edge.other): edge.lines for edge in drawing.edges(view)}
        assert lines["bridge floor", "pot lid"] == ("epair2b", "10.192.0.11/29", "isolated")
        assert "isolated" not in lines["bridge guests", "pot fork"]
        assert drawing.policy_lines(view) == ("allow wok to fork tcp:80", "deny bridge:floor to fork")


def test_interfaces_that_the_host_has_not_are_left_out(world: World) -> None:
    world.configure('[network.extra_interfaces]\nem1 = "198.51.100.0/24"\n')
    world.create("wok", "public-bridge")
    assert [each["name"] for each in world.do(graph)["interfaces"]] == ["em0"]


def test_the_number_of_commands_does_not_grow_with_the_pots(world: World) -> None:
    counts = []
    for names in (["a", "b"], ["c", "d", "e", "f"]):
        for name in names:
            world.create(name, "public-bridge")
        world.do(start, names)
        world.executor.commands.clear()
        world.do(graph)
        counts.append(len(world.executor.commands))
        assert world.executor.changes == 0
    assert counts[0] == counts[1]


def test_pots_bridges_and_interfaces_are_sorted_as_people_do(world: World) -> None:
    for number in (10, 9, 2):
        world.do(create_private_bridge, BridgeRequest(f"shelf{number}", 4))
        world.create(f"web{number}", "private-bridge", bridge=f"shelf{number}")
    view = world.do(graph)
    assert [pot["name"] for pot in view["pots"] if pot["name"].startswith("web")] == ["web2", "web9", "web10"]
    shelves = [bridge["name"] for bridge in view["bridges"] if bridge["name"].startswith("shelf")]
    assert shelves == ["shelf2", "shelf9", "shelf10"]
