"""What starts and stops cost on this machine, beside the same made by hand in the same world.

``python tests/linux/bench.py [POTS]``; 200 of them when it is not said.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from linux_world import HERE, World, obstacle

#: One pot is started and stopped so often.
ROUNDS = 9
POTNET = (sys.executable, "-m", "potnet")


def main(pots: int) -> None:
    reason = obstacle()
    if reason:
        sys.exit(f"no benchmark: {reason}")
    with World() as world:
        floor = json.loads(world.run(sys.executable, str(HERE / "floor.py"), str(pots)).out)
    with World() as world:
        create(world, pots)
        one(world, floor)
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


def several(world: World, floor: dict[str, Any], pots: int) -> None:
    marks, total = world.timed("netns add ", *POTNET, "-v", "start", "--all")
    print(f"start --all of {pots} pots: {total:.2f} s, {ms(total / pots)} each")
    steps = group_steps(marks, total)
    print(f"  in the first group: {ms(steps[0])} each, in the last: {ms(steps[-1])}")
    against("all by one ip -batch and one nft -f", total, floor["together"], pots)
    against("one ip -batch and one nft -f for each", total, sum(floor["each"]), pots)
    _, total = world.timed("", *POTNET, "stop", "--all")
    print(f"stop --all: {total:.2f} s, {ms(total / pots)} each")
    against("ip link del group, and ip -batch with netns del", total, floor["removed"], pots)


def group_steps(marks: list[float], total: float) -> list[float]:
    """Seconds for each pot in each group, from when its links are made until those of the next one are."""
    groups = [(when, len(list(own))) for when, own in groupby(round(mark, 2) for mark in marks)]
    return [(later - when) / size for (when, size), (later, _) in pairwise([*groups, (total, 0)])]


def against(how: str, total: float, floor: float, pots: int) -> None:
    print(f"  by hand ({how}): {floor:.2f} s, {ms(floor / pots)} each; ratio {total / floor:.2f}")


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
