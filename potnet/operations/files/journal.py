"""The journal of commands on files: the store records them only while they are under way.

A recorded command that no process is running was cut off, or has failed halfway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from potnet.planning.check.drift import Unfinished

if TYPE_CHECKING:
    from potnet.app import App

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
