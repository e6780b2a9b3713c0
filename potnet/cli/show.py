"""`potnet show`."""

from __future__ import annotations

import click

from potnet.cli import views
from potnet.cli.options import BRIDGE, POT, Command, Options, opened
from potnet.cli.output import emit


@click.command(cls=Command)
@click.option("-b", "--bridge", type=BRIDGE, help="The addresses taken on this private bridge.")
@click.option("-p", "--pot", type=POT, help="What this pot uses and which ports lead to it.")
@click.option("-a", "--all", "all_", is_flag=True, help="The same for every pot.")
@click.pass_obj
def show(options: Options, bridge: str | None, pot: str | None, all_: bool) -> None:
    """Show the public network and the addresses taken in it."""
    if [bridge is not None, pot is not None, all_].count(True) > 1:
        raise click.UsageError("give at most one of -b, -p and -a")
    from potnet.operations import show as operation

    with opened(options, changes_host=False) as app:
        if bridge is not None:
            emit(options, operation.show_bridge(app, bridge), views.bridge_text)
        elif pot is not None:
            emit(options, operation.show_pot(app, pot), views.pot_text)
        elif all_:
            emit(options, operation.show_all(app), views.pots_text)
        else:
            emit(options, operation.show_network(app), views.network_text)
