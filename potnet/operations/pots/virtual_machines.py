"""Virtual machines with taps in place of a jail: unsupported options, and the owner of the taps."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.pots import Pot

if TYPE_CHECKING:
    from potnet.app import App

#: The user who may open a tap by default; the environment of a command never decides this.
ROOT = "root"
#: User names that pw(8) and useradd(8) accept.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
#: Options that a machine does not support, by the names that operations use.
UNFIT = {"base": "-b", "path": "--path", "command": "--cmd", "passed": "--pass", "parameters": "--param"}


def refuse_unfit(pot: Pot, **given: object) -> None:
    """Raises UsageError for an option that only a jail has."""
    unfit = [UNFIT[name] for name, value in given.items() if value]
    if unfit and not pot.is_jail:
        raise UsageError(
            f"{unfit[0]} is for jails, and cannot be used with --tap",
            hint="omit it",
        )


def with_owner(app: App, pot: Pot, owner: str | None) -> Pot:
    """Return the pot with this user as the owner of its taps. Raises PotnetError for an unknown user."""
    if owner is None:
        return pot
    if pot.is_jail:
        raise UsageError("--owner requires --tap")
    if not _USER.fullmatch(owner):
        raise UsageError(f"invalid user name --owner {owner!r}", hint="write one such as alice")
    if app.rootless is not None and owner != ROOT:
        raise PotnetError(
            f"--owner {owner} cannot be used on a rootless host: its user owns all taps",
            hint="omit --owner, and start the emulator in `potnet rootless enter`",
        )
    if owner not in app.driver.observe(Query(users=(owner,))).users:
        raise PotnetError(f"the host has no user {owner}", hint=f"`id {owner}` shows whether the user exists")
    return replace(pot, owner=owner)
