"""What starts and stops cost on this machine, beside the same made by hand in the same world.

``python tests/linux/bench.py [POTS]``; 200 of them when it is not said, and 50 at least.
"""

from __future__ import annotations

import json
import sys
from statistics import median
from typing import Any

from linux_world import HERE, World, obstacle

#: One pot is started and stopped so often.
ROUNDS = 9
#: The first and the last pots whose cost is compared.
SAMPLE = 20
LEAST = 50
POTNET = (sys.executable, "-m", "potnet")


def main(pots: int) -> None:
    reason = obstacle()
    if reason:
        sys.exit(f"no benchmark: {reason}")
    if pots < LEAST:
        sys.exit(f"no benchmark of {pots} pots: {LEAST} at least")
    with World() as world:
        floor = json.loads(world.run(sys.executable, str(HERE / "floor.py"), str(pots)).out)
    with World() as world:
        create(world, pots)
        one(world, floor)
        twenties(world, pots)
        several(world, floor, pots)


def create(world: World, pots: int) -> None:
    for number in range(pots):
        name = f"pot{number:04}"
        world.potnet("create", "-p", name, "-N", "public-bridge")
        world.potnet("export-ports", "-p", name, "-e", f"80:{20000 + number}")


def one(world: World, floor: dict[str, Any]) -> None:
    """The whole command, of which Python's own start is a part, for a pot beside another one."""
    world.potnet("start", "pot0000")
    nothing = median(world.timed("", *POTNET, "--version")[1] for _ in range(ROUNDS))
    starts, stops = [], []
    for _ in range(ROUNDS):
        starts.append(world.timed("", *POTNET, "start", "pot0001")[1])
        stops.append(world.timed("", *POTNET, "stop", "pot0001")[1])
    world.potnet("stop", "pot0000")
    for verb, sample in (("start", starts), ("stop", stops)):
        print(f"{verb} of one pot: {ms(median(sample))}, of which Python and click {ms(nothing)}")
    print(f"  by hand (one ip -batch, one nft -f): {ms(median(floor['each']))}")


def twenties(world: World, pots: int) -> None:
    """What a pot costs among the first that start, and beside all others."""
    names = [f"pot{number:04}" for number in range(pots)]
    # The one that brings the bridge along is none of them.
    parts = (names[:1], names[1 : SAMPLE + 1], names[SAMPLE + 1 : -SAMPLE], names[-SAMPLE:])
    taken = [world.timed("", *POTNET, "start", *part)[1] for part in parts if part]
    for what, seconds in (("first", taken[1]), ("last", taken[-1])):
        print(f"start of the {what} {SAMPLE} of {pots} pots: {ms(seconds / SAMPLE)} each")
    world.potnet("stop", "--all")


def several(world: World, floor: dict[str, Any], pots: int) -> None:
    _, total = world.timed("", *POTNET, "start", "--all")
    print(f"start --all of {pots} pots: {total:.2f} s, {ms(total / pots)} each")
    against("all by one ip -batch and one nft -f", total, floor["together"], pots)
    against("one ip -batch and one nft -f for each", total, sum(floor["each"]), pots)
    _, total = world.timed("", *POTNET, "stop", "--all")
    print(f"stop --all: {total:.2f} s, {ms(total / pots)} each")
    against("ip link del group, and ip -batch with netns del", total, floor["removed"], pots)


def against(how: str, total: float, floor: float, pots: int) -> None:
    print(f"  by hand ({how}): {floor:.2f} s, {ms(floor / pots)} each; ratio {total / floor:.2f}")


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
