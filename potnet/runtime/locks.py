"""Commands on one thing exclude each other, by flock(2) on a file beside the store.

A lock ends with the process that holds it, however it ends. The file says which process that is.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from potnet.errors import HostError
from potnet.runtime.interrupts import waiting

#: Seconds between two looks.
_PAUSE = 0.02
#: Shared by whoever holds any other lock, so that one process can have them all.
_STORE = "store"
#: Characters of a command that a message shows.
_SHOWN = 200


class Locks:
    """Named locks in a directory; none at all (a dry run) when it is None.

    patience: seconds to wait for one.
    """

    def __init__(self, directory: Path | None, patience: float = 180.0) -> None:
        self._directory = directory
        self.patience = patience

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock while the block runs; raises HostError that says which process has it.

        Who has one of that kind already must not wait for another: see `hold_free`.
        """
        with self.share(), self._alone(name):
            yield

    @contextmanager
    def hold_first(self, choose: Callable[[], Sequence[str]]) -> Iterator[str]:
        """Hold the first free one of some locks, which are chosen anew at each look; errors as `hold`."""
        with self.share(), self._locked(choose, fcntl.LOCK_EX) as name:
            yield name

    @contextmanager
    def hold_free(self, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Hold those of some locks that nobody has while the block runs, and wait for no other."""
        with self.share(), ExitStack() as held:
            free = []
            for name in names:
                with suppress(HostError):
                    held.enter_context(self._alone(name, 0.0))
                    free.append(name)
            yield tuple(free)

    @contextmanager
    def share(self) -> Iterator[None]:
        """Keep `hold_all` out while the block runs, and nobody else."""
        with self._locked(lambda: (_STORE,), fcntl.LOCK_SH):
            yield

    @contextmanager
    def hold_all(self) -> Iterator[None]:
        """Hold every lock that there is or may be; raises HostError that says which process has one."""
        with self._locked(lambda: (_STORE,), fcntl.LOCK_EX):
            yield

    def discard(self, name: str) -> None:
        """Remove the file of a lock that this process holds, and is done with, for a thing that is no more.

        Who waits for it notices, and makes it anew: from here on it may be somebody else's.
        """
        if self._directory is not None:
            (self._directory / name).unlink(missing_ok=True)

    def held(self) -> frozenset[str]:
        """The names of the locks that somebody holds at this moment."""
        if self._directory is None or not self._directory.is_dir():
            return frozenset()
        return frozenset(path.name for path in self._directory.iterdir() if _is_held(path))

    def _alone(self, name: str, patience: float | None = None) -> AbstractContextManager[str]:
        return self._locked(lambda: (name,), fcntl.LOCK_EX, patience)

    @contextmanager
    def _locked(
        self, choose: Callable[[], Sequence[str]], how: int, patience: float | None = None
    ) -> Iterator[str]:
        """Hold the first lock that is free. patience: seconds to wait for one; None: as usual."""
        if self._directory is None:
            yield choose()[0]
            return
        _make_private(self._directory)
        name, descriptor = self._acquire(
            self._directory, choose, how, self.patience if patience is None else patience
        )
        try:
            if how == fcntl.LOCK_EX:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _this_process(), 0)
            yield name
        finally:
            os.close(descriptor)

    def _acquire(
        self, directory: Path, choose: Callable[[], Sequence[str]], how: int, patience: float
    ) -> tuple[str, int]:
        give_up = time.monotonic() + patience
        while True:
            names = choose()
            for name in names:
                descriptor = _open_locked(directory / name, how)
                if descriptor is not None:
                    return name, descriptor
            if time.monotonic() >= give_up:
                raise self._in_use(directory, names[0])
            with waiting():
                time.sleep(_PAUSE)

    def _in_use(self, directory: Path, name: str) -> HostError:
        if name == _STORE:
            # Those that share one hold another besides.
            others = (path for path in sorted(directory.iterdir()) if path.name != _STORE)
            name = next((path.name for path in others if _is_held(path)), _STORE)
        kind, _, which = name.partition("-")
        what = f"{kind} {which}" if which else f"the {kind}"
        pid, _, command = _said(directory / name).partition(" ")
        doing = f": {command}" if command else ""
        return HostError(
            f"{what} is in use by another potnet (pid {pid or 'unknown'}){doing}",
            hint=f"this waited {self.patience:g} seconds for it (potnet.lock_wait): repeat it later",
        )


def _make_private(directory: Path) -> None:
    """Make the directory of the locks; raises HostError when others could have put something into it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise HostError(
            f"others can write {directory} (mode {stat.S_IMODE(found.st_mode):04o}, user {found.st_uid})",
            hint=f"move {directory} away: the next command makes it anew",
        )


def _open_locked(path: Path, how: int) -> int | None:
    """An open file that is locked; None when another process has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        locked = _locks(descriptor, how)
        if locked and _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
        if not locked:
            return None
        # It was discarded between opening and locking: others lock the one that is there by now.


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _is_held(path: Path) -> bool:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return not _locks(file.fileno(), fcntl.LOCK_SH)
    return False


def _said(path: Path) -> str:
    """Who wrote that it has the lock; empty when it is no more."""
    with suppress(FileNotFoundError):
        return path.read_text("utf-8", "replace")
    return ""


def _locks(descriptor: int, how: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        return True
    return False


def _this_process() -> bytes:
    """PID and command, as `_in_use` tells them."""
    command = shlex.join(("potnet", *sys.argv[1:]))
    return f"{os.getpid()} {command[:_SHOWN]}".encode("utf-8", "replace")
