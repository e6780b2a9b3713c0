"""What is done to files, the same on every Unix but for one flag of mv(1): find(1), mv(1), tee(1), cp(1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from potnet.actions import RunHook
from potnet.executors.base import Command, Limit
from potnet.file_actions import (
    CopyFile,
    CopyLocal,
    MakeDirectory,
    MoveFile,
    RemoveFile,
    ReplaceFile,
    RestoreFile,
    WriteFile,
)

#: Bytes from which on a file is not read.
_LARGEST = 1 << 26
#: Directories that one command looks into.
_AT_ONCE = 500


def commands(action: object, rename: str) -> tuple[Command, ...]:
    """The commands of an action on files, or of a hook; raises TypeError for any other.

    rename: the flag with which mv(1) takes its target by name even if that is a link to a directory.
    """
    match action:
        case WriteFile(path, text):
            return (Command(("tee", path), stdin=text),)
        case CopyLocal(source, path, mode):
            return Command(("tee", path), stdin=Path(source)), Command(("chmod", mode, path))
        case MoveFile(source, destination):
            return (Command(("mv", rename, source, destination)),)
        case CopyFile(source, destination):
            return (Command(("cp", "-p", source, destination)),)
        case MakeDirectory(path, permissions):
            return (Command(("mkdir", "-p", *(("-m", permissions) if permissions else ()), path)),)
        case RemoveFile(directory, name):
            return (removal((directory,), (name,)),)
        case ReplaceFile(directory, name, source):
            move = ("-execdir", "/bin/mv", rename, source, name, ";")
            return (Command((*_entries((directory,), (name,)), "-type", "f", *move)),)
        case RestoreFile(directory, name, saved):
            move = ("-execdir", "/bin/mv", rename, "{}", name, ";")
            return (Command((*_entries((directory,), (saved,)), "-type", "f", *move)),)
        case RunHook(path, environment):
            variables = (f"{name}={value}" for name, value in environment)
            return (Command(("env", *variables, path), timeout=Limit.LONG, quiet=True),)
    raise TypeError(f"no command for {type(action).__name__}")


def removal(directories: Sequence[str], names: Sequence[str]) -> Command:
    """Removes the files of these names, or links, from each of the directories."""
    kinds = ("(", "-type", "f", "-o", "-type", "l", ")")
    return Command((*_entries(directories, names), *kinds, "-delete"))


def digesting(paths: Sequence[str], program: str) -> tuple[tuple[str, ...], ...]:
    """Commands that print digests of files, none of which is a link, a pipe, or too large to be read."""
    names: dict[str, dict[str, None]] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        names.setdefault(name, {})[directory] = None
    return tuple(
        (*_entries(some, (name,)), "-type", "f", "-size", f"-{_LARGEST}c", "-exec", program, "{}", "+")
        for name, directories in names.items()
        for some in _groups(tuple(directories))
    )


def _groups(directories: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(directories), _AT_ONCE):
        yield directories[start : start + _AT_ONCE]


def _entries(directories: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """find(1) of some entries: -P does not enter a directory that is a link, nor, with a -type behind it,
    does it lose its footing on the way."""
    named = tuple(word for name in names for word in ("-o", "-name", name))[1:]
    wanted = named if len(names) == 1 else ("(", *named, ")")
    return ("find", "-P", *directories, "-mindepth", "1", "-maxdepth", "1", *wanted)
