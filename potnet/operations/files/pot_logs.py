"""The logs of pots: what their rc, or their command, printed. They are on the host that has the pots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from potnet.apply import apply_all
from potnet.config.configuration import DEFAULT
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.file_actions import RemoveFile, RenameEntry
from potnet.host.query import Query
from potnet.host.state import Access, FileKind
from potnet.planning.roots import exposure, leading_to

if TYPE_CHECKING:
    from potnet.app import App


def log_of(app: App, pot: str) -> str:
    """Return the path of a pot's log on the host."""
    return f"{app.config.logs}/{_name(pot)}"


def ways_to_logs(app: App) -> tuple[str, ...]:
    """Return the directories that only root may change; none if the logs are in the state directory."""
    beside_store = app.host_kind == "linux" and app.config.origin.get("paths.logs", DEFAULT) == DEFAULT
    # In a rootless host, the other users of the machine look like one user.
    return () if beside_store or app.rootless is not None else leading_to(app.config.logs)


def exposed_logs(app: App, access: Mapping[str, Access]) -> str | None:
    """Return who besides root can change the directory of the logs, in words; None if nobody can."""
    return exposure(ways_to_logs(app), access)


def remove_log(app: App, pot: str) -> None:
    """Remove the log of a pot, and those that newsyslog(8) rotated. Raises HostError."""
    log = log_of(app, pot)
    if app.driver.observe(Query(files=(log,))).files[log] is FileKind.ABSENT:
        return
    steps = tuple(Step(RemoveFile(app.config.logs, name)) for name in (_name(pot), f"{_name(pot)}.*"))
    failures = apply_all(Plan(steps), app.driver)
    if failures:
        raise HostError(
            f"cannot remove {log}" + "".join(f"\n  left behind: {line}" for line in failures),
            hint=f"mend what it says, then destroy {pot} once more",
        )


def log_moves(app: App, before: str, after: str) -> tuple[Step, ...]:
    """Return the step that gives the log of a pot to its new name; rotated logs keep the old one.

    Raises PotnetError if there is a log of the new name.
    """
    log, moved = log_of(app, before), log_of(app, after)
    found = app.driver.observe(Query(files=(log, moved))).files
    if found[log] is FileKind.ABSENT:
        return ()
    if found[moved] is not FileKind.ABSENT:
        raise PotnetError(f"the log {moved} already exists", hint="move that file away")
    logs, old, new = app.config.logs, _name(before), _name(after)
    return (Step(RenameEntry(logs, old, new), RenameEntry(logs, new, old), "its log"),)


def _name(pot: str) -> str:
    return f"{pot}.log"
