"""`potnet attach`, `potnet detach` and `potnet jail-conf`."""

from __future__ import annotations

import sys

import click

from potnet.cli.options import POT, Command, Options, opened
from potnet.cli.output import tell
from potnet.cli.terminal import say


@click.command(cls=Command, examples=("potnet attach web", "potnet attach web --created"))
@click.argument("name", type=POT, metavar="POT")
@click.option("--jail", metavar="JAIL", help="The jail, which has to have the name of the pot.")
@click.option("--created", is_flag=True, help="Nothing runs in it yet: write its etc files, too.")
@click.pass_obj
def attach(options: Options, name: str, jail: str | None, created: bool) -> None:
    """Give the network of a pot to a jail that something else has made."""
    from potnet.operations.pots import attach as operation

    with opened(options, changes_host=True) as app:
        outcome = operation.attach(app, name, jail, created)
    done = "attached" if outcome.changed else "is attached already"
    tell(options, {"name": name, "changed": outcome.changed}, [f"{name} {done}"])


@click.command(cls=Command, examples=("potnet detach web",))
@click.argument("names", nargs=-1, required=True, type=POT, metavar="POT...")
@click.option("--ending", is_flag=True, help="The jail is about to be removed; detach again after that.")
@click.pass_obj
def detach(options: Options, names: tuple[str, ...], ending: bool) -> None:
    """Take the networks of pots away from jails that something else has made, or had made."""
    from potnet.operations.pots import attach as operation

    with opened(options, changes_host=True) as app:
        outcomes = operation.detach(app, names, ending)
    results = [{"name": each.name, "changed": each.changed} for each in outcomes]
    words = ("is not attached", "detached")
    tell(options, results, [f"{each['name']} {words[bool(each['changed'])]}" for each in results])


@click.command("jail-conf", cls=Command, examples=("potnet jail-conf web > /etc/jail.conf.d/web.conf",))
@click.argument("name", type=POT, metavar="POT")
@click.pass_obj
def jail_conf(options: Options, name: str) -> None:
    """Print a pot as a fragment of jail.conf(5), for jail(8) or another manager to start it."""
    from potnet.operations.pots import attach as operation

    with opened(options, changes_host=False) as app:
        say(operation.jail_conf(app, name, _program(options)))


def _program(options: Options) -> list[str]:
    """This program as a hook has to call it: where it is, and which store and host it is about."""
    called = sys.argv[0]
    words = [called if called.startswith("/") and called.endswith("/potnet") else "potnet"]
    for option in ("config", "host", "state_dir"):
        if option in options.given:
            words += [f"--{option.replace('_', '-')}", str(getattr(options, option))]
    return words
