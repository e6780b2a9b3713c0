"""`potnet store`."""

from __future__ import annotations

from pathlib import Path

import click

from potnet.cli.options import Command, FilePath, Options, changing, reading
from potnet.cli.output import tell


@click.command(
    cls=Command,
    examples=("potnet store backup /var/backups/potnet.db", "potnet store restore /var/backups/potnet.db"),
)
@click.argument("action", type=click.Choice(["backup", "restore"]))
@click.argument("file", type=FilePath())
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Replace FILE; restore a store that does not fit the running pots.",
)
@click.pass_obj
def store(options: Options, action: str, file: Path, force: bool) -> None:
    """Back the store up to a file, or restore it from one.

    Both work while other commands run.
    """
    from potnet.operations.maintenance import store as operation

    restores = action == "restore"
    with changing(options, "restore") if restores else reading(options) as app:
        done = (operation.restore if restores else operation.backup)(app, file, force)
    view = {"changed": True, "file": str(file), "pots": done.pots, "bridges": done.bridges}
    text = f"store {'restored from' if restores else 'saved in'} {file}: {_count(done.pots, 'pot')}, "
    text += _count(done.bridges, "bridge")
    if restores:
        view["replaced"] = str(done.replaced) if done.replaced else None
        text += f"; the previous store is {done.replaced}"
    tell(options, view, [text])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
