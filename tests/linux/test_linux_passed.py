"""Links of the host that a pot has while it runs: what root in the pot sets does not come home with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from linux_world import World

from potnet.drivers.linux.facts.parse import interfaces
from potnet.host.state import called_in
from potnet.model.pots import Lent

BEFORE = {"group": "77", "altnames": ["lan", "wan0"], "mtu": 1400}


def shown(world: World, name: str = "em1") -> dict[str, Any]:
    (found,) = json.loads(world.run("ip", "-j", "link", "show", "dev", name).out)
    assert isinstance(found, dict)
    return {"group": found["group"], "altnames": sorted(found.get("altnames", [])), "mtu": found["mtu"]}


def inside(world: World, *argv: str) -> None:
    assert world.run("ip", "-n", "web", *argv).code == 0


@pytest.fixture
def lent(world: World) -> World:
    for line in (
        "link add em1 mtu 1400 group 77 type veth peer name far1",
        "link property add dev em1 altname wan0 altname lan",
    ):
        assert world.run("ip", *line.split()).code == 0
    world.potnet("create", "-p", "web", "-N", "public-bridge", "--pass", "em1")
    world.potnet("start", "web")
    assert shown(world, "far1")["mtu"] == 1500
    return world


def change(world: World) -> None:
    """Change all settings, and add the name of another link of the host, which would keep it from home."""
    inside(world, "link", "property", "del", "dev", "em1", "altname", "wan0")
    inside(world, "link", "property", "add", "dev", "em1", "altname", "eth0", "altname", "evil")
    inside(world, "link", "set", "dev", "em1", "down", "group", "7364468", "mtu", "1300")
    inside(world, "link", "set", "dev", "em1", "address", "02:00:00:00:00:09")


def test_group_and_further_names_are_those_of_the_host_after_a_stop(lent: World) -> None:
    change(lent)
    lent.potnet("stop", "web")
    assert shown(lent) == BEFORE
    assert lent.potnet("check") == ""


def test_a_link_that_the_pot_has_renamed_gets_them_too(lent: World) -> None:
    inside(lent, "link", "property", "add", "dev", "em1", "altname", "eth0")
    inside(lent, "link", "set", "dev", "em1", "down", "name", "other")
    lent.potnet("stop", "web")
    assert shown(lent) == BEFORE


def test_a_link_that_came_home_without_potnet_is_restored_at_the_stop(lent: World) -> None:
    inside(lent, "link", "property", "add", "dev", "em1", "altname", "evil")
    inside(lent, "link", "property", "del", "dev", "em1", "altname", "lan")
    inside(lent, "link", "set", "dev", "em1", "group", "7364468")
    home = "exec nsenter --net=/run/netns/web ip link set dev em1 netns $$"
    assert lent.run("sh", "-c", home).code == 0
    lent.potnet("stop", "web")
    assert shown(lent) == BEFORE


def test_a_link_without_further_names_comes_home_without(world: World) -> None:
    assert world.run("ip", "link", "add", "em1", "type", "veth", "peer", "name", "far1").code == 0
    world.potnet("create", "-p", "web", "-N", "public-bridge", "--pass", "em1")
    world.potnet("start", "web")
    inside(world, "link", "property", "add", "dev", "em1", "altname", "evil")
    world.potnet("stop", "web")
    assert shown(world) == {"group": "default", "altnames": [], "mtu": 1500}


@pytest.mark.parametrize(
    ("links", "called"),
    [
        ([("em1", "02:00:00:00:00:01", ""), ("x", "02:00:00:00:00:09", "0000:00:04.0")], "x"),
        ([("em1", "02:00:00:00:00:01", "")], None),
        ([("y", "02:00:00:00:00:01", "0000:00:04.0"), ("x", "02:00:00:00:00:09", "0000:00:04.0")], "y"),
    ],
)
def test_hardware_is_told_by_its_place_on_the_bus(
    links: list[tuple[str, str, str]], called: str | None
) -> None:
    """A pot can take the name and the MAC address of a passed link for a link of its own."""
    found = interfaces(
        [
            {"ifname": name, "flags": [], "mtu": 1500, "link_type": "ether", "address": mac}
            | ({"parentbus": "pci", "parentdev": place} if place else {})
            for name, mac, place in links
        ]
    )
    lent = Lent("em1", "02:00:00:00:00:01", 1500, True, device="pci 0000:00:04.0")
    assert called_in(lent, found.values()) == called
