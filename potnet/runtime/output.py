"""Print lines for the user: the output of a dry run, traces and notices."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from potnet.errors import printable
from potnet.runtime.progress import Progress


def write_stdout(line: str) -> None:
    """Print a line, as bytes if a path is not valid text, because a shell may read it."""
    try:
        print(line, flush=True)
    except UnicodeEncodeError:
        sys.stdout.buffer.write(os.fsencode(f"{line}\n"))


def write_stderr(line: str) -> None:
    """Print a line on standard error, with the program's name before it."""
    print(f"potnet: {printable(line)}", file=sys.stderr, flush=True)


def beside(progress: Progress) -> Callable[[str], None]:
    """Return a function that clears the progress line and prints notices on standard error."""

    def notify(line: str) -> None:
        progress.clear()
        write_stderr(line)

    return notify


def silent(line: str) -> None:
    """Print nothing, for --quiet."""
    del line
