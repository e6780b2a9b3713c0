"""`potnet set`, `set-hook` and `copy-in`: what can be changed of a pot that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from potnet.cli.options import BRIDGE, INTERFACE, POT, USER, Command, Options, network_options, opened
from potnet.cli.output import tell

_pot = click.option("-p", "--pot", type=POT, required=True, help="The pot.")
_FILE = click.Path(path_type=Path)


@click.command(
    "set",
    cls=Command,
    examples=("potnet set -p web --hostname www.example.org --boot", "potnet set -B stove --mtu 1400"),
)
@click.option("-p", "--pot", type=POT, help="The pot.")
@click.option("-B", "--bridge", type=BRIDGE, help="A bridge in its place: --mtu, --isolate.")
@click.option("-d", "--dns", "resolver", metavar="RESOLVER", help="inherit, off, pot or custom:FILE.")
@click.option("-i", "--ip", "addresses", multiple=True, metavar="auto|[IF|]ADDR", help="Its address.")
@click.option(
    "--mac", "macs", multiple=True, metavar="MAC", help="Of its interfaces on bridges, in their order."
)
@click.option("--mtu", type=int, metavar="BYTES", help="Of its bridge, where it is alone; or of BRIDGE.")
@click.option(
    "--pass", "passed", type=INTERFACE, multiple=True, metavar="IF",
    help="The host's interfaces that it has.",
)  # fmt: skip
@click.option("--no-pass", is_flag=True, help="It has none of the host's interfaces any more.")
@click.option("--hostname", help="Its host name.")
@click.option("--cmd", "command", metavar="COMMAND", help="Run at start in place of /bin/sh /etc/rc.")
@click.option("--boot/--no-boot", default=None, help="Whether it starts when the host boots.")
@click.option("--owner", type=USER, metavar="USER", help="Who may open its taps.")
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
    """Change the settings of a pot, or of a bridge for all its pots, without destroying it."""
    if (pot is None) == (bridge is None):
        raise click.UsageError("give either -p POT or -B BRIDGE")
    single = (resolver, hostname, command, boot, owner, mtu, *network.values())
    if all(each is None for each in single) and not (addresses or macs or passed or no_pass):
        raise click.UsageError("give at least one setting to change")
    if passed and no_pass:
        raise click.UsageError("--pass and --no-pass exclude each other")
    if bridge is not None:
        isolate = network.pop("isolate")
        of_pots = (resolver, hostname, command, boot, owner, *network.values())
        if any(each is not None for each in of_pots) or addresses or macs or passed or no_pass:
            raise click.UsageError("of a bridge --mtu and --isolate can be set, the rest is of pots")
        _set_bridge(options, bridge, mtu, isolate)
        return
    assert pot is not None
    from potnet.operations.networks.network_options import NetworkOptions
    from potnet.operations.pots import settings

    with opened(options, changes_host=True) as app:
        request = settings.SettingsRequest(
            resolver=resolver, addresses=addresses, hostname=hostname, command=command, boot=boot,
            macs=macs, mtu=mtu, passed=passed if passed or no_pass else None,
            owner=owner, network=NetworkOptions(**network),
        )  # fmt: skip
        later = settings.set_options(app, pot, request)
    text = f"{pot} changed" + ("; it holds from the next start" if later else "")
    tell(options, {"name": pot, "changed": True, "from_next_start": later}, [text])


def _set_bridge(options: Options, name: str, mtu: int | None, isolate: bool | None) -> None:
    from potnet.operations.networks import bridges

    with opened(options, changes_host=True) as app:
        up = bridges.set_bridge(app, name, mtu=mtu, isolate=isolate)
    text = f"{name} changed" + (f"; `potnet repair -B {name}` gives it to what is up" if up else "")
    tell(options, {"name": name, "changed": True, "from_next_start": up}, [text])


@click.command("set-hook", cls=Command, examples=("potnet set-hook -p web -s ./before-start",))
@_pot
@click.option("-s", "--prestart", type=_FILE, metavar="FILE", help="Run on the host before a start.")
@click.option("-S", "--poststart", type=_FILE, metavar="FILE", help="Run on the host after a start.")
@click.option("-t", "--prestop", type=_FILE, metavar="FILE", help="Run on the host before a stop.")
@click.option("-T", "--poststop", type=_FILE, metavar="FILE", help="Run on the host after a stop.")
@click.pass_obj
def set_hook(options: Options, /, pot: str, **files: Path | None) -> None:
    """Copy programs into a pot's configuration, to be run on the host around its start and stop.

    Their environment is what `potnet info -E` prints.
    """
    given = {kind: path for kind, path in files.items() if path is not None}
    if not given:
        raise click.UsageError("give at least one of -s, -S, -t and -T")
    from potnet.model.pots import HookKind
    from potnet.operations.files import hooks

    with opened(options, changes_host=True) as app:
        hooks.set_hook(app, pot, {HookKind(kind): path for kind, path in given.items()})
    tell(options, {"name": pot, "changed": True}, [f"{pot} has its {' and '.join(given)} set"])


@click.command(
    "copy-in", cls=Command, examples=("potnet copy-in -p web -s ./index.html -d /usr/local/www/index.html",)
)
@_pot
@click.option("-s", "--source", type=_FILE, metavar="SOURCE", required=True, help="A file or folder here.")
@click.option("-d", "--destination", metavar="PATH", required=True, help="Where in the pot's root it goes.")
@click.pass_obj
def copy_in(options: Options, pot: str, source: Path, destination: str) -> None:
    """Copy a file or folder into a pot's root; no link in there leads it astray."""
    from potnet.operations.pots import settings

    with opened(options, changes_host=True) as app:
        settings.copy_in(app, pot, source, destination)
    tell(options, {"name": pot, "changed": True}, [f"{source} copied to {destination} in {pot}"])
