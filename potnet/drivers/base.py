"""The interface of every driver for the layers above, and the error that a driver raises."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from typing import Protocol

from potnet.errors import HostError
from potnet.executors.base import TIMED_OUT, Command, CommandResult
from potnet.host.actions import Action
from potnet.host.findings import Condition
from potnet.host.query import Query
from potnet.host.ruleset import Redirections
from potnet.host.state import ActiveRedirection, ExportTraffic, HostState, Usage
from potnet.host.traits import Traits


class CommandError(HostError):
    """A command returned an exit code that its action does not accept as success.

    begun: the actions of a batch, by their numbers, that may have changed something. in_use: interfaces whose
    names the host already uses, though it may not list them.
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
        """Return whether a time-out or a signal ended the command; the command then cleaned up nothing
        itself."""
        return self.result.code == TIMED_OUT or self.result.code > 128


class Driver(Protocol):
    """One platform: it reads facts and performs actions."""

    @property
    def traits(self) -> Traits:
        """Return the properties that every host of this kind shares."""
        ...

    def observe(self, query: Query) -> HostState:
        """Run commands that only read. Raises HostError if the host cannot be read."""
        ...

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """Return the active redirections of an anchor, at least those that are expected."""
        ...

    def export_traffic(self, anchors: Sequence[str]) -> tuple[ExportTraffic, ...]:
        """Return the counters of the anchors' redirections; some hosts include other redirections."""
        ...

    def real_path(self, path: str) -> str | None:
        """Return a path on the host with its links resolved; None if it does not exist."""
        ...

    def usage(self, pot: str, root: str) -> Usage:
        """Return the resources that a jail uses, as far as the host counts them."""
        ...

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """Return the command that runs a program in a running jail."""
        ...

    def follow(self, path: str) -> Command:
        """Return the command that prints a file, and then its new lines, also after a rotation."""
        ...

    def conditions(self) -> tuple[Condition, ...]:
        """Check what the host provides for pots. Raises HostError if the host cannot be reached."""
        ...

    def check(self, actions: Sequence[Action]) -> None:
        """Check, without a change, that the host has the tools for these actions. Raises HostError
        otherwise."""
        ...

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        """Return the actions in their order, with neighbours that fit into one command grouped."""
        ...

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """Carry out one of the `batches` and return what the command of each action printed.

        Raises CommandError, which lists the begun actions.
        """
        ...

    def describe(self, action: Action) -> tuple[str, ...]:
        """Return the commands of an action as an administrator would type them."""
        ...
