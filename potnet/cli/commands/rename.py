"""`potnet rename`."""

from __future__ import annotations

import click

from potnet.cli.known_names import POT
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell


@click.command(cls=Command, examples=("potnet rename web shop",))
@click.argument("old", type=POT, metavar="OLD")
@click.argument("new", metavar="NEW")
@click.pass_obj
def rename(options: Options, old: str, new: str) -> None:
    """Give a stopped pot another name.

    Its root, addresses, exports, policies, hooks and log stay those of the pot.
    """
    from potnet.operations.pots import rename as operation

    with changing(options) as app:
        pot = operation.rename(app, old, new)
    tell(options, {"name": pot.name, "former": old, "changed": True}, [f"{old} renamed to {pot.name}"])
