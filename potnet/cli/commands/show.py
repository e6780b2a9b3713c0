"""`potnet show`."""

from __future__ import annotations

import click

from potnet.cli import views
from potnet.cli.known_names import BRIDGE, one_pot
from potnet.cli.options import Command, Options, reading, reading_records
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet show", "potnet show -b stove"))
@one_pot("Pot whose usage and forwarded ports are shown.")
@click.option(
    "-b", "--bridge", "--bridge-name", "bridge", type=BRIDGE,
    help="Bridge whose used addresses are shown.",
)  # fmt: skip
@click.option("-a", "--all", "all_", is_flag=True, help="Show usage and forwarded ports of every pot.")
@click.pass_obj
def show(options: Options, bridge: str | None, pot: str | None, all_: bool) -> None:
    """Show used addresses, or a pot's usage and ports.

    By default the public network and the addresses in use there are shown.
    """
    if [bridge is not None, pot is not None, all_].count(True) > 1:
        raise click.UsageError("give at most one of a pot, -b and -a")
    if pot is None and not all_:
        _show_addresses(options, bridge)
        return
    from potnet.operations.reports import show as operation

    with reading(options) as app:
        if pot is not None:
            emit(options, operation.show_pot(app, pot), views.pot_text)
        else:
            emit(options, operation.show_all(app), views.pots_text)


def _show_addresses(options: Options, bridge: str | None) -> None:
    from potnet.operations.reports import used_addresses

    with reading_records(options) as records:
        if bridge is not None:
            emit(options, used_addresses.show_bridge(records, bridge), views.bridge_text)
        else:
            emit(options, used_addresses.show_network(records), views.network_text)
