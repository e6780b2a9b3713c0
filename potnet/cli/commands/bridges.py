"""`potnet create-private-bridge`."""

from __future__ import annotations

import click

from potnet.cli.options import UPLINK, Command, Options, opened
from potnet.cli.output import tell


@click.command(
    "create-private-bridge",
    cls=Command,
    examples=(
        "potnet create-private-bridge -B stove -S 4",
        "potnet create-private-bridge -B stove -S 4 -6 auto --isolate",
    ),
)
@click.option("-B", "--bridge", "name", metavar="BRIDGE", required=True, help="Its name.")
@click.option("-S", "--size", type=int, metavar="N", required=True, help="How many pots it must hold.")
@click.option("-6", "--ipv6", metavar="auto|PREFIX", help="Give it an IPv6 network, too.")
@click.option("--routed", is_flag=True, help="The outside reaches its IPv6 addresses, without NAT.")
@click.option("--mtu", type=int, metavar="BYTES", help="Of the bridge and all that is on it.")
@click.option("--isolate", is_flag=True, help="Its pots do not see one another.")
@click.option("--uplink", type=UPLINK, metavar="IF.VLAN", help="Make it part of this VLAN, such as em0.30.")
@click.pass_obj
def create_private_bridge(
    options: Options,
    name: str,
    size: int,
    ipv6: str | None,
    routed: bool,
    mtu: int | None,
    isolate: bool,
    uplink: str | None,
) -> None:
    """Create a private bridge with a network of its own, carved from the public network."""
    from potnet.operations.networks import bridges

    with opened(options, changes_host=True) as app:
        request = bridges.BridgeRequest(name, size, ipv6, routed, mtu, isolate, uplink)
        bridge = bridges.create_private_bridge(app, request)
    view: dict[str, object] = {"name": bridge.name, "changed": True}
    said = []
    for subnet, suffix in zip(bridge.subnets, ("", "6"), strict=False):
        view |= {f"network{suffix}": str(subnet.network), f"gateway{suffix}": str(subnet.gateway)}
        said.append(f"{subnet.network}, gateway {subnet.gateway}")
    tell(options, view, [f"{bridge.name} created: {'; '.join(said)}"])
