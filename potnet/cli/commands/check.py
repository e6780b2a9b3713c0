"""`potnet check` and `potnet repair`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from potnet.cli import views
from potnet.cli.options import Command, Options, opened
from potnet.cli.output import emit, tell

if TYPE_CHECKING:
    from potnet.host.findings import Finding

DRIFT = 1

_names = click.argument("names", nargs=-1, metavar="[POT]...")
_pots = click.option("-p", "--pot", "pots", multiple=True, metavar="POT", help="A pot; repeatable.")
_bridge = click.option("-B", "--bridge", metavar="BRIDGE", help="A bridge, with the pots on it.")


def _one_choice(pots: tuple[str, ...], bridge: str | None) -> None:
    if pots and bridge is not None:
        raise click.UsageError("name pots, or a bridge with -B, and not both")


@click.command(cls=Command, examples=("potnet check", "potnet check web"))
@_names
@_pots
@_bridge
@click.pass_obj
def check(options: Options, names: tuple[str, ...], pots: tuple[str, ...], bridge: str | None) -> int:
    """Tell where the host differs from what potnet made of it.

    A line for each difference: what it is, on which pot, bridge or interface, how it is, how it should be,
    and what repair does about it. The exit code is 1 when there is one. Without names all is looked at.
    """
    _one_choice(pots + names, bridge)
    from potnet.operations.maintenance import check as operation

    with opened(options, changes_host=False) as app:
        findings = operation.check(app, [*pots, *names], bridge)
    emit(options, _as_dicts(findings), views.findings_text)
    return DRIFT if findings else 0


@click.command(cls=Command, examples=("potnet repair", "potnet repair -B stove"))
@_names
@_pots
@_bridge
@click.pass_obj
def repair(options: Options, names: tuple[str, ...], pots: tuple[str, ...], bridge: str | None) -> int:
    """Make the host as potnet left it, as far as it is potnet's.

    What is missing is put back, and what belongs to nothing is taken away; a pot whose jail is gone is
    stopped. What potnet did not make stays, and is told. The exit code is 1 when something is left.
    """
    _one_choice(pots + names, bridge)
    from potnet.operations.maintenance import repair as operation

    with opened(options, changes_host=True) as app:
        report = operation.repair(app, [*pots, *names], bridge)
    mended, left = _as_dicts(report.mended), _as_dicts(report.left)
    text = [f"{views.finding_head(each)}: mended" for each in mended]
    if not mended and not left:
        text = ["nothing to do: the host is as it should be"]
    tell(options, {"mended": mended, "left": left}, text, [views.finding_text(each) for each in left])
    return DRIFT if left else 0


def _as_dicts(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]
