"""Print each command before it runs, for ``-v``."""

from __future__ import annotations

from collections.abc import Callable

from potnet.executors.base import Command, CommandResult, Executor, as_shell


class Traced:
    """Passes every command to `inner` after printing it with `write`."""

    def __init__(self, inner: Executor, write: Callable[[str], None]) -> None:
        self._inner = inner
        self._write = write

    def run(self, command: Command) -> CommandResult:
        """See `Executor`."""
        self._write(f"+ {as_shell(command)}")
        return self._inner.run(command)

    def attach(self, command: Command) -> int:
        """See `Executor`."""
        self._write(f"+ {as_shell(command)}")
        return self._inner.attach(command)

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`."""
        self._write(f"+ {as_shell(command)}")
        return self._inner.stream(command, write)
