"""Small tools that work on the names of files: ln, ls."""

from __future__ import annotations

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files import flags
from potnet.executors.simulated.files.filetools import FileTool, Stdin, why
from potnet.executors.simulated.world import devices
from potnet.executors.simulated.world.world import ToolError, World, unknown


def ln(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """ln FILE NAME: a hard link."""
    world.state.changing()
    if len(argv) != 3 or argv[1].startswith("-"):
        raise unknown(f"ln {' '.join(argv[1:])}")
    try:
        real, place = (world.tree.resolve(path) for path in argv[1:])
        flags.refuse_arriving(world, place)
        place.hardlink_to(real)
    except OSError as error:
        path = argv[2] if isinstance(error, FileExistsError) else argv[1]
        raise ToolError(f"ln: {path}: {why(error)}") from None
    return CommandResult()


def ls(world: World, argv: list[str], _: Stdin = None) -> CommandResult:
    """ls [PATH]: names alone, one on each line."""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].startswith("-")):
        raise unknown(f"ls {' '.join(argv[1:])}")
    path = argv[1] if len(argv) == 2 else "/"
    try:
        real = world.tree.resolve(path)
        shown = devices.seen_at(world, real)
        if shown is not None:
            names = sorted(shown)
        else:
            names = sorted(entry.name for entry in real.iterdir()) if real.is_dir() else [path]
        real.lstat()
    except OSError:
        return CommandResult(1, "", f"ls: {path}: No such file or directory\n")
    return CommandResult(0, "".join(f"{name}\n" for name in names))


def host_ls(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """ls as `ls`; the host's own /dev has all nodes."""
    if argv[1:] == ["/dev"]:
        return CommandResult(0, "".join(f"{name}\n" for name in sorted(devices.nodes(world))))
    return ls(world, argv)


TOOLS: dict[str, FileTool] = {"ln": ln, "ls": host_ls}
