"""Run commands on another machine, through a prefix such as ``ssh root@host``."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace

from potnet.errors import UsageError
from potnet.executors.base import DISCARD, Command, CommandResult, Executor, expanded

_QUIETLY = ("sh", "-c", DISCARD, "sh")


class RemoteExecutor:
    """Puts the prefix before each command and quotes its arguments for the shell at the far end."""

    def __init__(self, prefix: str, inner: Executor) -> None:
        try:
            self._prefix = tuple(shlex.split(prefix))
        except ValueError as error:
            raise UsageError(f"--via {prefix!r}: {error}") from error
        if not self._prefix:
            raise UsageError("--via is empty", hint='give a prefix such as --via "ssh root@host"')
        self._inner = inner

    def run(self, command: Command) -> CommandResult:
        """See `Executor`."""
        return self._inner.run(self._far(command))

    def attach(self, command: Command) -> int:
        """See `Executor`; for a terminal, the prefix must request one (``ssh -t``)."""
        return self._inner.attach(self._far(command))

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`."""
        return self._inner.stream(self._far(command), write)

    def _far(self, command: Command) -> Command:
        command = expanded(command)
        # sshd waits until every process closes the output, so the far end must discard the output.
        argv = (*_QUIETLY, *command.argv) if command.quiet else command.argv
        return replace(command, argv=self._prefix + tuple(quoted(word) for word in argv))


def quoted(word: str) -> str:
    """Quote a word for the login shell at the far end, which is sh(1) or csh(1).

    csh(1) expands an exclamation mark between quotes, too; a backslash in front of it helps in both.
    """
    return shlex.quote(word).replace("!", "'\\!'")
