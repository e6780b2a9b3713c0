"""The errors that a user sees.

Every failure that potnet foresees is a `PotnetError`: one line says what failed and where, and a hint says
how to fix it. The command line prints both and exits with `exit_code`.
"""

from __future__ import annotations

import re

#: Everything outside printable ASCII, because this test is fast for long texts.
_ODD = re.compile(r"[^\x20-\x7e\n\t]")


class PotnetError(Exception):
    """A refusal or failure, shown as ``potnet: MESSAGE`` and ``hint: HINT``.

    left_behind: what could not be removed again, a line each; the message lists it too.
    """

    exit_code = 1
    left_behind: tuple[str, ...] = ()

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


def printable(text: str) -> str:
    """Return text for a terminal: escape sequences of a tool or a jail are shown, not sent."""
    return _ODD.sub(lambda match: _shown(match[0]), text)


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


class Interruption(KeyboardInterrupt):
    """A signal ended the command, and the rollback was incomplete. left_behind: as in `PotnetError`."""

    def __init__(self, lines: str, left_behind: tuple[str, ...]) -> None:
        super().__init__(lines)
        self.left_behind = left_behind


class UsageError(PotnetError):
    """The command line is wrong, for example a malformed name, port or address."""

    exit_code = 2


class ConfigError(PotnetError):
    """The configuration file cannot be read, or a key or value in it is wrong."""


class StoreError(PotnetError):
    """The store is newer than this program, locked, unreadable, or of another kind of host."""


class DamagedError(StoreError):
    """A file is not a store, or the store is damaged."""


class HostError(PotnetError):
    """A command on the host failed, or the host is not in a state that allows the operation."""
