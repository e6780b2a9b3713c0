"""Find users of a Unix host, and the owners of its taps: getent(1), id(1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from potnet.drivers.reading import lines_of
from potnet.executors.base import CommandResult

Run = Callable[..., CommandResult]


def users(run: Run, names: tuple[str, ...] | None) -> frozenset[str]:
    """Return those of these names that are users; None: all users that the host lists."""
    if names is None:
        return frozenset(line.partition(":")[0] for line in lines_of(run("getent", "passwd").out))
    return frozenset(name for name in names if _number(run, name) is not None)


def misowned(
    run: Run, found: Mapping[str, str | None], wanted: tuple[tuple[str, str], ...]
) -> dict[str, str | None]:
    """Return those of the found taps that should have another owner. None: anybody's."""
    return {tap: found[tap] for tap, owner in wanted if tap in found and not _is_same(run, found[tap], owner)}


def _is_same(run: Run, one: str | None, other: str) -> bool:
    """Return whether two names are the same user, as root and toor are."""
    if one is None or one == other:
        return one == other
    return (number := _number(run, one)) is not None and number == _number(run, other)


def _number(run: Run, user: str) -> str | None:
    result = run("id", "-u", user)
    return result.out.strip() if result.code == 0 else None
