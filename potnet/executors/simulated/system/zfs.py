"""zfs(8), as far as potnet needs it: datasets with their mount points, on pools that a host may have.

The words are those of zfs-list(8), zfs-create(8), zfs-destroy(8) and of OpenZFS: cmd/zfs/zfs_main.c and
lib/libzfs/libzfs_dataset.c, libzfs_mount.c, libzfs_util.c.
"""

from __future__ import annotations

import shutil

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin, mkdir
from potnet.executors.simulated.world.world import ToolError, World, unknown


def zfs(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """zfs list -H -o name,mountpoint NAME | create [-o mountpoint=P] NAME | mount NAME |
    destroy [-f] NAME."""
    match argv[1:]:
        case ["list", "-H", "-o", "name,mountpoint", name]:
            return CommandResult(0, f"{name}\t{_point(world, name)}\n")
        case ["create", name]:
            _create(world, name, None)
        case ["create", "-o", option, name] if option.startswith("mountpoint=/"):
            _create(world, name, option.removeprefix("mountpoint="))
        case ["mount", name]:
            _mount(world, name)
        case ["destroy", name] | ["destroy", "-f", name]:
            _destroy(world, name)
        case rest:
            raise unknown(f"zfs {' '.join(rest)}")
    return CommandResult()


def _point(world: World, name: str) -> str:
    row = world.state.get("dataset", name)
    if row is None:
        raise ToolError(f"cannot open '{name}': dataset does not exist")
    return str(row["point"])


def _create(world: World, name: str, point: str | None) -> None:
    world.state.changing()
    if world.state.get("dataset", name) is not None:
        raise ToolError(f"cannot create '{name}': dataset already exists")
    pool, slash, _ = name.partition("/")
    if not slash or world.state.get("dataset", pool) is None:
        raise ToolError(f"cannot create '{name}': no such pool '{pool}'")
    parent, _, leaf = name.rpartition("/")
    if world.state.get("dataset", parent) is None:
        raise ToolError(f"cannot create '{name}': parent does not exist")
    point = point or f"{_point(world, parent).rstrip('/')}/{leaf}"
    world.state.put("dataset", name, {"point": point, "order": world.state.next_number("dataset")})
    _mount(world, name)


def _mount(world: World, name: str) -> None:
    world.state.changing()
    point = _point(world, name)
    if any(source == name for source, _, kind in world.mounted() if kind == "zfs"):
        raise ToolError(f"cannot mount '{name}': filesystem already mounted")
    mkdir(world, ["mkdir", "-p", point], None)
    world.mount(point, name, "zfs")


def _destroy(world: World, name: str) -> None:
    world.state.changing()
    point = _point(world, name)
    children = [key for key, _ in world.state.scan("dataset", f"{name}/")]
    if children:
        lines = [f"cannot destroy '{name}': filesystem has children"]
        lines += ["use '-r' to destroy the following datasets:", *children]
        raise ToolError("\n".join(lines))
    if (name, point, "zfs") in world.mounted():
        world.unmount(point)
        # The mount point stays, because it was set for this dataset (remove_mountpoint()).
        for path in world.tree.resolve(point).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    world.state.delete("dataset", name)


TOOLS: dict[str, FileTool] = {"zfs": zfs}
