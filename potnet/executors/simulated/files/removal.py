"""The removal of files: rm(1), find(1) -delete and -execdir, chflags(1)."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from pathlib import Path

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files import flags
from potnet.executors.simulated.files.filetools import FileTool, Stdin, refuse_mount, rename, sha256, why
from potnet.executors.simulated.world.world import ToolError, World, unknown

_LETTERS = {"f": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK, "p": stat.S_IFIFO, "s": stat.S_IFSOCK}


def rm(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """rm [-f] [-r] [-x] PATH …; -x does not cross a mount."""
    world.state.changing()
    args, given = argv[1:], set[str]()
    while args and args[0].startswith("-"):
        given |= set(args.pop(0)[1:])
    if given - set("frx"):
        raise unknown(f"the rm options {''.join(sorted(given))}")
    errors: list[str] = []
    for path in args:
        if not [part for part in path.split("/") if part]:
            errors.append('rm: "/" may not be removed')
            continue
        status = world.tree.lstat(path)
        if status is None:
            errors += [] if "f" in given else [f"rm: {path}: No such file or directory"]
        elif stat.S_ISDIR(status.st_mode) and "r" not in given:
            errors.append(f"rm: {path}: is a directory")
        else:
            _remove(world, world.tree.resolve(path, follow=False), path, errors, crosses="x" not in given)
    return CommandResult(1 if errors else 0, "", "".join(f"{line}\n" for line in errors))


def _remove(world: World, real: Path, shown: str, errors: list[str], crosses: bool) -> None:
    """Remove a tree. crosses: a mount loses its files before the removal fails at the mount point in use."""
    try:
        if not crosses:
            refuse_mount(world, real)
        if stat.S_ISDIR(real.lstat().st_mode):
            for entry in sorted(real.iterdir()):
                _remove(world, entry, f"{shown.rstrip('/')}/{entry.name}", errors, crosses)
            refuse_mount(world, real)
            flags.refuse_leaving(world, real)
            real.rmdir()
        else:
            flags.refuse_leaving(world, real)
            real.unlink()
    except OSError as error:
        errors.append(f"rm: {shown}: {why(error)}")


def find(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """find -P DIR … -mindepth 1 -maxdepth 1 -name NAME [-type …] ACTION, find DIR -maxdepth 0 -empty -delete.

    NAME and -type may be ( … -o … ).

    ACTION: -exec sha256 {} + | -delete | -execdir [/bin/]mv -h {}|PATH PATH ; |
    -execdir /bin/chflags -h 0 {} ;
    """
    match argv[1:]:
        case ["-P", *tops, "-mindepth", "1", "-maxdepth", "1", "-name", name, "-type", "f", "-size", size,
              "-exec", "sha256", "{}", "+"] if re.fullmatch("-[0-9]+c", size):  # fmt: skip
            return _digests(world, tops, name, int(size[1:-1]))
        case ["-P", top, "-mindepth", "1", "-maxdepth", "1", "-name" | "(", *_]:
            patterns, rest = _either("-name", argv[7:])
        case [top, "-maxdepth", "0", "-empty", "-delete"]:
            return _remove_empty(world, top)
        case other:
            raise unknown(f"find {' '.join(other)}")
    letters, rest = _either("-type", rest)
    types = {_letter(letter) for letter in letters}
    action = _action(rest)
    if action != ("-print",):
        world.state.changing()
    try:
        real = world.tree.resolve(top, follow=top.endswith("/"))
        status = real.lstat()
    except OSError as error:
        raise ToolError(f"find: {top}: {why(error)}") from None
    if not stat.S_ISDIR(status.st_mode):
        return CommandResult()
    out, err = "", ""
    for entry in sorted(real.iterdir()):
        mode = entry.lstat().st_mode
        named = any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in patterns)
        if not named or (types and stat.S_IFMT(mode) not in types):
            continue
        if action == ("-print",):
            out += f"{top.rstrip('/')}/{entry.name}\n"
        elif action == ("-delete",):
            err += _delete(world, entry, top)
        elif action == ("chflags",):
            flags.change(world, entry, "0")
        else:
            here = f"{top.rstrip('/')}/"
            source = entry.name if action[0] == "{}" else action[0]
            source = source if source.startswith("/") else here + source
            # The command runs in that directory, and its errors name no other.
            err += rename(world, source, here + action[1], nofollow=True).err.replace(here, "")
    return CommandResult(0, out, err)


def _digests(world: World, tops: list[str], name: str, size: int) -> CommandResult:
    out, err = "", ""
    for top in tops:
        try:
            real = world.tree.resolve(top, follow=top.endswith("/"))
            if not stat.S_ISDIR(real.lstat().st_mode):
                continue
            status = (real / name).lstat() if os.path.lexists(real / name) else None
        except OSError as error:
            err += f"find: {top}: {why(error)}\n"
            continue
        if status is not None and stat.S_ISREG(status.st_mode) and status.st_size < size:
            out += sha256(world, ["sha256", f"{top.rstrip('/')}/{name}"], None).out
    return CommandResult(1 if err else 0, out, err)


def _remove_empty(world: World, path: str) -> CommandResult:
    """Remove an empty directory, or an empty file."""
    world.state.changing()
    try:
        real = world.tree.resolve(path, follow=False)
        status = real.lstat()
    except OSError as error:
        raise ToolError(f"find: {path}: {why(error)}") from None
    if stat.S_ISDIR(status.st_mode):
        empty = not any(real.iterdir())
    else:
        empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
    return CommandResult(0, "", _delete(world, real, str(Path(path).parent)) if empty else "")


def _either(flag: str, words: list[str]) -> tuple[list[str], list[str]]:
    """Return the values of ``FLAG X`` or ``( FLAG X -o FLAG Y … )``, and the rest; empty for other words."""
    if words[:1] == [flag]:
        return words[1:2], words[2:]
    if words[:2] != ["(", flag] or ")" not in words:
        return [], words
    end = words.index(")")
    inner = words[1:end]
    for start in range(0, len(inner), 3):
        if inner[start] != flag or inner[start + 2 : start + 3] not in ([], ["-o"]):
            raise unknown(f"find … {' '.join(words)}")
    return inner[1::3], words[end + 1 :]


def _letter(letter: str) -> int:
    if letter not in _LETTERS:
        raise unknown(f"find -type {letter}")
    return _LETTERS[letter]


def _action(words: list[str]) -> tuple[str, ...]:
    """Return -print, -delete, chflags, or what -execdir mv moves (``{}`` or a full path) and its new name."""
    match words:
        case [] | ["-print"]:
            return ("-print",)
        case ["-delete"]:
            return ("-delete",)
        case ["-execdir", "mv" | "/bin/mv", "-h", source, name, ";"] if not name.startswith("/"):
            return source, name
        case ["-execdir", "/bin/chflags", "-h", "0", "{}", ";"]:
            return ("chflags",)
    raise unknown(f"find … {' '.join(words)}")


def _delete(world: World, entry: Path, top: str) -> str:
    """Delete an entry and return the error message; a failure does not change find's exit code."""
    directory = stat.S_ISDIR(entry.lstat().st_mode)
    try:
        refuse_mount(world, entry)
        flags.refuse_leaving(world, entry)
        if directory:
            entry.rmdir()
        else:
            entry.unlink()
    except OSError as error:
        call = "rmdir" if directory else "unlink"
        return f"find: -delete: {call}({top.rstrip('/')}/{entry.name}): {os.strerror(error.errno or 5)}\n"
    return ""


TOOLS: dict[str, FileTool] = {"rm": rm, "find": find, "chflags": flags.chflags}
