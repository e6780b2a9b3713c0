"""The only way in which the command line prints: nothing that others said is obeyed by the terminal."""

from __future__ import annotations

import click

from potnet.errors import printable


def say(text: str, err: bool = False) -> None:
    """Print a text, with escapes in the place of control characters. err: on standard error."""
    click.echo(printable(text), err=err)
