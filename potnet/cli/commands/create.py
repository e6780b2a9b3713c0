"""`potnet create`."""

from __future__ import annotations

from typing import Any

import click

from potnet.cli.options import BRIDGE, INTERFACE, USER, Command, Options, network_options, opened
from potnet.cli.output import tell
from potnet.cli.terminal import say

NETWORK_TYPES = ["inherit", "alias", "public-bridge", "private-bridge"]
STACKS = ["ipv4", "ipv6", "dual"]


def _layout(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value == "multi":
        raise click.BadParameter(
            "potnet keeps a pot's files in one tree and has no layers of file systems; use single", ctx, param
        )
    return value


@click.command(
    cls=Command,
    examples=(
        "potnet create -p web -N public-bridge -i auto",
        "potnet create -p db -N private-bridge -B stove -i auto -S dual",
    ),
)
@click.option("-p", "--pot", metavar="POT", help="Its name; without it the lowest free of pot1, pot2, …")
@click.option(
    "-t", "--type", "layout", type=click.Choice(["single", "multi"]), default="single", callback=_layout,
    expose_value=False, help="The layout of its files; single is the only one.",
)  # fmt: skip
@click.option("-b", "--base", metavar="RELEASE", help="Unpack this release, such as 12.2, into the root.")
@click.option(
    "-N", "--network-type", "network_types", type=click.Choice(NETWORK_TYPES), multiple=True,
    help="Default: inherit. Repeatable for bridges; the first one has the default route.",
)  # fmt: skip
@click.option(
    "-i", "--ip", "addresses", multiple=True, metavar="auto|[IF|]ADDR",
    help="An address, or auto for the lowest free one; repeatable.",
)  # fmt: skip
@click.option("-S", "--stack", type=click.Choice(STACKS), help="Default: network.stack of the configuration.")
@click.option(
    "-B", "--bridge", "bridges", type=BRIDGE, multiple=True, help="A private bridge it is on; repeatable."
)
@click.option(
    "--mac", "macs", multiple=True, metavar="MAC",
    help="Of its first interface on a bridge, then of the next; repeatable.",
)  # fmt: skip
@click.option("--mtu", type=int, metavar="BYTES", help="Of its bridge and all that is on it.")
@click.option(
    "--pass", "passed", type=INTERFACE, multiple=True, metavar="IF",
    help="Give it this interface of the host while it runs; repeatable.",
)  # fmt: skip
@click.option(
    "-d", "--dns", "resolver", metavar="RESOLVER", help="inherit (default), off, pot or custom:FILE.",
)  # fmt: skip
@click.option("--path", metavar="DIR", help="Use this existing root; it is never deleted.")
@click.option("--hostname", help="Default: the pot's name.")
@click.option("--cmd", "command", metavar="COMMAND", help="Run at start in place of /bin/sh /etc/rc.")
@click.option("--boot/--no-boot", default=False, help="Start it when the host boots.")
@click.option("--tap", is_flag=True, help="No jail: a tap on each bridge, for a virtual machine.")
@click.option("--owner", type=USER, metavar="USER", help="Who may open its taps; default: root alone.")
@network_options
@click.pass_obj
def create(
    options: Options,
    /,
    pot: str | None,
    base: str | None,
    network_types: tuple[str, ...],
    addresses: tuple[str, ...],
    stack: str | None,
    bridges: tuple[str, ...],
    macs: tuple[str, ...],
    mtu: int | None,
    passed: tuple[str, ...],
    resolver: str | None,
    path: str | None,
    hostname: str | None,
    command: str | None,
    boot: bool,
    tap: bool,
    owner: str | None,
    **network: Any,
) -> None:
    """Create a pot: reserve its addresses and lay out its root.

    Without -p the chosen name is printed.
    """
    from potnet.model.pots import NetworkType, Stack
    from potnet.operations.networks.addresses import paired
    from potnet.operations.networks.network_options import NetworkOptions
    from potnet.operations.pots import create as operation

    (network_type, bridge), *more = paired([NetworkType(each) for each in network_types], bridges)
    request = operation.CreateRequest(
        name=pot,
        network_type=network_type,
        stack=Stack(stack) if stack else None,
        addresses=addresses,
        bridge=bridge,
        more=tuple(more),
        macs=macs,
        mtu=mtu,
        passed=passed,
        resolver=resolver,
        hostname=hostname,
        path=path,
        base=base,
        command=command,
        boot=boot,
        tap=tap,
        owner=owner,
        network=NetworkOptions(**network),
    )
    with opened(options, changes_host=True) as app:
        created = operation.create(app, request)
    if pot is None and not options.json and not options.dry_run:
        say(created.name)
    else:
        tell(options, {"name": created.name, "changed": True}, [f"{created.name} created"])
