"""`potnet start` and `potnet stop`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from potnet.cli.options import POT, Command, Options, opened
from potnet.cli.output import tell

if TYPE_CHECKING:
    from potnet.operations.pots.start import Outcome

_names = click.argument("names", nargs=-1, type=POT, metavar="[POT]...")
_pots = click.option("-p", "--pot", "pots", multiple=True, type=POT, help="A pot; repeatable.")


def _one_choice(names: tuple[str, ...], *others: bool) -> None:
    """Refuse none of, or more than one of, names and the flags that stand for them."""
    if [bool(names), *others].count(True) != 1:
        raise click.UsageError("name pots, or give --all or its like, and not both")


@click.command(cls=Command, examples=("potnet start web db", "potnet start --all --dry-run"))
@_names
@_pots
@click.option("--all", "all_", is_flag=True, help="Every pot.")
@click.option("--boot-only", is_flag=True, help="Every pot created or set with --boot.")
@click.pass_obj
def start(
    options: Options, names: tuple[str, ...], pots: tuple[str, ...], all_: bool, boot_only: bool
) -> None:
    """Start pots, those that they depend on first."""
    _one_choice(pots + names, all_, boot_only)
    from potnet.operations import selection
    from potnet.operations.pots import start as operation

    with opened(options, changes_host=True) as app:
        wanted = selection.resolve_names(app, [*pots, *names], all_, boot=boot_only)
        outcomes = operation.start(app, wanted)
    _tell(options, outcomes, "started", "is already running")


@click.command(cls=Command, examples=("potnet stop web", "potnet stop --all"))
@_names
@_pots
@click.option("--all", "all_", is_flag=True, help="Every pot.")
@click.pass_obj
def stop(options: Options, names: tuple[str, ...], pots: tuple[str, ...], all_: bool) -> None:
    """Stop pots and leave nothing of them on the host.

    A stop goes on past a failure and lists what is left; a second stop finishes.
    """
    _one_choice(pots + names, all_)
    from potnet.operations import selection
    from potnet.operations.pots import stop as operation

    with opened(options, changes_host=True, frees=True) as app:
        outcomes = operation.stop(app, selection.resolve_names(app, [*pots, *names], all_))
    _tell(options, outcomes, "stopped", "is already stopped")


def _tell(options: Options, outcomes: Iterable[Outcome], done: str, already: str) -> None:
    results = [{"name": outcome.name, "changed": outcome.changed} for outcome in outcomes]
    tell(options, results, [f"{each['name']} {done if each['changed'] else already}" for each in results])
