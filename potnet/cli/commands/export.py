"""`potnet export-ports`."""

from __future__ import annotations

from dataclasses import replace

import click

from potnet.cli.known_names import EXPORT, one_pot
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell
from potnet.cli.views import export_text


@click.command(
    "export-ports",
    cls=Command,
    examples=(
        "potnet export-ports -p web -e 80:30080 -e udp:53",
        "potnet export-ports -p web --add -e 443 --from 192.0.2.0/24",
    ),
)
@one_pot("Pot; default: POTNET_POT in the environment, or the only pot.", envvar="POTNET_POT")
@click.option(
    "-e", "exports", type=EXPORT, multiple=True,
    metavar="[HOST_ADDR@][tcp:|udp:|tcp+udp:]POT_PORT[-END][:HOST_PORT[-END]]",
    help="Port or range of ports to export; repeatable. HOST_PORT defaults to the lowest free port.",
)  # fmt: skip
@click.option(
    "--from", "sources", multiple=True, metavar="CIDR",
    help="Network of the clients that can use these exports; repeatable. Default: any.",
)  # fmt: skip
@click.option(
    "--max-connections", type=int, metavar="N",
    help="Number of connections that each client address can have to an export at once.",
)  # fmt: skip
@click.option(
    "--loopback", is_flag=True,
    help="Make the exports reachable from the host itself too; requires init --loopback.",
)  # fmt: skip
@click.option("--add", is_flag=True, help="Keep the other exports of the pot.")
@click.option("--remove", is_flag=True, help="Withdraw these exports and keep the others.")
@click.option("--clear", is_flag=True, help="Withdraw all exports.")
@click.pass_obj
def export_ports(
    options: Options,
    pot: str | None,
    exports: tuple[str, ...],
    sources: tuple[str, ...],
    max_connections: int | None,
    loopback: bool,
    add: bool,
    remove: bool,
    clear: bool,
) -> None:
    """Export ports of a pot on the host.

    The given exports replace the previous ones, unless --add or --remove is given. On a running pot the
    change takes effect at once.
    """
    if [add, remove, clear].count(True) > 1:
        raise click.UsageError("give at most one of --add, --remove and --clear")
    if bool(exports) == clear:
        raise click.UsageError("give either -e or --clear")
    if (remove or clear) and (loopback or sources or max_connections is not None):
        raise click.UsageError(
            "--from, --max-connections and --loopback cannot be used with --remove or --clear"
        )
    from potnet.operations.exports import export_ports as operation
    from potnet.operations.exports.change_exports import Abridged, Change
    from potnet.operations.exports.export_text import export_view

    change = Change.ADD if add else Change.REMOVE if remove else Change.REPLACE
    with changing(options) as app:
        request = operation.ExportRequest(exports, loopback, sources, max_connections, change)
        # Only JSON lists the exports of a pot with many.
        request = replace(request, most=None) if options.json else request
        changed = operation.export_ports(app, pot, request)
    listed = [export_view(export) for export in changed.exports]
    exported = [export_text(each) for each in listed]
    withdrawn = [
        text for each in changed.withdrawn if (text := export_text(export_view(each))) not in exported
    ]
    others = ["keeps its other exports"] if isinstance(changed, Abridged) else []
    own = [f"exports {', '.join(exported) or 'nothing'}"] if exported or not others else []
    text = f"{changed.name} {' and '.join((*own, *others))}"
    text += f"; withdrawn: {', '.join(withdrawn)}" if withdrawn else ""
    tell(options, {"name": changed.name, "changed": True, "exports": listed}, [text])
