"""`potnet doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from potnet.cli.options import Command, Options, opened
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet doctor",))
@click.pass_obj
def doctor(options: Options) -> int:
    """Tell what this host has of what pots need, and what mends the rest.

    A line for each condition: ok, limited (pots work, but for what is said) or missing (none does). The exit
    code is 1 when something is missing. Nothing is changed.
    """
    from potnet.host.findings import Verdict
    from potnet.operations.maintenance import doctor as operation

    with opened(options, changes_host=False) as app:
        found = operation.doctor(app)
    emit(options, [asdict(each) for each in found], _text)
    return int(any(each.verdict is Verdict.MISSING for each in found))


def _text(conditions: Sequence[dict[str, Any]]) -> str:
    lines = []
    for each in conditions:
        lines.append(f"{each['verdict']:<8} {each['subject']}: {each['found']}")
        if each["remedy"] is not None:
            lines.append(f"{'':<8} to mend it: {each['remedy']}")
    return "\n".join(lines)
