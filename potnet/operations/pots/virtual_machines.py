"""Machines of somebody's that have taps in place of a jail: what they cannot have, and whose they are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import PotnetError, UsageError
from potnet.host.state import Query
from potnet.model.pots import Pot

if TYPE_CHECKING:
    from potnet.app import App

#: Who may open a tap when nobody is named: nothing in the environment of a command decides who else.
ROOT = "root"
#: As pw(8) and useradd(8) take them.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
#: What a machine has not, by the names that operations have for it.
_UNFIT = {"base": "-b", "path": "--path", "command": "--cmd", "passed": "--pass"}


def refuse_unfit(pot: Pot, **given: object) -> None:
    """Raises UsageError for an option that only a jail has."""
    unfit = [_UNFIT[name] for name, value in given.items() if value]
    if unfit and not pot.is_jail:
        raise UsageError(
            f"{unfit[0]} is for jails: behind a tap is a machine of its own, of which potnet makes nothing",
            hint="leave it out",
        )


def with_owner(app: App, pot: Pot, owner: str | None) -> Pot:
    """The pot whose taps this user may open. Raises PotnetError when the host does not know it."""
    if owner is None:
        return pot
    if pot.is_jail:
        raise UsageError("--owner is for --tap: it says who may open the taps")
    if not _USER.fullmatch(owner):
        raise UsageError(f"--owner {owner!r}: no name of a user", hint="such as alice")
    if app.rootless is not None and owner != ROOT:
        raise PotnetError(
            f"--owner {owner}: on a host without root all is its user's, who is root there",
            hint="leave --owner out, and start the emulator in `potnet rootless enter`",
        )
    if owner not in app.driver.observe(Query(users=(owner,))).users:
        raise PotnetError(f"the host has no user {owner}", hint="`id USER` tells whether there is one")
    return replace(pot, owner=owner)
