"""The errors that reach a user, and nothing else.

Every failure that potnet foresees is a `PotnetError`: one line that says what failed, on which thing, and
a hint that says how to mend it. The command line prints both and exits with `exit_code`.
"""

from __future__ import annotations

import re

#: All but what is certainly printable, so that long texts are read fast.
_ODD = re.compile(r"[^\x20-\x7e\n\t]")


class PotnetError(Exception):
    """A refusal or failure to be shown as ``potnet: MESSAGE`` and ``hint: HINT``.

    left_behind: what could not be taken away again, a line each; the message lists it too.
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
    """Text for a terminal: escape sequences in what a tool or a jail said are shown and not sent."""
    return _ODD.sub(lambda match: _shown(match[0]), text)


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


class Interruption(KeyboardInterrupt):
    """A signal ended the command, and not all could be taken back. left_behind: as of a `PotnetError`."""

    def __init__(self, lines: str, left_behind: tuple[str, ...]) -> None:
        super().__init__(lines)
        self.left_behind = left_behind


class UsageError(PotnetError):
    """The command line itself is wrong: a malformed name, port or address."""

    exit_code = 2


class ConfigError(PotnetError):
    """The configuration file cannot be read, or a key or value in it is wrong."""


class StoreError(PotnetError):
    """The store is newer than this program, of another kind of host, locked, or cannot be read or written."""


class DamagedError(StoreError):
    """A file is no store, or not whole any more."""


class HostError(PotnetError):
    """A command on the host failed, or the host is not in a state that allows the operation."""
