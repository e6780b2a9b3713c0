"""The only function of the command line that prints. The terminal obeys nothing that others wrote."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from potnet.errors import printable

#: The default width of a table, in columns.
WIDTH = 80


def say(text: str, err: bool = False, paint: Callable[[str], str] | None = None) -> None:
    """Print a text with its control characters escaped. err: on standard error.

    paint: colours the text for a terminal. A pipe, a file and a user who sets NO_COLOR get it plain.
    """
    safe = printable(text)
    if paint is not None and not os.environ.get("NO_COLOR"):
        safe = paint(safe)
    click.echo(safe, err=err)


def width() -> int:
    """The width of the terminal in columns; COLUMNS overrides it."""
    from shutil import get_terminal_size

    return get_terminal_size((WIDTH, 24)).columns
