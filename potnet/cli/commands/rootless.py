"""`potnet rootless`."""

from __future__ import annotations

import os
from typing import Any

import click

from potnet.cli.options import Commands, Options, changing, reading
from potnet.cli.output import emit, tell


@click.group(cls=Commands, examples=("potnet rootless start", "potnet rootless status"))
def rootless() -> None:
    """Manage the host of pots that runs without root."""


@rootless.command(examples=("potnet rootless status",))
@click.pass_obj
def status(options: Options) -> None:
    """Print the state, uplink and users of the host."""
    from potnet.operations.maintenance import rootless as operation

    with reading(options) as app:
        view = operation.status(app)
    emit(options, view, _text)


@rootless.command(examples=("potnet rootless start",))
@click.pass_obj
def start(options: Options) -> None:
    """Start the host.

    Every command that changes something also starts it.
    """
    from potnet.operations.maintenance import rootless as operation

    with changing(options) as app:
        changed = operation.start(app)
    _tell(options, changed, "is started" if changed else "is already running")


@rootless.command(examples=("potnet rootless stop",))
@click.pass_obj
def stop(options: Options) -> None:
    """Stop the pots, then the host and its processes."""
    from potnet.operations.maintenance import rootless as operation

    with changing(options) as app:
        changed = operation.stop(app)
    _tell(options, changed, "is stopped" if changed else "is already stopped")


@rootless.command(
    examples=("potnet rootless enter -- ip address",), context_settings={"allow_interspersed_args": False}
)
@click.argument("words", nargs=-1, metavar="[-- COMMAND [ARGUMENT]...]")
@click.pass_context
def enter(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Run a command, or a shell, as root of the host.

    The exit code is that of the command.
    """
    from potnet.operations.maintenance import rootless as operation

    options: Options = ctx.obj
    with changing(options) as app:
        code = operation.enter(app, words, os.environ.get("SHELL", "/bin/sh"))
    ctx.exit(code)


_ports = click.argument("ports", nargs=-1, required=True, metavar="PROTOCOL:[ADDRESS:]PORT...")


@rootless.command("open", examples=("potnet rootless open tcp:8080",))
@_ports
@click.pass_obj
def open_(options: Options, ports: tuple[str, ...]) -> None:
    """Forward ports of the machine to the same ports of the host."""
    _change_ports(options, "open", ports)


@rootless.command(examples=("potnet rootless close tcp:8080",))
@_ports
@click.pass_obj
def close(options: Options, ports: tuple[str, ...]) -> None:
    """Close ports that `rootless open` opened."""
    _change_ports(options, "close", ports)


def _change_ports(options: Options, action: str, ports: tuple[str, ...]) -> None:
    from potnet.operations.maintenance import rootless as operation

    with changing(options) as app:
        operation.change_ports(app, action, ports)
    _tell(options, True, f"{action}: {' '.join(ports)}")


def _tell(options: Options, changed: bool, done: str) -> None:
    tell(options, {"changed": changed}, [f"the rootless host {done}"])


def _text(view: dict[str, Any]) -> str:
    if view["state"] == "stopped":
        return "stopped"
    program = " ".join(filter(None, (view["uplink"], view["version"])))
    lines = {
        "state": view["state"] + (f": {view['down']}" if view["down"] else ""),
        "uplink": program + (f" (pid {view['pid']})" if view["pid"] else ""),
        "interface": view["interface"],
        "address": view["address"],
        "mtu": view["mtu"],
        "keeper": f"pid {view['keeper']}",
        "init": f"pid {view['init']}",
        "users": ", ".join(_mapping(*each) for each in view["ids"]),
        "ports": " ".join(view["ports"]) or "none",
    }
    return "\n".join(f"{name:<10}{'-' if value is None else value}" for name, value in lines.items())


def _mapping(inside: int, outside: int, count: int) -> str:
    if count == 1:
        return f"{inside} is {outside}"
    return f"{inside} to {inside + count - 1} are {outside} to {outside + count - 1}"
