"""Stop pots and start them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from potnet.errors import HostError
from potnet.model.pots import Pot, Run
from potnet.operations.common import Failures, look_for, require_pot
from potnet.operations.running.start import start_each
from potnet.operations.running.stop import stop_each
from potnet.planning.ownership import owned
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App


@dataclass(frozen=True, slots=True)
class Restarted:
    """The result for one pot. changed: it was started. stopped: it was stopped before that."""

    name: str
    changed: bool
    stopped: bool


def restart(app: App, names: Sequence[str]) -> tuple[Restarted, ...]:
    """Stop pots and start them again; a stopped pot is started, and so are the pots that these require.

    Every pot is tried, then all failures are raised together. A pot that could not be stopped is not started.
    """
    failures = Failures("restart")
    pots, runs = app.store.pots_named(names), app.store.runs_named(names)
    ours = []
    for name in names:
        with failures.collect(name):
            _refuse_attached(app, pots[name] if name in pots else require_pot(app, name), runs.get(name))
            ours.append(name)
    stopped = stop_each(app, ours, failures)
    started = start_each(app, [outcome.name for outcome in stopped], failures)
    running_now = [f"{outcome.name} is running" for outcome in started]
    down = [f"{outcome.name} is stopped" for outcome in stopped if outcome.name in failures.names]
    failures.throw([*running_now, *down], app.notify)
    were_up = {outcome.name for outcome in stopped if outcome.changed}
    return tuple(Restarted(each.name, each.changed, each.name in were_up) for each in started)


def _refuse_attached(app: App, pot: Pot, run: Run | None) -> None:
    """Raises HostError if another program made the jail, because potnet cannot start that jail."""
    if run is not None and run.attached and owned(run, look_for(app, pot, run).jails.get(pot.name)):
        raise HostError(
            f"potnet did not create the jail {pot.name}",
            hint="restart it with the program that created the jail",
        )
