"""File commands that are the same on every Unix except one flag of mv(1): find(1), mv(1), tee(1), cp(1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from potnet.drivers.base import CommandError
from potnet.drivers.reading import lines_of
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Executor, Limit
from potnet.host.actions import RunHook
from potnet.host.file_actions import (
    CopyFile,
    CopyLocal,
    MakeDirectory,
    MoveFile,
    RemoveFile,
    RenameEntry,
    ReplaceFile,
    RestoreFile,
    WriteFile,
)

#: Files of this size in bytes, or larger, are not read.
_LARGEST = 1 << 26
#: The time limit in seconds for reading files, which are small.
_PATIENCE = 5.0
#: The complaints about a path without a file; a jail may create such paths.
_NO_FILE = (
    *("No such file or directory", "Not a directory", "Too many levels of symbolic links"),
    "File name too long",
)
#: Tools for files: each of their complaints begins with such a name.
_TOOLS = ("stat: ", "find: ", "mv: ", "sha256: ", "sha256sum: ")
#: ssh(1) itself failed: the command may not even have started.
NO_CONNECTION = 255
#: The number of directories for one command.
_AT_ONCE = 500


def commands(action: object, rename: str) -> tuple[Command, ...]:
    """Return the commands of an action on files, or of a hook. Raises TypeError for any other action.

    rename: the flag that makes mv(1) replace its target even if that is a link to a directory.
    """
    match action:
        case WriteFile(path, text, _):
            return (Command(("tee", path), stdin=text),)
        case CopyLocal(source, path, mode):
            return Command(("tee", path), stdin=Path(source)), Command(("chmod", mode, path))
        case MoveFile(source, destination, _):
            return (Command(("mv", rename, source, destination)),)
        case CopyFile(source, destination):
            return (Command(("cp", "-p", source, destination)),)
        case MakeDirectory(path, permissions):
            return (Command(("mkdir", "-p", *(("-m", permissions) if permissions else ()), path)),)
        case RemoveFile(directory, name, _):
            return (removal((directory,), (name,)),)
        case ReplaceFile(directory, name, source):
            move = ("-execdir", "/bin/mv", rename, source, name, ";")
            return (Command((*_entries((directory,), (name,)), "-type", "f", *move)),)
        case RestoreFile(directory, name, saved):
            move = ("-execdir", "/bin/mv", rename, "{}", name, ";")
            return (Command((*_entries((directory,), (saved,)), "-type", "f", *move)),)
        case RenameEntry(directory, name, new):
            kinds = ("(", "-type", "f", "-o", "-type", "d", ")")
            move = ("-execdir", "/bin/mv", rename, "{}", new, ";")
            return (Command((*_entries((directory,), (name,)), *kinds, *move)),)
        case RunHook(path, environment):
            variables = (f"{name}={value}" for name, value in environment)
            return (Command(("env", *variables, path), timeout=Limit.LONG, quiet=True),)
    raise TypeError(f"no command for {type(action).__name__}")


def following(path: str) -> Command:
    """Return the command that prints a file whole and waits for more; -F opens a rotated file anew."""
    return Command(("tail", "-c", "+1", "-F", path), changes_host=False, timeout=None)


def immutable(action: object) -> tuple[str, tuple[str, ...]] | None:
    """Return the directory and the names that root in a jail may have made immutable; None elsewhere."""
    match action:
        case WriteFile(path, in_root=True):
            directory, _, name = path.rpartition("/")
            return directory, (name,)
        case MoveFile(source, destination, in_root=True):
            directory, _, name = source.rpartition("/")
            return directory, (name, destination.rpartition("/")[2])
        case RemoveFile(directory, name, in_root=True) | ReplaceFile(directory, name):
            return directory, (name,)
        case RestoreFile(directory, name, saved):
            return directory, (name, saved)
    return None


def make_mutable(
    executor: Executor, result: CommandResult, actions: Sequence[object], clear: tuple[str, ...], program: str
) -> bool:
    """Clear file flags after a failure, and return whether any were cleared.

    clear: the command for one file; program: its path. Neither follows a link, even if the jail changes files
    meanwhile.
    """
    found: dict[str, dict[str, None]] = {}
    if "Operation not permitted" in result.err:
        for directory, names in filter(None, map(immutable, actions)):
            found.setdefault(directory, {}).update(dict.fromkeys(names))
    for directory, each in found.items():
        entries = _entries((directory,), tuple(each))
        executor.run(Command((*clear, directory)))
        executor.run(Command((*entries, "-execdir", program, *clear[1:], "{}", ";")))
    return bool(found)


def removal(directories: Sequence[str], names: Sequence[str]) -> Command:
    """Return the command that removes files and links of these names from each directory."""
    kinds = ("(", "-type", "f", "-o", "-type", "l", ")")
    return Command((*_entries(directories, names), *kinds, "-delete"))


def digesting(paths: Sequence[str], program: str) -> tuple[tuple[str, ...], ...]:
    """Return commands that print digests of files; links, pipes and large files are skipped."""
    names: dict[str, dict[str, None]] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        names.setdefault(name, {})[directory] = None
    return tuple(
        (*_entries(some, (name,)), "-type", "f", "-size", f"-{_LARGEST}c", "-exec", program, "{}", "+")
        for name, directories in names.items()
        for some in _groups(tuple(directories))
    )


def digests(
    executor: Executor, paths: Sequence[str], program: str, read: Callable[[str], dict[str, str]]
) -> dict[str, str]:
    """Return the digests of files, by path; unreadable files are missing.

    A jail may replace a file by a pipe while find(1) runs, and opening a pipe waits forever. In this case
    each file is read by itself, and a file that does not answer in time is skipped.
    """
    found: dict[str, str] = {}
    disturbed = False
    for argv in digesting(paths, program):
        result = _patiently(executor, argv)
        found |= read(result.out) if result.code != TIMED_OUT else {}
        disturbed = disturbed or result.code == TIMED_OUT or not only_absent(result)
    for path in paths if disturbed else ():
        if path not in found:
            found |= read(_patiently(executor, *digesting((path,), program)).out)
    return found


def _patiently(executor: Executor, argv: tuple[str, ...]) -> CommandResult:
    command = Command(argv, changes_host=False, timeout=_PATIENCE)
    result = executor.run(command)
    if result.code in (NOT_FOUND, NO_CONNECTION):
        raise CommandError(command, result)
    return result


def complaints(result: CommandResult) -> list[str]:
    """Return what a tool for files complains about.

    Other lines on standard error, such as the banner of an SSH server, say nothing about files.
    """
    return [line for line in lines_of(result.err) if line.startswith(_TOOLS)]


def only_absent(result: CommandResult) -> bool:
    """Return whether a command succeeded, or has only complaints about missing files."""
    found = complaints(result)
    if not found:
        return result.code == 0
    return all(any(words in line for words in _NO_FILE) for line in found)


def _groups(directories: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(directories), _AT_ONCE):
        yield directories[start : start + _AT_ONCE]


def _entries(directories: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return a find(1) command for some entries.

    -P skips a directory that is a link. If a -type follows, find keeps its place when directories change.
    """
    named = tuple(word for name in names for word in ("-o", "-name", name))[1:]
    wanted = named if len(names) == 1 else ("(", *named, ")")
    return ("find", "-P", *directories, "-mindepth", "1", "-maxdepth", "1", *wanted)
