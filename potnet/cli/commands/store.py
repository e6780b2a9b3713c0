"""`potnet store`."""

from __future__ import annotations

from pathlib import Path

import click

from potnet.cli.options import Command, Options, opened
from potnet.cli.output import tell


@click.command(
    cls=Command,
    examples=("potnet store backup /var/backups/potnet.db", "potnet store restore /var/backups/potnet.db"),
)
@click.argument("action", type=click.Choice(["backup", "restore"]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Replace FILE; restore even what does not fit what runs.")
@click.pass_obj
def store(options: Options, action: str, file: Path, force: bool) -> None:
    """Save the store in a file, or put such a file in its place.

    Both work while other commands run.
    """
    from potnet.operations.maintenance import store as operation

    restores = action == "restore"
    with opened(options, changes_host=restores, restores=restores) as app:
        done = (operation.restore if restores else operation.backup)(app, file, force)
    view = {"changed": True, "file": str(file), "pots": done.pots, "bridges": done.bridges}
    text = f"store {'restored from' if restores else 'saved in'} {file}: {_count(done.pots, 'pot')}, "
    text += _count(done.bridges, "bridge")
    if restores:
        view["replaced"] = str(done.replaced) if done.replaced else None
        text += f"; the one before is {done.replaced}"
    tell(options, view, [text])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
