"""The Linux driver, which observes a host and performs actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from potnet.drivers import posix
from potnet.drivers.linux.commands.render import Render
from potnet.drivers.linux.conditions import LOOK, conditions
from potnet.drivers.linux.facts.observe import Observer
from potnet.drivers.linux.facts.traits import TRAITS
from potnet.drivers.linux.nft import filter as nft
from potnet.drivers.linux.nft.rules import Rules
from potnet.drivers.linux.perform import Performer
from potnet.drivers.linux.preconditions import Preconditions
from potnet.drivers.linux.uplinks.uplink import Uplink
from potnet.drivers.linux.uplinks.wires import Wires
from potnet.executors.base import Command, Executor, as_shell
from potnet.host.actions import Action
from potnet.host.findings import Condition
from potnet.host.query import Query
from potnet.host.ruleset import Redirections
from potnet.host.state import ActiveRedirection, ExportTraffic, HostState, Usage
from potnet.host.traits import Traits


class Linux:
    """Carries actions to a Linux host through an executor."""

    def __init__(self, executor: Executor, template: Render) -> None:
        rules = nft.Filter(template)
        self._observer = Observer(executor)
        uplink = Uplink(template)
        self._wires = Wires(self._observer, uplink)
        self._rules = Rules(self._observer, rules)
        self._preconditions = Preconditions(self._observer, rules, uplink)
        self._performer = Performer(executor, self._observer, rules, uplink)

    @property
    def traits(self) -> Traits:
        """See `potnet.drivers.base.Driver`."""
        return TRAITS

    def observe(self, query: Query) -> HostState:
        """See `potnet.drivers.base.Driver`."""
        state = self._observer.observe(query)
        if query.anchors:
            state = replace(state, anchors=self._rules.look(query.anchors))
        if query.uplinks:
            state = replace(state, interfaces=self._wires.without_broken(state.interfaces))
        if query.all_rules:
            state = replace(state, stray=self._rules.stray(query.all_rules))
        return state

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """Return the expected redirections that the map has; only they are looked up, the map is never
        listed."""
        return tuple(
            ActiveRedirection(
                interface,
                r.protocol,
                host if r.host is None else str(r.host),
                r.host_port,
                r.address,
                r.pot_port,
                r.count,
                source,
            )
            for r in self._rules.in_force(expected)
            for interface, host in nft.external_host(expected.outlets)
            for source in r.sources or (None,)
        )

    def export_traffic(self, anchors: Sequence[str]) -> tuple[ExportTraffic, ...]:
        """See `potnet.drivers.base.Driver`: all exports are read, because nft(8) cannot read fewer."""
        return self._observer.connections.export_traffic() if anchors else ()

    def real_path(self, path: str) -> str | None:
        """See `potnet.drivers.base.Driver`."""
        return self._observer.real_path(path)

    def usage(self, pot: str, root: str) -> Usage:
        """See `potnet.drivers.base.Driver`: a network namespace has no memory counter."""
        return self._observer.usage(root)

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """See `potnet.drivers.base.Driver`."""
        return Command(("ip", "netns", "exec", jail, *argv), timeout=None, inside=True)

    def follow(self, path: str) -> Command:
        """See `potnet.drivers.base.Driver`."""
        return posix.following(path)

    def conditions(self) -> tuple[Condition, ...]:
        """See `potnet.drivers.base.Driver`."""
        return conditions(self._observer.run("sh", "-c", LOOK).out)

    def check(self, actions: Sequence[Action]) -> None:
        """See `potnet.drivers.base.Driver`."""
        self._preconditions.check(actions)

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        """See `potnet.drivers.base.Driver`."""
        return self._performer.batches(actions)

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        return self._performer.perform(batch)

    def describe(self, action: Action) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        return tuple(as_shell(command) for command in self._performer.commands(action))
