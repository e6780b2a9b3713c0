"""The file tree of a simulated host: a real directory, with its own path resolution.

This module walks a path of the host component by component. The real machine would follow an absolute
symbolic link out of the tree (symlink(7)). `..` at the top stays at the top, as in a real root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

#: The value of MAXSYMLINKS in FreeBSD's sys/param.h.
MAX_LINKS = 32


class Tree:
    """Maps host paths to real paths. mapped: directories of the real machine that are part of the host too.

    If a link of the real machine is in a mapped path, the directory is also mapped under its real path. The
    first path then acts like a link to the real path.
    """

    def __init__(self, base: Path, mapped: Callable[[], dict[str, str]]) -> None:
        self.base = base
        self._base = str(base)
        self._mapped = mapped

    def resolve(self, path: str, follow: bool = True) -> Path:
        """Return the real path of a host path. follow: whether a link at the very end is followed.

        Errors: OSError ENOENT for a missing component before the last, ENOTDIR, ELOOP.
        """
        return Path(self._real(self.walk(path, follow), self._mapped()))

    def canonical(self, path: str) -> str:
        """Return the host path without links and dots."""
        return "/" + "/".join(self.walk(path))

    def walk(self, path: str, follow: bool = True) -> tuple[str, ...]:
        """Return the components of a host path after all links are followed."""
        mapped = self._mapped()
        todo = [part for part in path.split("/") if part][::-1]
        done: tuple[str, ...] = ()
        links = 0
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                done = done[:-1]
                continue
            here = (*done, part)
            target = self._step(here, mapped, last=not todo, path=path)
            if target is None or (not todo and not follow):
                done = here
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            done = () if target.startswith("/") else done
            todo += [p for p in target.split("/") if p][::-1]
        return done

    def _real(self, parts: tuple[str, ...], mapped: dict[str, str]) -> str:
        """Return the real path of a host path without links and dots."""
        below = "/".join(("", *parts))
        for virtual, real in mapped.items():
            if below == virtual or below.startswith(f"{virtual}/"):
                return real + below[len(virtual) :]
        return self._base + below

    def _step(self, here: tuple[str, ...], mapped: dict[str, str], last: bool, path: str) -> str | None:
        """Return the target of a link, else None."""
        virtual = "/" + "/".join(here)
        own = mapped.get(virtual)
        if own is not None and own in mapped and own != virtual:
            return own
        # Texts, since each command walks many paths: an object of pathlib costs more than what it asks for.
        real = self._real(here, mapped)
        try:
            mode = os.lstat(real).st_mode
        except FileNotFoundError:
            if last or any(name.startswith(f"{virtual}/") for name in mapped):
                return None
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
        if stat.S_ISLNK(mode):
            return os.readlink(real)  # noqa: PTH115
        if not last and not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return None

    def lstat(self, path: str) -> os.stat_result | None:
        """Return the status of the path itself, None if it does not exist."""
        try:
            return self.resolve(path, follow=False).lstat()
        except OSError:
            return None

    def stat(self, path: str) -> os.stat_result | None:
        """Return the status of the path's target, None if it does not exist."""
        try:
            return self.resolve(path).lstat()
        except OSError:
            return None

    def is_dir(self, path: str) -> bool:
        found = self.stat(path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def read(self, path: str) -> bytes:
        return self.resolve(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Write a file as a program does: through links, keeping the mode of an existing file."""
        self.resolve(path).write_bytes(data)
