"""A file beside the store that takes up space: it goes when stop and destroy find the disk full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_NAME = "spare"
#: Bytes: more than the store's log grows by while some pots are stopped.
SIZE = 1 << 20


def keep(directory: Path) -> None:
    """Make the file where there is none and room for it. Its bytes are random: file systems compress."""
    path = directory / _NAME
    if path.exists() or _free(directory) < 4 * SIZE:
        return
    with suppress(OSError):
        fresh = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fresh, "wb") as file:
                file.write(os.urandom(SIZE))
        except OSError:
            path.unlink()


def give_up(directory: Path) -> None:
    """Remove the file when the disk is full."""
    if _free(directory) < SIZE:
        with suppress(OSError):
            (directory / _NAME).unlink()


def _free(directory: Path) -> int:
    """Bytes that the caller may still write."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0
    return found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)
