"""`potnet destroy`."""

from __future__ import annotations

import click

from potnet.cli.options import BRIDGE, POT, Command, Options, opened
from potnet.cli.output import tell


@click.command(cls=Command, examples=("potnet destroy -p web", "potnet destroy -B stove"))
@click.option("-p", "--pot", type=POT, help="Destroy this pot, which must be stopped.")
@click.option("-B", "--bridge", type=BRIDGE, help="Destroy this private bridge, which must be unused.")
@click.pass_obj
def destroy(options: Options, pot: str | None, bridge: str | None) -> None:
    """Destroy a pot or a private bridge and give back its addresses.

    A root that create made is removed; one given as --path never is.
    """
    if (pot is None) == (bridge is None):
        raise click.UsageError("give either -p POT or -B BRIDGE")
    from potnet.operations.pots import destroy as operation

    with opened(options, changes_host=True, frees=True) as app:
        if pot is not None:
            operation.destroy_pot(app, pot)
        else:
            operation.destroy_bridge(app, str(bridge))
    name = pot or bridge
    tell(options, {"name": name, "changed": True}, [f"{name} destroyed"])
