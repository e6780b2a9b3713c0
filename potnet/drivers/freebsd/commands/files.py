"""Commands for files, directories and datasets of zfs(8)."""

from __future__ import annotations

from pathlib import Path

from potnet.drivers import posix
from potnet.executors.base import Command, Limit
from potnet.host.file_actions import (
    CloneDataset,
    CopyTree,
    CreateDataset,
    DestroyDataset,
    DropSnapshot,
    Fetch,
    MountDataset,
    PromoteDataset,
    RemoveDirectory,
    RemoveTree,
    RenameDataset,
    SetMountPoint,
    Unmount,
    Unpack,
    UnpackLocal,
    VerifyDigest,
)


def commands(action: object) -> tuple[Command, ...]:
    """Return the commands of an action on files, or of a hook. Raises TypeError for any other action."""
    argv = _dataset(action)
    if argv is not None:
        return (Command(argv),)
    match action:
        case CloneDataset(snapshot, name, path):
            clone = ("zfs", "clone", "-o", f"mountpoint={path}", snapshot, name)
            # The snapshot goes with the last clone of it.
            return Command(("zfs", "snapshot", snapshot)), Command(clone), _dropping(snapshot)
        case DropSnapshot(snapshot):
            return (_dropping(snapshot),)
        case Unmount(path):
            return (Command(("umount", path)),)
        case RemoveDirectory(path):
            return (Command(("find", path, "-maxdepth", "0", "-empty", "-delete")),)
        case RemoveTree(path):
            # The programs of a base system have the flag schg, which stops rm.
            return _long("chflags", "-R", "0", path), _long("rm", "-rfx", path)
        case CopyTree(source, destination):
            # cp(1) would copy each hard link as a file of its own; a base system has hundreds.
            archive = f"{destination}.tar"
            directory, _, name = archive.rpartition("/")
            pack = _long("tar", "-c", "-f", archive, "--one-file-system", "-C", source, ".")
            return pack, _unpacking(archive, destination), posix.removal((directory,), (name,))
        case Fetch(url, path):
            return (_long("fetch", "-q", "-o", path, url),)
        case VerifyDigest(path, digest):
            return (_long("sha256", "-c", digest, path),)
        case Unpack(archive, directory):
            return (_unpacking(archive, directory),)
        case UnpackLocal(archive, directory):
            argv = ("tar", "-x", "-f", "-", "-C", directory)
            return (Command(argv, stdin=Path(archive), timeout=Limit.LONG),)
    return posix.commands(action, "-h")


def _dataset(action: object) -> tuple[str, ...] | None:
    """Return the command of an action on datasets (zfs(8))."""
    match action:
        case CreateDataset(name, path):
            return "zfs", "create", "-o", f"mountpoint={path}", name
        case MountDataset(name):
            return "zfs", "mount", name
        case RenameDataset(name, new):
            return "zfs", "rename", name, new
        case SetMountPoint(name, path):
            return "zfs", "set", f"mountpoint={path}", name
        case DestroyDataset(name):
            # -f: a jail that is still dying keeps its root in use. Children and snapshots still stop it.
            return "zfs", "destroy", "-f", name
        case PromoteDataset(name):
            return "zfs", "promote", name
    return None


def _dropping(snapshot: str) -> Command:
    return Command(("zfs", "destroy", "-d", snapshot))


def _unpacking(archive: str, directory: str) -> Command:
    return _long("tar", "-x", "-f", archive, "-C", directory)


def _long(*argv: str) -> Command:
    return Command(argv, timeout=Limit.LONG)
