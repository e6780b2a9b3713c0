"""`potnet doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from potnet.cli import colours
from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet doctor",))
@click.pass_obj
def doctor(options: Options) -> int:
    """Report what the host provides and lacks for pots.

    Each line is one condition: ok, limited (pots work, with the limit that is named) or missing (no pot
    works). The next line names the command that fixes it. The exit code is 1 if a condition is missing.
    """
    from potnet.host.findings import Verdict
    from potnet.operations.maintenance import doctor as operation

    with reading(options) as app:
        found = operation.doctor(app)
    emit(options, [asdict(each) for each in found], _text, colours.verdicts)
    return int(any(each.verdict is Verdict.MISSING for each in found))


def _text(conditions: Sequence[dict[str, Any]]) -> str:
    lines = []
    for each in conditions:
        lines.append(f"{each['verdict']:<8} {each['subject']}: {each['found']}")
        if each["remedy"] is not None:
            lines.append(f"{'':<8} fix: {each['remedy']}")
    return "\n".join(lines)
