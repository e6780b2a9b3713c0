"""The only way in which the command line prints: nothing that others said is obeyed by the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from potnet.errors import printable

#: The width of a table where nothing tells how wide the terminal is, in columns.
WIDTH = 80


def say(text: str, err: bool = False, paint: Callable[[str], str] | None = None) -> None:
    """Print a text, with escapes in the place of control characters. err: on standard error.

    paint: colours the text for a terminal. A pipe or file gets it plain; so does a user who sets NO_COLOR.
    """
    safe = printable(text)
    plain = paint is None or bool(os.environ.get("NO_COLOR"))
    click.echo(safe if plain or paint is None else paint(safe), err=err)


def width() -> int:
    """The columns of the terminal, or of COLUMNS."""
    from shutil import get_terminal_size

    return get_terminal_size((WIDTH, 24)).columns
