"""A spare file beside the store that reserves space; stop and destroy remove it if the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_NAME = "spare"
#: In bytes; the stops of a few pots add less than this to the store's log.
SIZE = 1 << 20


def keep(directory: Path) -> None:
    """Make the missing file if space permits. Random bytes keep file systems from compressing it."""
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
    """Remove the file if the disk is full."""
    if _free(directory) < SIZE:
        with suppress(OSError):
            (directory / _NAME).unlink()


def _free(directory: Path) -> int:
    """Return the number of bytes that the caller may still write."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0
    return found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)
