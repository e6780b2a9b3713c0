"""`potnet dns`."""

from __future__ import annotations

import click

from potnet.cli.known_names import BRIDGE
from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit


@click.command(
    cls=Command, examples=("potnet dns -B stove", "potnet dns --format hosts --domain pots.example.org")
)
@click.option("-B", "--bridge", type=BRIDGE, help="Bridge whose pots are printed; default: all bridges.")
@click.option(
    "--format", "form", type=click.Choice(["unbound", "hosts"]), default="unbound", show_default=True,
    help="Lines for unbound.conf(5) or for hosts(5).",
)  # fmt: skip
@click.option("--domain", metavar="DOMAIN", help="Name the pots POT.DOMAIN, not POT.BRIDGE.")
@click.pass_obj
def dns(options: Options, bridge: str | None, form: str, domain: str | None) -> None:
    """Print names and addresses of pots for a DNS server."""
    from potnet.operations.reports import dns as operation

    with reading(options) as app:
        zones = operation.zones(app, bridge, domain)
        emit(options, zones, lambda found: operation.text(app, found, form))
