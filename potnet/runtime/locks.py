"""Lock things against other commands, by flock(2) on a file beside the store.

A lock ends with the process that holds it, however the process ends. The file names the process.
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

#: The seconds between two tries.
_PAUSE = 0.02
#: Every other lock shares this one, so that one process can hold them all.
_STORE = "store"
#: The number of a command's characters in a message.
_SHOWN = 200


class Locks:
    """Named locks in a directory; with None (a dry run) nothing is locked.

    patience: the seconds to wait for a lock.
    """

    def __init__(self, directory: Path | None, patience: float = 180.0) -> None:
        self._directory = directory
        self.patience = patience

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock while the block runs. Raises HostError that names the holder.

        A process that holds such a lock must not wait for another one: see `hold_free`.
        """
        with self.share(), self._alone(name):
            yield

    @contextmanager
    def hold_first(self, choose: Callable[[], Sequence[str]]) -> Iterator[str]:
        """Hold the first free one of some locks, chosen anew at each try. Raises errors like `hold`."""
        with self.share(), self._locked(choose, fcntl.LOCK_EX) as name:
            yield name

    @contextmanager
    def hold_free(self, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Hold the free ones of some locks while the block runs, without waiting for the others."""
        with self.share(), ExitStack() as held:
            free = []
            for name in names:
                with suppress(HostError):
                    held.enter_context(self._alone(name, 0.0))
                    free.append(name)
            yield tuple(free)

    @contextmanager
    def share(self) -> Iterator[None]:
        """Exclude only `hold_all` while the block runs."""
        with self._locked(lambda: (_STORE,), fcntl.LOCK_SH):
            yield

    @contextmanager
    def hold_all(self) -> Iterator[None]:
        """Hold all present and future locks. Raises HostError that names a holder."""
        with self._locked(lambda: (_STORE,), fcntl.LOCK_EX):
            yield

    def discard(self, name: str) -> None:
        """Remove the file of a lock that this process holds, because the locked thing is gone.

        A waiting process notices this and creates the file anew; another process may then hold it.
        """
        if self._directory is not None:
            (self._directory / name).unlink(missing_ok=True)

    def held(self) -> frozenset[str]:
        """Return the names of the locks that some process holds now."""
        if self._directory is None or not self._directory.is_dir():
            return frozenset()
        return frozenset(path.name for path in self._directory.iterdir() if _is_held(path))

    def _alone(self, name: str, patience: float | None = None) -> AbstractContextManager[str]:
        return self._locked(lambda: (name,), fcntl.LOCK_EX, patience)

    @contextmanager
    def _locked(
        self, choose: Callable[[], Sequence[str]], how: int, patience: float | None = None
    ) -> Iterator[str]:
        """Hold the first lock that is free. patience: seconds to wait for it; None: the default."""
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
            # Processes that share this lock also hold another one.
            others = (path for path in sorted(directory.iterdir()) if path.name != _STORE)
            name = next((path.name for path in others if _is_held(path)), _STORE)
        kind, _, which = name.partition("-")
        what = f"{kind} {which}" if which else f"the {kind}"
        pid, _, command = _said(directory / name).partition(" ")
        doing = f": {command}" if command else ""
        return HostError(
            f"{what} is in use by another potnet (pid {pid or 'unknown'}){doing}",
            hint=f"repeat the command later: potnet waited {self.patience:g} seconds (potnet.lock_wait)",
        )


def _make_private(directory: Path) -> None:
    """Create the directory of the locks. Raises HostError if others could write there."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise HostError(
            f"others can write {directory} (mode {stat.S_IMODE(found.st_mode):04o}, user {found.st_uid})",
            hint=f"move {directory} away: the next command creates it again",
        )


def _open_locked(path: Path, how: int) -> int | None:
    """Return an open file that is locked; None if another process holds the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        locked = _locks(descriptor, how)
        if locked and _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
        if not locked:
            return None
        # The file was removed between opening and locking; other processes lock its successor.


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _is_held(path: Path) -> bool:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return not _locks(file.fileno(), fcntl.LOCK_SH)
    return False


def _said(path: Path) -> str:
    """Return the holder's entry in a lock file; empty if the file is gone."""
    with suppress(FileNotFoundError):
        return path.read_text("utf-8", "replace")
    return ""


def _locks(descriptor: int, how: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        return True
    return False


def _this_process() -> bytes:
    """Return PID and command, which `_in_use` shows."""
    command = shlex.join(("potnet", *sys.argv[1:]))
    return f"{os.getpid()} {command[:_SHOWN]}".encode("utf-8", "replace")
