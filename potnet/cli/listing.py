"""`potnet list`."""

from __future__ import annotations

import click

from potnet.cli import views
from potnet.cli.options import Command, Options, opened
from potnet.cli.output import emit


@click.command("list", cls=Command, examples=("potnet list", "potnet list --bridges -o json"))
@click.option("-b", "--bridges", is_flag=True, help="List the bridges instead of the pots.")
@click.pass_obj
def listing(options: Options, bridges: bool) -> None:
    """List the pots, or the bridges; with -q their names alone."""
    from potnet.operations import info

    with opened(options, changes_host=False) as app:
        found = info.list_bridges(app) if bridges else info.list_pots(app)
    text = views.bridges_text if bridges else views.list_text
    emit(options, found, views.names_text if options.quiet else text)
