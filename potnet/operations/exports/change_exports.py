"""Find the difference that a change of a pot's exports makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from potnet.errors import PotnetError
from potnet.model.ports import Ends, Exchange, Export, Transport, endpoint
from potnet.runtime.fast_dataclass import dataclass
from potnet.store.exports import Exports


class Change(StrEnum):
    """The kind of change to the exports of a pot."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Exported:
    """The exports of a pot after a change, and the former ones that are withdrawn."""

    name: str
    exports: tuple[Export, ...]
    withdrawn: tuple[Export, ...]


@dataclass(frozen=True, slots=True)
class Abridged:
    """The same for a pot with many exports: only those that the change names; the pot keeps the others."""

    name: str
    exports: tuple[Export, ...]
    withdrawn: tuple[Export, ...]


def exchanges(store: Exports, pot: str, given: Sequence[Export], change: Change) -> tuple[Exchange, ...]:
    """Return the change of a pot's exports; raises PotnetError if a new export takes the port of another.

    The store is asked only for the exports that the change concerns. If the list is replaced, the change
    names the unchanged exports too. A port that was chosen for an export stays with it as long as the export
    exists.
    """
    match change:
        case Change.REPLACE:
            before = store.first_exports(pot, None)
            return _between(before, _replaced(before, given))
        case Change.ADD:
            return _added(store, pot, given)
        case Change.REMOVE:
            return _removed(store, pot, given)


def absent(removed: Sequence[Export], given: Sequence[Export]) -> list[Export]:
    """Return the given exports that match none of the removed ones."""
    alike = _alike(removed)
    return [each for each in given if not any(means(each, there) for there in alike.get(_key(each), ()))]


def means(given: Export, there: Export) -> bool:
    """Whether a given export matches an existing one; omitted parts match anything."""
    return (
        _key(given) == _key(there)
        and given.host_port in (None, there.host_port)
        and given.host_address in (None, there.host_address)
    )


_Key = tuple[Transport, int, int]


def _key(export: Export) -> _Key:
    """Return the parts of an export that are never omitted."""
    return export.protocol, export.pot_port, export.count


def _alike(exports: Iterable[Export]) -> dict[_Key, list[Export]]:
    found: dict[_Key, list[Export]] = {}
    for export in exports:
        found.setdefault(_key(export), []).append(export)
    return found


def _replaced(before: Sequence[Export], given: Sequence[Export]) -> tuple[Export, ...]:
    ends = Ends(given)
    chosen = _alike(each for each in before if each.chosen and ends.clash(each) is None)
    after = []
    for export in given:
        waiting = chosen.get(_key(export), [])
        same = next((each for each in waiting if _waits_for(export, each)), None)
        if same is not None:
            waiting.remove(same)
            export = replace(export, host_port=same.host_port, chosen=True)
        after.append(export)
    return tuple(after)


def _between(before: Sequence[Export], after: Sequence[Export]) -> tuple[Exchange, ...]:
    """Return the exchanges from one list to another; first exports in the same order stay in place."""
    places = {export: place for place, export in enumerate(before)}
    order = [places.get(export, -1) for export in after]
    stay = next((n for n, place in enumerate(order) if place <= max((-1, *order[n - 1 : n]))), len(order))
    kept = frozenset(after[:stay])
    return (
        *(Exchange(each, each) for each in after[:stay]),
        *(Exchange(each, None) for each in before if each not in kept),
        *(Exchange(None, each) for each in after[stay:]),
    )


def _added(store: Exports, pot: str, given: Sequence[Export]) -> tuple[Exchange, ...]:
    found: dict[_Key, list[Exchange]] = {}
    new = []
    for export in given:
        if _key(export) not in found:
            found[_key(export)] = [Exchange(each, each) for _, each in store.exports_alike(pot, export)]
        alike = found[_key(export)]
        known = next((n for n, each in enumerate(alike) if each.after and _is(export, each.after)), None)
        if known is None:
            _refuse_own(store, pot, export)
            new.append(Exchange(None, export))
        else:
            alike[known] = _with_options(alike[known], export)
    changed = (each for alike in found.values() for each in alike if each.before != each.after)
    return (*changed, *new)


def _with_options(known: Exchange, export: Export) -> Exchange:
    """Replace an export by one with the same ports and other options."""
    there = known.after
    assert there is not None
    chosen = there.chosen and export.host_port is None
    return Exchange(known.before, replace(export, host_port=there.host_port, chosen=chosen))


def _refuse_own(store: Exports, pot: str, export: Export) -> None:
    """Raises PotnetError if the pot has another export with one of the host ports."""
    clash = Ends(each for name, each in store.exporters(export.protocol, export.host_ports) if name == pot)
    found = clash.clash(export)
    if found:
        other, end = found
        raise PotnetError(
            f"host port {endpoint(*end, other.host_address)} is already exported by this pot",
            hint="--remove that export first, or choose another host port",
        )


def _removed(store: Exports, pot: str, given: Sequence[Export]) -> tuple[Exchange, ...]:
    found = {
        place: each
        for wanted in given
        for place, each in store.exports_alike(pot, wanted)
        if means(wanted, each)
    }
    return tuple(Exchange(found[place], None) for place in sorted(found))


def _is(given: Export, there: Export) -> bool:
    """Whether an added export equals an existing one with a given or chosen port."""
    ports = given.host_port == there.host_port or _waits_for(given, there)
    return ports and means(given, there) and given.host_address == there.host_address


def _waits_for(given: Export, there: Export) -> bool:
    """Whether an export without a host port can have the port that was chosen for another."""
    same = _key(given) == _key(there) and given.host_address == there.host_address
    return given.host_port is None and there.chosen and same
