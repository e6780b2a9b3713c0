"""Carry out actions: neighbours of a kind share a few commands, others run one by one."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NoReturn

from potnet.drivers import posix
from potnet.drivers.base import CommandError
from potnet.drivers.detection import detecting
from potnet.drivers.leases import awaiting
from potnet.drivers.linux.commands.answers import failure, hint, refused, succeeded
from potnet.drivers.linux.commands.batches import batch, forced_batch, in_each, links_removed, written
from potnet.drivers.linux.commands.passed import taking_back
from potnet.drivers.linux.commands.render import Ip, Piece, Renderer
from potnet.drivers.linux.facts import parse
from potnet.drivers.linux.facts.names import MEMBERS, entering, uplink, without_export
from potnet.drivers.linux.facts.neighbours import detection, has_lease
from potnet.drivers.linux.facts.observe import Observer
from potnet.drivers.linux.facts.reader import ABSENT
from potnet.drivers.linux.nft import filter as nft
from potnet.drivers.linux.nft.exports import Element
from potnet.drivers.linux.uplinks.uplink import Uplink, external_link, part
from potnet.executors.base import Command, CommandResult, Executor
from potnet.host.actions import Action, AwaitAddress, CreateBridge, DestroyInterface, RemoveAddress, TakeBack
from potnet.host.file_actions import RemoveFile, WriteFile
from potnet.host.filter_actions import EndUntranslated, FilterMembers, KillStates, LoadAnchor
from potnet.host.jail_actions import AwaitLease, EndProcesses, RunInJail, StartJail, StopJail
from potnet.host.ruleset import NoRules, Redirection
from potnet.host.state import called_in, free_names
from potnet.model.pots import GROUP

#: Waits until pots have no processes, for three seconds at most.
_WAIT = """looks=150
for pot; do
  while [ -n "$(ip netns pids "$pot")" ] && [ $looks -gt 0 ]; do looks=$((looks - 1)); sleep 0.02; done
done"""

Batch = Sequence[Action]


class Performer:
    """Renders actions as commands and runs them."""

    def __init__(self, executor: Executor, observer: Observer, rules: nft.Filter, wires: Uplink) -> None:
        self._executor = executor
        self._observer = observer
        self._renderer = Renderer()
        self._filter = rules
        self._uplink = wires

    def batches(self, actions: Batch) -> tuple[tuple[Action, ...], ...]:
        """See `potnet.drivers.base.Driver`."""
        found: list[tuple[Action, ...]] = []
        for together, group in groupby(actions, self._together):
            run = tuple(group)
            found += [run] if together else [(action,) for action in run]
        return tuple(found)

    def perform(self, actions: Batch) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        together = self._together(actions[0])
        if together:
            together(actions)
            return self._outputs(actions)
        said = self._alone(actions[0])
        return (said,) if isinstance(actions[0], RunInJail) else self._outputs(actions)

    def commands(self, action: Action) -> Iterator[Command]:
        """Yield the commands of a single action; each is computed after the previous one has run."""
        match action:
            case LoadAnchor():
                yield from nft.opening((action,))
                text = self._filter.load(action, nft.leaving(action))
                yield from (nft.loading(text),) if text else ()
            case FilterMembers(_, enabled):
                yield nft.loading(self._filter.members() if enabled else f"delete table {MEMBERS}\n")
            case CreateBridge(members=(external,)):
                yield from self._bridge_outside(action, external)
            case DestroyInterface(name) if name.startswith("bridge"):
                yield from self._remove_bridge(action)
            case EndUntranslated():
                yield from self._ending([action])
            case KillStates(redirections, ()):
                for each in redirections:
                    for one in self._connected(each):
                        yield from self._pieces(KillStates((one,)))
            case AwaitAddress(interface, address, jail):
                argv = (*entering(jail), "ip", "-j", "addr", "show", "dev", interface)
                run = self._observer.run
                yield from detecting(action, lambda: detection(parse.documents(run(*argv).out), address))
            case AwaitLease(interface, jail):
                yield from awaiting(lambda: has_lease(self._observer.run, jail, interface))
            case TakeBack():
                yield from _commands(self._taking_back(action))
            case _:
                yield from self._pieces(action)

    def _pieces(self, action: Action) -> Iterator[Command]:
        yield from _commands(self._renderer.pieces(action))

    def _taking_back(self, action: TakeBack) -> tuple[Piece, ...]:
        """Take a passed link from a pot, under any name."""
        network = self._observer.namespaces.network(action.jail)
        links = network.interfaces.values() if network is not None else ()
        called = called_in(action.lent, links)
        if network is None or called is None:
            return ()
        names = {each.name for each in links}
        free = next(free_names(names)) if action.lent.name in names else ""
        # An earlier record lacks the group, and the names that the link had.
        extra = network.interfaces[called].altnames if action.lent.link_group else ()
        command, lines = taking_back(action, called, free, extra)
        return command, Ip(lines)

    def _connected(self, redirection: Redirection) -> Iterator[Redirection]:
        """Split a redirection into ports; with several ports, only those with connections are returned."""
        first, count = redirection.host_port, redirection.count
        if count == 1:
            yield redirection
            return
        for port in sorted(
            self._observer.connections.ports_called(redirection) & {*range(first, first + count)}
        ):
            pot_port = redirection.pot_port + port - first
            yield replace(redirection, host_port=port, pot_port=pot_port, count=1)

    def _together(self, action: Action) -> Callable[[Batch], None] | None:
        """Return the method that carries out an action with its neighbours; None if it runs alone."""
        match action:
            case LoadAnchor():
                return self._load
            case WriteFile():
                return self._write
            case RemoveFile():
                return self._remove
            case KillStates(whole_pot=addresses) if addresses:
                return self._kill_states
            case EndUntranslated():
                return self._end_untranslated
            case EndProcesses() | StopJail() | RemoveAddress():
                return self._take_away
            case TakeBack() | AwaitAddress() | AwaitLease():
                return None
            case DestroyInterface(name) if not name.startswith("bridge"):
                return self._take_away
            case DestroyInterface() | CreateBridge() | FilterMembers():
                # The bridge may need a wire to the outside.
                return None
        only_lines = len(self._renderer.lines(action)) == len(self._renderer.pieces(action))
        return self._build if only_lines else None

    def _outputs(self, actions: Batch) -> tuple[str, ...]:
        started = tuple(action.jail.name for action in actions if isinstance(action, StartJail))
        if not started:
            return ("",) * len(actions)
        try:
            ids = self._observer.namespaces.namespace_ids(started)
        except CommandError as error:
            error.begun = range(len(actions))
            raise
        return tuple(str(ids.get(a.jail.name, "")) if isinstance(a, StartJail) else "" for a in actions)

    def _alone(self, action: Action) -> str:
        said = ""
        for number, command in enumerate(self.commands(action)):
            said = self._run(action, command, begun=(0,) if number else None)
        return said

    def _run(
        self, action: Action, command: Command, begun: Collection[int] | None = None, batch: Batch = ()
    ) -> str:
        result = self._executor.run(command)
        if posix.make_mutable(self._executor, result, batch or (action,), ("chattr", "-ia"), "chattr"):
            result = self._executor.run(command)
        if not succeeded(action, result):
            raise failure(command, result, begun)
        return result.out

    def _build(self, actions: Batch) -> None:
        """Run lines for ip(8): first those in the host's namespace, then those in each pot's.

        Namespaces come first. A link that is created in its final namespace needs no move. A move costs 20
        ms, because the kernel waits for all readers of the link.
        """
        host: list[str] = []
        owners: list[int] = []
        inside: dict[str, list[str]] = {}
        for number in sorted(range(len(actions)), key=lambda n: not isinstance(actions[n], StartJail)):
            for piece in self._renderer.lines(actions[number]):
                if piece.namespace is None:
                    host += piece.lines
                    owners += [number] * len(piece.lines)
                else:
                    inside.setdefault(piece.namespace, []).extend(piece.lines)
        if host:
            self._run_lines(Ip(tuple(host)), owners)
        try:
            self._run_inside([Ip(tuple(lines), name) for name, lines in inside.items()])
        except CommandError as error:
            error.begun = range(len(actions))
            raise

    def _run_inside(self, pieces: Sequence[Ip]) -> None:
        """Run lines in namespaces, with one command for several namespaces."""
        if len(pieces) < 2:
            for piece in pieces:
                self._run_lines(piece)
            return
        command = in_each(pieces)
        result = self._executor.run(command)
        if result.code == 0:
            return
        failed = [piece for piece in pieces if piece.namespace in result.out.split()]
        if len(failed) == 1:
            self._blame(failed[0], command, result)
        raise failure(command, result)

    def _run_lines(self, piece: Ip, owners: Sequence[int] = ()) -> None:
        """Run lines, and report which line failed. owners: the number of each line's action."""
        command = batch(piece)
        result = self._executor.run(command)
        if result.code != 0:
            self._blame(piece, command, result, owners)

    def _blame(
        self, piece: Ip, command: Command, result: CommandResult, owners: Sequence[int] = ()
    ) -> NoReturn:
        """Raise CommandError for the line that failed."""
        line = parse.failed_line(result.err)
        if line is None or line >= len(piece.lines):
            # Any of the lines may have been carried out.
            raise failure(command, result, owners)
        where = ("-n", piece.namespace) if piece.namespace else ()
        failed = Command(("ip", *where, *shlex.split(piece.lines[line])))
        said = CommandResult(result.code, err=parse.without_line(result.err))
        carried_out = line if refused(said) else line + 1
        raise CommandError(failed, said, hint(result), owners[:carried_out])

    def _take_away(self, actions: Batch) -> None:
        """End the processes of stopped pots, then remove namespaces, addresses and links."""
        self._end_processes([action for action in actions if isinstance(action, EndProcesses)])
        links = [action.interface for action in actions if isinstance(action, DestroyInterface)]
        others = [each for each in actions if isinstance(each, (StopJail, RemoveAddress))]
        lines = [line for action in others for piece in self._renderer.lines(action) for line in piece.lines]
        # Links come first, because the kernel removes the links of a namespace one by one.
        if links or lines:
            self._run(actions[-1], forced_batch(Ip((*links_removed(links), *lines))))

    def _end_processes(self, stops: Sequence[EndProcesses]) -> None:
        names = tuple(stop.jail for stop in stops)
        for signal in ("TERM", "KILL"):
            found = self._observer.namespaces.processes(names) if names else {}
            if not found:
                return
            pids = [pid for each in found.values() for pid in each]
            self._run(stops[0], Command(("kill", "-s", signal, *pids)))
            self._run(stops[0], Command(("sh", "-c", _WAIT, "sh", *found)))

    def _write(self, actions: Batch) -> None:
        files = [(action.path, action.text) for action in actions if isinstance(action, WriteFile)]
        if len(files) == 1:
            self._alone(actions[0])
        else:
            self._run(actions[0], written(files), range(len(actions)), actions)

    def _remove(self, actions: Batch) -> None:
        """Remove files; equal names in several directories share one command."""
        names: dict[str, tuple[str, ...]] = {}
        for action in actions:
            if isinstance(action, RemoveFile):
                names[action.directory] = (*names.get(action.directory, ()), action.name)
        for own in dict.fromkeys(names.values()):
            directories = [directory for directory in names if names[directory] == own]
            self._run(actions[0], posix.removal(directories, own), batch=actions)

    def _kill_states(self, actions: Batch) -> None:
        """End all connections to pots; with several pots, one look finds those with connections."""
        if len(actions) > 1:
            found = self._observer.connections.connected()
            actions = [a for a in actions if isinstance(a, KillStates) and found & {*map(str, a.whole_pot)}]
        for action in actions:
            self._alone(action)

    def _end_untranslated(self, actions: Batch) -> None:
        """End untranslated connections, with one look for all pots."""
        for command in self._ending([each for each in actions if isinstance(each, EndUntranslated)]):
            self._run(actions[0], command)

    def _ending(self, actions: Sequence[EndUntranslated]) -> Iterator[Command]:
        found = self._observer.connections.untranslated(
            [r for action in actions for r in action.redirections],
            dict.fromkeys(outlet for action in actions for outlet in action.outlets),
        )
        yield from (Command(("conntrack", "-D", *each)) for each in found)

    def _load(self, actions: Batch) -> None:
        """Load rules; several anchors share one transaction, unless the transaction fails."""
        loads = [action for action in actions if isinstance(action, LoadAnchor)]
        if len(loads) > 1 and self._load_all(loads):
            return
        for number, action in enumerate(loads):
            try:
                self._load_one(action)
            except CommandError as error:
                error.begun = range(number + len(error.begun))
                raise

    def _load_all(self, loads: Sequence[LoadAnchor]) -> bool:
        """Return whether the transaction succeeded; a failed transaction changes nothing."""
        text = "".join(self._filter.load(each, nft.leaving(each)) for each in loads)
        commands = (*nft.opening(loads), *((nft.loading(text),) if text else ()))
        return all(self._executor.run(command).code == 0 for command in commands)

    def _load_one(self, action: LoadAnchor) -> None:
        for command in nft.opening((action,)):
            self._run(action, command)
        leaving = nft.leaving(action)
        result = self._transact(action, leaving)
        several = len(leaving) > 1 or (leaving and action.rules != NoRules())
        if result.code != 0 and any(words in result.err for words in ABSENT):
            # A transaction with one missing element changes nothing.
            there = self._those_there(leaving) if several else self._chains_of_exports(action)
            result = self._transact(action, there) if several or there else result
        if not succeeded(action, result):
            raise failure(nft.loading(""), result)

    def _chains_of_exports(self, action: LoadAnchor) -> list[str]:
        """Return the commands that empty the chains of a pot's exports, if nobody knows these exports."""
        if not action.rules == NoRules() == action.replaced:
            return []
        chains = (name for name, lines in self._observer.chains().items() if lines[0].startswith("chain "))
        of_exports = (each for each in chains if each != without_export(each) == action.anchor)
        return [f"flush chain inet {GROUP} {each}" for each in of_exports]

    def _transact(self, action: LoadAnchor, leaving: Sequence[str]) -> CommandResult:
        text = self._filter.load(action, leaving)
        return self._executor.run(nft.loading(text)) if text else CommandResult()

    def _those_there(self, removals: Sequence[str]) -> tuple[str, ...]:
        """Return the possible removals, those of elements first, because chains go after their references."""
        entries = {
            Element(each.place, each.key, family="bridge" if each.members else "inet").removal
            for table in self._observer.tables()
            for each in parse.entries(table)
        }
        blocks = {*self._observer.chains(), *self._observer.member_chains()}
        elements = [each for each in removals if each in entries]
        others = [
            each for each in removals if not each.startswith("delete element") and each.split()[-1] in blocks
        ]
        if self._would_take((*elements, *others)):
            return (*elements, *others)
        found = elements
        for removal in others:
            found += [removal] if self._would_take((*found, removal)) else []
        return tuple(found)

    def _would_take(self, lines: Sequence[str]) -> bool:
        return self._observer.would_take("".join(f"{line}\n" for line in lines))

    def _bridge_outside(self, action: CreateBridge, external: str) -> Iterator[Command]:
        """Create a bridge with a wire to an external interface, which keeps its addresses."""
        near = self._observer.link(uplink(action.interface)[0])
        if near:
            # This wire remains from a bridge that somebody has removed.
            before, after = part(action.interface, near)
            yield from (*before, forced_batch(Ip(after)))
        found = external_link(self._observer.link(external) or {}, external)
        for piece in (*self._renderer.pieces(action), *self._uplink.join(action.interface, found)):
            yield batch(piece) if isinstance(piece, Ip) else piece

    def _remove_bridge(self, action: DestroyInterface) -> Iterator[Command]:
        before, after = part(action.interface, self._observer.link(uplink(action.interface)[0]) or {})
        yield from before
        yield forced_batch(Ip((f"link del dev {action.interface}", *after)))


def _commands(pieces: Iterable[Piece]) -> Iterator[Command]:
    for piece in pieces:
        yield batch(piece) if isinstance(piece, Ip) else piece
