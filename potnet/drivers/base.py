"""What every driver offers to the layers above, and the failure that it reports."""

from __future__ import annotations

import shlex
from typing import Protocol

from potnet.actions import Action
from potnet.errors import HostError
from potnet.executors.base import TIMED_OUT, Command, CommandResult
from potnet.host_state import ActiveRedirection, HostState, Query, Usage


class CommandError(HostError):
    """A command answered with a code that its action does not take for success."""

    def __init__(self, command: Command, result: CommandResult, hint: str | None = None) -> None:
        said = result.err.strip() or result.out.strip() or f"exit code {result.code}"
        words = "; ".join(line.strip() for line in said.splitlines()[:3])
        super().__init__(f"{shlex.join(command.argv)}: {words}", hint)
        self.command = command
        self.result = result

    @property
    def refused(self) -> bool:
        """Whether it certainly made nothing: the thing was there already, and is not ours to undo."""
        return self.result.code != TIMED_OUT and "already exists" in self.result.err

    @property
    def taken_names(self) -> frozenset[str]:
        """The interfaces that could not be made because the host has them, though it may not show them."""
        argv = self.command.argv
        if not self.refused or argv[0] != "ifconfig" or argv[2:3] != ("create",):
            return frozenset()
        name = argv[1]
        return frozenset({f"{name}a", f"{name}b"} if name.startswith("epair") else {name})


class Driver(Protocol):
    """One platform: facts from it, and actions on it."""

    def observe(self, query: Query) -> HostState:
        """Run what only reads; raises HostError when the host cannot be read."""
        ...

    def redirections(self, anchor: str) -> tuple[ActiveRedirection, ...]:
        """The redirections in force in an anchor."""
        ...

    def real_path(self, path: str) -> str | None:
        """A path on the host with its links resolved; None when it is not there."""
        ...

    def usage(self, pot: str, root: str) -> Usage:
        """What a jail takes of the host, as far as the host counts it."""
        ...

    def perform(self, action: Action) -> str:
        """Carry out one action and return what its command printed; raises CommandError."""
        ...

    def describe(self, action: Action) -> tuple[str, ...]:
        """The commands of an action as an administrator would type them."""
        ...
