"""`potnet set`, `set-hook` and `copy-in`, which change an existing pot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from potnet.cli.known_names import BRIDGE, INTERFACE, USER, one_pot, required
from potnet.cli.options import Command, FilePath, Options, changing, network_options
from potnet.cli.output import tell

_FILE = FilePath()


@click.command(
    "set",
    cls=Command,
    examples=("potnet set -p web --hostname www.example.org --boot", "potnet set -B stove --mtu 1400"),
)
@one_pot("Pot to change.")
@click.option("-B", "--bridge", type=BRIDGE, help="Bridge to change; it takes --mtu and --isolate.")
@click.option(
    "-d",
    "--dns",
    "resolver",
    metavar="RESOLVER",
    help="Source of resolv.conf: inherit, off, pot or custom:FILE.",
)
@click.option(
    "-i", "--ip", "addresses", multiple=True, metavar="auto|[IF|]ADDR",
    help="New address, or auto for the lowest free one; repeatable.",
)  # fmt: skip
@click.option(
    "--mac", "macs", multiple=True, metavar="MAC",
    help="MAC address of the first interface on a bridge; repeat it for further ones.",
)  # fmt: skip
@click.option(
    "--mtu", type=int, metavar="BYTES", help="MTU of the bridge, or of a bridge on which the pot is alone."
)
@click.option(
    "--pass", "passed", type=INTERFACE, multiple=True, metavar="IF",
    help="Interface of the host that the pot has while it runs; repeatable.",
)  # fmt: skip
@click.option("--no-pass", is_flag=True, help="Take all interfaces of the host from the pot.")
@click.option("--hostname", help="Host name.")
@click.option("--cmd", "command", metavar="COMMAND", help="Command to start in place of /bin/sh /etc/rc.")
@click.option("--boot/--no-boot", default=None, help="Start the pot when the host boots.")
@click.option("--owner", type=USER, metavar="USER", help="User who can open the taps, besides root.")
@network_options
@click.pass_obj
def set_options(
    options: Options,
    /,
    pot: str | None,
    bridge: str | None,
    resolver: str | None,
    addresses: tuple[str, ...],
    macs: tuple[str, ...],
    mtu: int | None,
    passed: tuple[str, ...],
    no_pass: bool,
    hostname: str | None,
    command: str | None,
    boot: bool | None,
    owner: str | None,
    **network: Any,
) -> None:
    """Change the settings of a pot or bridge.

    Settings that a running jail cannot change take effect at the next start.
    """
    if (pot is None) == (bridge is None):
        raise click.UsageError("give either a pot or -B BRIDGE")
    single = (resolver, hostname, command, boot, owner, mtu, *network.values())
    if all(each is None for each in single) and not (addresses or macs or passed or no_pass):
        raise click.UsageError("give at least one setting to change")
    if passed and no_pass:
        raise click.UsageError("--pass and --no-pass cannot be used together")
    if bridge is not None:
        isolate = network.pop("isolate")
        of_pots = (resolver, hostname, command, boot, owner, *network.values())
        if any(each is not None for each in of_pots) or addresses or macs or passed or no_pass:
            raise click.UsageError("only --mtu and --isolate can be used with -B")
        _set_bridge(options, bridge, mtu, isolate)
        return
    assert pot is not None
    from potnet.operations.networks.network_options import NetworkOptions
    from potnet.operations.pots import settings

    with changing(options) as app:
        request = settings.SettingsRequest(
            resolver=resolver, addresses=addresses, hostname=hostname, command=command, boot=boot,
            macs=macs, mtu=mtu, passed=passed if passed or no_pass else None,
            owner=owner, network=NetworkOptions(**network),
        )  # fmt: skip
        later = settings.set_options(app, pot, request)
    text = f"{pot} changed" + ("; the change takes effect at the next start" if later else "")
    tell(options, {"name": pot, "changed": True, "from_next_start": later}, [text])


def _set_bridge(options: Options, name: str, mtu: int | None, isolate: bool | None) -> None:
    from potnet.operations.networks import bridges

    with changing(options) as app:
        up = bridges.set_bridge(app, name, mtu=mtu, isolate=isolate)
    text = f"{name} changed" + (f"; `potnet repair -B {name}` changes the running bridge" if up else "")
    tell(options, {"name": name, "changed": True, "from_next_start": up}, [text])


@click.command("set-hook", cls=Command, examples=("potnet set-hook -p web -s ./before-start",))
@one_pot("Pot that gets the programs.")
@click.option("-s", "--prestart", type=_FILE, metavar="FILE", help="Program to run before a start.")
@click.option("-S", "--poststart", type=_FILE, metavar="FILE", help="Program to run after a start.")
@click.option("-t", "--prestop", type=_FILE, metavar="FILE", help="Program to run before a stop.")
@click.option("-T", "--poststop", type=_FILE, metavar="FILE", help="Program to run after a stop.")
@click.pass_obj
def set_hook(options: Options, /, pot: str | None, **files: Path | None) -> None:
    """Set programs that the host runs at start and stop.

    The programs are copied into the pot's configuration. They run as root on the host, with the variables
    that `potnet info -E` prints.
    """
    name = required(pot)
    given = {kind: path for kind, path in files.items() if path is not None}
    if not given:
        raise click.UsageError("give at least one of -s, -S, -t and -T")
    from potnet.model.pots import HookKind
    from potnet.operations.files import hooks

    with changing(options) as app:
        hooks.set_hook(app, name, {HookKind(kind): path for kind, path in given.items()})
    hook_names = " and ".join(given)
    tell(options, {"name": name, "changed": True}, [f"{name}: {hook_names} set"])


@click.command(
    "copy-in", cls=Command, examples=("potnet copy-in -p web -s ./index.html -d /usr/local/www/index.html",)
)
@one_pot("Pot that gets the copy.")
@click.option(
    "-s", "--source", type=_FILE, metavar="SOURCE", required=True, help="File or directory of the host."
)
@click.option("-d", "--destination", metavar="PATH", required=True, help="Path in the pot of the copy.")
@click.pass_obj
def copy_in(options: Options, pot: str | None, source: Path, destination: str) -> None:
    """Copy a file or directory into a pot.

    Symbolic links in the pot are not followed.
    """
    name = required(pot)
    from potnet.operations.pots import settings

    with changing(options) as app:
        settings.copy_in(app, name, source, destination)
    tell(options, {"name": name, "changed": True}, [f"{source} copied to {destination} in {name}"])
