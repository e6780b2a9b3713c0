"""network.antispoof: restrict all running pots to their own addresses, or none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import HostError
from potnet.host.state import HostState
from potnet.model.pots import Pot
from potnet.planning.ownership import presence, there

if TYPE_CHECKING:
    from potnet.app import App


def in_force(app: App, starting: str = "") -> bool:
    """Whether starting pots get antispoof. Raises HostError while other pots run without it.

    While a pot runs with antispoof, starting pots get it too. The filter then inspects all bridge members,
    and a pot without rules of its own would pass unfiltered. starting: a pot that does not count.
    """
    if not app.config.antispoof:
        return bool(_running(app, app.store.guarded(), starting))
    others = _running(app, app.store.unguarded(), starting)
    if others:
        raise HostError(
            f"network.antispoof is set, but these pots were started without it: {', '.join(others)}",
            hint="stop them and start them again",
        )
    return True


def guarded(app: App, pot: Pot) -> Pot:
    """Return the pot with the antispoof setting for its start. Raises HostError as `in_force`."""
    return replace(pot, antispoof=True) if pot.attachments and in_force(app, pot.name) else pot


def _running(app: App, names: Iterable[str], starting: str) -> list[str]:
    """Return those names of pots on bridges whose jails or taps exist."""
    found = (app.store.run(name) for name in names if name != starting)
    runs = [run for run in found if run is not None and run.pot.attachments]
    state = app.driver.observe(presence(run.pot for run in runs)) if runs else HostState()
    return [run.pot.name for run in runs if there(run, state)]
