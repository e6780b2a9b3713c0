"""`potnet init`."""

from __future__ import annotations

import click

from potnet.cli.options import Command, Options, opened
from potnet.cli.output import tell


@click.command(cls=Command, examples=("potnet init --dry-run", "potnet init --apply"))
@click.option("--apply", is_flag=True, help="Load the new rules too, rather than print the command for it.")
@click.option("--loopback", is_flag=True, help="Prepare the host for export-ports --loopback too.")
@click.option(
    "--pf-conf", metavar="FILE", help="Main ruleset of pf; default: the one that pf_rules in rc.conf names."
)
@click.pass_obj
def init(options: Options, apply: bool, loopback: bool, pf_conf: str | None) -> None:
    """Prepare a host: anchor lines in pf.conf, pf and forwarding at boot. Twice is harmless."""
    from potnet.operations.maintenance import init as operation

    with opened(options, changes_host=True) as app:
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
