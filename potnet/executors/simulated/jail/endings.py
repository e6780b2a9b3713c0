"""The ends of jails: removal, the last process, and sockets that linger (jail(8), jail_remove(2))."""

from __future__ import annotations

from potnet.executors.simulated.net import interfaces
from potnet.executors.simulated.system import processes
from potnet.executors.simulated.world import jail_parameters as parameters
from potnet.executors.simulated.world.entities import Jail
from potnet.executors.simulated.world.world import World


def children(world: World, parent: Jail, dying: bool = False) -> list[Jail]:
    """Return the jails inside a jail, at every depth, the deepest last."""
    found = [each for each in world.jails(dying) if each.name.startswith(f"{parent.name}.")]
    return sorted(found, key=lambda each: each.name.count("."))


def settle(world: World) -> None:
    """End the jails that need not persist, and have neither processes nor jails inside."""
    for target in reversed(world.jails()):
        kept = parameters.allowed(target, "persist") or processes.running(world, target.jid)
        if not kept and not children(world, target):
            dissolve(world, target)
            return


def dissolve(world: World, target: Jail) -> None:
    """Remove a jail with its processes and jails; a jail that still has sockets stays as dying."""
    for child in reversed(children(world, target)):
        processes.end_all(world, child.jid)
        finish(world, child)
    processes.end_all(world, target.jid)
    world.state.delete("jail-name", target.name)
    linger = world.state.get("test", "linger")
    if linger is None:
        finish(world, target)
    else:
        world.state.delete("test", "linger")
        target.dying = int(linger["looks"])
        target.parameters.pop("persist", None)
        world.save_jail(target)
        world.state.put("dying", f"{target.jid:09}", {})
    settle(world)


def finish(world: World, target: Jail) -> None:
    """Remove the stack with the interfaces created in it, and return the host's interfaces."""
    world.state.delete("jail", f"{target.jid:09}")
    world.state.delete("dying", f"{target.jid:09}")
    if _owns_name(world, target):
        world.state.delete("jail-name", target.name)
    for key, row in world.state.scan("listen", f"{target.stack}/"):
        if target.vnet or row.get("jail") == target.name:
            world.state.delete("listen", key)
    if not target.vnet:
        return
    theirs = world.interfaces(target.stack)
    for interface in theirs:
        if interface.home != target.stack:
            interfaces.come_back(world, interface)
    for interface in theirs:
        if interface.home == target.stack and world.at(interface.index) is not None:
            world.detach(interface)
    for kind in ("route", "sysctl"):
        for key in world.state.keys(kind, f"{target.stack}/"):
            world.state.delete(kind, key)


def _owns_name(world: World, target: Jail) -> bool:
    row = world.state.get("jail-name", target.name)
    return row is not None and row["jid"] == target.jid


def look_at_dying(world: World) -> None:
    """Count a look at each dying jail, which ends after some looks."""
    for target in world.dying():
        world.state.look()
        if not target.dying:
            finish(world, target)
        else:
            target.dying -= 1
            world.save_jail(target)
