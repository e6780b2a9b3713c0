"""Which jails on a host are potnet's own."""

from __future__ import annotations

from potnet.errors import HostError
from potnet.host_state import HostState, JailState
from potnet.model import Pot, Run


def owned(run: Run | None, found: JailState | None) -> bool:
    """Whether a jail on the host is the one that potnet started: name, path and JID are as recorded.

    While a start is under way, or after one was cut off, there is no JID yet: then name and path count.
    """
    if run is None or found is None or found.dying or found.path not in (None, run.pot.root):
        return False
    return run.jid is None or run.jid == found.jid


def refuse_foreign(pot: Pot, run: Run | None, found: JailState | None) -> None:
    """Raises HostError when a jail of this name is there that potnet did not start."""
    if found is None or found.dying or owned(run, found):
        return
    where = f", path {found.path}" if found.path else ""
    raise HostError(
        f"a jail named {pot.name} is running (jid {found.jid}{where}) that potnet did not start",
        hint=f"stop it with what started it, or `jail -r {found.jid}`",
    )


def running(run: Run | None, state: HostState) -> bool:
    """Whether a recorded start is complete and its jail is there."""
    if run is None or run.jid is None:
        return False
    return owned(run, state.jails.get(run.pot.name))
