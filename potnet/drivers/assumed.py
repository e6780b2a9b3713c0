"""A driver for dry runs, which assumes that every printed command has succeeded.

A dry run of several pots thereby plans the second one as the real run would: the first one's bridge exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from potnet.drivers.base import Driver
from potnet.executors.base import Command
from potnet.host.actions import (
    Action,
    AddMember,
    CreateBridge,
    CreateEpair,
    CreateTap,
    CreateVlan,
    DestroyInterface,
    PassInterface,
    RemoveAddress,
    RestoreInterface,
    SetAddress,
    SetForwarding,
    SetMtu,
    TakeBack,
)
from potnet.host.file_actions import MoveFile, RemoveFile, RestoreFile, WriteFile
from potnet.host.filter_actions import FilterMembers, LoadAnchor
from potnet.host.findings import Condition
from potnet.host.jail_actions import Jail, StartJail, StopJail
from potnet.host.query import Query
from potnet.host.ruleset import NoRules, Redirections, Ruleset, SourceNat
from potnet.host.state import (
    ActiveRedirection,
    ExportTraffic,
    FileKind,
    HostState,
    Interface,
    InterfaceAddress,
    JailState,
    Usage,
)
from potnet.host.traits import Traits
from potnet.model.pots import BRIDGE_GROUP, GROUP

#: The kernel never assigns such JIDs.
_FIRST_JID = 1_000_000


class Assumed:
    """A driver that answers like `inner`, with the effect of all earlier actions added."""

    def __init__(self, inner: Driver) -> None:
        self._inner = inner
        self._actions: list[Action] = []
        self._jids: dict[str, int] = {}

    def observe(self, query: Query) -> HostState:
        """See `Driver`."""
        state = self._inner.observe(query)
        for action in self._actions:
            state = self._after(state, action, query)
        return state

    @property
    def traits(self) -> Traits:
        """See `Driver`."""
        return self._inner.traits

    def follow(self, path: str) -> Command:
        """See `Driver`."""
        return self._inner.follow(path)

    def conditions(self) -> tuple[Condition, ...]:
        """See `Driver`."""
        return self._inner.conditions()

    def check(self, actions: Sequence[Action]) -> None:
        """See `Driver`."""
        self._inner.check(actions)

    def batches(self, actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
        """See `Driver`."""
        return self._inner.batches(actions)

    def perform(self, batch: Sequence[Action]) -> tuple[str, ...]:
        """See `Driver`. A jail gets a JID at once, so that it counts as started."""
        outputs = self._inner.perform(batch)
        self._actions += batch
        return tuple(self._output(action, out) for action, out in zip(batch, outputs, strict=True))

    def _output(self, action: Action, out: str) -> str:
        if isinstance(action, StartJail):
            self._jids[action.jail.name] = _FIRST_JID + len(self._jids)
            return f"{self._jids[action.jail.name]}\n"
        return out

    def enter(self, jail: str, argv: tuple[str, ...]) -> Command:
        """See `Driver`."""
        return self._inner.enter(jail, argv)

    def redirections(self, anchor: str, expected: Redirections) -> tuple[ActiveRedirection, ...]:
        """See `Driver`."""
        return self._inner.redirections(anchor, expected)

    def export_traffic(self, anchors: Sequence[str]) -> tuple[ExportTraffic, ...]:
        """See `Driver`."""
        return self._inner.export_traffic(anchors)

    def real_path(self, path: str) -> str | None:
        """See `Driver`."""
        return self._inner.real_path(path)

    def usage(self, pot: str, root: str) -> Usage:
        """See `Driver`."""
        return self._inner.usage(pot, root)

    def describe(self, action: Action) -> tuple[str, ...]:
        """See `Driver`."""
        return self._inner.describe(action)

    def _after(self, state: HostState, action: Action, query: Query) -> HostState:
        match action:
            case CreateBridge(name, text, members, mtu):
                made = Interface(name, True, None, mtu or _MTU, text, _OF_BRIDGE, members=members)
                return _with_interface(state, made, query)
            case CreateEpair(unit, text, _, _, mtu):
                made = Interface(f"epair{unit}a", True, None, mtu or _MTU, text, _OURS)
                return _with_interface(_with_interface(state, Interface(f"epair{unit}b"), query), made, query)
            case CreateTap(name, text, _, mtu):
                return _with_interface(state, Interface(name, True, None, mtu or _MTU, text, _OURS), query)
            case CreateVlan(name, _, _, text, mtu):
                return _with_interface(state, Interface(name, True, None, mtu, text, _OURS), query)
            case SetMtu(name, mtu, None) if name in state.interfaces:
                found = replace(state.interfaces[name], mtu=mtu)
                return replace(state, interfaces={**state.interfaces, name: found})
            case PassInterface(name):
                return _without_interface(state, name)
            case TakeBack(lent) | RestoreInterface(lent):
                return _with_interface(state, Interface(lent.name, lent.up, lent.mac, lent.mtu), query)
            case DestroyInterface(name):
                return _without_interface(state, name)
            case SetAddress(name, address, prefix, None):
                return _changed(state, name, added=InterfaceAddress(address, prefix))
            case RemoveAddress(name, address):
                return _changed(state, name, removed=address)
            case AddMember(bridge, member):
                return _changed(state, bridge, member=member)
            case SetForwarding(family, enabled) if state.forwarding:
                return replace(state, forwarding={**state.forwarding, family: enabled})
            case FilterMembers(switches, enabled) if query.unfiltered:
                off = tuple(name for name in state.unfiltered if name not in switches)
                return replace(state, unfiltered=off if enabled else (*off, *switches))
            case LoadAnchor(anchor, rules):
                return _loaded(state, anchor, rules, query)
            case StartJail(jail):
                return self._started(_with_aliases(state, jail), jail, query)
            case StopJail(jail):
                left = {name: each for name, each in state.jails.items() if name != jail.name}
                return replace(_without_aliases(state, jail), jails=left)
            case WriteFile(path):
                return _with_files(state, {path: FileKind.FILE})
            case RemoveFile(directory, name):
                return _with_files(state, {f"{directory}/{name}": FileKind.ABSENT})
            case MoveFile(source, destination):
                return _moved(state, source, destination)
            case RestoreFile(directory, name, saved):
                return _moved(state, f"{directory}/{saved}", f"{directory}/{name}")
        return state

    def _started(self, state: HostState, jail: Jail, query: Query) -> HostState:
        if query.jails is not None and jail.name not in query.jails:
            return state
        started = JailState(self._jids[jail.name], jail.name, jail.root)
        return replace(state, jails={**state.jails, jail.name: started})


_OF_BRIDGE = frozenset({GROUP, BRIDGE_GROUP})
_OURS = frozenset({GROUP})
#: The prefix length of a jail's alias.
_HOST_BITS = {4: 32, 6: 128}
#: The MTU of an interface if none is given.
_MTU = 1500


def _loaded(state: HostState, anchor: str, rules: Ruleset, query: Query) -> HostState:
    """Return the state with other rules in an anchor, if the query covers the anchor."""
    looked = state.anchors.get(anchor)
    wanted = dict(query.anchors).get(anchor)
    names = state.anchor_names - {anchor} if rules == NoRules() else state.anchor_names
    if looked is not None:
        looked = replace(looked, found=looked.expected if rules == wanted else (), held=NoRules())
    return replace(
        state,
        nat_loaded=isinstance(rules, SourceNat) if anchor == query.loaded_anchor else state.nat_loaded,
        anchors=state.anchors if looked is None else {**state.anchors, anchor: looked},
        anchor_names=names,
    )


def _with_interface(state: HostState, made: Interface, query: Query) -> HostState:
    """Return the state with one more interface, if the query covers the interface."""
    new = {made.name}
    asked = query.interfaces is None or made.name in query.interfaces
    shown: Mapping[str, Interface] = {made.name: made} if asked else {}
    return replace(
        state,
        names=state.names | new if query.names or made.name in query.candidates else state.names,
        own=state.own | new if query.own and GROUP in made.groups else state.own,
        taps=state.taps | new & {*query.taps},
        pot_bridges=state.pot_bridges | new
        if query.pot_bridges and BRIDGE_GROUP in made.groups
        else state.pot_bridges,
        interfaces={**state.interfaces, **shown},
    )


def _without_interface(state: HostState, name: str) -> HostState:
    """Return the state without an interface, and without the other end of an epair."""
    gone = {f"{name[:-1]}a", f"{name[:-1]}b"} if name.startswith("epair") else {name}
    left = {
        key: replace(found, members=tuple(m for m in found.members if m not in gone))
        for key, found in state.interfaces.items()
        if key not in gone
    }
    return replace(
        state,
        names=state.names - gone,
        own=state.own - gone,
        taps=state.taps - gone,
        pot_bridges=state.pot_bridges - gone,
        interfaces=left,
        routes=tuple(route for route in state.routes if route.interface not in gone),
    )


def _with_aliases(state: HostState, jail: Jail) -> HostState:
    for name, address in jail.aliases:
        state = _changed(state, name, added=InterfaceAddress(address, _HOST_BITS[address.version]))
    return state


def _without_aliases(state: HostState, jail: Jail) -> HostState:
    for name, address in jail.aliases:
        state = _changed(state, name, removed=address)
    return state


def _with_files(state: HostState, changed: Mapping[str, FileKind]) -> HostState:
    """Return the state with other kinds of files, as far as the query covers them."""
    seen = {path: kind for path, kind in changed.items() if path in state.files}
    return replace(state, files={**state.files, **seen})


def _moved(state: HostState, source: str, destination: str) -> HostState:
    """Return the state with a file renamed; a missing file is not renamed."""
    kind = state.files.get(source, FileKind.ABSENT)
    if kind is FileKind.ABSENT:
        return state
    return _with_files(state, {destination: kind, source: FileKind.ABSENT})


def _changed(
    state: HostState,
    name: str,
    added: InterfaceAddress | None = None,
    removed: object = None,
    member: str | None = None,
) -> HostState:
    """Return the state with an interface's addresses or members changed, if it was observed."""
    found = state.interfaces.get(name)
    if found is None:
        return state
    addresses = tuple(a for a in found.addresses if a.address != removed)
    changed = replace(
        found,
        up=True,
        addresses=(*addresses, added) if added else addresses,
        members=(*found.members, member) if member else found.members,
    )
    return replace(state, interfaces={**state.interfaces, name: changed})
