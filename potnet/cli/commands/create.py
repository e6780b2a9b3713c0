"""`potnet create`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from potnet.cli.known_names import BRIDGE, NETWORK_TYPES, one_pot
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell
from potnet.cli.pot_options import pot_option, settings, traffic_options
from potnet.cli.terminal import say

if TYPE_CHECKING:
    from potnet.model.pots import Pot

STACKS = ["ipv4", "ipv6", "dual"]


def _layout(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value == "multi":
        raise click.BadParameter(
            "multi requires layered file systems, and potnet keeps a pot's files in one tree; use single",
            ctx,
            param,
        )
    return value


@click.command(
    cls=Command,
    examples=(
        "potnet create -p web -N public-bridge -i auto",
        "potnet create -p db -N private-bridge -B stove -i auto -S dual",
    ),
)
@one_pot("Name of the new pot; default: the lowest free of pot1, pot2, …", kind=click.STRING)
@click.option(
    "-t", "--type", "layout", type=click.Choice(["single", "multi"]), default="single", callback=_layout,
    expose_value=False, help="Layout of the files; only single is supported.",
)  # fmt: skip
@click.option("-b", "--base", metavar="RELEASE", help="Release to unpack into the root, such as 14.3.")
@click.option(
    "-N", "--network-type", "network_types", type=click.Choice(NETWORK_TYPES), multiple=True,
    help="Network type (default: inherit); repeatable for bridges. The default route uses the first one.",
)  # fmt: skip
@pot_option("addresses", "Address of the pot, auto for the lowest free one, or dhcp; repeatable.")
@click.option(
    "-S", "--stack", type=click.Choice(STACKS),
    help="Protocols of the pot; default: network.stack of the configuration.",
)  # fmt: skip
@click.option(
    "-B",
    "--bridge",
    "bridges",
    type=BRIDGE,
    multiple=True,
    help="Bridge of the pot; repeatable.",
)
@pot_option("macs", "MAC address of the first interface on a bridge; repeat it for further ones.")
@pot_option("mtu", "MTU of the pot's bridge and of every interface on it.")
@pot_option("passed", "Interface of the host that the pot has while it runs; repeatable.")
@pot_option("resolver", "Source of resolv.conf: inherit (default), off, pot or custom:FILE.")
@click.option("--path", metavar="DIR", help="Existing directory to use as root; destroy leaves it alone.")
@pot_option("hostname", "Host name; default: the name of the pot.")
@pot_option("command", "Command to start in place of /bin/sh /etc/rc.")
@pot_option("boot", "Start the pot when the host boots.")
@pot_option("needs", "Pot that must start before this one; repeatable.")
@pot_option("priority", "Pots with a lower number start first and stop last; default: 0.")
@pot_option("parameters", "Parameter of jail(8), such as allow.mlock or sysvshm=new; repeatable.")
@click.option("--tap", is_flag=True, help="Create a tap on each bridge for a virtual machine, and no jail.")
@pot_option("owner", "User who can open the taps, besides root; default: root only.")
@traffic_options
@click.pass_obj
def create(
    options: Options,
    /,
    pot: str | None,
    network_types: tuple[str, ...],
    stack: str | None,
    bridges: tuple[str, ...],
    **given: Any,
) -> None:
    """Create a pot: reserve its addresses and make its root.

    If no name is given, potnet chooses one and prints the name alone.
    """
    from potnet.model.pots import NetworkType, Stack
    from potnet.operations.networks.addresses import paired
    from potnet.operations.pots import create as operation

    (network_type, bridge), *more = paired([NetworkType(each) for each in network_types], bridges)
    request = operation.CreateRequest(
        name=pot,
        network_type=network_type,
        stack=Stack(stack) if stack else None,
        bridge=bridge,
        more=tuple(more),
        **settings(given),
    )
    with changing(options) as app:
        created = operation.create(app, request)
    if pot is None and not options.json and not options.dry_run:
        say(created.name)
    else:
        addresses_text = ", ".join(_reserved(created))
        text = f"{created.name} created" + (f": {addresses_text}" if addresses_text else "")
        tell(options, {"name": created.name, "changed": True}, [text])


def _reserved(pot: Pot) -> Iterator[str]:
    """The addresses of a pot, an alias with its interface. Autoconfigured ones are not known yet."""
    yield from map(str, pot.leased)
    yield from ("dhcp" for _ in pot.by_dhcp)
    yield from (f"{alias.interface}|{alias.address}" for alias in pot.aliases)
