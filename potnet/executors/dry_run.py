"""Shows what would be run, and runs what only reads."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from potnet.executors.base import Command, CommandResult, Executor


class DryRun:
    """Passes reading commands to `inner` and prints the others, in a form that sh(1) would take."""

    def __init__(self, inner: Executor, write: Callable[[str], None]) -> None:
        self._inner = inner
        self._write = write

    def run(self, command: Command) -> CommandResult:
        """See `Executor`; what would change the host is taken to succeed."""
        if not command.changes_host:
            return self._inner.run(command)
        self._write(as_shell(command))
        return CommandResult()

    def attach(self, command: Command) -> int:
        """See `Executor`."""
        self._write(as_shell(command))
        return 0


def as_shell(command: Command) -> str:
    """A command as it would be typed, with what is fed to it as a here-document."""
    line = shlex.join(command.argv)
    if command.stdin is None:
        return line
    if not isinstance(command.stdin, str):
        return f"{line} < {shlex.quote(str(command.stdin))}"
    if not command.stdin:
        return f"{line} < /dev/null"
    marker = "EOF"
    while marker in command.stdin.split("\n"):
        marker += "_"
    end = "" if command.stdin.endswith("\n") else "\n"
    return f"{line} <<'{marker}'\n{command.stdin}{end}{marker}"
