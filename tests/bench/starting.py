"""What it takes a command to begin, beside the import of click in the same Python."""

from __future__ import annotations

import sys
from pathlib import Path

from measure import POTNET, environment, in_turns, process, work
from rows import Row, Table

ROUNDS = 25


def measure(table: Table, place: Path) -> None:
    env = environment(place / "ten")
    for number in range(10):
        process(*POTNET, "create", "-p", f"pot{number}", "-N", "public-bridge", env=env)
    commands = {
        ("--version",): 1.2,
        ("ip4check", "-H", "10.0.0.1"): 1.3,
        ("show",): 1.8,
    }
    works = [work(sys.executable, "-c", "import click", env=env)]
    works += [work(*POTNET, *words, env=env) for words in commands]
    floor, *figures = in_turns(ROUNDS, works)
    for (words, bound), figure in zip(commands.items(), figures, strict=True):
        what = f"potnet {' '.join(words)}{', 10 pots' if words == ('show',) else ''}"
        table.rows.append(Row("start", what, figure, "ms", bound, floor, "python -c 'import click'"))
