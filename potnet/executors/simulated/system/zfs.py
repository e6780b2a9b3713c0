"""zfs(8), as far as potnet needs it: datasets with their mount points, on pools that a host may have.

The words are those of zfs-list(8), zfs-create(8), zfs-clone(8), zfs-destroy(8), zfs-promote(8),
zfs-rename(8), zfs-set(8) and of OpenZFS: cmd/zfs/zfs_main.c and lib/libzfs/libzfs_dataset.c, libzfs_mount.c,
libzfs_util.c.
"""

from __future__ import annotations

import shutil

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin, mkdir
from potnet.executors.simulated.system import snapshots
from potnet.executors.simulated.world.world import ToolError, World, unknown


def zfs(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """zfs list, create, mount, destroy, rename, set, snapshot, clone and promote, as potnet calls them."""
    match argv[1:]:
        case ["list", "-H", "-o", "name,mountpoint", name]:
            return CommandResult(0, f"{name}\t{_point(world, name)}\n")
        case ["create", name]:
            _create(world, name, None)
        case ["create", "-o", option, name] if option.startswith("mountpoint=/"):
            _create(world, name, option.removeprefix("mountpoint="))
        case ["mount", name]:
            _mount(world, name)
        case ["list", "-H", "-t", "snapshot", "-o", "name,clones", "-s", "createtxg", "-d", "1", name]:
            return CommandResult(0, snapshots.listed(world, name))
        case ["rename", name, new]:
            _rename(world, name, new)
        case ["set", option, name] if option.startswith("mountpoint=/"):
            _set_point(world, name, option.removeprefix("mountpoint="))
        case ["snapshot", name]:
            snapshots.make(world, name)
        case ["clone", "-o", option, snapshot, name] if option.startswith("mountpoint=/"):
            _clone(world, snapshot, name, option.removeprefix("mountpoint="))
        case ["promote", name]:
            snapshots.promote(world, name)
        case ["destroy", "-d", name] if "@" in name:
            snapshots.drop(world, name)
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


def _rename(world: World, name: str, new: str) -> None:
    world.state.changing()
    point = _point(world, name)
    if world.state.get("dataset", new) is not None:
        raise ToolError(f"cannot rename '{name}': dataset already exists")
    mounted = (name, point, "zfs") in world.mounted()
    if mounted:
        world.unmount(point)
    for key, row in [*world.state.scan("dataset")]:
        if key == name or key.startswith(f"{name}/"):
            world.state.delete("dataset", key)
            world.state.put("dataset", new + key.removeprefix(name), row)
    snapshots.renamed(world, name, new)
    if mounted:
        _mount(world, new)


def _set_point(world: World, name: str, point: str) -> None:
    """A file system that was mounted is mounted at its new place (zfsprops(7), mountpoint)."""
    world.state.changing()
    before = _point(world, name)
    mounted = (name, before, "zfs") in world.mounted()
    row = world.state.get("dataset", name)
    assert row is not None
    if mounted:
        world.unmount(before)
    world.state.put("dataset", name, {**row, "point": point})
    if mounted:
        mkdir(world, ["mkdir", "-p", point], None)
        for path in world.tree.resolve(before).iterdir():
            path.rename(world.tree.resolve(point) / path.name)
        _mount(world, name)


def _clone(world: World, snapshot: str, name: str, point: str) -> None:
    """A clone has what is in the dataset at present: potnet makes it at once."""
    source = snapshots.source_of(world, snapshot)
    _create(world, name, point)
    origin = world.tree.resolve(_point(world, source))
    shutil.copytree(origin, world.tree.resolve(point), symlinks=True, dirs_exist_ok=True)
    row = world.state.get("dataset", name)
    assert row is not None
    world.state.put("dataset", name, {**row, "origin": snapshot})


def _destroy(world: World, name: str) -> None:
    world.state.changing()
    point = _point(world, name)
    children = [key for key, _ in world.state.scan("dataset", f"{name}/")]
    children += snapshots.of(world, name)
    if children:
        lines = [f"cannot destroy '{name}': filesystem has children"]
        lines += ["use '-r' to destroy the following datasets:", *children]
        raise ToolError("\n".join(lines))
    if (name, point, "zfs") in world.mounted():
        world.unmount(point)
        # The mount point stays, because it was set for this dataset (remove_mountpoint()).
        _empty(world, point)
    world.state.delete("dataset", name)
    snapshots.swept(world)


def _empty(world: World, point: str) -> None:
    for path in world.tree.resolve(point).iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


TOOLS: dict[str, FileTool] = {"zfs": zfs}
