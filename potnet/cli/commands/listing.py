"""`potnet list`."""

from __future__ import annotations

from functools import partial

import click

from potnet.cli import colours, views
from potnet.cli.known_names import BRIDGE, NETWORK_TYPES
from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit
from potnet.cli.terminal import width


@click.command("list", cls=Command, examples=("potnet list --running", "potnet list --bridges -o json"))
@click.option("-b", "--bridges", is_flag=True, help="List the bridges instead of the pots.")
@click.option("--running", is_flag=True, help="List running pots only, or bridges that are up.")
@click.option("-B", "--bridge", type=BRIDGE, help="List the pots of this bridge only.")
@click.option(
    "--type", "network_type", type=click.Choice(NETWORK_TYPES), help="List pots of this network type only."
)
@click.option("--wide", is_flag=True, help="Print one line for each pot, however long.")
@click.pass_obj
def listing(
    options: Options, bridges: bool, running: bool, bridge: str | None, network_type: str | None, wide: bool
) -> None:
    """List the pots, or the bridges.

    -q prints the names only.
    """
    if bridges and (bridge or network_type):
        raise click.UsageError("-b cannot be used with -B or --type: they choose pots")
    from potnet.operations.reports import info

    with reading(options) as app:
        found = info.list_bridges(app) if bridges else info.list_pots(app, bridge=bridge)
    chosen = [
        view
        for view in found
        if (not running or view["state"] in ("running", "up"))
        and (network_type is None or view["network_type"] == network_type)
    ]
    text = partial(views.bridges_text if bridges else views.list_text, width=None if wide else width())
    emit(options, chosen, views.names_text if options.quiet else text, colours.rows)
