"""`potnet help`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from potnet.cli.command_table import COMMANDS, PAGES_OF
from potnet.cli.options import Command
from potnet.cli.terminal import say
from potnet.runtime.search_path import SYSTEM

#: The manual sections that have pages of potnet, in the order in which they are searched.
SECTIONS = ("8", "7", "5")


@click.command("help", cls=Command, examples=("potnet help create", "potnet help networking"))
@click.argument("topic", required=False, metavar="[COMMAND|TOPIC]")
@click.pass_context
def help_(ctx: click.Context, topic: str | None) -> int:
    """Open the manual page of a command or topic."""
    subject = (topic or "potnet").removeprefix("potnet-")
    page = _installed(subject if subject.startswith("potnet") else f"potnet-{PAGES_OF.get(subject, subject)}")
    if page is not None:
        man = next((path for folder in SYSTEM if os.access(path := f"{folder}/man", os.X_OK)), None)
        if man is not None:
            return os.spawnv(os.P_WAIT, man, ["man", str(page)])
    parent = ctx.find_root()
    if subject == "potnet":
        say(parent.get_help())
    elif subject in COMMANDS:
        group = parent.command
        assert isinstance(group, click.Group)
        command = group.get_command(parent, subject)
        assert command is not None
        with click.Context(command, info_name=subject, parent=parent) as own:
            say(command.get_help(own))
    else:
        raise click.UsageError(f"manual page not found: {topic!r}", ctx)
    return 0


def _installed(name: str) -> Path | None:
    """The manual page of this installation; it is below the prefix."""
    for section in SECTIONS:
        page = Path(sys.prefix, "share", "man", f"man{section}", f"{name}.{section}")
        if page.is_file():
            return page
    return None
