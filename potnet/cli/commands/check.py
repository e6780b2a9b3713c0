"""`potnet check` and `potnet repair`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from potnet.cli import colours, views
from potnet.cli.known_names import BRIDGE, many_pots
from potnet.cli.options import Command, Options, changing, reading
from potnet.cli.output import emit, tell

if TYPE_CHECKING:
    from potnet.host.findings import Finding

DRIFT = 1

_bridge = click.option("-B", "--bridge", type=BRIDGE, metavar="BRIDGE", help="A bridge and the pots on it.")


def _one_choice(pots: tuple[str, ...], bridge: str | None) -> None:
    if pots and bridge is not None:
        raise click.UsageError("give pots or -B BRIDGE, not both")


@click.command(cls=Command, examples=("potnet check", "potnet check web"))
@many_pots("Pot to check; repeatable. Default: all of the host.")
@_bridge
@click.pass_obj
def check(options: Options, pots: tuple[str, ...], bridge: str | None) -> int:
    """Report where the host differs from the store.

    Each line names the difference, its pot, bridge or interface, the state found, the state expected
    and the action of repair. The exit code is 1 if there is a difference.
    """
    _one_choice(pots, bridge)
    from potnet.operations.maintenance import check as operation

    with reading(options) as app:
        findings = operation.check(app, pots, bridge)
    emit(options, _as_dicts(findings), views.findings_text, colours.findings)
    return DRIFT if findings else 0


@click.command(cls=Command, examples=("potnet repair -B stove", "potnet repair --rules"))
@many_pots("Pot to repair; repeatable. Default: all of the host.")
@_bridge
@click.option("--rules", is_flag=True, help="Repair rules of the packet filter only.")
@click.pass_obj
def repair(options: Options, pots: tuple[str, ...], bridge: str | None, rules: bool) -> int:
    """Correct the differences that check reports.

    Missing parts are added and unused parts are removed. A pot whose jail is gone is stopped. With --rules,
    only rules in anchors are loaded again or removed, for example after somebody flushed them.
    Objects of other tools are left alone and reported. The exit code is 1 if a difference is left.
    """
    _one_choice(pots, bridge)
    from potnet.operations.maintenance import repair as operation

    with changing(options) as app:
        report = operation.repair(app, pots, bridge, rules)
    mended, left = _as_dicts(report.mended), _as_dicts(report.left)
    text = [f"{views.finding_head(each)}: repaired" for each in mended]
    if not mended and not left:
        text = ["nothing to do: the host is as it should be"]
    tell(
        options,
        {"mended": mended, "left": left},
        text,
        [views.finding_text(each) for each in left],
        colours.findings,
    )
    return DRIFT if left else 0


def _as_dicts(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]
