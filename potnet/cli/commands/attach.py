"""`potnet attach`, `potnet detach` and `potnet jail-conf`."""

from __future__ import annotations

import sys

import click

from potnet.cli.known_names import many_pots, one_pot, required
from potnet.cli.options import Command, Options, changing, reading
from potnet.cli.output import tell
from potnet.cli.terminal import say


@click.command(cls=Command, examples=("potnet attach web", "potnet attach web --created"))
@one_pot("Pot whose network the jail gets.")
@click.option("--jail", metavar="JAIL", help="Name of the jail; it must be the name of the pot.")
@click.option(
    "--created", is_flag=True, help="Also write the jail's resolver and hosts files: nothing runs in it yet."
)
@click.pass_obj
def attach(options: Options, pot: str | None, jail: str | None, created: bool) -> None:
    """Give a pot's network to a jail of another tool.

    The jail must exist and have the name of the pot.
    """
    name = required(pot)
    from potnet.operations.running import attach as operation

    with changing(options) as app:
        outcome = operation.attach(app, name, jail, created)
    done = "attached" if outcome.changed else "is already attached"
    tell(options, {"name": name, "changed": outcome.changed}, [f"{name} {done}"])


@click.command(cls=Command, examples=("potnet detach web",))
@many_pots("Pot to detach; repeatable.")
@click.option("--ending", is_flag=True, help="The jail is about to be removed; detach again after that.")
@click.pass_obj
def detach(options: Options, pots: tuple[str, ...], ending: bool) -> None:
    """Take the networks of pots from jails of another tool.

    The jails may already be gone.
    """
    pots = required(pots or None)
    from potnet.operations.running import attach as operation

    with changing(options) as app:
        outcomes = operation.detach(app, pots, ending)
    results = [{"name": each.name, "changed": each.changed} for each in outcomes]
    words = ("is not attached", "detached")
    tell(options, results, [f"{each['name']} {words[bool(each['changed'])]}" for each in results])


@click.command("jail-conf", cls=Command, examples=("potnet jail-conf web > /etc/jail.conf.d/web.conf",))
@one_pot("Pot to print.")
@click.pass_obj
def jail_conf(options: Options, pot: str | None) -> None:
    """Print a pot as a fragment of jail.conf(5).

    jail(8), or another jail manager, starts the pot from it.
    """
    name = required(pot)
    from potnet.operations.running import attach as operation

    with reading(options) as app:
        say(operation.jail_conf(app, name, _program(options)))


def _program(options: Options) -> list[str]:
    """The command line by which a hook calls this program, for the same store and host."""
    called = sys.argv[0]
    words = [called if called.startswith("/") and called.endswith("/potnet") else "potnet"]
    for option in ("config", "host", "state_dir"):
        if option in options.given:
            words += [f"--{option.replace('_', '-')}", str(getattr(options, option))]
    return words
