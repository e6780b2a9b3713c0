"""`potnet show`."""

from __future__ import annotations

import click

from potnet.cli import views
from potnet.cli.options import BRIDGE, POT, Command, Options, asked, opened
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet show", "potnet show -b stove"))
@click.option(
    "-b", "--bridge", "--bridge-name", "bridge", type=BRIDGE,
    help="The addresses taken on this private bridge.",
)  # fmt: skip
@click.option("-p", "--pot", type=POT, help="What this pot uses and which ports lead to it.")
@click.option("-a", "--all", "all_", is_flag=True, help="The same for every pot.")
@click.pass_obj
def show(options: Options, bridge: str | None, pot: str | None, all_: bool) -> None:
    """Show the public network and the addresses taken in it."""
    if [bridge is not None, pot is not None, all_].count(True) > 1:
        raise click.UsageError("give at most one of -b, -p and -a")
    if pot is None and not all_:
        _show_addresses(options, bridge)
        return
    from potnet.operations.reports import show as operation

    with opened(options, changes_host=False) as app:
        if pot is not None:
            emit(options, operation.show_pot(app, pot), views.pot_text)
        else:
            emit(options, operation.show_all(app), views.pots_text)


def _show_addresses(options: Options, bridge: str | None) -> None:
    from potnet.operations.reports import used_addresses

    with asked(options) as records:
        if bridge is not None:
            emit(options, used_addresses.show_bridge(records, bridge), views.bridge_text)
        else:
            emit(options, used_addresses.show_network(records), views.network_text)
