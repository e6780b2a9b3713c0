"""Decide which files root may obey: those that no other user can change or replace.

A path is followed directory by directory. Each is opened in the previous one and then checked (openat(2),
fstat(2)). If all belong to root and only root can write them, nobody else can change where the path leads. In
a sticky directory (/tmp) others can create files, but not replace root's (sticky(7)).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from potnet.errors import ConfigError

_HINT = "use a file of root, in directories that only root can write, such as /root"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: The limit of path_resolution(7).
_MOST_LINKS = 40


@cache
def real_root() -> bool:
    """Return whether this is root of the machine, not only of a user namespace (user_namespaces(7))."""
    if os.geteuid() != 0:
        return False
    try:
        mapped = Path("/proc/self/uid_map").read_text("ascii").split()
    except OSError:
        return True
    return mapped == ["0", "0", "4294967295"]


class UntrustedError(ConfigError):
    """Another user can change a file that root would obey."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}, and root obeys only files of root", hint=_HINT)


def open_file(path: Path | str, follow: bool = True) -> int:
    """Open a file for reading, without waiting for the writer of a pipe. Raises OSError.

    For root, raises UntrustedError if another user can change or replace the file. Other users gain nothing
    through potnet. follow: links at the end of the path.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if not real_root() or str(path) == os.devnull:
        return os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    with _parent(str(path), follow) as (folder, name, shown):
        file = os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    try:
        _check(os.fstat(file), shown)
    except BaseException:
        os.close(file)
        raise
    return file


def check_trusted(path: Path | str) -> None:
    """Check a file or directory without reading it; a missing one is not an error."""
    if not real_root():
        return
    try:
        with _parent(str(path)) as (folder, name, shown):
            _check(os.stat(name, dir_fd=folder, follow_symlinks=False), shown)
    except FileNotFoundError:
        return


@contextmanager
def _parent(path: str, follow: bool = True) -> Iterator[tuple[int, str, str]]:
    """Yield a descriptor of the path's last directory, the name there, and the path so far, all checked."""
    here = os.open("/", _DIRECTORY)
    shown, links = "/", 0
    whole = path if path.startswith("/") else f"{os.getcwd()}/{path}"  # noqa: PTH109
    rest = [part for part in whole.split("/") if part] or ["."]
    try:
        _check(os.fstat(here), shown)
        while True:
            name = rest.pop(0)
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode) and (rest or follow):
                links += 1
                here, shown, rest = _through(here, shown, name, found, rest)
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            elif not rest:
                yield here, name, os.path.join(shown, name)  # noqa: PTH118
                return
            else:
                deeper = os.open(name, _DIRECTORY, dir_fd=here)
                os.close(here)
                here, shown = deeper, os.path.normpath(os.path.join(shown, name))  # noqa: PTH118
                _check(os.fstat(here), shown)
    finally:
        os.close(here)


def _through(
    here: int, shown: str, name: str, link: os.stat_result, rest: list[str]
) -> tuple[int, str, list[str]]:
    """Follow a symbolic link: return a directory, and the rest of the path."""
    if link.st_uid not in _trusted_users():
        raise UntrustedError(f"{os.path.join(shown, name)} is a symbolic link of user {link.st_uid}")  # noqa: PTH118
    target = os.readlink(name, dir_fd=here)
    rest = [part for part in target.split("/") if part] + rest
    if target.startswith("/"):
        root = os.open("/", _DIRECTORY)
        os.close(here)
        return root, "/", rest or ["."]
    return here, shown, rest


def _check(found: os.stat_result, path: str) -> None:
    """Refuse what others own or can write, except sticky directories. Raises UntrustedError."""
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_uid not in _trusted_users():
        raise UntrustedError(f"{path} belongs to user {found.st_uid}")
    if found.st_mode & 0o022 and not sticky:
        raise UntrustedError(f"others can write {path} (mode {stat.S_IMODE(found.st_mode):04o})")


def _trusted_users() -> tuple[int, int]:
    return 0, os.geteuid()
