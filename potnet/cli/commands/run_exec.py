"""`potnet run` and `potnet exec`, which exit with the code of the program in the jail."""

from __future__ import annotations

import click

from potnet.cli.known_names import POT, POT_FIRST, one_pot, required
from potnet.cli.options import Command, Options, changing


@click.command(cls=Command, examples=("potnet run web",))
@one_pot("Pot to run.")
@click.pass_context
def run(ctx: click.Context, pot: str | None) -> None:
    """Open a shell in a pot; start the pot if necessary.

    The exit code is that of the shell.
    """
    name = required(pot)
    from potnet.operations.running import run_exec

    options: Options = ctx.obj
    with changing(options) as app:
        code = run_exec.run(app, name)
    ctx.exit(code)


@click.command(
    "exec",
    cls=Command,
    examples=("potnet exec web -- ifconfig",),
    context_settings={"allow_interspersed_args": False},
)
@click.option("-p", "--pot", type=POT, help="Pot; all arguments are then the command.")
@click.argument("words", nargs=-1, type=POT_FIRST, metavar="POT -- COMMAND [ARGUMENT]...")
@click.pass_context
def execute(ctx: click.Context, pot: str | None, words: tuple[str, ...]) -> None:
    """Run a command in a running pot.

    The exit code is that of the command.
    """
    name, command = (pot, words) if pot is not None else (words[0] if words else None, words[1:])
    if pot is None and command and command[0].startswith("-") and command[0] != "--":
        raise click.UsageError(f"option {command[0]} must be given before the pot")
    if command[:1] == ("--",):
        command = command[1:]
    if name is None or not command:
        raise click.UsageError("give a pot and a command: potnet exec POT -- COMMAND")
    from potnet.operations.running import run_exec

    options: Options = ctx.obj
    with changing(options) as app:
        code = run_exec.execute(app, name, command)
    ctx.exit(code)
