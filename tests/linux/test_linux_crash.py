"""What is cut off or fails on a Linux host: the same command again finishes, and nothing is left over."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from linux_world import World

#: In each of so many worlds at once; 204 starts and stops in all.
ROUNDS, WORLDS = 17, 6
#: Seconds; a start takes about as long as this.
LONGEST = 0.12
#: In the place of a tool: it fails at the call whose number is in `fail`, before or after its work.
SHIM = """#!/bin/sh
calls=$(($(cat /run/shim/calls) + 1))
echo $calls > /run/shim/calls
[ $calls = "$(cat /run/shim/fail)" ] || exec {tool} "$@"
[ ! -e /run/shim/after ] || {tool} "$@" >/dev/null 2>&1
echo injected failure >&2
exit 71
"""
TOOLS = ("ip", "nft", "tee", "nsenter", "conntrack")


def several(world: World) -> dict[str, str]:
    """Pots of several kinds, and the host as it is without them running."""
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
    world.potnet("create", "-p", "wok", "-N", "public-bridge", "-S", "dual")
    world.potnet("create", "-p", "pan", "-N", "private-bridge", "-B", "stove")
    world.potnet("create", "-p", "lid", "-N", "alias", "-i", "eth0|192.0.2.200")
    for name, port in (("wok", "30080"), ("pan", "30090")):
        world.potnet("export-ports", "-p", name, "-e", f"80:{port}", "-e", f"udp:80:{port}", "--loopback")
    return world.snapshot()


def test_killed_at_random_moments(world: World) -> None:
    with ThreadPoolExecutor(WORLDS) as pool:
        killed = list(pool.map(kill_at_random, range(WORLDS)))
    assert sum(killed) > ROUNDS * WORLDS / 2


def kill_at_random(seed: int) -> int:
    """Cut starts and stops off, each of which the same command then finishes; how many were."""
    killed, chance = 0, random.Random(seed)
    with World() as world:
        before, leases = several(world), world.facts("show")
        for round_ in range(ROUNDS):
            name = ("wok", "pan", "lid")[round_ % 3]
            for verb in ("start", "stop"):
                cut = world.try_potnet(verb, name, kill_after=chance.uniform(0, LONGEST))
                killed += cut.code == -9
                world.potnet(verb, name)
                assert (name in world.run("ls", "/run/netns").out.split()) == (verb == "start")
        assert world.snapshot() == before
        assert world.facts("show") == leases
    return killed


def test_a_failure_at_any_command_of_a_start_or_stop(world: World) -> None:
    cases = (("wok", False), ("pan", True), ("lid", False), ("lid", True))
    with ThreadPoolExecutor(len(cases) + 1) as pool:
        stopping = pool.submit(fail_a_stop)
        for _ in pool.map(fail_a_start, *zip(*cases, strict=True)):
            pass
        stopping.result()


def fail_a_start(name: str, after: bool) -> None:
    """Let each command of a start fail, before or after its work: the host is as it was."""
    with World() as world:
        _fail_a_start(world, name, after)


def _fail_a_start(world: World, name: str, after: bool) -> None:
    before = several(world)
    path = shims(world, after)
    failed = 0
    for number in range(1, 100):
        world.run("tee", "/run/shim/calls", stdin="0\n")
        world.run("tee", "/run/shim/fail", stdin=f"{number}\n")
        done = world.try_potnet("start", name, PATH=path)
        if done.code == 0:
            if int(world.run("cat", "/run/shim/calls").out) < number:
                break
            world.potnet("stop", name)
        failed += done.code != 0
        assert world.snapshot() == before, f"call {number}: {done.err}"
        assert "left behind" not in done.err
    assert failed >= 2
    world.potnet("stop", name)
    assert world.snapshot() == before


def shims(world: World, after: bool) -> str:
    """Put the failing tools in place and return the PATH that finds them."""
    world.run("mkdir", "-p", "/run/shim")
    for tool in TOOLS:
        real = world.run("sh", "-c", f"command -v {tool}").out.strip()
        world.run("tee", f"/run/shim/{tool}", stdin=SHIM.format(tool=real))
        world.run("chmod", "755", f"/run/shim/{tool}")
    if after:
        world.run("touch", "/run/shim/after")
    return f"/run/shim:{world.run('printenv', 'PATH').out.strip()}"


def fail_a_stop() -> None:
    """Let each command of a stop fail: a second stop finishes."""
    with World() as world:
        _fail_a_stop(world)


def _fail_a_stop(world: World) -> None:
    before = several(world)
    world.potnet("start", "pan")
    path = shims(world, after=False)
    for number in range(1, 40):
        world.run("tee", "/run/shim/calls", stdin="0\n")
        world.run("tee", "/run/shim/fail", stdin=f"{number}\n")
        done = world.try_potnet("stop", "pan", PATH=path)
        if int(world.run("cat", "/run/shim/calls").out) < number:
            break
        world.potnet("stop", "pan")
        assert world.snapshot() == before, f"call {number}: {done.err}"
        world.potnet("start", "pan")
