"""`potnet policy`."""

from __future__ import annotations

from typing import Any

import click

from potnet.cli.known_names import SIDE
from potnet.cli.options import Command, Options, changing, reading
from potnet.cli.output import emit, table, tell


@click.command(
    cls=Command, examples=("potnet policy add --from web --to db --port tcp:5432", "potnet policy list")
)
@click.argument("action", type=click.Choice(["add", "list", "remove"]))
@click.option("--from", "source", type=SIDE, help="Pot that connects, or bridge for all its pots.")
@click.option("--to", "destination", type=SIDE, help="Pot that is connected to, or bridge for all its pots.")
@click.option("--port", metavar="[tcp:|udp:]PORT[-END]", help="Port or range of ports; default: all ports.")
@click.option("--deny", is_flag=True, help="Deny the connections; default: allow them.")
@click.pass_obj
def policy(
    options: Options, action: str, source: str | None, destination: str | None, port: str | None, deny: bool
) -> None:
    """Allow or deny connections between pots.

    On running pots a change takes effect at once.
    """
    from potnet.operations.networks import policies

    if action == "list":
        if source or destination or port or deny:
            raise click.UsageError("list takes no options")
        with reading(options) as app:
            emit(options, policies.listed(app), _text)
        return
    if source is None or destination is None:
        raise click.UsageError(f"{action} requires --from and --to")
    if action == "remove" and deny:
        raise click.UsageError("--deny cannot be used with remove, which removes allow and deny alike")
    with changing(options) as app:
        if action == "add":
            changed = policies.add(app, source, destination, port, deny)
        else:
            changed = policies.remove(app, source, destination, port)
    what = f"{source} to {destination}{f' {port}' if port else ''}"
    done = ("denied" if deny else "allowed") if action == "add" else "removed"
    text = f"policy {done}: {what}" if changed else f"policy unchanged: {what}"
    tell(options, {"changed": changed}, [text])


def _text(views: list[dict[str, Any]]) -> str:
    rows = [
        (
            view["action"],
            ("bridge " if view["from_bridge"] else "") + view["from"],
            ("bridge " if view["to_bridge"] else "") + view["to"],
            view["port"] or "all",
        )
        for view in views
    ]
    return table(("action", "from", "to", "port"), rows) if rows else ""
