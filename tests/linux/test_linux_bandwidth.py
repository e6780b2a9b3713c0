"""Bandwidth on a Linux kernel, measured: a limited pot is not faster than it may be, another one is."""

from __future__ import annotations

import time

import pytest
from linux_world import HERE, PYTHON, World

TALK = (*PYTHON, str(HERE / "talk.py"))
#: What is sent, in bytes, and how fast it may be, in bits a second: 2 s.
AMOUNT, RATE = 1_000_000, 4_000_000


def seconds(world: World, source: str | None, address: str) -> float:
    """How long it takes to send the amount to a sink."""
    began = time.monotonic()
    poured = world.run(*world.within(source, *TALK, "pour", address, "90", str(AMOUNT)))
    assert poured.out.strip() == str(AMOUNT), poured.err
    return time.monotonic() - began


@pytest.mark.slow
def test_a_limited_pot_is_no_faster_than_it_may_be(world: World) -> None:
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    limits = {"in": ("--bandwidth-in", "4Mbit/s"), "out": ("--bandwidth-out", "500KByte/s"), "free": ()}
    for name, options in limits.items():
        world.potnet("create", "-p", name, "-N", "private-bridge", "-B", "stove", "-S", "ipv6", *options)
    world.potnet("start", *limits)
    for name in limits:
        assert world.spawn(name, *TALK, "sink", "90") == "ready"
    at = {name: world.address(name) for name in limits}
    # The first packets fill the bucket; what comes after them takes its time.
    least = 0.8 * AMOUNT * 8 / RATE
    assert seconds(world, None, at["in"]) > least
    assert seconds(world, "free", at["in"]) > least
    assert seconds(world, "out", at["free"]) > least
    # Not the other way, and not for others.
    pairs = (("in", "free"), ("free", "out"), (None, "free"))
    quick = [seconds(world, one, at[other]) for one, other in pairs]
    assert min(quick) < least
    assert world.facts("check") == []
    world.potnet("stop", "--all")
    links = world.run("ip", "-br", "link").out
    assert "shaper" not in links and "epair" not in links
