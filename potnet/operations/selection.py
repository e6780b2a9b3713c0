"""The pots that a command applies to, and their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from potnet.errors import PotnetError, UsageError
from potnet.model.pots import Pot, ResolverKind
from potnet.operations.common import require_pot
from potnet.planning.ownership import presence_of_all, running

if TYPE_CHECKING:
    from potnet.app import App


#: The largest priority, and the negative of the smallest.
MOST_PRIORITY = 1_000_000


def named_pots(app: App, names: Sequence[str]) -> list[str]:
    """Return the names as they are on record, each once; raises PotnetError for an unknown name."""
    return list(dict.fromkeys(require_pot(app, name).name for name in names))


def all_pots(app: App) -> list[str]:
    """Return the names of all pots."""
    return list(app.store.pot_names())


def boot_pots(app: App) -> list[str]:
    """Return the names of the pots that start when the host boots."""
    return [pot.name for pot in app.store.pots() if pot.boot]


def running_pots(app: App) -> list[str]:
    """Return the running pots whose jails potnet made."""
    runs = app.store.runs()
    state = app.driver.observe(presence_of_all(runs))
    return [run.pot.name for run in runs if not run.attached and running(run, state)]


def only_pot(app: App) -> str:
    """Return the name of the only pot; raises PotnetError that lists the pots if there are several."""
    names = app.store.pot_names()
    if len(names) == 1:
        return names[0]
    if not names:
        raise PotnetError("no pot exists yet", hint="create one with `potnet create`")
    raise PotnetError(
        f"missing pot: there are {len(names)}: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}",
        hint="give -p POT, or set POTNET_POT",
    )


def needs(app: App, pot: Pot) -> tuple[str, ...]:
    """Return the pots that this pot depends on: those it needs, and the DNS server that is its resolver."""
    if pot.resolver.kind is not ResolverKind.POT:
        return pot.needs
    server = app.store.called("pot", app.config.dns_name)
    return (*pot.needs, *((server,) if server is not None and server not in pot.needs else ()))


def parse_needs(app: App, pot: Pot, values: Sequence[str]) -> tuple[str, ...]:
    """Return the --needs values as they are on record. Raises PotnetError for an unknown pot or a circle."""
    names = tuple(dict.fromkeys(require_pot(app, value).name for value in values))
    refuse_circle(app, replace(pot, needs=names))
    return names


def refuse_circle(app: App, pot: Pot) -> None:
    """Raises PotnetError if a pot, as it is about to be recorded, would depend on itself."""
    in_order([pot.name], lambda name: needs(app, pot if name == pot.name else require_pot(app, name)))


def check_priority(priority: int) -> int:
    """Return a valid priority; raises UsageError."""
    if abs(priority) > MOST_PRIORITY:
        raise UsageError(
            f"invalid priority {priority}", hint=f"use a number from -{MOST_PRIORITY} to {MOST_PRIORITY}"
        )
    return priority


def by_priority(app: App, names: Sequence[str]) -> list[str]:
    """Return names in the order of their priorities; names of one priority keep their order."""
    known = app.store.priorities()
    return sorted(names, key=lambda name: known.get(name, 0))


def levels(app: App, names: Sequence[str]) -> list[list[str]]:
    """Split ordered names where the priority changes: each part waits for the one before it."""
    known = app.store.priorities()
    return [[*part] for _, part in groupby(names, key=lambda name: known.get(name, 0))]


def check_needs(app: App, pot: Pot) -> None:
    """Raises PotnetError if a pot that this one depends on is missing or unsuitable."""
    if pot.resolver.kind is not ResolverKind.POT:
        return
    name, address = app.config.dns_name, app.config.dns_address
    server = app.store.pot(name)
    hint = (
        f"create it (`potnet create -p {name} -N public-bridge …`), "
        f"or choose another resolver: `potnet set -p {pot.name} -d inherit`"
    )
    if server is None:
        raise PotnetError(f"{pot.name} has its resolver in the pot {name}, which does not exist", hint)
    if address not in server.leased:
        raise PotnetError(f"pot {name} does not have the resolvers' address {address}", hint)


def in_order(names: Iterable[str], needed: Callable[[str], Sequence[str]]) -> list[str]:
    """Return `names` and their dependencies, each after its own; raises PotnetError on a cycle."""
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise PotnetError(
                f"pots depend on each other in a circle: {circle}",
                hint=f"`potnet info -p {name}` shows what it requires",
            )
        path.append(name)
        for other in needed(name):
            visit(other)
        path.pop()
        done[name] = None

    for name in names:
        visit(name)
    return list(done)
