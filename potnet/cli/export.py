"""`potnet export-ports`."""

from __future__ import annotations

import click

from potnet.cli.options import POT, Command, Options, opened
from potnet.cli.output import tell


@click.command("export-ports", cls=Command)
@click.option(
    "-p", "--pot", type=POT, envvar="POTNET_POT",
    help="The pot; without it POTNET_POT in the environment, else the only pot there is.",
)  # fmt: skip
@click.option(
    "-e", "exports", multiple=True, metavar="[tcp:|udp:]POT_PORT[:HOST_PORT]",
    help="A port; repeatable. Without HOST_PORT the lowest free one is taken.",
)  # fmt: skip
@click.option("--none", is_flag=True, help="Export nothing any more.")
@click.option("--loopback", is_flag=True, help="Reach them from the host itself too (see init --loopback).")
@click.pass_obj
def export_ports(
    options: Options, pot: str | None, exports: tuple[str, ...], none: bool, loopback: bool
) -> None:
    """Export ports of a pot on the host; the list given replaces the one before.

    On a running pot this holds at once.
    """
    if bool(exports) == none:
        raise click.UsageError("give either -e, once or more, or --none")
    from potnet.operations import export_ports as operation

    with opened(options, changes_host=True) as app:
        changed = operation.export_ports(app, pot, exports, loopback)
    text = ", ".join(_export_text(e.protocol, e.pot_port, e.host_port) for e in changed.exports)
    listed = [
        {"protocol": str(e.protocol), "pot_port": e.pot_port, "host_port": e.host_port}
        for e in changed.exports
    ]
    view = {"name": changed.name, "changed": True, "exports": listed}
    tell(options, view, [f"{changed.name} exports {text or 'nothing'}"])


def _export_text(protocol: str, pot_port: int, host_port: int | None) -> str:
    prefix = "" if protocol == "tcp" else f"{protocol}:"
    return f"{prefix}{pot_port}" + (f":{host_port}" if host_port else "")
