"""jail(8) and jls(8) in a jail, which sees and makes only jails inside itself."""

from __future__ import annotations

from potnet.executors.base import CommandResult
from potnet.executors.simulated.jail.jls import jls
from potnet.executors.simulated.world.entities import Jail
from potnet.executors.simulated.world.world import ToolError, World, unknown


def beget(world: World, parent: Jail, args: list[str]) -> CommandResult:
    """jail -c PARAMETER… in a jail that may have children: the new one shares its network."""
    given = dict(arg.partition("=")[::2] for arg in args[1:])
    room = parent.parameters.get("children.max", "0") != "0"
    if args[:1] != ["-c"] or set(given) != {"path", "persist", "name"} or not room:
        raise unknown(f"jail {' '.join(args)} in a jail")
    name, path = f"{parent.name}.{given['name']}", f"{parent.path}{given['path']}".rstrip("/")
    if world.jail(name) is not None:
        raise ToolError(f'jail: "{given["name"]}" already exists')
    made = Jail(world.state.next_number("jid"), name, path, given["name"], ip4="inherit", ip6="inherit")
    made.parent, made.shared, made.parameters = parent.jid, parent.stack, {"persist": ""}
    world.save_jail(made)
    world.state.put("jail-name", name, {"jid": made.jid})
    return CommandResult()


def list_inside(world: World, parent: Jail, argv: list[str]) -> CommandResult:
    """jls in a jail: names and paths begin there."""
    found = []
    for each in world.jails():
        if each.name.startswith(f"{parent.name}."):
            each.name = each.name.removeprefix(f"{parent.name}.")
            each.path = "/" + each.path.removeprefix(parent.path).lstrip("/")
            found.append(each)
    return jls(world, argv, found)
