"""Commands as data, and the Protocol of whatever runs them."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from potnet.errors import printable
from potnet.runtime.fast_dataclass import dataclass


class Limit(StrEnum):
    """How long a command may take, by the key of potnet.toml(5) that says so in seconds.

    BRIEF: what is done in no time. LONG: a download, an archive, a hook, the jail's own start.
    """

    BRIEF = "potnet.command_wait"
    LONG = "potnet.long_wait"


#: The code of a command that was given up after its time was over, as timeout(1) reports it.
TIMED_OUT = 124
#: The code of a command whose program is not there, as sh(1) reports it.
NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Command:
    """One external command.

    argv: the program and its arguments, never a string to be split.
    stdin: text fed to it, or a local file whose bytes are.
    changes_host: False for what only reads; a dry run carries these out and no others.
    timeout: when it is given up, or the seconds until then; None waits for ever (a shell).
    quiet: its output goes nowhere, since programs that it leaves running would hold on to it: one waits
    for the command and not for them.
    inside: it runs programs of a jail's, which learn little of the caller and have no terminal, unless it is
    attached to that.
    """

    argv: tuple[str, ...]
    stdin: str | Path | None = None
    changes_host: bool = True
    timeout: Limit | float | None = Limit.BRIEF
    quiet: bool = False
    inside: bool = False


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command answered: exit code (0-255), standard output and standard error as text."""

    code: int = 0
    out: str = ""
    err: str = ""


class Executor(Protocol):
    """Runs commands on one host."""

    def run(self, command: Command) -> CommandResult:
        """Run to its end and return what it answered; a non-zero code is an answer, not an error."""
        ...

    def attach(self, command: Command) -> int:
        """Run with this process's own terminal (a shell in a jail) and return the exit code."""
        ...


def as_shell(command: Command) -> str:
    """A command as it would be typed, with what is fed to it as a here-document.

    Nothing in it is obeyed by a terminal: what is not printable is told to sh(1) by its octal code.
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
    """A word for sh(1), with dollar-single-quotes where it is not printable."""
    if printable(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_coded, word))}'"


def _coded(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
