"""What is done to files, the same on every Unix but for one flag of mv(1): find(1), mv(1), tee(1), cp(1)."""

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
    ReplaceFile,
    RestoreFile,
    WriteFile,
)

#: Bytes from which on a file is not read.
_LARGEST = 1 << 26
#: Seconds for reading files, which are small.
_PATIENCE = 5.0
#: What is said of a path that leads to nothing, as a jail may let its own do.
_NO_FILE = (
    *("No such file or directory", "Not a directory", "Too many levels of symbolic links"),
    "File name too long",
)
#: ssh(1) itself failed: the command may not even have begun.
NO_CONNECTION = 255
#: Directories that one command looks into.
_AT_ONCE = 500


def commands(action: object, rename: str) -> tuple[Command, ...]:
    """The commands of an action on files, or of a hook; raises TypeError for any other.

    rename: the flag with which mv(1) takes its target by name even if that is a link to a directory.
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
        case RunHook(path, environment):
            variables = (f"{name}={value}" for name, value in environment)
            return (Command(("env", *variables, path), timeout=Limit.LONG, quiet=True),)
    raise TypeError(f"no command for {type(action).__name__}")


def immutable(action: object) -> tuple[str, tuple[str, ...]] | None:
    """The directory and the names in it that root in a jail may have made immutable; None elsewhere."""
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
    """Whether actions failed at file flags that have been taken away now.

    clear: the command for one file; program: its path. Neither goes through a link, whatever the jail may be
    doing meanwhile.
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


def digests(
    executor: Executor, paths: Sequence[str], program: str, read: Callable[[str], dict[str, str]]
) -> dict[str, str]:
    """The digests of files, by path; none of what cannot be read.

    A jail may put a pipe in the place of a file while find(1) looks, and who opens that waits for ever: then
    each file is asked for by itself, and one that makes others wait is given up.
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


def only_absent(result: CommandResult) -> bool:
    """Whether all that a command complains of are files that are not there."""
    return all(any(words in line for words in _NO_FILE) for line in lines_of(result.err))


def _groups(directories: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(directories), _AT_ONCE):
        yield directories[start : start + _AT_ONCE]


def _entries(directories: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """find(1) of some entries: -P does not enter a directory that is a link, nor, with a -type behind it,
    does it lose its footing on the way."""
    named = tuple(word for name in names for word in ("-o", "-name", name))[1:]
    wanted = named if len(names) == 1 else ("(", *named, ")")
    return ("find", "-P", *directories, "-mindepth", "1", "-maxdepth", "1", *wanted)
