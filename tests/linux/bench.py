"""What a start costs on this machine: ``python tests/linux/bench.py [POTS]`` starts so many (200) with --all.

It does so in a world of its own, as the tests do, and prints the time of a pot among the first and last 20.
"""

from __future__ import annotations

import sys
from itertools import pairwise

from linux_world import World, obstacle

SAMPLE = 20


def main(pots: int) -> None:
    reason = obstacle()
    if reason:
        sys.exit(f"no benchmark: {reason}")
    with World() as world:
        for number in range(pots):
            world.potnet("create", "-p", f"pot{number:04}", "-N", "public-bridge")
        argv = (sys.executable, "-m", "potnet", "-v", "start", "--all")
        marks, total = world.timed("netns add ", *argv)
        steps = [later - earlier for earlier, later in pairwise([0.0, *marks])][1:]
        for what, sample in (("first", steps[:SAMPLE]), ("last", steps[-SAMPLE:])):
            print(f"per pot, {what} {len(sample)}: {1000 * sum(sample) / len(sample):.1f} ms")
        print(f"start --all of {pots} pots: {total:.2f} s, {1000 * total / pots:.1f} ms each")
        _, total = world.timed("netns del ", *argv[:4], "stop", "--all")
        print(f"stop --all: {total:.2f} s, {1000 * total / pots:.1f} ms each")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
