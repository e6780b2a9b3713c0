"""`potnet info`."""

from __future__ import annotations

import click

from potnet.cli import colours, views
from potnet.cli.known_names import BRIDGE, one_pot
from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet info web", "potnet info -B stove"))
@one_pot("Pot to describe.")
@click.option("-B", "--bridge", type=BRIDGE, help="Bridge to describe.")
@click.option("-E", "--environment", is_flag=True, help="Print the pot as variables for a shell.")
@click.option("-v", "--verbose", is_flag=True, expose_value=False, help="Accepted as in pot; has no effect.")
@click.pass_obj
def info(options: Options, pot: str | None, bridge: str | None, environment: bool) -> None:
    """Print the settings and the state of a pot or bridge."""
    if (pot is None) == (bridge is None):
        raise click.UsageError("give either a pot or -B BRIDGE")
    if environment and pot is None:
        raise click.UsageError("-E requires a pot")
    from potnet.operations.reports import info as operation

    with reading(options) as app:
        if bridge is not None:
            emit(options, operation.bridge_info(app, bridge), views.bridge_info_text, colours.info_states)
        elif environment:
            emit(options, operation.environment(app, str(pot)), views.environment_text)
        else:
            found = operation.info(app, str(pot))
            own = {} if options.json else operation.own_settings(app, found["name"])
            emit(options, found, lambda view: views.info_text(view, own), colours.info_states)
