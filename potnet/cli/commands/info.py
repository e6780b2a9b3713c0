"""`potnet info`."""

from __future__ import annotations

import click

from potnet.cli import views
from potnet.cli.options import BRIDGE, POT, Command, Options, opened
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet info -p web", "potnet info -B stove"))
@click.option("-p", "--pot", type=POT, help="A pot.")
@click.option("-B", "--bridge", type=BRIDGE, help="A bridge.")
@click.option("-E", "--environment", is_flag=True, help="Print the pot's facts as shell variables.")
@click.option("-v", "--verbose", is_flag=True, expose_value=False, help="As in pot: all is shown anyway.")
@click.pass_obj
def info(options: Options, pot: str | None, bridge: str | None, environment: bool) -> None:
    """Print the settings of a pot, or of a bridge, and whether it is up."""
    if (pot is None) == (bridge is None) or (environment and pot is None):
        raise click.UsageError("give either -p POT, with -E if wanted, or -B BRIDGE")
    from potnet.operations.reports import info as operation

    with opened(options, changes_host=False) as app:
        if bridge is not None:
            emit(options, operation.bridge_info(app, bridge), views.bridge_info_text)
        elif environment:
            emit(options, operation.environment(app, str(pot)), views.environment_text)
        else:
            emit(options, operation.info(app, str(pot)), views.info_text)
