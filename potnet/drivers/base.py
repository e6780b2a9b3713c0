"""The interface of every driver for the layers above, and the failure that it reports."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from typing import Protocol

from potnet.errors import HostError
from potnet.executors.base import TIMED_OUT, Command, CommandResult
from potnet.host.actions import Action
from potnet.host.findings import Condition
from potnet.host.ruleset import Redirections
from potnet.host.state import ActiveRedirection, ExportTraffic, HostState, Query, Usage
from potnet.host.traits import Traits


class CommandError(HostError):
    """A command answered with a code that its action does not accept as success.

    begun: the actions of a batch, by their numbers, that may have changed something.
    in_use: interfaces that could not be made because the host has them, though it may not show them.
    """

    def __init__(
        self,
        command: Command,
        result: CommandResult,
        hint: str | None = None,
        begun: Collection[int] = (0,),
        in_use: Collection[str] = (),
    ) -> None:
        said = result.err.strip() or result.out.strip() or f"exit code {result.code}"
        words = "; ".join(line.strip() for line in said.split("\n")[:3])
        super().__init__(f"{shlex.join(command.argv)}: {words}", hint)
        self.command = command
        self.result = result
        self.begun = begun
        self.in_use = frozenset(in_use)

    @property
    def killed(self) -> bool:
        """Whether the command took too long, or a signal ended it: then it has undone nothing itself."""
        return self.result.code == TIMED_OUT or self.result.code > 128


class Driver(Protocol):
    """One platform: facts from it, and actions on it."""

    @property
    def traits(self) -> Traits:
        """What is the same on every host of this kind."""
        ...

    def observe(self, query: Query) -> HostState:
        """Run what only reads; raises HostError when the host cannot be read."""
        ...

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """The redirections in force in an anchor, of which these are looked for at least."""
        ...

    def export_traffic(self, anchors: Sequence[str]) -> tuple[ExportTraffic, ...]:
        """What went through the redirections of anchors, and on some hosts of others, too."""
        ...

    def real_path(self, path: str) -> str | None:
        """A path on the host with its links resolved; None when it is not there."""
        ...

    def usage(self, pot: str, root: str) -> Usage:
        """What a jail takes of the host, as far as the host counts it."""
        ...

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """The command that runs a program in a running jail."""
        ...

    def conditions(self) -> tuple[Condition, ...]:
        """What the host has of what pots need; raises HostError when it cannot be asked at all."""
        ...

    def check(self, actions: Sequence[Action]) -> None:
        """Raises HostError when the host lacks a tool that one of these needs; changes nothing."""
        ...

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        """The actions in their order, neighbours that can go in one command together."""
        ...

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """Carry out one of the `batches` and return what the command of each action printed.

        Raises CommandError, which says which of them have begun.
        """
        ...

    def describe(self, action: Action) -> tuple[str, ...]:
        """The commands of an action as an administrator would type them."""
        ...
