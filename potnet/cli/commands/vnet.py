"""`potnet vnet-start` and `potnet vnet-stop`."""

from __future__ import annotations

import click

from potnet.cli.known_names import BRIDGE
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell

_bridge = click.option("-B", "--bridge", type=BRIDGE, help="Private bridge; default: the public bridge.")


@click.command("vnet-start", cls=Command, examples=("potnet vnet-start", "potnet vnet-start -B stove"))
@_bridge
@click.pass_obj
def vnet_start(options: Options, bridge: str | None) -> None:
    """Bring a bridge up and keep it up until vnet-stop.

    The bridge stays up when its last pot stops.
    """
    from potnet.operations.networks import vnet

    with changing(options) as app:
        changed = vnet.vnet_start(app, bridge)
    _tell(options, bridge, changed, "is up" if changed else "is already up")


@click.command("vnet-stop", cls=Command, examples=("potnet vnet-stop -B stove",))
@_bridge
@click.pass_obj
def vnet_stop(options: Options, bridge: str | None) -> None:
    """Take a bridge down that no running pot uses."""
    from potnet.operations.networks import vnet

    with changing(options) as app:
        changed = vnet.vnet_stop(app, bridge)
    _tell(options, bridge, changed, "is down" if changed else "is already down")


def _tell(options: Options, bridge: str | None, changed: bool, state: str) -> None:
    name = bridge or "public"
    tell(options, {"name": name, "changed": changed}, [f"bridge {name} {state}"])
