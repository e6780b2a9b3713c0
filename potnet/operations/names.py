"""The names of what there is, to be chosen from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from potnet.app import App


def pot_names(app: App) -> tuple[str, ...]:
    """All pots, sorted."""
    return app.store.pot_names()


def bridge_names(app: App) -> tuple[str, ...]:
    """All bridges, sorted."""
    return tuple(bridge.name for bridge in app.store.bridges())


def all_names(app: App) -> tuple[str, ...]:
    """All pots and bridges, each name once, sorted."""
    return tuple(sorted({*pot_names(app), *bridge_names(app)}))
