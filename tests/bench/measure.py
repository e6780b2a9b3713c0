"""Times of processes and calls, taken in turns so that a busy moment hits all of them alike."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parents[2]
_SCRIPT = Path(sys.executable).with_name("potnet")
#: The program as it is installed beside this Python, with its modules compiled; that of the checkout where it
#: is not.
INSTALLED = _SCRIPT.exists()
POTNET = (str(_SCRIPT),) if INSTALLED else (sys.executable, "-m", "potnet")
#: What leads to the checkout, or keeps modules from being compiled.
MISLEADING = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")

#: Starts a process, or does something, and returns the milliseconds that it took.
Work = Callable[[], float]


def environment(state: Path, **more: str) -> dict[str, str]:
    """What commands on a simulated host run with: nothing of the caller's own potnet or pot."""
    checkout = {} if INSTALLED else {"PYTHONPATH": str(TOP)}
    return {
        "PATH": os.defpath,
        **checkout,
        "HOME": str(state),
        "XDG_CONFIG_HOME": str(state / "none"),
        "POTNET_HOST": "sim",
        "POTNET_STATE_DIR": str(state),
        **more,
    }


def process(*argv: str, env: Mapping[str, str] | None = None, text: str = "") -> float:
    """Run a process to its end, which must be a good one; its time in milliseconds."""
    return answered(*argv, env=env, text=text)[0]


def answered(*argv: str, env: Mapping[str, str] | None = None, text: str = "") -> tuple[float, str]:
    """The same, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(argv, env=env, input=text, text=True, capture_output=True, check=False)
    took = 1000 * (time.perf_counter() - begin)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise SystemExit(f"{' '.join(argv)}: exit code {done.returncode}: {said}")
    return took, done.stdout


def work(*argv: str, env: Mapping[str, str] | None = None, text: str = "") -> Work:
    """`process`, to be called later."""
    return lambda: process(*argv, env=env, text=text)


def in_turns(rounds: int, works: Sequence[Work]) -> list[float]:
    """The median of each, in milliseconds, after one round that is not counted."""
    for each in works:
        each()
    taken = [[each() for each in works] for _ in range(rounds)]
    return [median(column) for column in zip(*taken, strict=True)]
