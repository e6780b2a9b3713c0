"""File flags (chflags(1), chflags(2)): a file or directory with flags refuses changes from everyone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from potnet.executors.base import CommandResult
from potnet.executors.simulated.world.world import ToolError, World, unknown

KNOWN = ("uchg", "schg", "uappnd", "sappnd", "uunlnk", "sunlnk")
_FIXED = frozenset({"uchg", "schg"})
_APPENDED = _FIXED | {"uappnd", "sappnd"}


def _of(world: World, real: Path) -> frozenset[str]:
    row = world.state.get("flags", str(real))
    return frozenset(row["flags"]) if row else frozenset()


def _refuse(refused: object) -> None:
    if refused:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def refuse_writing(world: World, real: Path) -> None:
    """Refuse to write or create a file if flags forbid it. Raises OSError."""
    there = os.path.lexists(real)
    _refuse(_of(world, real) & _APPENDED if there else _of(world, real.parent) & _FIXED)


def refuse_leaving(world: World, real: Path) -> None:
    """Refuse to remove or rename a path if flags forbid it. Raises OSError."""
    _refuse(_of(world, real) or _of(world, real.parent) & _APPENDED)


def refuse_arriving(world: World, real: Path) -> None:
    """Refuse to rename a file to a path if flags forbid it. Raises OSError."""
    if os.path.lexists(real):
        refuse_leaving(world, real)
    else:
        refuse_writing(world, real)


def chflags(world: World, argv: list[str], _: str | Path | None) -> CommandResult:
    """chflags [-R | -h] FLAGS PATH …: FLAGS are 0, or names to add or to remove (noNAME)."""
    world.state.changing()
    args, option = argv[1:], ""
    if args[:1] in (["-R"], ["-h"]):
        option = args.pop(0)
    words = args[0].split(",") if len(args) > 1 else [""]
    if not all(word == "0" or word.removeprefix("no") in KNOWN for word in words):
        raise unknown(f"chflags {' '.join(argv[1:])}")
    for path in args[1:]:
        try:
            real = world.tree.resolve(path, follow=not option)
            change(world, real, args[0], recursive=option == "-R")
        except OSError as error:
            raise ToolError(f"chflags: {path}: {os.strerror(error.errno or errno.EIO)}") from None
    return CommandResult()


#: The flags that only the host's root, or a jail that may, can change.
_SYSTEM = frozenset({"schg", "sappnd", "sunlnk"})


def chflags_inside(world: World, argv: list[str], allowed: bool) -> CommandResult:
    """chflags FLAGS PATH in a jail; without permission, it changes no system flags, and no file with one."""
    if len(argv) != 3 or argv[1].startswith("-"):
        raise unknown(f"chflags {' '.join(argv[1:])}")
    words = {word.removeprefix("no") for word in argv[1].split(",")}
    real = world.tree.resolve(argv[2])
    if not allowed and (words | _of(world, real)) & _SYSTEM:
        raise ToolError(f"chflags: {argv[2]}: Operation not permitted")
    return chflags(world, argv, None)


def change(world: World, real: Path, words: str, recursive: bool = False) -> None:
    """Change the flags of a file. Raises OSError if the file does not exist."""
    if recursive and stat.S_ISDIR(real.lstat().st_mode):
        for entry in real.iterdir():
            change(world, entry, words, recursive)
    real.lstat()
    given = set(words.split(","))
    kept = set() if given == {"0"} else _of(world, real) | {each for each in given if each in KNOWN}
    kept -= {each.removeprefix("no") for each in given if each not in KNOWN}
    if kept:
        world.state.put("flags", str(real), {"flags": sorted(kept)})
    else:
        world.state.delete("flags", str(real))
