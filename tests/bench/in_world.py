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
from measure import INSTALLED, MISLEADING, POTNET, answered, process, work
from rows import Row

PORTIONS = str(Path(__file__).with_name("portions.py"))
#: One pot is started and stopped so often; all of them so often.
ROUNDS, TIMES = 11, 3
#: The first and the last pots whose cost is compared, and how often they start.
SAMPLE, SAMPLE_TIMES = 20, 5
#: Pots that the other engines start: each takes them as long as the one before.
FEW = 10
BY_HAND = "one ip -batch and one nft -f for a pot"
LINUX = "linux"
#: What whole commands are held to where their bounds are out of reach: a multiple of the least that any in
#: Python can take, which is its start with click and the same by hand.
MULTIPLES = {"start": 3.0, "stop": 2.2, "stop --all": 2.5}


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
    parts = {"start": Portions(), "stop": Portions()}
    for _ in range(ROUNDS):
        _keep(taken, "click", click())
        _keep(taken, "start", start())
        _keep(taken, "stop", stop())
        for verb, portions in parts.items():
            portions.look(verb, "pot0001")
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
    why = {verb: portions.reason(verb, t["click"]) for verb, portions in parts.items()}

    def single(what: str, verb: str, bound: float, beside: float, against: str) -> Row:
        held = MULTIPLES[verb] * floor[verb] / beside
        return Row(LINUX, what, t[verb], "ms", bound, beside, against, held=held, why=why[verb])

    return [
        single("start of one pot", "start", 1.5, t["hand"], BY_HAND),
        single("start of one pot, with Python", "start", 1.5, floor["start"], both),
        *(single(f"start of one pot, {e.name}", "start", 1.0, t[e.name], e.how) for e in others),
        single("stop of one pot, with Python", "stop", 1.5, floor["stop"], both),
    ]


class Portions:
    """What parts the time of a command has, measured several times."""

    def __init__(self) -> None:
        self._taken: dict[str, list[float]] = {}
        self._counts = 0, 0

    def look(self, *words: str) -> None:
        """Run the command once."""
        found = json.loads(answered(sys.executable, PORTIONS, *words)[1])
        host, commits = found["host"], found["commits"]
        parts = {"all": found["all"], "imports": found["imports"], "host": sum(host), "commits": sum(commits)}
        parts["longest"] = max(host)
        parts["own"] = parts["all"] - parts["imports"] - parts["host"] - parts["commits"]
        self._counts = len(host), len(commits)
        for what, took in parts.items():
            _keep(self._taken, what, took)

    def reason(self, verb: str, click: float) -> str:
        """Why a command takes as long as it does. click: what it takes Python to start with that, in ms."""
        t = {what: median(times) for what, times in self._taken.items()}
        commands, commits = self._counts
        libraries = "netaddr, Jinja2 and SQLite" if verb == "start" else "netaddr and SQLite"
        return (
            f"The {verb} takes {t['all'] + click:.0f} ms. "
            f"Python starts with click in {click:.0f} ms, and imports potnet, {libraries} in "
            f"{t['imports']:.0f} ms. "
            f"The {commands} commands of the host take {t['host']:.0f} ms, the longest {t['longest']:.0f}. "
            f"The {commits} durable commits take {t['commits']:.0f} ms, and the rest {t['own']:.0f} ms. "
            f"The second bound is {MULTIPLES[verb]:g} times the start of Python and the same work by hand."
        )


def _keep(taken: dict[str, list[float]], what: str, milliseconds: float) -> None:
    taken.setdefault(what, []).append(milliseconds)


def _several(pots: int, others: list[engines.Engine]) -> list[Row]:
    taken: dict[str, list[float]] = {}
    click, portions = work(sys.executable, "-c", "import click"), Portions()
    for _ in range(TIMES):
        _keep(taken, "click", click())
        _keep(taken, "hand", by_hand.start_all(pots))
        _keep(taken, "hand away", by_hand.stop_all(pots))
        _settle()
        _keep(taken, "start", process(*POTNET, "start", "--all"))
        _keep(taken, "stop", process(*POTNET, "stop", "--all"))
        _settle()
        process(*POTNET, "start", "--all")
        portions.look("stop", "--all")
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
        Row(
            LINUX, stop, t["stop"], "ms", 1.5, t["hand away"], "ip link del group, ip -batch of netns del",
            held=MULTIPLES["stop --all"] * (t["click"] + t["hand away"]) / t["hand away"],
            why=portions.reason("stop --all", t["click"]),
        ),
    ]  # fmt: skip
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
