"""`potnet run` and `potnet exec`: the two that end with what the jail's own program returned."""

from __future__ import annotations

import click

from potnet.cli.options import POT, POT_FIRST, Command, Options, opened


@click.command(cls=Command, examples=("potnet run web",))
@click.argument("name", required=False, type=POT, metavar="[POT]")
@click.option("-p", "--pot", type=POT, help="The pot.")
@click.pass_context
def run(ctx: click.Context, name: str | None, pot: str | None) -> None:
    """Start a pot if it is stopped, then open a shell in it."""
    if (name is None) == (pot is None):
        raise click.UsageError("name one pot")
    from potnet.operations.pots import run_exec

    options: Options = ctx.obj
    with opened(options, changes_host=True) as app:
        code = run_exec.run(app, str(name or pot))
    ctx.exit(code)


@click.command(
    "exec",
    cls=Command,
    examples=("potnet exec web -- ifconfig",),
    context_settings={"allow_interspersed_args": False},
)
@click.option("-p", "--pot", type=POT, help="The pot, in place of the first argument.")
@click.argument("words", nargs=-1, type=POT_FIRST, metavar="POT -- COMMAND [ARGUMENT]...")
@click.pass_context
def execute(ctx: click.Context, pot: str | None, words: tuple[str, ...]) -> None:
    """Run a command in a running pot and exit with its code."""
    name, command = (pot, words) if pot is not None else (words[0] if words else None, words[1:])
    if pot is None and command and command[0].startswith("-") and command[0] != "--":
        raise click.UsageError(f"option {command[0]} must stand before the pot")
    if command[:1] == ("--",):
        command = command[1:]
    if name is None or not command:
        raise click.UsageError("give a pot and a command: potnet exec POT -- COMMAND")
    from potnet.operations.pots import run_exec

    options: Options = ctx.obj
    with opened(options, changes_host=True) as app:
        code = run_exec.execute(app, name, command)
    ctx.exit(code)
