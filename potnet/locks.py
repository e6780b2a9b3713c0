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
#: Shared by whoever holds any other lock, so that one process can have them all.
_STORE = "store"


class Locks:
    """Named locks in a directory; none at all (a dry run) when it is None."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.patience = PATIENCE

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock while the block runs; raises HostError that says which process has it."""
        with self.share(), self._locked(name, fcntl.LOCK_EX):
            yield

    @contextmanager
    def share(self) -> Iterator[None]:
        """Keep `hold_all` out while the block runs, and nobody else."""
        with self._locked(_STORE, fcntl.LOCK_SH):
            yield

    @contextmanager
    def hold_all(self) -> Iterator[None]:
        """Hold every lock that there is or may be; raises HostError that says which process has one."""
        with self._locked(_STORE, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        if self._directory is None:
            yield
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(descriptor, name, how)
            if how == fcntl.LOCK_EX:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def held(self) -> frozenset[str]:
        """The names of the locks that somebody holds at this moment."""
        if self._directory is None or not self._directory.is_dir():
            return frozenset()
        return frozenset(path.name for path in self._directory.iterdir() if _is_held(path))

    def _acquire(self, descriptor: int, name: str, how: int) -> None:
        give_up = time.monotonic() + self.patience
        while not _locks(descriptor, how):
            if time.monotonic() > give_up:
                name, holder = self._held(name, descriptor)
                raise HostError(
                    f"{name.replace('-', ' ', 1)} is in use by another potnet (pid {holder})",
                    hint="wait until it is done, or see what it waits for",
                )
            time.sleep(_PAUSE)

    def _held(self, name: str, descriptor: int) -> tuple[str, str]:
        """The lock in the way, and the PID of its holder: those that share one hold another besides."""
        if name == _STORE and self._directory is not None:
            for path in sorted(self._directory.iterdir()):
                with path.open("rb") as file:
                    if path.name != _STORE and not _locks(file.fileno(), fcntl.LOCK_SH):
                        return path.name, _holder(file.fileno())
        return name, _holder(descriptor)


def _is_held(path: Path) -> bool:
    with path.open("rb") as file:
        return not _locks(file.fileno(), fcntl.LOCK_SH)


def _locks(descriptor: int, how: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        return True
    return False


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
