"""`potnet rootless`."""

from __future__ import annotations

import os
from typing import Any

import click

from potnet.cli.options import Command, Options, opened
from potnet.cli.output import emit, tell

_ACTIONS = ("status", "start", "stop", "enter", "open", "close")


@click.command(cls=Command, context_settings={"allow_interspersed_args": False})
@click.argument("action", type=click.Choice(_ACTIONS))
@click.argument("words", nargs=-1, metavar="[-- COMMAND [ARGUMENT]...] [PROTOCOL:[ADDRESS:]PORT]...")
@click.pass_context
def rootless(ctx: click.Context, action: str, words: tuple[str, ...]) -> None:
    """Start, look at, enter or end the host of pots without root, or open ports to it.

    enter takes a command, open and close take ports, such as tcp:30080.
    """
    options: Options = ctx.obj
    if bool(words) != (action in ("open", "close")) and action != "enter":
        raise click.UsageError(f"{action} takes {'ports' if not words else 'no arguments'}")
    if action == "status":
        _status(options)
    elif action == "enter":
        ctx.exit(_enter(options, words))
    else:
        _change(options, action, words)


def _status(options: Options) -> None:
    from potnet.operations import rootless as operation

    with opened(options, changes_host=False) as app:
        view = operation.status(app)
    emit(options, view, _text)


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


def _enter(options: Options, words: tuple[str, ...]) -> int:
    from potnet.operations import rootless as operation

    with opened(options, changes_host=True) as app:
        command = words[1:] if words[:1] == ("--",) else words
        return operation.enter(app, command, os.environ.get("SHELL", "/bin/sh"))


def _change(options: Options, action: str, words: tuple[str, ...]) -> None:
    from potnet.operations import rootless as operation

    with opened(options, changes_host=True) as app:
        if action == "start":
            changed = operation.start(app)
        elif action == "stop":
            changed = operation.stop(app)
        else:
            operation.change_ports(app, action, words)
            changed = True
    done = {"start": "runs", "stop": "has ended"}.get(action, f"{action}: {' '.join(words)}")
    already = {"start": "runs already", "stop": "does not run"}.get(action, "")
    tell(options, {"changed": changed}, [f"the rootless host {done if changed else already}"])
