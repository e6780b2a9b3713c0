"""`potnet dhcp`."""

from __future__ import annotations

import click

from potnet.cli.known_names import BRIDGE
from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet dhcp -B stove", "potnet dhcp --format kea"))
@click.option("-B", "--bridge", type=BRIDGE, help="Bridge whose pots are printed; default: all bridges.")
@click.option(
    "--format", "form", type=click.Choice(["dnsmasq", "kea", "kea6"]), default="dnsmasq", show_default=True,
    help="Configuration of dnsmasq, or of the DHCPv4 or DHCPv6 server of Kea.",
)  # fmt: skip
@click.pass_obj
def dhcp(options: Options, bridge: str | None, form: str) -> None:
    """Print leases of pots for a DHCP server.

    Guests on taps get the addresses of their pots from this server.
    """
    from potnet.operations.reports import dhcp as operation

    with reading(options) as app:
        found = operation.networks(app, bridge)
        emit(options, found, lambda views: operation.text(app, views, form))
