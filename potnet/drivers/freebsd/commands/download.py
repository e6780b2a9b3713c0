"""Show the progress of a download on a terminal while fetch(1) runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

from potnet.executors.base import Command, CommandResult, Executor
from potnet.host.file_actions import Fetch
from potnet.runtime.progress import Progress

#: The time in seconds between two looks at the file.
_PAUSE = 1.0
#: The time limit in seconds of a look at the file, and of the request for the size.
_PATIENCE = 5.0
_SIZE = re.compile(r"([0-9]{1,18})\n")


def fetch_with_progress(
    executor: Executor, progress: Progress, action: Fetch, command: Command
) -> CommandResult:
    """Run the command of a download, and show how much of the file is there.

    The server may not know the size: fetch(1) then prints "Unknown", or fails.
    """
    total = _size(executor, "fetch", "-s", action.url)
    with progress.of(None if total is None else _megabytes(total), "MB downloaded") as tell:
        return executor.run(replace(command, watch=_look(executor, action.path, tell)))


def _look(executor: Executor, path: str, tell: Callable[[int], None]) -> Callable[[], None]:
    """Return a function that shows the size of the file, at most once in a pause.

    The file appears when the server answers.
    """
    after = 0.0

    def look() -> None:
        nonlocal after
        if time.monotonic() < after:
            return
        size = _size(executor, "stat", "-f", "%z", path)
        if size is not None:
            tell(_megabytes(size))
        after = time.monotonic() + _PAUSE

    return look


def _size(executor: Executor, *argv: str) -> int | None:
    result = executor.run(Command(argv, changes_host=False, timeout=_PATIENCE))
    found = _SIZE.fullmatch(result.out) if result.code == 0 else None
    return int(found[1]) if found else None


def _megabytes(size: int) -> int:
    """Return a size in megabytes, rounded up."""
    return -(-size // 1_000_000)
