"""What starts and stops cost on a Linux kernel, beside the same made by hand and by other engines.

All of it happens in network namespaces that are made for it and end with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

from linux_world import World, obstacle
from measure import INSTALLED, MISLEADING, POTNET
from rows import Row, Table

HERE = Path(__file__).resolve().parent
#: How many pots start together, and how many run with exports.
POTS, EXPORTING, PORTS = 500, 1_000, 5
ROUNDS = 11
PATIENCE = 900.0
#: potnet in a world, where PYTHONPATH leads to the checkout.
THERE = ("env", *(word for name in MISLEADING for word in ("-u", name)), *POTNET) if INSTALLED else POTNET


def measure(table: Table, place: Path) -> None:
    reason = obstacle()
    if reason:
        table.left_out.append(f"All that is made on a Linux kernel: {reason}.")
        return
    with World() as world:
        done = world.run(sys.executable, str(HERE / "in_world.py"), str(POTS), patience=PATIENCE)
        if done.code:
            raise SystemExit(done.err)
        found = json.loads(done.out)
    table.rows += [Row(**row) for row in found["rows"]]
    table.left_out += found["left_out"]
    table.notes += found["notes"]
    _exports(table)


def _exports(table: Table) -> None:
    """The exports of one pot exchanged, beside others and alone, in two worlds."""
    with World() as few, World() as many:
        for world, pots in ((few, 1), (many, EXPORTING)):
            made = world.run(
                sys.executable, str(HERE / "filling.py"), str(pots), str(PORTS), patience=PATIENCE
            )
            started = world.run(*THERE, "start", "--all", patience=PATIENCE)
            if made.code or started.code:
                raise SystemExit(made.err + started.err)
        taken = [[_exchange(world, turn) for world in (few, many)] for turn in range(ROUNDS)]
    alone, beside = (1000 * median(column) for column in zip(*taken, strict=True))
    what = f"export-ports on one of {EXPORTING:,} running pots with {PORTS} exports each"
    table.rows.append(Row("linux", what, beside, "ms", 1.2, alone, "the same with one pot"))


def _exchange(world: World, turn: int) -> float:
    ports = (f"{80 + n}:{30000 + PORTS * (turn % 2) + n}" for n in range(PORTS))
    exports = [word for port in ports for word in ("-e", port)]
    return world.timed("", *THERE, "export-ports", "-p", "pot0000", *exports)[1]
