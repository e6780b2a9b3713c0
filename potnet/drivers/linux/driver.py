"""The Linux driver: observe, perform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from potnet.actions import (
    Action,
    CreateBridge,
    DestroyInterface,
    KillStates,
    LoadAnchor,
    RemoveAddress,
    RemoveDirectory,
    RemoveFile,
    ReplaceFile,
    RestoreFile,
    RunInJail,
    StartJail,
    StopJail,
)
from potnet.drivers.base import CommandError
from potnet.drivers.linux import filter as nft
from potnet.drivers.linux import parse
from potnet.drivers.linux.names import uplink
from potnet.drivers.linux.observe import ABSENT, TRAITS, Observer
from potnet.drivers.linux.preconditions import Preconditions
from potnet.drivers.linux.render import Ip, Piece, Render, Renderer, batch, merged
from potnet.drivers.linux.rules import Rules
from potnet.drivers.linux.uplink import Uplink, external_link, part
from potnet.executors.base import NOT_FOUND, Command, CommandResult, Executor, as_shell
from potnet.host_state import ActiveRedirection, ExportTraffic, HostState, Query, Traits, Usage
from potnet.ruleset import NoRules, Redirections

_REMOVING = (DestroyInterface, StopJail, RemoveAddress)
#: Waits until a pot has no processes, for three seconds at most.
_WAIT = """looks=150
while [ -n "$(ip netns pids "$1")" ] && [ $looks -gt 0 ]; do looks=$((looks - 1)); sleep 0.02; done"""


class Linux:
    """Carries actions to a Linux host through an executor."""

    def __init__(self, executor: Executor, template: Render) -> None:
        self._executor = executor
        self._observer = Observer(executor)
        self._renderer = Renderer()
        self._filter = nft.Filter(template)
        self._rules = Rules(self._observer, self._filter)
        self._uplink = Uplink(template)
        self._preconditions = Preconditions(self._observer, self._filter, self._uplink)

    @property
    def traits(self) -> Traits:
        """See `potnet.drivers.base.Driver`."""
        return TRAITS

    def observe(self, query: Query) -> HostState:
        """See `potnet.drivers.base.Driver`."""
        state = self._observer.observe(query)
        return replace(state, anchors=self._rules.look(query.anchors)) if query.anchors else state

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """Those of the expected redirections that the map has: it is asked for them, never listed."""
        return tuple(
            ActiveRedirection(interface, r.protocol, host, r.host_port, r.address, r.pot_port)
            for r in self._rules.in_force(expected)
            for interface, host in nft.external_host(expected.outlets)
        )

    def export_traffic(self, anchor: str) -> tuple[ExportTraffic, ...]:
        """See `potnet.drivers.base.Driver`: a map sees first packets only, so there are none."""
        return ()

    def real_path(self, path: str) -> str | None:
        """See `potnet.drivers.base.Driver`."""
        return self._observer.real_path(path)

    def usage(self, pot: str, root: str) -> Usage:
        """See `potnet.drivers.base.Driver`: memory is not counted for a network namespace."""
        return self._observer.usage(root)

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """See `potnet.drivers.base.Driver`."""
        return Command(("ip", "netns", "exec", jail, *argv), timeout=None)

    def check(self, actions: Sequence[Action]) -> None:
        """See `potnet.drivers.base.Driver`."""
        self._preconditions.check(actions)

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        """See `potnet.drivers.base.Driver`: neighbours that are lines for ip(8) go together."""
        found: list[tuple[Action, ...]] = []
        for kind, group in groupby(actions, self._batchable):
            run = tuple(group)
            found += [run] if kind else [(action,) for action in run]
        return tuple(found)

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        if self._batchable(batch[0]):
            self._perform_lines(batch)
        else:
            for command in self._commands(batch[0]):
                self._run(batch[0], command)
        return tuple(self._output(action) for action in batch)

    def describe(self, action: Action) -> tuple[str, ...]:
        """See `potnet.drivers.base.Driver`."""
        return tuple(as_shell(command) for command in self._commands(action))

    def _batchable(self, action: Action) -> str:
        """Which batches an action may go into: those that build, those that take away, or none."""
        if isinstance(action, (StopJail, LoadAnchor)) or _is_bridge(action):
            return ""
        if not all(isinstance(piece, Ip) for piece in self._renderer.pieces(action)):
            return ""
        return "removing" if isinstance(action, _REMOVING) else "making"

    def _output(self, action: Action) -> str:
        if not isinstance(action, StartJail):
            return ""
        return str(self._observer.namespace_id(action.jail.name) or "")

    def _perform_lines(self, actions: Sequence[Action]) -> None:
        """Carry out actions that are lines, and say of a failure which of them it was."""
        owners, pieces = [], []
        for number, action in enumerate(actions):
            for piece in _lines(self._renderer.pieces(action)):
                pieces.append(piece)
                owners += [number] * len(piece.lines)
        removing = isinstance(actions[0], _REMOVING)
        passed = 0
        for piece in merged(pieces):
            command = batch(piece, force=removing)
            result = self._executor.run(command)
            if not _succeeded(actions[0], result):
                line = parse.failed_line(result.err)
                # Without a line any of them may have been carried out.
                known = line is not None and passed + line < len(owners) and not removing
                done = owners[passed + (line or 0)] if known else owners[-1]
                raise CommandError(command, result, _hint(result), 0 if removing else done)
            passed += len(piece.lines)

    def _run(self, action: Action, command: Command) -> None:
        result = self._executor.run(command)
        if not _succeeded(action, result):
            raise CommandError(command, result, hint=_hint(result))

    def _commands(self, action: Action) -> Iterator[Command]:
        """The commands of an action that goes alone; each is asked for when the one before is done."""
        match action:
            case LoadAnchor():
                yield from self._load(action)
            case CreateBridge(members=(external,)):
                yield from self._bridge_outside(action, external)
            case DestroyInterface() if _is_bridge(action):
                yield from self._remove_bridge(action)
            case StopJail():
                yield from self._stop(action)
            case _:
                for piece in self._renderer.pieces(action):
                    yield batch(piece) if isinstance(piece, Ip) else piece

    def _load(self, action: LoadAnchor) -> Iterator[Command]:
        bridge = nft.opened_bridge(action.rules)
        if bridge:
            yield Command(("tee", nft.route_localnet(bridge)), stdin="1\n")
        yield from self._transaction(action)

    def _transaction(self, action: LoadAnchor) -> Iterator[Command]:
        leaving = nft.leaving(action)
        if len(leaving) > 1 or (leaving and action.rules != NoRules()):
            # A transaction with one absent element in it does nothing at all.
            leaving = leaving if self._all_there(leaving) else self._those_there(leaving)
        text = self._filter.load(action, leaving)
        if text:
            yield nft.loading(text)

    def _those_there(self, removals: Sequence[str]) -> tuple[str, ...]:
        """Each is tried after those that are there: a chain can go once nothing leads to it."""
        found: tuple[str, ...] = ()
        for removal in removals:
            found += (removal,) if self._all_there((*found, removal)) else ()
        return found

    def _all_there(self, removals: Sequence[str]) -> bool:
        """Whether the kernel would take all of this away."""
        return self._observer.would_take("".join(f"{line}\n" for line in removals))

    def _bridge_outside(self, action: CreateBridge, external: str) -> Iterator[Command]:
        """A bridge with a wire to an external interface, which itself keeps its addresses."""
        near = self._observer.link(uplink(action.interface)[0])
        if near:
            # Left by a bridge that somebody has removed.
            before, after = part(action.interface, near)
            yield from (*before, batch(Ip(after), force=True))
        found = external_link(self._observer.link(external) or {}, external)
        for piece in (*self._renderer.pieces(action), *self._uplink.join(action.interface, found)):
            yield batch(piece) if isinstance(piece, Ip) else piece

    def _remove_bridge(self, action: DestroyInterface) -> Iterator[Command]:
        before, after = part(action.interface, self._observer.link(uplink(action.interface)[0]) or {})
        yield from before
        yield batch(Ip((f"link del dev {action.interface}", *after)), force=True)

    def _stop(self, action: StopJail) -> Iterator[Command]:
        """End the processes in a pot's own namespace, then take its name away."""
        if action.jail.vnet_interfaces:
            for signal in ("TERM", "KILL"):
                found = self._observer.processes(action.jail.name)
                if not found:
                    break
                yield Command(("kill", "-s", signal, *found))
                yield Command(("sh", "-c", _WAIT, "sh", action.jail.name))
        for piece in merged(_lines(self._renderer.pieces(action))):
            yield batch(piece, force=True)


def _is_bridge(action: Action) -> bool:
    """Whether the action needs more than lines, for the wire that a bridge may have to the outside."""
    if isinstance(action, DestroyInterface):
        return action.interface.startswith("bridge")
    return isinstance(action, CreateBridge) and bool(action.members)


def _lines(pieces: Sequence[Piece]) -> list[Ip]:
    return [piece for piece in pieces if isinstance(piece, Ip)]


def _succeeded(action: Action, result: CommandResult) -> bool:
    if result.code == NOT_FOUND:
        return False
    match action:
        case RunInJail(tolerant=True):
            return True
        case RemoveFile() | ReplaceFile() | RestoreFile() | RemoveDirectory():
            # find(1) exits 0 even if what it ran failed; what went wrong is on standard error.
            return not parse.other_complaints(result.err, ABSENT)
        case StopJail() if "No such process" in result.err:
            # It ended by itself, before it was told to.
            return True
        case CreateBridge() if "/disable_ipv6: No such file" in result.err:
            # A host without IPv6.
            return True
        case KillStates():
            return result.code == 0 or "0 flow entries have been deleted" in result.err
        case DestroyInterface() | StopJail() | RemoveAddress() | LoadAnchor(rules=NoRules()):
            return result.code == 0 or _only_absent(result)
        case _:
            return result.code == 0


def _only_absent(result: CommandResult) -> bool:
    """Whether nothing went wrong but that something was not there. nft(8) shows what it was told, too."""
    complaints = [line for line in result.err.splitlines() if "Error" in line or "error" in line]
    if complaints:
        return all(any(words in line for words in ABSENT) for line in complaints)
    return not parse.other_complaints(result.err, ABSENT)


def _hint(result: CommandResult) -> str | None:
    if result.code == NOT_FOUND:
        return "install iproute2, nftables and conntrack, or look at --host and --via"
    if "Exchange full" in result.err:
        return f"a bridge takes {TRAITS.bridge_ports} members: stop a pot on it, or use another bridge"
    if "permi" in result.err.lower():
        return "potnet changes the host's network: run it as root, or as root of a namespace (unshare -Urnm)"
    return None
