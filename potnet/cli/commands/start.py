"""`potnet start`, `potnet stop` and `potnet restart`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from potnet.cli.known_names import many_pots
from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell

if TYPE_CHECKING:
    from potnet.operations.running.start import Outcome


def _one_choice(flags: dict[str, bool], pots: tuple[str, ...]) -> None:
    """Raises UsageError unless either pots or one of the flags are given."""
    if [bool(pots), *flags.values()].count(True) != 1:
        raise click.UsageError(f"give pot names or {'/'.join(flags)}, not both")


@click.command(cls=Command, examples=("potnet start web db", "potnet start --all --dry-run"))
@many_pots("Pot to start; repeatable.")
@click.option("--all", "all_", is_flag=True, help="Start every pot.")
@click.option("--boot-only", is_flag=True, help="Start every pot that was created or set with --boot.")
@click.pass_obj
def start(options: Options, pots: tuple[str, ...], all_: bool, boot_only: bool) -> None:
    """Start pots, and before them the pots they require."""
    _one_choice({"--all": all_, "--boot-only": boot_only}, pots)
    from potnet.operations import selection
    from potnet.operations.running import start as operation

    with changing(options) as app:
        if boot_only:
            wanted = selection.boot_pots(app)
        else:
            wanted = selection.all_pots(app) if all_ else selection.named_pots(app, pots)
        outcomes = operation.start(app, wanted)
    _tell(options, outcomes, "started", "is already running")


@click.command(cls=Command, examples=("potnet stop web", "potnet stop --all"))
@many_pots("Pot to stop; repeatable.")
@click.option("--all", "all_", is_flag=True, help="Stop every pot.")
@click.pass_obj
def stop(options: Options, pots: tuple[str, ...], all_: bool) -> None:
    """Stop pots and remove their networks from the host.

    After a failure stop continues and lists what is left. Run it again to remove the rest.
    """
    _one_choice({"--all": all_}, pots)
    from potnet.operations import selection
    from potnet.operations.running import stop as operation

    with changing(options, "free") as app:
        wanted = selection.all_pots(app) if all_ else selection.named_pots(app, pots)
        outcomes = operation.stop(app, wanted)
    _tell(options, outcomes, "stopped", "is already stopped")


@click.command(cls=Command, examples=("potnet restart web", "potnet restart --all"))
@many_pots("Pot to restart; repeatable.")
@click.option("--all", "all_", is_flag=True, help="Restart every running pot.")
@click.pass_obj
def restart(options: Options, pots: tuple[str, ...], all_: bool) -> None:
    """Stop pots and start them again.

    A stopped pot is started. Changes for the next start take effect. Addresses and MAC addresses stay.
    """
    _one_choice({"--all": all_}, pots)
    from potnet.operations import selection
    from potnet.operations.running import restart as operation

    with changing(options) as app:
        wanted = selection.running_pots(app) if all_ else selection.named_pots(app, pots)
        outcomes = operation.restart(app, wanted)
    results = [{"name": each.name, "changed": each.changed, "stopped": each.stopped} for each in outcomes]
    lines = [
        f"{each.name} {'restarted' if each.stopped else 'started' if each.changed else 'is already running'}"
        for each in outcomes
    ]
    tell(options, results, lines)


def _tell(options: Options, outcomes: Iterable[Outcome], done: str, already: str) -> None:
    results = [{"name": outcome.name, "changed": outcome.changed} for outcome in outcomes]
    tell(options, results, [f"{each['name']} {done if each['changed'] else already}" for each in results])
