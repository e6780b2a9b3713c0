"""Load rules of an administrator into pf's main ruleset, and what potnet tells about them."""

from __future__ import annotations

from world import World

from potnet.host.findings import Kind, Verdict
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge

TRANSLATION = 'nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\n'
FILTER = 'anchor "pot-filter/*"\n'


def load(world: World, text: str) -> None:
    world.do_there("pfctl", "-f", "-", stdin=text)


def kinds(world: World) -> list[Kind]:
    return [found.kind for found in world.do(check, [], None)]


def limited(world: World) -> list[str]:
    found = [each for each in world.do(doctor) if each.subject == "main ruleset"]
    assert all(each.verdict is Verdict.LIMITED and each.remedy for each in found)
    return [each.found for each in found]


def two_bridges(world: World) -> str:
    """Pots on two private bridges, of which the first is not to reach the second; its address."""
    for bridge, name in (("stove", "wok"), ("oven", "tray")):
        world.do(create_private_bridge, BridgeRequest(bridge, 5))
        pot = world.create(name, "private-bridge", bridge=bridge)
    return str(pot.ipv4)
