"""Names of existing objects, for completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from potnet.app import App


def pot_names(app: App) -> tuple[str, ...]:
    """Return all pots, sorted."""
    return app.store.pot_names()


def bridge_names(app: App) -> tuple[str, ...]:
    """Return all bridges, sorted."""
    return tuple(bridge.name for bridge in app.store.bridges())


def sides(app: App) -> tuple[str, ...]:
    """Return all pots and bridges as `policy` takes them, sorted; ambiguous names include the kind."""
    pots, bridges = pot_names(app), bridge_names(app)
    shared = {name.lower() for name in pots} & {name.lower() for name in bridges}
    sides = [("pot", name) for name in pots] + [("bridge", name) for name in bridges]
    return tuple(sorted(f"{what}:{name}" if name.lower() in shared else name for what, name in sides))


def users(app: App) -> tuple[str, ...]:
    """Return the users who may own taps, sorted."""
    from potnet.host.query import Query
    from potnet.operations.pots.virtual_machines import ROOT

    if app.rootless is not None:
        return (ROOT,)
    return tuple(sorted(app.driver.observe(Query(users=None)).users))


def exports(app: App, pot: str | None) -> tuple[str, ...]:
    """Return the exports of a pot as `export-ports` takes them; None: the only pot that exists."""
    from potnet.operations.selection import only_pot

    found = app.store.pot(pot if pot is not None else only_pot(app))
    return tuple(map(str, found.exports)) if found is not None else ()


def parameters(app: App, pot: str | None) -> tuple[str, ...]:
    """Return the names of a pot's jail parameters; None: of the only pot that exists."""
    from potnet.model.jail_parameters import positive, split
    from potnet.operations.selection import only_pot

    found = app.store.pot(pot if pot is not None else only_pot(app))
    return tuple(positive(split(each)[0]) for each in found.parameters) if found is not None else ()
