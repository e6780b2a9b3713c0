"""The rootless host itself: start, status, enter, stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.operations.running.stop import stop as stop_pots
from potnet.rootless.host.client import Connection, RootlessHost
from potnet.rootless.ports.carried import parse_ports

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]
STOPPED: View = {"state": "stopped"}


def _host(app: App) -> RootlessHost:
    if app.rootless is None:
        raise UsageError("this host is not rootless", hint="add --host linux, and --rootless if you are root")
    return app.rootless


def status(app: App) -> View:
    """Return the state of the rootless host and its uplink."""
    connection = _host(app).running()
    if connection is None:
        return STOPPED
    facts = connection.ask("facts")
    state = "running" if facts["down"] is None else "disconnected"
    return {"state": state, **facts, "ports": connection.ask("ports")}


def start(app: App) -> bool:
    """Start the rootless host; return whether it was stopped before."""
    new = _host(app).running() is None
    assert app.executor
    return new


def stop(app: App) -> bool:
    """Stop the pots, then end everything in the rootless host; return whether it ran."""
    connection = _host(app).running()
    if connection is None:
        return False
    try:
        stop_pots(app, [run.pot.name for run in app.store.runs()])
    except PotnetError as error:
        app.notify(f"{error.message}; it ends with the host")
    if app.dry_run:
        app.executor.run(Command(("kill", str(connection.ask("facts")["keeper"]))))
        return True
    with app.locks.hold_all():
        connection.stop()
    return True


def enter(app: App, argv: Sequence[str], shell: str) -> int:
    """Run a command, or a shell, in the rootless host as its root, and return the exit code."""
    _require(app)
    return app.executor.attach(Command(tuple(argv) or (shell,), timeout=None))


def change_ports(app: App, verb: str, ports: Sequence[str]) -> None:
    """Open or close ports of the machine that lead to the rootless host. verb: open or close."""
    texts = tuple(str(port) for port in parse_ports(ports))
    _require(app)
    result = app.executor.run(Command(("potnet", "rootless", verb, *texts)))
    if result.code != 0:
        message, _, hint = result.err.partition("\n")
        raise PotnetError(message, hint or None)


def _require(app: App) -> Connection:
    connection = _host(app).running()
    if connection is None:
        raise PotnetError("the rootless host is not running", hint="start it with `potnet rootless start`")
    return connection
