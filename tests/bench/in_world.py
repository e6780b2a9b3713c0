"""Inside a world of its own: ``python in_world.py POTS`` prints rows of the table in JSON.

Pots are started and stopped by potnet, by hand and by other engines in turns, each with a bridge of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

import by_hand
import engines
from measure import INSTALLED, MISLEADING, POTNET, process, work
from rows import Row

#: One pot is started and stopped so often; all of them so often.
ROUNDS, TIMES = 11, 3
#: The first and the last pots whose cost is compared, and how often they start.
SAMPLE, SAMPLE_TIMES = 20, 5
#: Pots that the other engines start: each takes them as long as the one before.
FEW = 10
BY_HAND = "one ip -batch and one nft -f for a pot"
LINUX = "linux"
#: What a whole command is held to, of Python's start with click and the same by hand.
MULTIPLE = 4.0
PROFILE = (
    "of such a command a quarter is the start of Python with click, a half the import of potnet, netaddr, "
    "Jinja2 and SQLite, a fifth its 11 commands of the host (7 that look, 4 that change it), and the rest "
    f"its own work with 4 durable commits; held to {MULTIPLE:g} times Python's start with click and the same "
    "by hand"
)


def main(pots: int) -> None:
    if INSTALLED:
        for name in MISLEADING:
            os.environ.pop(name, None)
    filling = str(Path(__file__).with_name("filling.py"))
    process(sys.executable, filling, str(pots), "1")
    by_hand.prepare()
    others, left_out = engines.found()
    rows = [*_one(others), *_several(pots, others), *_ends(pots)]
    notes = [
        "One pot by hand: a namespace, a veth pair to a bridge, an address, a route, a port through NAT.",
        "Another engine gets its namespace made for it, which is not counted; potnet makes its own.",
    ]
    print(json.dumps({"rows": [asdict(row) for row in rows], "left_out": left_out, "notes": notes}))


def _one(others: list[engines.Engine]) -> list[Row]:
    """A whole command for a pot beside another one, and how much of that is not Python's own start."""
    process(*POTNET, "start", "pot0000")
    for engine in others:
        engine.add(0)
    click = work(sys.executable, "-c", "import click")
    start, stop = work(*POTNET, "start", "pot0001"), work(*POTNET, "stop", "pot0001")
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        _keep(taken, "click", click())
        _keep(taken, "start", start())
        _keep(taken, "stop", stop())
        _keep(taken, "hand", by_hand.start(1))
        _keep(taken, "hand away", by_hand.stop(1))
        for engine in others:
            _keep(taken, engine.name, engine.add(1))
            engine.remove(1)
    process(*POTNET, "stop", "pot0000")
    for engine in others:
        engine.remove(0)
    t = {what: median(times) for what, times in taken.items()}
    floor = {"start": t["hand"] + t["click"], "stop": t["hand away"] + t["click"]}
    both = "python -c 'import click', then one ip -batch and one nft -f"
    rows = [
        _single("start of one pot", t["start"], 1.5, t["hand"], BY_HAND, floor["start"]),
        _single("start of one pot, with Python", t["start"], 1.5, floor["start"], both, floor["start"]),
        _single("stop of one pot, with Python", t["stop"], 1.5, floor["stop"], both, floor["stop"]),
    ]
    rows += [
        _single(f"start of one pot, {e.name}", t["start"], 1.0, t[e.name], e.how, floor["start"])
        for e in others
    ]
    return rows


def _single(what: str, took: float, bound: float, floor: float, against: str, least: float) -> Row:
    """A row about a whole command, which is held to a multiple of the least that any in Python can take."""
    return Row(LINUX, what, took, "ms", bound, floor, against, held=MULTIPLE * least / floor, why=PROFILE)


def _keep(taken: dict[str, list[float]], what: str, milliseconds: float) -> None:
    taken.setdefault(what, []).append(milliseconds)


def _several(pots: int, others: list[engines.Engine]) -> list[Row]:
    taken: dict[str, list[float]] = {}
    for _ in range(TIMES):
        _keep(taken, "hand", by_hand.start_all(pots))
        _keep(taken, "hand away", by_hand.stop_all(pots))
        _settle()
        _keep(taken, "start", process(*POTNET, "start", "--all"))
        _keep(taken, "stop", process(*POTNET, "stop", "--all"))
        _settle()
    for engine in others:
        for number in range(FEW):
            _keep(taken, engine.name, engine.add(number))
        for number in range(FEW):
            engine.remove(number)
    t = {what: median(times) for what, times in taken.items()}
    start, stop = f"start --all of {pots} pots", f"stop --all of {pots} pots"
    rows = [
        Row(LINUX, start, t["start"], "ms", 1.3, t["hand"], "one ip -batch and one nft -f for all of them"),
        Row(LINUX, stop, t["stop"], "ms", 1.5, t["hand away"], "ip link del group, ip -batch of netns del"),
    ]
    each = t["start"] / pots
    rows += [
        Row(LINUX, f"{start}, each, {engine.name}", each, "ms", 0.2, t[engine.name], engine.how)
        for engine in others
    ]
    return rows


def _ends(pots: int) -> list[Row]:
    """What a pot costs among the first that start, and beside all others."""
    names = [f"pot{number:04}" for number in range(pots)]
    # The one that brings the bridge along is none of them.
    process(*POTNET, "start", names[0])
    first = _again(names[1 : SAMPLE + 1])
    process(*POTNET, "start", *names[:-SAMPLE])
    last = _again(names[-SAMPLE:])
    process(*POTNET, "stop", "--all")
    what = f"start of the last {SAMPLE} of {pots} pots, each"
    return [Row(LINUX, what, last, "ms", 1.2, first, f"the first {SAMPLE}")]


def _again(names: list[str]) -> float:
    """What the start of a pot takes when these are started, several times, and stopped again."""
    taken = []
    for _ in range(SAMPLE_TIMES):
        taken.append(process(*POTNET, "start", *names) / len(names))
        process(*POTNET, "stop", *names)
        _settle()
    return median(taken)


def _settle() -> None:
    """Wait until the kernel has cleared namespaces up, which it does in its own time."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        shown = subprocess.run(("ps", "-eo", "stat,comm"), capture_output=True, text=True, check=False).stdout
        if "netns" not in shown:
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
