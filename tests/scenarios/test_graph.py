"""graph: what there is on the host, and what hangs on what."""

from __future__ import annotations

from typing import Any

from world import World

from potnet.operations.bridges import create_private_bridge
from potnet.operations.graph import graph
from potnet.operations.start import start
from potnet.operations.stop import stop


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
    world.do(create_private_bridge, "barbecue", 4)
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
    assert world.do(graph) == before


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
