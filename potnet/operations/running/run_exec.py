"""run and exec: a shell, or a command, in a running jail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.host.query import Query
from potnet.host.state import FileKind
from potnet.operations.common import is_running, require_jail, require_pot
from potnet.operations.running.start import start
from potnet.planning.jail import path_in

if TYPE_CHECKING:
    from potnet.app import App

SHELL = "/bin/sh"


def run(app: App, name: str) -> int:
    """Start the pot if it is stopped, open a shell in it, and return the shell's exit code."""
    found = require_pot(app, name)
    name = found.name
    require_jail(found, "nothing is run in it")
    start(app, [name])
    shell = path_in(require_pot(app, name).root, SHELL.lstrip("/"))
    own = app.driver.traits.own_programs
    if own and app.driver.observe(Query(files=(shell,))).files[shell] is FileKind.ABSENT:
        raise PotnetError(
            f"{name} runs, but {SHELL} was not found in its root",
            hint=f"create it with -b RELEASE or --path DIR; `potnet exec {name} -- CMD` runs what it has",
        )
    return app.executor.attach(app.driver.enter(name, (SHELL,)))


def execute(app: App, name: str, argv: tuple[str, ...]) -> int:
    """Run a command in a running pot and return its exit code."""
    pot = require_pot(app, name)
    name = pot.name
    require_jail(pot, "nothing is run in it")
    if not is_running(app, pot):
        raise PotnetError(f"{name} is not running", hint=f"`potnet start {name}` first")
    return app.executor.attach(app.driver.enter(name, argv))
