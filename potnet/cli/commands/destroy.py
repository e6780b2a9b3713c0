"""`potnet destroy`."""

from __future__ import annotations

import click

from potnet.cli.known_names import BRIDGE, one_pot
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell


@click.command(cls=Command, examples=("potnet destroy web", "potnet destroy -B stove"))
@one_pot("Pot to destroy; it must be stopped.")
@click.option("-B", "--bridge", type=BRIDGE, help="Private bridge to destroy; it must be unused.")
@click.pass_obj
def destroy(options: Options, pot: str | None, bridge: str | None) -> None:
    """Destroy a pot or a private bridge.

    Its addresses become free. A root that create made is removed; a root given with --path is left alone.
    """
    if (pot is None) == (bridge is None):
        raise click.UsageError("give either a pot or -B BRIDGE")
    from potnet.operations.pots import destroy as operation

    with changing(options, "free") as app:
        if pot is not None:
            operation.destroy_pot(app, pot)
        else:
            operation.destroy_bridge(app, str(bridge))
    name = pot or bridge
    tell(options, {"name": name, "changed": True}, [f"{name} destroyed"])
