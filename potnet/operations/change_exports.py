"""What a pot exports once its list is replaced, added to or taken from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from potnet.errors import PotnetError
from potnet.ports import Export, endpoint


class Change(StrEnum):
    """What becomes of the exports that a pot has."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


def changed(before: Sequence[Export], given: Sequence[Export], change: Change) -> tuple[Export, ...]:
    """The exports of a pot afterwards; raises PotnetError when one that is added takes the port of another.

    A port that was chosen for an export stays with it as long as the export does.
    """
    match change:
        case Change.REPLACE:
            return _replaced(before, given)
        case Change.ADD:
            return _added(before, given)
        case Change.REMOVE:
            return tuple(each for each in before if not any(means(wanted, each) for wanted in given))


def means(given: Export, there: Export) -> bool:
    """Whether an export as it was typed is one that is there: what it does not say may be anything."""
    return (
        (given.protocol, given.pot_port, given.count) == (there.protocol, there.pot_port, there.count)
        and given.host_port in (None, there.host_port)
        and given.host_address in (None, there.host_address)
    )


def _replaced(before: Sequence[Export], given: Sequence[Export]) -> tuple[Export, ...]:
    chosen = [each for each in before if each.chosen and not any(map(each.clash, given))]
    after = []
    for export in given:
        same = next((each for each in chosen if _waits_for(export, each)), None)
        if same is not None:
            chosen.remove(same)
            export = replace(export, host_port=same.host_port, chosen=True)
        after.append(export)
    return tuple(after)


def _added(before: Sequence[Export], given: Sequence[Export]) -> tuple[Export, ...]:
    after = list(before)
    for export in given:
        there = next((each for each in after if _is(export, each)), None)
        if there is not None:
            # The same ports with other options: they take the place of those that it had.
            kept = replace(
                export, host_port=there.host_port, chosen=there.chosen and export.host_port is None
            )
            after[after.index(there)] = kept
            continue
        for other in after:
            clash = export.clash(other)
            if clash:
                raise PotnetError(
                    f"host port {endpoint(*clash, other.host_address)} is exported by this pot already",
                    hint="--remove that export first, or choose another host port",
                )
        after.append(export)
    return tuple(after)


def _is(given: Export, there: Export) -> bool:
    """Whether an export that is added is one that is there, given or chosen."""
    ports = given.host_port == there.host_port or _waits_for(given, there)
    return ports and means(given, there) and given.host_address == there.host_address


def _waits_for(given: Export, there: Export) -> bool:
    """Whether an export without a host port can have the one that was chosen for another."""
    same = (given.protocol, given.pot_port, given.count, given.host_address) == (
        there.protocol, there.pot_port, there.count, there.host_address,
    )  # fmt: skip
    return given.host_port is None and there.chosen and same
