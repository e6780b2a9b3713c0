"""Run commands in a rootless host that this process has joined; its keeper has the uplink."""

from __future__ import annotations

from collections.abc import Callable

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult, Executor
from potnet.rootless.host.client import Connection

#: An administrator types this prefix; potnet itself sends the command directly to the keeper.
PREFIX = ("potnet", "rootless")


class RootlessExecutor:
    """Passes commands to `inner`, except those for the uplink."""

    def __init__(self, inner: Executor, connection: Connection) -> None:
        self._inner = inner
        self._connection = connection

    def run(self, command: Command) -> CommandResult:
        """See `Executor`. The second line of an uplink's error is its hint."""
        if command.argv[:2] != PREFIX:
            return self._inner.run(command)
        _, _, verb, *arguments = command.argv
        try:
            answer = self._connection.ask(verb, *((arguments,) if arguments else ()))
        except PotnetError as error:
            return CommandResult(1, err=f"{error.message}\n{error.hint or ''}".strip())
        lines = answer if isinstance(answer, str) else "".join(f"{line}\n" for line in answer or ())
        return CommandResult(out=lines)

    def attach(self, command: Command) -> int:
        """See `Executor`."""
        return self._inner.attach(command)

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`."""
        return self._inner.stream(command, write)
