"""What every driver offers to the layers above, and the failure that it reports."""

from __future__ import annotations

from typing import Protocol

from potnet.actions import Action
from potnet.errors import HostError
from potnet.executors.base import TIMED_OUT, Command, CommandResult
from potnet.host_state import HostState, Query


class CommandError(HostError):
    """A command answered with a code that its action does not take for success."""

    def __init__(self, command: Command, result: CommandResult, hint: str | None = None) -> None:
        words = (result.err.strip() or result.out.strip() or f"exit code {result.code}").splitlines()
        super().__init__(f"{' '.join(command.argv)}: {words[-1].strip()}", hint)
        self.command = command
        self.result = result

    @property
    def refused(self) -> bool:
        """Whether it certainly made nothing: the thing was there already, and is not ours to undo."""
        return self.result.code != TIMED_OUT and "already exists" in self.result.err


class Driver(Protocol):
    """One platform: facts from it, and actions on it."""

    def observe(self, query: Query) -> HostState:
        """Run what only reads; raises HostError when the host cannot be read."""
        ...

    def perform(self, action: Action) -> str:
        """Carry out one action and return what its command printed; raises CommandError."""
        ...
