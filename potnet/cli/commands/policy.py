"""`potnet policy`."""

from __future__ import annotations

from typing import Any

import click

from potnet.cli.options import SIDE, Command, Options, opened
from potnet.cli.output import emit, table, tell


@click.command(
    cls=Command, examples=("potnet policy add --from web --to db --port tcp:5432", "potnet policy list")
)
@click.argument("action", type=click.Choice(["add", "list", "remove"]))
@click.option("--from", "source", type=SIDE, help="The pot that connects, or all pots of a bridge.")
@click.option("--to", "destination", type=SIDE, help="The pot that is connected to, or all of a bridge.")
@click.option("--port", metavar="[tcp:|udp:]PORT[-END]", help="Only this port, or these; without it all.")
@click.option("--deny", is_flag=True, help="Deny, not allow.")
@click.pass_obj
def policy(
    options: Options, action: str, source: str | None, destination: str | None, port: str | None, deny: bool
) -> None:
    """Say which pots may open connections to which others.

    On running pots this holds at once.
    """
    from potnet.operations.networks import policies

    if action == "list":
        if source or destination or port or deny:
            raise click.UsageError("list takes no options: it shows all policies")
        with opened(options, changes_host=False) as app:
            emit(options, policies.listed(app), _text)
        return
    if source is None or destination is None:
        raise click.UsageError(f"{action} needs --from and --to")
    if action == "remove" and deny:
        raise click.UsageError("remove takes away what was said of --from, --to and --port, allow or deny")
    with opened(options, changes_host=True) as app:
        if action == "add":
            changed = policies.add(app, source, destination, port, deny)
        else:
            changed = policies.remove(app, source, destination, port)
    what = f"{source} to {destination}{f' {port}' if port else ''}"
    done = ("denied" if deny else "allowed") if action == "add" else "removed"
    text = f"policy {done}: {what}" if changed else f"policy as it was: {what}"
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
