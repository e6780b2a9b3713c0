"""`potnet init`."""

from __future__ import annotations

import click

from potnet.cli.options import Command, Options, changing
from potnet.cli.output import tell


@click.command(cls=Command, examples=("potnet init --dry-run", "potnet init --apply"))
@click.option("--apply", is_flag=True, help="Load the new rules too; default: print the command for it.")
@click.option("--loopback", is_flag=True, help="Also prepare the host for export-ports --loopback.")
@click.option("--pf-conf", metavar="FILE", help="Main ruleset of pf; default: pf_rules of rc.conf.")
@click.pass_obj
def init(options: Options, apply: bool, loopback: bool, pf_conf: str | None) -> None:
    """Prepare the host for pots.

    init adds the anchor lines to pf.conf and enables pf and forwarding at boot. Running it again is harmless.
    """
    from potnet.operations.maintenance import init as operation

    with changing(options) as app:
        report = operation.init(app, apply, loopback, pf_conf)
    view = {
        "changed": bool(report.done) or report.loaded,
        "done": list(report.done),
        "load_commands": list(report.load_commands),
        "loaded": report.loaded,
    }
    text = list(report.done)
    if report.load_commands:
        heading = "loaded by:" if report.loaded else "to load it:"
        text += [heading, *(f"\t{command}" for command in report.load_commands)]
    tell(options, view, text or ["nothing to do: the host is prepared"])
