"""The exports of a pot after its list is replaced, added to or taken from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from potnet.errors import PotnetError
from potnet.model.ports import Ends, Export, Transport, endpoint


class Change(StrEnum):
    """The kind of change to the exports of a pot."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


def changed(before: Sequence[Export], given: Sequence[Export], change: Change) -> tuple[Export, ...]:
    """Return the changed exports of a pot; raises PotnetError if a new export takes the port of another.

    A port that was chosen for an export stays with it as long as the export exists.
    """
    match change:
        case Change.REPLACE:
            return _replaced(before, given)
        case Change.ADD:
            return _added(before, given)
        case Change.REMOVE:
            alike = _alike(given)
            return tuple(
                each
                for each in before
                if not any(means(wanted, each) for wanted in alike.get(_key(each), ()))
            )


def absent(before: Sequence[Export], given: Sequence[Export]) -> list[Export]:
    """Return the given exports that match no existing export."""
    alike = _alike(before)
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


def _added(before: Sequence[Export], given: Sequence[Export]) -> tuple[Export, ...]:
    after = list(before)
    places: dict[_Key, list[int]] = {}
    for place, export in enumerate(after):
        places.setdefault(_key(export), []).append(place)
    ends = Ends(after)
    for export in given:
        alike = places.setdefault(_key(export), [])
        known = next((each for each in alike if _is(export, after[each])), None)
        if known is not None:
            # A new export with the same ports and other options replaces the old one.
            there = after[known]
            after[known] = replace(
                export, host_port=there.host_port, chosen=there.chosen and export.host_port is None
            )
            continue
        clash = ends.clash(export)
        if clash:
            other, end = clash
            raise PotnetError(
                f"host port {endpoint(*end, other.host_address)} is already exported by this pot",
                hint="--remove that export first, or choose another host port",
            )
        alike.append(len(after))
        after.append(export)
        ends.add(export)
    return tuple(after)


def _is(given: Export, there: Export) -> bool:
    """Whether an added export equals an existing one with a given or chosen port."""
    ports = given.host_port == there.host_port or _waits_for(given, there)
    return ports and means(given, there) and given.host_address == there.host_address


def _waits_for(given: Export, there: Export) -> bool:
    """Whether an export without a host port can have the port that was chosen for another."""
    same = _key(given) == _key(there) and given.host_address == there.host_address
    return given.host_port is None and there.chosen and same
