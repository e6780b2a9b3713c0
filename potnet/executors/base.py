"""Commands as data, and the Protocol of the classes that run them."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from potnet.errors import printable
from potnet.runtime.fast_dataclass import dataclass


class Limit(StrEnum):
    """The limits of a command's time, each with its key in potnet.toml(5), which sets seconds.

    BRIEF: a command that takes almost no time. LONG: a download, an archive, a hook, the jail's own start.
    """

    BRIEF = "potnet.command_wait"
    LONG = "potnet.long_wait"


#: The exit code of a command that exceeded its time limit, as in timeout(1).
TIMED_OUT = 124
#: The exit code of a command whose program is missing, as in sh(1).
NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Command:
    """One external command.

    argv: the program and its arguments, never a string to split. stdin: text, or a local file whose bytes are
    the input. changes_host: False if the command only reads; a dry run executes only such commands. timeout:
    the limit, or its seconds; None waits forever (a shell). quiet: the output is discarded. Programs that the
    command leaves running would keep the output open, and potnet would wait for them. inside: the command
    runs programs of a jail, which get few variables of the caller and no terminal, unless the terminal is
    attached.
    """

    argv: tuple[str, ...]
    stdin: str | Path | None = None
    changes_host: bool = True
    timeout: Limit | float | None = Limit.BRIEF
    quiet: bool = False
    inside: bool = False


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command: exit code (0-255), standard output and standard error as text."""

    code: int = 0
    out: str = ""
    err: str = ""


class Executor(Protocol):
    """Runs commands on one host."""

    def run(self, command: Command) -> CommandResult:
        """Run a command to its end and return the result; a non-zero code is a result, not an error."""
        ...

    def attach(self, command: Command) -> int:
        """Run a command on this process's own terminal (a shell in a jail) and return the exit code."""
        ...


def as_shell(command: Command) -> str:
    """Return a command as a user would type it, with a here-document for its input.

    A terminal obeys nothing in it: unprintable characters become octal codes for sh(1).
    """
    line = " ".join(map(_quoted, command.argv))
    if command.stdin is None:
        return line
    if not isinstance(command.stdin, str):
        return f"{line} < {_quoted(str(command.stdin))}"
    if not command.stdin:
        return f"{line} < /dev/null"
    if printable(command.stdin) != command.stdin:
        return f"printf %s {_quoted(command.stdin)} | {line}"
    marker = "EOF"
    while marker in command.stdin.split("\n"):
        marker += "_"
    end = "" if command.stdin.endswith("\n") else "\n"
    return f"{line} <<'{marker}'\n{command.stdin}{end}{marker}"


def _quoted(word: str) -> str:
    """Quote a word for sh(1), with dollar-single-quotes for unprintable characters."""
    if printable(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_coded, word))}'"


def _coded(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
