"""`potnet create-bridge`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from potnet.cli.known_names import JOINED
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell

if TYPE_CHECKING:
    from potnet.model.bridges import Bridge


@click.command(
    "create-bridge",
    cls=Command,
    examples=(
        "potnet create-bridge -B lan --join em0 --net 192.168.178.0/24 --gateway 192.168.178.1",
        "potnet create-bridge -B lan --join bridge0 --net 172.16.0.0/24 --range 172.16.0.100-172.16.0.199",
    ),
)
@click.option("-B", "--bridge", "name", metavar="BRIDGE", required=True, help="Name of the new bridge.")
@click.option(
    "--join", type=JOINED, metavar="IF|BRIDGE", required=True,
    help="Interface of the host that potnet adds to the bridge, or bridge of the host that pots join.",
)  # fmt: skip
@click.option("--net", "network", metavar="NET", required=True, help="IPv4 network of the LAN.")
@click.option(
    "--gateway", "gateways", metavar="ADDR", multiple=True,
    help="Router of the LAN; repeat it for IPv6. Default: pots get no default route.",
)  # fmt: skip
@click.option(
    "--range", "ranges", metavar="ADDR-ADDR", multiple=True,
    help="Addresses that -i auto chooses from; repeat it for IPv6.",
)  # fmt: skip
@click.option("-6", "--ipv6", metavar="PREFIX", help="IPv6 network of the LAN.")
@click.option("--dhcp", is_flag=True, help="Let pots get IPv4 addresses by DHCP unless -i is given.")
@click.option("--slaac", is_flag=True, help="Let pots get IPv6 addresses by SLAAC unless -i is given.")
@click.option("--mtu", type=int, metavar="BYTES", help="MTU of the bridge and of every interface on it.")
@click.option("--isolate", is_flag=True, help="Block traffic between its pots.")
@click.pass_obj
def create_bridge(options: Options, /, **given: Any) -> None:
    """Create a bridge that is part of a LAN.

    Its pots have addresses of the LAN. potnet does not translate them, and exports none of their ports.
    """
    from potnet.operations.lan import create_bridge as operation

    with changing(options) as app:
        bridge = operation.create_bridge(app, operation.LanRequest(**given))
    view: dict[str, object] = {"name": bridge.name, "changed": True, "interface": bridge.interface}
    view |= {"network": str(bridge.network)}
    tell(options, view, [_said(bridge)])


def _said(bridge: Bridge) -> str:
    if bridge.member is None:
        return f"{bridge.name} created: its pots join {bridge.joined}"
    return f"{bridge.name} created: {bridge.member} joins it with the first pot, which may interrupt its link"
