"""`potnet logs`."""

from __future__ import annotations

import click

from potnet.cli.known_names import one_pot, required
from potnet.cli.options import TYPED, Command, Options, reading
from potnet.cli.output import emit
from potnet.cli.terminal import say


@click.command(cls=Command, examples=("potnet logs web", "potnet logs -f web"))
@one_pot("Pot whose log is printed.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until interrupted.")
@click.pass_context
def logs(ctx: click.Context, pot: str | None, follow: bool) -> None:
    """Print what a pot printed at its starts.

    This is the output of its rc, or of its command. Control characters are escaped.
    """
    name = required(pot)
    options: Options = ctx.obj
    if follow and options.json and options.given.get("output") == TYPED:
        raise click.UsageError("-f prints text only: leave -o json out")
    from potnet.operations.reports import logs as operation

    with reading(options) as app:
        if follow:
            try:
                operation.follow(app, name, say)
            except KeyboardInterrupt:
                ctx.exit(0)
            return
        log = operation.log(app, name)
        if log is None:
            app.notify(f"{name} has no log: nothing was started in it yet")
        emit(options, operation.starts(log or ""), lambda _: operation.text_of(log or ""))
