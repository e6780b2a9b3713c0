"""The journal of commands on files: the store records them only while they are under way.

A recorded command that no process is running was cut off, or has failed halfway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.model.names import same_name
from potnet.planning.check.drift import Unfinished

if TYPE_CHECKING:
    from potnet.app import App

#: The verb of a rename; its text is the new name. A pot has no other command until it is taken back.
RENAME = "rename"
_KEY = "unfinished "


def begin(app: App, verb: str, pot: str | None, text: str) -> None:
    """Record a command, or its progress. text: the data that is needed to continue."""
    app.store.remember(_key(verb, pot), text)


def end(app: App, verb: str, pot: str | None) -> None:
    """Delete a command that is complete, or has left nothing."""
    app.store.forget(_key(verb, pot))


def unfinished(app: App, pot: str | None = None) -> tuple[Unfinished, ...]:
    """Return all recorded commands, or those on a pot."""
    found = []
    for key, text in app.store.remembered_below(_KEY):
        verb, _, name = key.removeprefix(_KEY).partition(" ")
        found.append(Unfinished(verb, name or None, text))
    return tuple(each for each in found if pot in (None, each.pot))


def _key(verb: str, pot: str | None) -> str:
    return f"{_KEY}{verb} {pot or ''}"


def refuse_renamed(app: App, name: str) -> None:
    """Raises PotnetError for a pot whose rename was cut off: its files may have either name."""
    if app.store.remembered(_key(RENAME, name)) is not None:
        raise PotnetError(
            f"the rename of pot {name} was interrupted", hint=f"`potnet repair {name}` takes it back"
        )


def refuse_new_name(app: App, name: str) -> None:
    """Raises PotnetError for the name that a pot was getting when its rename was cut off."""
    for key, new in app.store.remembered_below(f"{_KEY}{RENAME} "):
        pot = key.removeprefix(f"{_KEY}{RENAME} ")
        if same_name(new, name):
            raise PotnetError(
                f"the rename of pot {pot} to {new} was interrupted",
                hint=f"`potnet repair {pot}` takes it back",
            )
