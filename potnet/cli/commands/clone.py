"""`potnet clone`."""

from __future__ import annotations

import click

from potnet.cli.known_names import POT
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell
from potnet.cli.pot_options import pot_option


@click.command(cls=Command, examples=("potnet clone web web2",))
@click.argument("old", type=POT, metavar="OLD")
@click.argument("new", metavar="NEW")
@pot_option("addresses", "Address of the new pot, or auto for the lowest free one; repeatable.")
@click.pass_obj
def clone(options: Options, old: str, new: str, addresses: tuple[str, ...]) -> None:
    """Create a pot like a stopped one, root included."""
    from potnet.operations.pots import clone as operation

    with changing(options) as app:
        pot = operation.clone(app, old, new, addresses)
    own = ", ".join(map(str, pot.leased))
    text = f"{pot.name} cloned from {old}" + (f": {own}" if own else "")
    tell(options, {"name": pot.name, "origin": old, "changed": True}, [text])
