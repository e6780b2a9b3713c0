"""`potnet create-private-bridge`."""

from __future__ import annotations

import click

from potnet.cli.known_names import UPLINK
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell


@click.command(
    "create-private-bridge",
    cls=Command,
    examples=(
        "potnet create-private-bridge -B stove -S 4 -6 auto --isolate",
        "potnet create-private-bridge -B stove --net 172.30.1.0/24",
    ),
)
@click.option("-B", "--bridge", "name", metavar="BRIDGE", required=True, help="Name of the new bridge.")
@click.option("-S", "--size", type=int, metavar="N", help="Number of pots that it must hold.")
@click.option("--net", "network", metavar="NET", help="Its IPv4 network, in place of -S.")
@click.option("-6", "--ipv6", metavar="auto|PREFIX", help="Add this IPv6 network, or auto for a free one.")
@click.option("--routed", is_flag=True, help="Route its IPv6 network to the outside, without NAT.")
@click.option("--mtu", type=int, metavar="BYTES", help="MTU of the bridge and of every interface on it.")
@click.option("--isolate", is_flag=True, help="Block traffic between its pots.")
@click.option(
    "--uplink", type=UPLINK, metavar="IF.VLAN", help="VLAN that the bridge is part of, such as em0.30."
)
@click.pass_obj
def create_private_bridge(
    options: Options,
    name: str,
    size: int | None,
    network: str | None,
    ipv6: str | None,
    routed: bool,
    mtu: int | None,
    isolate: bool,
    uplink: str | None,
) -> None:
    """Create a private bridge with a network of its own.

    With -S, its network is a free part of the public network.
    """
    from potnet.operations.networks import bridges

    if (size is None) == (network is None):
        raise click.UsageError("give either -S or --net")
    with changing(options) as app:
        request = bridges.BridgeRequest(name, size, ipv6, routed, mtu, isolate, uplink, network)
        bridge = bridges.create_private_bridge(app, request)
    view: dict[str, object] = {"name": bridge.name, "changed": True}
    said = []
    for subnet, suffix in zip(bridge.subnets, ("", "6"), strict=False):
        view |= {f"network{suffix}": str(subnet.network), f"gateway{suffix}": str(subnet.gateway)}
        said.append(f"{subnet.network}, gateway {subnet.gateway}")
    tell(options, view, [f"{bridge.name} created: {'; '.join(said)}"])
