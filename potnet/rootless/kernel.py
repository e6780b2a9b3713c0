"""System calls that Python 3.11 lacks: unshare(2), setns(2), mount(2), prctl(2)."""

from __future__ import annotations

import ctypes
import os

NEW_NS, NEW_USER, NEW_PID, NEW_NET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
#: The order of joining: the owner of the first namespace may join the others.
KINDS = {"user": NEW_USER, "mnt": NEW_NS, "net": NEW_NET, "pid": NEW_PID}
NO_SUID, NO_DEV, NO_EXEC = 0x2, 0x4, 0x8
RECURSIVE, SLAVE = 0x4000, 0x80000
#: open_tree(2) and move_mount(2), since Linux 5.2; their numbers are the same on all machines.
_OPEN_TREE, _MOVE_MOUNT = 428, 429
_HERE, _EMPTY_PATH, _CLONE, _ALL_OF_IT, _CLOSE_ON_EXEC = -100, 0x4, 0x1, 0x8000, 0o2000000
_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Move to new namespaces; process IDs apply from the next child on. Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Join the namespace of an open file below /proc/PID/ns. Raises OSError."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount a file system, see mount(2). Raises OSError that names the target."""
    words = (os.fsencode(word) if word else None for word in (source, target, kind))
    _checked(_libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(data) if data else None), target)


def picked_up(directory: str) -> int:
    """Copy the mounts at a directory and below; `put_down` takes the returned file."""
    flags = _CLONE | _ALL_OF_IT | _CLOSE_ON_EXEC
    found: int = _libc.syscall(_OPEN_TREE, _HERE, os.fsencode(directory), flags)
    _checked(min(found, 0), directory)
    return found


def put_down(tree: int, directory: str) -> None:
    """Mount the result of `picked_up` at a directory, and close the file."""
    try:
        moved = _libc.syscall(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(directory), _EMPTY_PATH)
        _checked(moved, directory)
    finally:
        os.close(tree)


def adopt_orphans() -> None:
    """Adopt the orphans of this process's children (PR_SET_CHILD_SUBREAPER)."""
    _checked(_libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
