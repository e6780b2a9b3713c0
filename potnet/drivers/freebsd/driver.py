"""The FreeBSD driver, which observes a host and performs actions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from potnet.drivers import posix
from potnet.drivers.base import CommandError
from potnet.drivers.detection import detecting
from potnet.drivers.freebsd.commands import answers, dhcp
from potnet.drivers.freebsd.commands.download import fetch_with_progress
from potnet.drivers.freebsd.commands.jails import jail_text
from potnet.drivers.freebsd.commands.passed import renamed_in, taking_back
from potnet.drivers.freebsd.commands.processes import ending
from potnet.drivers.freebsd.commands.render import Renderer
from potnet.drivers.freebsd.commands.taps import is_tap
from potnet.drivers.freebsd.conditions import conditions
from potnet.drivers.freebsd.facts.devfs import hides, ruleset_of
from potnet.drivers.freebsd.facts.observe import Observer
from potnet.drivers.freebsd.facts.traits import TRAITS
from potnet.drivers.freebsd.pf.parse_pf import inward_states, redirected_states, untranslated_states
from potnet.drivers.freebsd.pf.rules import Render, rules_text
from potnet.drivers.leases import awaiting
from potnet.drivers.reading import UnreadableError
from potnet.errors import HostError
from potnet.executors.base import TIMED_OUT, Command, CommandResult, Executor, as_shell
from potnet.host.actions import Action, AwaitAddress, DestroyInterface, TakeBack
from potnet.host.file_actions import Fetch, RemoveFile
from potnet.host.filter_actions import EndUntranslated, KillStates
from potnet.host.findings import Condition
from potnet.host.jail_actions import AwaitLease, EndProcesses, Jail, ShowPackets, StartDhcp, StopJail
from potnet.host.query import Query
from potnet.host.ruleset import Redirections, Ruleset
from potnet.host.state import (
    ActiveRedirection,
    AnchorRules,
    ExportTraffic,
    FileKind,
    HostState,
    Usage,
    called_in,
    free_names,
)
from potnet.host.traits import Traits
from potnet.model.jail_parameters import DEVFS_RULESET
from potnet.runtime.progress import Progress

#: The limit of kills for processes that keep creating others.
_KILLS = 10


_ANY_JAIL = Jail("any", "any", "/any", devfs=True)


class FreeBSD:
    """Carries actions to a FreeBSD host through an executor. progress: shows downloads."""

    def __init__(self, executor: Executor, template: Render, progress: Progress | None = None) -> None:
        self._executor = executor
        self._progress = progress or Progress()
        self._observer = Observer(executor)
        self._template = template
        self._renderer = Renderer(template, self._observer.counts_exactly)

    def observe(self, query: Query) -> HostState:
        """See `potnet.drivers.base.Driver`."""
        state = self._observer.observe(query)
        mounted = [ruleset for path, ruleset in query.devfs if state.files.get(path) is FileKind.DIRECTORY]
        if mounted or query.rulesets:
            state = replace(state, open_rulesets=self._open_rulesets({*mounted, *query.rulesets}))
        if not query.anchors:
            return state
        return replace(state, anchors={name: self._rules(name, wanted) for name, wanted in query.anchors})

    def _open_rulesets(self, wanted: Iterable[int | None]) -> dict[int | None, int]:
        """Return the rulesets that hide nothing, as the jail template has them, which may be an
        administrator's own."""
        found = {}
        for given in wanted:
            own = () if given is None else (f"{DEVFS_RULESET}={given}",)
            number = ruleset_of(jail_text(replace(_ANY_JAIL, parameters=own), self._template))
            if number is not None and not self._hides(number):
                found[given] = number
        return found

    def _hides(self, ruleset: int) -> bool:
        return hides(ruleset, self._observer.devfs_rules, self._observer.sysctl)

    def _rules(self, anchor: str, wanted: Ruleset) -> AnchorRules:
        """Compare rules in the form that pf lists, because the administrator may have own templates."""
        normal = self._observer.filter.normal_form(
            anchor, rules_text(self._template, wanted, self._observer.counts_exactly)
        )
        rules = self._observer.filter.listed(anchor, normal)
        # Tables without rules have no effect.
        tables = [(name, self._observer.filter.table(anchor, name)) for name, _ in normal.tables if rules]
        expected = (*map(_shown_table, normal.tables), *normal.translation, *normal.filters)
        return AnchorRules(expected, (*map(_shown_table, tables), *rules))

    @property
    def traits(self) -> Traits:
        """See `potnet.drivers.base.Driver`."""
        return TRAITS

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """Return all active redirect rules of an anchor."""
        return self._observer.filter.redirections(anchor)

    def export_traffic(self, anchors: Sequence[str]) -> tuple[ExportTraffic, ...]:
        """See `potnet.drivers.base.Driver`."""
        return tuple(each for anchor in anchors for each in self._observer.filter.export_traffic(anchor))

    def real_path(self, path: str) -> str | None:
        """See `potnet.drivers.base.Driver`."""
        return self._observer.real_path(path)

    def usage(self, pot: str, root: str) -> Usage:
        """See `potnet.drivers.base.Driver`."""
        return self._observer.usage(pot, root)

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """See `potnet.drivers.base.Driver`."""
        return Command(("jexec", jail, *argv), timeout=None, inside=True)

    def follow(self, path: str) -> Command:
        """See `potnet.drivers.base.Driver`."""
        return posix.following(path)

    def conditions(self) -> tuple[Condition, ...]:
        """See `potnet.drivers.base.Driver`."""
        return conditions(self._observer.sysctl)

    def check(self, actions: Sequence[Action]) -> None:
        """See `potnet.drivers.base.Driver`: the base system includes every tool."""

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        """See `potnet.drivers.base.Driver`: removals in one directory are grouped, other actions stay
        alone."""
        found: list[tuple[Action, ...]] = []
        for together, group in groupby(actions, _together):
            run = tuple(group)
            found += [run] if together is not None else [(action,) for action in run]
        return tuple(found)

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        if isinstance(batch[0], EndProcesses):
            self._end_processes([action for action in batch if isinstance(action, EndProcesses)])
            return ("",) * len(batch)
        removals = [action for action in batch if isinstance(action, RemoveFile)]
        if len(removals) > 1:
            command = posix.removal((removals[0].directory,), [removal.name for removal in removals])
            self._run(removals[0], command, range(len(batch)), removals)
            return ("",) * len(batch)
        return tuple(self._perform(action) for action in batch)

    def _perform(self, action: Action) -> str:
        out = ""
        for number, command in enumerate(self._commands(action)):
            out = self._run(action, command, (0,) if number else None)
        return out

    def _run(
        self,
        action: Action,
        command: Command,
        begun: Collection[int] | None = None,
        batch: Sequence[Action] = (),
    ) -> str:
        result = self._answer(action, command)
        clear = ("chflags", "-h", "0")
        if posix.make_mutable(self._executor, result, batch or (action,), clear, "/bin/chflags"):
            result = self._executor.run(command)
        if not answers.succeeded(action, result):
            if begun is None:
                begun = () if answers.refused(result) else (0,)
            hint, in_use = answers.hint(action, result), answers.in_use(command, result)
            raise CommandError(command, result, hint, begun, in_use)
        return result.out

    def _answer(self, action: Action, command: Command) -> CommandResult:
        if isinstance(action, Fetch) and self._progress.visible:
            return fetch_with_progress(self._executor, self._progress, action, command)
        return self._executor.run(command)

    def describe(self, action: Action) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        return tuple(as_shell(command) for command in self._commands(action))

    def _commands(self, action: Action) -> Iterable[Command]:
        """Yield the commands of an action; each is computed after the previous one has run."""
        if isinstance(action, DestroyInterface) and is_tap(action.interface):
            return self._removing_tap(action)
        if isinstance(action, KillStates):
            return self._killing(action)
        if isinstance(action, EndUntranslated):
            return self._ending(action)
        if isinstance(action, TakeBack):
            return self._taking_back(action)
        if isinstance(action, StopJail) and action.jail.vnet_interfaces:
            return self._stopping(action)
        if isinstance(action, AwaitAddress):
            return self._awaiting(action)
        if isinstance(action, EndProcesses):
            return (ending(self._jids([action]), "TERM"),)
        if isinstance(action, ShowPackets):
            return dhcp.showing(action, self._observer.devfs_rules, self._hides)
        if isinstance(action, StartDhcp):
            return (dhcp.starting(action),)
        if isinstance(action, AwaitLease):
            return awaiting(lambda: self._leased(action))
        return self._renderer.commands(action)

    def _removing_tap(self, action: DestroyInterface) -> Iterator[Command]:
        """Take a tap from its owner, unless that is root, then destroy it, unless a process has it open.

        Otherwise the kernel would wait uninterruptibly for the process, and nobody could create or destroy an
        interface meanwhile (tun_destroy in if_tuntap.c, if_clone_destroyif in if_clone.c).
        """
        *disown, destroy = self._renderer.commands(action)
        yield from disown
        process = self._observer.opened_by(action.interface)
        if process is not None:
            # From now on the kernel ignores writes to the tap (tunwrite).
            yield Command(("ifconfig", action.interface, "down"))
            raise HostError(
                f"{action.interface} is down, and is removed when process {process} ends, which uses it"
            )
        yield destroy

    def _awaiting(self, action: AwaitAddress) -> Iterator[Command]:
        """Wait until the kernel of a jail has looked for duplicates of an address."""
        look = self._observer
        yield from detecting(action, lambda: look.detection(action.jail, action.interface, action.address))

    def _leased(self, action: AwaitLease) -> bool:
        """Return whether an interface of a jail has an IPv4 address, or is not there."""
        try:
            found = [each for each in self._observer.links(action.jail) if each.name == action.interface]
        except UnreadableError:
            return True
        return not found or any(each.address.version == 4 for each in found[0].addresses)

    def _end_processes(self, actions: Sequence[EndProcesses]) -> None:
        """End processes as jail(8) does: TERM first, KILL after ten seconds."""
        jids = self._jids(actions)
        left = self._observer.processes(jids) if jids else frozenset()
        for signal, seconds in (("TERM", 10), *(("KILL", 1),) * _KILLS):
            if not left:
                return
            # 1: the processes have just ended by themselves.
            self._expect(ending(jids, signal), (0, 1))
            waiting = Command(("pwait", "-t", str(seconds), *sorted(left)))
            ended = self._expect(waiting, (0, TIMED_OUT)).code == 0
            left = self._observer.processes(jids) - (left if ended else frozenset())
        names = ", ".join(each.jail for each in actions)
        raise HostError(f"processes in {names} cannot be killed: {', '.join(sorted(left)[:10])}")

    def _jids(self, actions: Sequence[EndProcesses]) -> list[int]:
        found = [each.jid if each.jid is not None else self._observer.jid(each.jail) for each in actions]
        return [jid for jid in found if jid is not None]

    def _expect(self, command: Command, codes: Collection[int]) -> CommandResult:
        result = self._executor.run(command)
        if result.code not in codes:
            raise CommandError(command, result)
        return result

    def _taking_back(self, action: TakeBack) -> Iterator[Command]:
        """Take a passed interface from a jail, under any name."""
        lent, jail = action.lent, action.jail
        found = self._observer.links(jail)
        called = called_in(lent, found)
        if called is None:
            return
        if self._observer.has(lent.name):
            raise HostError(
                f"{lent.name} stays in {jail}, which calls it {called!r}: the host has another {lent.name}",
                hint=f"give the other one a name of its own: `ifconfig {lent.name} name NAME`",
            )
        names = {each.name for each in found}
        if called != lent.name in names:
            # The jail created an interface with this name.
            yield renamed_in(jail, lent.name, next(free_names(names)))
        yield from taking_back(action, called)

    def _stopping(self, action: StopJail) -> Iterator[Command]:
        """Remove a jail. Interfaces that somebody else moved into it come back under free names."""
        jail = action.jail.name
        inside = self._hardware_in(jail)
        # After a normal start the jail has no such interface, which saves the look.
        taken = self._observer.names() if inside else frozenset()
        free = free_names(taken.union(inside))
        for name in inside:
            if name in taken:
                yield renamed_in(jail, name, next(free))
        yield from self._renderer.commands(action)

    def _hardware_in(self, jail: str) -> list[str]:
        """Return the interfaces of a jail except its loopback; none if they are unreadable, so that a stop
        continues."""
        try:
            return [each.name for each in self._observer.links(jail) if each.mac is not None]
        except UnreadableError:
            return []

    def _killing(self, action: KillStates) -> tuple[Command, ...]:
        """Return one command for all states towards a pot; pfctl(8) kills inbound states only one by one."""
        whole = action.whole_pot
        read = inward_states if whole else redirected_states
        keys = read(self._observer.filter.states(), action.redirections)
        towards = [
            Command(("pfctl", "-k", "0.0.0.0/0" if address.version == 4 else "::/0", "-k", str(address)))
            for address in (whole if keys else ())
        ]
        return (*towards, *(Command(("pfctl", "-k", "id", "-k", key)) for key in keys))

    def _ending(self, action: EndUntranslated) -> tuple[Command, ...]:
        """Return one command for each state; the host's addresses are read only if a state exists."""
        found = untranslated_states(self._observer.filter.states(), action.redirections)
        offered = self._observer.offered(action.outlets) if found else frozenset()
        offered |= {each.host for each in action.redirections if each.host is not None}
        keys = [key for key, at, local in found if at in offered or (local and at.is_loopback())]
        return tuple(Command(("pfctl", "-k", "id", "-k", key)) for key in keys)


def _together(action: Action) -> str | None:
    """Return the group of an action: neighbours with the same directory fit into one command."""
    if isinstance(action, EndProcesses):
        return ""
    return action.directory if isinstance(action, RemoveFile) else None


def _shown_table(table: tuple[str, frozenset[str]]) -> str:
    name, entries = table
    return f"table <{name}> {{ {' '.join(sorted(entries))} }}"
