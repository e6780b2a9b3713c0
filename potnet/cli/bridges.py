"""`potnet create-private-bridge`."""

from __future__ import annotations

import click

from potnet.cli.options import Command, Options, opened
from potnet.cli.output import tell


@click.command("create-private-bridge", cls=Command)
@click.option("-B", "--bridge", "name", metavar="BRIDGE", required=True, help="Its name.")
@click.option("-S", "--size", type=int, metavar="N", required=True, help="How many pots it must hold.")
@click.pass_obj
def create_private_bridge(options: Options, name: str, size: int) -> None:
    """Create a private bridge with a network of its own, carved from the public network."""
    from potnet.operations import bridges

    with opened(options, changes_host=True) as app:
        bridge = bridges.create_private_bridge(app, name, size)
    network, gateway = str(bridge.network), str(bridge.gateway)
    view = {"name": bridge.name, "changed": True, "network": network, "gateway": gateway}
    tell(options, view, [f"{bridge.name} created: {network}, gateway {gateway}"])
