"""Commands as data, and the Protocol of the classes that run them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
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
    attached. output_to: a log on the host that gets the output (see `KEEP_OUTPUT`). The result's
    output is then empty, or tells why the log is missing. watch: called now and then while the command
    runs; it may run commands that only read.
    """

    argv: tuple[str, ...]
    stdin: str | Path | None = None
    changes_host: bool = True
    timeout: Limit | float | None = Limit.BRIEF
    quiet: bool = False
    inside: bool = False
    output_to: str | None = None
    watch: Callable[[], None] | None = None


#: A program for sh(1) that runs a command and discards its output.
DISCARD = 'exec "$@" </dev/null >/dev/null 2>&1'

#: A program for sh(1) that runs a command and keeps its output in a log. Nobody else can change the log, or
#: a directory on its path.
#:
#: The jail gets a pipe: root in the jail could change the mode of a file of the host, or fill the disk.
#: The reader of the pipe outlives the command, because a daemon may go on writing, and SIGPIPE would kill it.
#: The reader keeps at most 1 MiB of a start (2048 blocks, see ulimit in sh(1)) and drops the rest. cat(1)
#: numbers the lines of the jail, which therefore cannot forge a line of potnet, and writes at once (-u).
#: The shell waits for the command, not for the end of its output. The command also runs if the log fails.
KEEP_OUTPUT = (
    'log=$1; shift; note() { date -u "+%n== %Y-%m-%dT%H:%M:%SZ $1" >>"$log"; }; '
    'open() { [ -d "${log%/*}" ] || mkdir -p -m 700 "${log%/*}" || return; umask 077; '
    '[ ! -h "$log" ] && { [ -f "$log" ] || [ ! -e "$log" ]; } || '
    '{ echo "$log is not a plain file"; return 1; }; note start; }; '
    'keep() { exec >/dev/null 2>&1 3>&-; most=$(($(wc -c <"$log") / 512 + 2048)); '
    '(trap "" XFSZ; ulimit -f $most && exec cat -nu >>"$log") || note "the rest is not kept"; '
    "exec cat >/dev/null; }; "
    'why=$(open 2>&1) || { echo "not kept: $why"; exec "$@" </dev/null >/dev/null 2>&1; }; '
    'code=$({ { "$@" </dev/null 2>&1 3>&-; echo $? >&3; } | keep & } 3>&1); '
    'exit "${code:-1}"'
)


def expanded(command: Command) -> Command:
    """Return the command that really runs: with a log, it is a shell that keeps the output."""
    if command.output_to is None:
        return command
    argv = ("sh", "-c", KEEP_OUTPUT, "sh", command.output_to, *command.argv)
    return replace(command, argv=argv, output_to=None)


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

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """Run a command that only reads, pass on its output piece by piece, and return the exit code."""
        ...


def as_shell(command: Command) -> str:
    """Return a command as a user would type it, with a here-document for its input.

    A terminal obeys nothing in it: unprintable characters become octal codes for sh(1).
    """
    command = expanded(command)
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
