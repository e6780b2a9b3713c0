"""`potnet export-ports`."""

from __future__ import annotations

import click

from potnet.cli.options import EXPORT, POT, Command, Options, opened
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
@click.option(
    "-p", "--pot", type=POT, envvar="POTNET_POT",
    help="The pot; without it POTNET_POT in the environment, else the only pot there is.",
)  # fmt: skip
@click.option(
    "-e", "exports", type=EXPORT, multiple=True,
    metavar="[HOST_ADDR@][tcp:|udp:|tcp+udp:]POT_PORT[-END][:HOST_PORT[-END]]",
    help="A port, or a range of ports; repeatable. Without HOST_PORT the lowest free one is taken.",
)  # fmt: skip
@click.option(
    "--from", "sources", multiple=True, metavar="CIDR",
    help="Only addresses in this network can use these exports; repeatable.",
)  # fmt: skip
@click.option(
    "--max-connections", type=int, metavar="N",
    help="Let each address have so many connections to an export at once, and no more.",
)  # fmt: skip
@click.option("--loopback", is_flag=True, help="Reach them from the host itself too (see init --loopback).")
@click.option("--add", is_flag=True, help="Keep the other exports of the pot.")
@click.option("--remove", is_flag=True, help="Take these away, and keep the others.")
@click.option("--clear", is_flag=True, help="Export nothing any more.")
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
    """Export ports of a pot on the host; the list given replaces the one before.

    On a running pot this holds at once.
    """
    if [add, remove, clear].count(True) > 1:
        raise click.UsageError("give at most one of --add, --remove and --clear")
    if bool(exports) == clear:
        raise click.UsageError("give either -e, once or more, or --clear")
    if (remove or clear) and (loopback or sources or max_connections is not None):
        raise click.UsageError(
            "--from, --max-connections and --loopback are for what is exported, not removed"
        )
    from potnet.operations.exports import export_ports as operation
    from potnet.operations.exports.change_exports import Change
    from potnet.operations.exports.export_text import export_view

    change = Change.ADD if add else Change.REMOVE if remove else Change.REPLACE
    with opened(options, changes_host=True) as app:
        request = operation.ExportRequest(exports, loopback, sources, max_connections, change)
        changed = operation.export_ports(app, pot, request)
    listed = [export_view(export) for export in changed.exports]
    text = ", ".join(map(export_text, listed))
    view = {"name": changed.name, "changed": True, "exports": listed}
    tell(options, view, [f"{changed.name} exports {text or 'nothing'}"])
