"""Commands on one thing exclude each other, by flock(2) on a file beside the store.

A lock ends with the process that holds it, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from potnet.errors import HostError

#: Seconds to wait for another potnet (a pot may be in the middle of its boot), and between two looks.
PATIENCE = 180.0
_PAUSE = 0.02


class Locks:
    """Named locks in a directory; none at all (a dry run) when it is None."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.patience = PATIENCE

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock while the block runs; raises HostError that says which process has it."""
        if self._directory is None:
            yield
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _acquire(descriptor, name, self.patience)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)


def _acquire(descriptor: int, name: str, patience: float) -> None:
    give_up = time.monotonic() + patience
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > give_up:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
            raise HostError(
                f"{name.replace('-', ' ', 1)} is in use by another potnet (pid {holder})",
                hint="wait until it is done, or see what it waits for",
            )
        time.sleep(_PAUSE)
