"""How results are printed: text, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from potnet.cli.options import Options


def emit(options: Options, view: Any, text: Callable[[Any], str]) -> None:
    """Print a view: as it is in JSON, else as `text` has it. An empty text prints nothing."""
    shown = as_json(view) if options.json else text(view)
    if shown:
        click.echo(shown)


def tell(options: Options, view: Any, text: Iterable[str]) -> None:
    """Say what a changing command did; a dry run did nothing, and -q leaves only JSON that was asked for."""
    if options.dry_run:
        return
    if options.json:
        click.echo(as_json(view))
    elif not options.quiet:
        for line in text:
            click.echo(line)


def as_json(view: Any) -> str:
    return json.dumps(view, indent=2, ensure_ascii=False)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table; what looks like a number (10.10, a base) stays as it is."""
    from tabulate import tabulate

    text: str = tabulate(list(rows), headers=headers, tablefmt="simple", disable_numparse=True)
    # The last column's padding is of no use to anyone.
    return "\n".join(line.rstrip() for line in text.splitlines())
