"""Print commands that change the host, and run those that only read."""

from __future__ import annotations

from collections.abc import Callable

from potnet.executors.base import Command, CommandResult, Executor, as_shell


class DryRun:
    """Passes reading commands to `inner` and prints the others, in a form that sh(1) accepts."""

    def __init__(self, inner: Executor, write: Callable[[str], None]) -> None:
        self._inner = inner
        self._write = write

    def run(self, command: Command) -> CommandResult:
        """See `Executor`; commands that change the host always succeed."""
        if not command.changes_host:
            return self._inner.run(command)
        self._write(as_shell(command))
        return CommandResult()

    def attach(self, command: Command) -> int:
        """See `Executor`."""
        self._write(as_shell(command))
        return 0

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`."""
        return self._inner.stream(command, write)
