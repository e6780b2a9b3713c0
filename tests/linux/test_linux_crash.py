"""What is cut off on a Linux host: the same command again finishes, and nothing is left over."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from linux_world import World

#: Seconds; a start takes about as long as this.
LONGEST = 0.12


def several(world: World) -> dict[str, str]:
    """Pots of several kinds, and the host as it is without them running."""
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
    world.potnet("create", "-p", "wok", "-N", "public-bridge", "-S", "dual")
    world.potnet("create", "-p", "pan", "-N", "private-bridge", "-B", "stove")
    world.potnet("create", "-p", "lid", "-N", "alias", "-i", "eth0|192.0.2.200")
    world.potnet("create", "-p", "vm1", "-N", "private-bridge", "-B", "stove", "--tap")
    for name, port in (("wok", "30080"), ("pan", "30090")):
        world.potnet("export-ports", "-p", name, "-e", f"80:{port}", "-e", f"udp:80:{port}", "--loopback")
    return world.snapshot()


def machines(world: World) -> list[str]:
    """Those whose taps are there, by what stands beside the taps."""
    shown = world.run("ip", "-j", "tuntap").out
    assert shown.startswith("["), shown
    aliases = (world.run("cat", f"/sys/class/net/{each['ifname']}/ifalias").out for each in json.loads(shown))
    return [text.strip().removeprefix("potnet:") for text in aliases]


@pytest.mark.parametrize(
    ("worlds", "rounds"), [(2, 3), pytest.param(6, 17, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_killed_at_random_moments(world: World, worlds: int, rounds: int) -> None:
    with ThreadPoolExecutor(worlds) as pool:
        killed = list(pool.map(kill_at_random, range(worlds), [rounds] * worlds))
    assert sum(killed) > rounds * worlds / 2


def kill_at_random(seed: int, rounds: int) -> int:
    """Cut starts and stops off, each of which the same command then finishes; how many were."""
    killed, chance = 0, random.Random(seed)
    with World() as world:
        before, leases = several(world), world.facts("show")
        for round_ in range(rounds):
            name = ("wok", "pan", "lid", "vm1")[(round_ + 2 * seed) % 4]
            for verb in ("start", "stop"):
                cut = world.try_potnet(verb, name, kill_after=chance.uniform(0, LONGEST))
                killed += cut.code == -9
                world.potnet(verb, name)
                there = [*world.run("ls", "/run/netns").out.split(), *machines(world)]
                assert (name in there) == (verb == "start")
        assert world.snapshot() == before
        assert world.facts("show") == leases
    return killed
