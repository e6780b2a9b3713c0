"""`potnet ports`."""

from __future__ import annotations

from typing import Any

import click

from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit, table


@click.command(cls=Command, examples=("potnet ports",))
@click.pass_obj
def ports(options: Options) -> None:
    """List the ports of the host that are forwarded to pots.

    The list shows the rules in force.
    """
    from potnet.operations.reports import show

    with reading(options) as app:
        found = show.show_ports(app)
    emit(options, found, _text)


def _text(rows: list[dict[str, Any]]) -> str:
    headers = ("protocol", "address", "port", "interface", "pot", "pot address", "pot port")
    keys = ("protocol", "address", "port", "interface", "pot", "pot_address", "pot_port")
    return table(headers, [["-" if row[key] is None else row[key] for key in keys] for row in rows])
