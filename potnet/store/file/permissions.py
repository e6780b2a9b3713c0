"""Permissions of a store: only its owner or root can use it, and no other user can write it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from potnet.errors import StoreError
from potnet.runtime.trust import check_trusted

#: A hint that is safe for every path, such as /tmp.
_HINT = "name a directory of your own, which only you can write (--state-dir, potnet.state_dir)"


def make_directory(directory: Path) -> None:
    """Make a directory and its missing parents with private mode, whatever the umask."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    if missing:
        check_trusted(missing[-1].absolute().parent)
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def check_directory(directory: Path) -> None:
    """Refuse a directory that other users could have made or written."""
    above = directory.absolute().parent
    check_trusted(above)
    link = directory.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, os.geteuid()):
        raise StoreError(
            f"{directory} is a symbolic link of user {link.st_uid}", hint="name the directory itself"
        )
    found = above.stat()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise StoreError(f"anybody can replace {directory}: {above} can be written by all", hint=_HINT)
    check_private(directory, directory.stat())
    check_trusted(directory)


def check_private(path: Path, found: os.stat_result) -> None:
    """Refuse a directory or file that other users could have written."""
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise StoreError(f"{path} is neither a directory nor a file", hint=_HINT)
    if found.st_uid not in (0, os.geteuid()):
        raise StoreError(f"{path} belongs to user {found.st_uid}", hint=_HINT)
    if found.st_mode & 0o022:
        mode = stat.S_IMODE(found.st_mode)
        raise StoreError(f"{path} can be written by others (mode {mode:04o})", hint=_HINT)


def exposed(directory: Path) -> bool:
    """Whether other users could replace a file in a directory."""
    found = directory.stat()
    writable = bool(found.st_mode & 0o022) and not found.st_mode & stat.S_ISVTX
    return writable or found.st_uid not in (0, os.geteuid())


def is_read_only(path: Path) -> bool:
    """Whether a file, or its closest existing parent, is on a file system mounted read-only."""
    for each in (path, *path.parents):
        with suppress(OSError):
            return bool(os.statvfs(each).f_flag & os.ST_RDONLY)
    return False


#: The hint for a system error, for every caller.
_REMEDIES = {
    errno.EROFS: "mount that file system read-write",
    errno.ENOSPC: "free some space on that file system",
    errno.EDQUOT: "free some space: the quota is used up",
}


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn failures to access a store into `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be reached: {error.strerror}",
            hint=_REMEDIES.get(error.errno or 0, "run this as root, or name another state directory"),
        ) from error
