"""Commands on files, which nothing else in the store tells of: recorded while they are under way.

What is recorded with nobody at work on it was cut off, or has failed halfway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from potnet.planning.check.drift import Unfinished

if TYPE_CHECKING:
    from potnet.app import App

_KEY = "unfinished "


def begin(app: App, verb: str, pot: str | None, text: str) -> None:
    """Record a command, or how far it is by now. text: what it takes to go on."""
    app.store.remember(_key(verb, pot), text)


def end(app: App, verb: str, pot: str | None) -> None:
    """Strike a command off, which is done, or of which nothing is left."""
    app.store.forget(_key(verb, pot))


def unfinished(app: App, pot: str | None = None) -> tuple[Unfinished, ...]:
    """All commands that are recorded, or those on a pot."""
    found = []
    for key, text in app.store.remembered_below(_KEY):
        verb, _, name = key.removeprefix(_KEY).partition(" ")
        found.append(Unfinished(verb, name or None, text))
    return tuple(each for each in found if pot in (None, each.pot))


def _key(verb: str, pot: str | None) -> str:
    return f"{_KEY}{verb} {pot or ''}"
