"""Whose files root obeys: the configuration and templates, which decide what is run as root."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from potnet.errors import ConfigError


@cache
def real_root() -> bool:
    """Whether this is root of the machine itself, not only of a user namespace (user_namespaces(7))."""
    if os.geteuid() != 0:
        return False
    try:
        mapped = Path("/proc/self/uid_map").read_text("ascii").split()
    except OSError:
        return True
    return mapped == ["0", "0", "4294967295"]


def check_trusted(path: Path) -> None:
    """Raises ConfigError when root would obey a file that somebody else could have written.

    The file counts, and the directory that it is in, both of a link and of what that leads to. Anybody but
    root can do no more by potnet than without it.
    """
    if real_root():
        # Path.resolve() raises RuntimeError for links in a circle; whoever reads the file tells of those.
        for each in dict.fromkeys((path, Path(os.path.realpath(path)))):
            _check(each)
            _check(each.absolute().parent)


def _check(path: Path) -> None:
    # What is not there is told by whoever reads it.
    with suppress(OSError):
        found = path.stat()
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) and not sticky:
            raise ConfigError(
                f"{path} belongs to user {found.st_uid}, and root obeys nobody else's files",
                hint=f"chown root {path}, or run potnet as that user",
            )
        others = stat.S_IWOTH | (stat.S_IWGRP if found.st_gid != 0 else 0)
        if found.st_mode & others and not sticky:
            raise ConfigError(
                f"others can write {path} (mode {stat.S_IMODE(found.st_mode):04o}), "
                "and root obeys nobody else's files",
                hint=f"chmod go-w {path}",
            )
