"""`potnet set`, `set-hook` and `copy-in`, which change an existing pot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from potnet.cli.known_names import BRIDGE, SET_PARAMETER, one_pot, required
from potnet.cli.options import Command, FilePath, Options, changing
from potnet.cli.output import tell
from potnet.cli.pot_options import pot_option, settings, traffic_options

_FILE = FilePath()


@click.command(
    "set",
    cls=Command,
    examples=("potnet set -p web --hostname www.example.org --boot", "potnet set -B stove --mtu 1400"),
)
@one_pot("Pot to change.")
@click.option("-B", "--bridge", type=BRIDGE, help="Bridge to change; it takes --mtu and --isolate.")
@pot_option("resolver", "Source of resolv.conf: inherit, off, pot or custom:FILE.")
@pot_option("addresses", "New address, auto for the lowest free one, or dhcp; repeatable.")
@pot_option("macs", "MAC address of the first interface on a bridge; repeat it for further ones.")
@pot_option("mtu", "MTU of the bridge, or of a bridge on which the pot is alone.")
@pot_option("passed", "Interface of the host that the pot has while it runs; repeatable.")
@click.option("--no-pass", is_flag=True, help="Take all interfaces of the host from the pot.")
@pot_option("hostname", "Host name.")
@pot_option("command", "Command to start in place of /bin/sh /etc/rc.")
@pot_option("boot", "Start the pot when the host boots.")
@pot_option("needs", "Pot that must start before this one; repeatable.")
@click.option("--no-needs", is_flag=True, help="Remove all pots that must start before this one.")
@pot_option("priority", "Pots with a lower number start first and stop last.")
@pot_option("parameters", "Parameter of jail(8) to set; the others stay; repeatable.")
@click.option(
    "--no-param", "no_parameters", multiple=True, type=SET_PARAMETER, metavar="NAME",
    help="Parameter of jail(8) to take away; repeatable.",
)  # fmt: skip
@pot_option("owner", "User who can open the taps, besides root.")
@traffic_options
@click.pass_obj
def set_options(options: Options, /, pot: str | None, bridge: str | None, **values: Any) -> None:
    """Change the settings of a pot or bridge.

    Settings that a running jail cannot change take effect at the next start.
    """
    if (pot is None) == (bridge is None):
        raise click.UsageError("give either a pot or -B BRIDGE")
    none = _emptied(values)
    given = {name: value for name, value in values.items() if value not in (None, ())}
    if not given and not none:
        raise click.UsageError("give at least one setting to change")
    if bridge is not None:
        if none or given.keys() - {"mtu", "isolate"}:
            raise click.UsageError("only --mtu and --isolate can be used with -B")
        _set_bridge(options, bridge, given.get("mtu"), given.get("isolate"))
        return
    assert pot is not None
    from potnet.operations.pots import settings as operation

    with changing(options) as app:
        request = operation.SettingsRequest(**settings(given), **none)
        later = operation.set_options(app, pot, request)
    text = f"{pot} changed" + ("; the change takes effect at the next start" if later else "")
    tell(options, {"name": pot, "changed": True, "from_next_start": later}, [text])


def _emptied(values: dict[str, Any]) -> dict[str, Any]:
    """The lists that an option --no-… empties, taken out of the values. Errors: UsageError."""
    found = {}
    for name, flag, option in (("passed", "no_pass", "--pass"), ("needs", "no_needs", "--needs")):
        if values.pop(flag):
            if values[name]:
                raise click.UsageError(f"{option} and --{flag.replace('_', '-')} cannot be used together")
            found[name] = ()
    return found


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
    from potnet.operations.pots import copy_in as operation

    with changing(options) as app:
        operation.copy_in(app, name, source, destination)
    tell(options, {"name": name, "changed": True}, [f"{source} copied to {destination} in {name}"])
