"""What is done to files, the same on every Unix but for one flag of mv(1): find(1), mv(1), tee(1), cp(1)."""

from __future__ import annotations

from pathlib import Path

from potnet.actions import (
    CopyFile,
    CopyLocal,
    MakeDirectory,
    MoveFile,
    RemoveFile,
    ReplaceFile,
    RestoreFile,
    RunHook,
    WriteFile,
)
from potnet.executors.base import Command

#: Long work by its nature: a download, an archive, a hook, the jail's own start.
LONG = 3600.0


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
            kinds = ("(", "-type", "f", "-o", "-type", "l", ")")
            return (Command((*_entry(directory, name), *kinds, "-delete")),)
        case ReplaceFile(directory, name, source):
            move = ("-execdir", "/bin/mv", rename, source, name, ";")
            return (Command((*_entry(directory, name), "-type", "f", *move)),)
        case RestoreFile(directory, name, saved):
            move = ("-execdir", "/bin/mv", rename, "{}", name, ";")
            return (Command((*_entry(directory, saved), "-type", "f", *move)),)
        case RunHook(path, environment):
            variables = (f"{name}={value}" for name, value in environment)
            return (Command(("env", *variables, path), timeout=LONG, quiet=True),)
    raise TypeError(f"no command for {type(action).__name__}")


def _entry(directory: str, name: str) -> tuple[str, ...]:
    """find(1) of one entry: -P does not enter a directory that is a link, nor, with a -type behind it,
    does it lose its footing on the way."""
    return ("find", "-P", directory, "-mindepth", "1", "-maxdepth", "1", "-name", name)
