"""The commands of pot's helper, which pot's scripts call; these scripts read the output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from potnet.cli.known_names import BRIDGE
from potnet.cli.options import Command, Options, reading_records
from potnet.cli.terminal import say

_address = click.option("-H", "--host", "address", metavar="ADDRESS", required=True, help="Address to check.")


def _bridge(help_: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("-b", "--bridge-name", "bridge", type=BRIDGE, help=help_)


@click.command("next", cls=Command, examples=("potnet next", "potnet next -b stove"))
@_bridge("Private bridge of the address; default: the public network.")
@click.pass_obj
def next_(options: Options, bridge: str | None) -> None:
    """Print the lowest free address."""
    from potnet.operations.from_pot import helper

    with reading_records(options) as records:
        address = helper.next_address(records, bridge)
        say(f"{address} available" if options.verbose else str(address))


@click.command(cls=Command, examples=("potnet validate -H 10.192.0.10",))
@_address
@_bridge("Private bridge of the address; default: the public network.")
@click.pass_obj
def validate(options: Options, address: str, bridge: str | None) -> None:
    """Check that an address is in the network and free.

    The exit code is 0 if it is, else 1.
    """
    from potnet.operations.from_pot import helper

    with reading_records(options) as records:
        helper.validate(records, address, bridge)


@click.command("new-net", cls=Command, examples=("potnet new-net -s 4",))
@click.option("-s", "size", type=int, metavar="N", required=True, help="Number of pots that it must hold.")
@click.pass_obj
def new_net(options: Options, size: int) -> None:
    """Print the lowest free network for N pots.

    The second line is its gateway.
    """
    from potnet.operations.from_pot import helper

    with reading_records(options) as records:
        network, gateway = helper.new_network(records, size)
        say(f"net={network}\ngateway={gateway}")


@click.command("config-check", cls=Command, examples=("potnet config-check",))
@click.pass_obj
def config_check(options: Options) -> int:
    """Check that gateway and netmask fit the network.

    The exit code is 0 if they do, else 1.
    """
    from potnet.operations.from_pot import helper

    with reading_records(options) as records:
        complaints = helper.check_configuration(records)
    for text, _ in complaints:
        say(f"potnet: {text}", err=True)
    return int(any(fatal for _, fatal in complaints))


@click.command("etc-hosts", cls=Command, examples=("potnet etc-hosts", "potnet etc-hosts -b stove"))
@_bridge("Private bridge of the pots; default: the public bridge.")
@click.pass_obj
def etc_hosts(options: Options, bridge: str | None) -> None:
    """Print the pots of a bridge as lines of hosts(5)."""
    from potnet.operations.from_pot import helper

    with reading_records(options) as records:
        lines = [f"{address} {name}" for address, name in helper.hosts(records, bridge)]
    if lines:
        say("\n".join(lines))


def _check(address: str, families: tuple[int, ...]) -> int:
    from potnet.operations.from_pot import helper

    return int(helper.family_of(str(helper.parse(address))) not in families)


@click.command(cls=Command, examples=("potnet ip4check -H 192.0.2.1",))
@_address
def ip4check(address: str) -> int:
    """Check that an address is an IPv4 address.

    The exit code is 0 if it is, else 1.
    """
    return _check(address, (4,))


@click.command(cls=Command, examples=("potnet ip6check -H 2001:db8::1",))
@_address
def ip6check(address: str) -> int:
    """Check that an address is an IPv6 address.

    The exit code is 0 if it is, else 1.
    """
    return _check(address, (6,))


@click.command(cls=Command, examples=("potnet ipcheck -H 192.0.2.1",))
@_address
def ipcheck(address: str) -> int:
    """Check that an address is an IPv4 or IPv6 address.

    The exit code is 0 if it is, else 1.
    """
    return _check(address, (4, 6))
