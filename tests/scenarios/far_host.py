"""What ``--via`` leads to in tests: takes a command line as ssh(1) does, for a simulated host.

Usage: far_host.py DIRECTORY LOG WORD…
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost
from potnet.executors.simulated.environment import machine


def main() -> int:
    directory, log, *words = sys.argv[1:]
    # ssh joins its words with blanks and lets the shell at the far end take them apart again.
    argv = tuple(shlex.split(" ".join(words)))
    stdin = None if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    with Path(log).open("a") as file:
        file.write(json.dumps([argv, stdin]) + "\n")
    host = SimulatedHost(Path(directory), facts=replace(machine(), spare=None))
    if argv[0] == "tail":
        return host.stream(Command(argv), _print)
    result = host.run(Command(argv, stdin))
    sys.stdout.write(result.out)
    sys.stderr.write(result.err)
    return result.code


def _print(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
