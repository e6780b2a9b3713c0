"""What a real kernel is seen to have: the picture of a host."""

from __future__ import annotations

from linux_world import World


def test_the_picture_shows_what_the_kernel_has(world: World) -> None:
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "-S", "dual")
    world.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove")
    world.potnet("create", "-p", "ladle", "-N", "alias", "-i", "192.0.2.200")
    world.potnet("start", "casserole", "ladle")
    view = world.facts("graph")
    assert (view["kind"], [each["name"] for each in view["interfaces"]]) == ("linux", ["eth0"])
    assert view["interfaces"][0]["addresses"] == ["192.0.2.1/24", "2001:db8:7::20/64"]
    states = {each["name"]: each["state"] for each in (*view["bridges"], *view["pots"])}
    up = {"public": "up", "public6": "up", "casserole": "running", "ladle": "running"}
    assert states == up | {"stove": "down", "kettle": "stopped"}
    shown = world.potnet("graph", "--format", "svg")
    assert all(f">{name}</text>" in shown for name in ("eth0", "public", "stove", "casserole", "ladle"))
