"""`potnet dns`."""

from __future__ import annotations

import click

from potnet.cli.options import BRIDGE, Command, Options, opened
from potnet.cli.output import emit


@click.command(
    cls=Command, examples=("potnet dns -B stove", "potnet dns --format hosts --domain pots.example.org")
)
@click.option("-B", "--bridge", type=BRIDGE, help="The pots of this bridge only.")
@click.option(
    "--format", "form", type=click.Choice(["unbound", "hosts"]), default="unbound", show_default=True,
    help="Lines for unbound.conf(5), or for hosts(5).",
)  # fmt: skip
@click.option("--domain", metavar="DOMAIN", help="Name pots POT.DOMAIN, not POT.BRIDGE.")
@click.pass_obj
def dns(options: Options, bridge: str | None, form: str, domain: str | None) -> None:
    """Print the names and addresses of the pots on bridges, for a DNS server."""
    from potnet.operations.reports import dns as operation

    with opened(options, changes_host=False) as app:
        zones = operation.zones(app, bridge, domain)
        emit(options, zones, lambda found: operation.text(app, found, form))
