"""Interpret the results of FreeBSD's tools: success, failure and hints."""

from __future__ import annotations

from potnet.drivers import posix
from potnet.drivers.freebsd.pf.parse_pf import NO_FILTER
from potnet.drivers.reading import lines_of
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult
from potnet.host.actions import (
    Action,
    DestroyInterface,
    RemoveAddress,
    RemoveDefaultRoute,
    RestoreInterface,
    RunHook,
    SolicitRouter,
)
from potnet.host.file_actions import (
    CopyTree,
    DestroyDataset,
    DropSnapshot,
    MountDataset,
    RemoveDirectory,
    RemoveFile,
    RemoveTree,
    RenameDataset,
    RenameEntry,
    ReplaceFile,
    RestoreFile,
    SetMountPoint,
    Unmount,
)
from potnet.host.filter_actions import LiftRate, LimitRate, LoadAnchor
from potnet.host.jail_actions import RunInJail, SetParameters, StartJail, StopJail
from potnet.host.ruleset import NoRules

#: The complaint of find(1) if mv(1) does not exist.
_MV = "find: /bin/mv:"
#: The last words of tar(1) after it has left something out.
_DELAYED = "Error exit delayed from previous errors"
#: The complaints of tools about a missing thing: removing a missing thing succeeds.
_ABSENT: dict[type, tuple[str, ...]] = {
    DestroyInterface: ("does not exist", "No such file"),
    StopJail: ("not found",),
    RemoveAddress: ("SIOCDIFADDR", "does not exist"),
    RemoveDefaultRoute: ("not in table",),
    RestoreInterface: ("does not exist",),
    Unmount: ("not a file system root directory",),
    DestroyDataset: ("dataset does not exist",),
    DropSnapshot: ("could not find any snapshots",),
    MountDataset: ("filesystem already mounted",),
    RenameDataset: ("dataset does not exist",),
    SetMountPoint: ("dataset does not exist",),
    RemoveTree: ("No such file",),
    LiftRate: ("IP_DUMMYNET_DEL",),
}
#: The complaint of ifconfig(8) about an address that the kernel refuses.
_NO_ADDRESS = "ioctl (SIOCAIFADDR): Invalid argument"
#: The complaint of jail(8) about a parameter of a module that is not loaded.
_UNKNOWN = "unknown parameter: "
#: The complaints of ifconfig(8) and others about a thing that exists; undoing must not remove it.
_THERE = ("already exists", "File exists")


def succeeded(action: Action, result: CommandResult) -> bool:
    """Return whether an action succeeded; removing a missing thing does."""
    if result.code == NOT_FOUND:
        return False
    if isinstance(action, RunInJail) and action.tolerant:
        return True
    if isinstance(action, (RemoveDirectory, RemoveFile, RenameEntry, ReplaceFile, RestoreFile)):
        return _found(result)
    if isinstance(action, SolicitRouter):
        # If no router answers, the next unsolicited advertisement configures the interface.
        return True
    if result.code == 0:
        return True
    if isinstance(action, CopyTree):
        # libarchive: an archive of tar cannot hold sockets, which a stopped jail left.
        return all("cannot archive socket" in line or _DELAYED in line for line in lines_of(result.err))
    if isinstance(action, LoadAnchor) and action.rules == NoRules():
        return NO_FILTER in result.err
    # route(8) prints its complaints on standard output.
    return any(words in result.err + result.out for words in _ABSENT.get(type(action), ()))


def _found(result: CommandResult) -> bool:
    """Return whether find(1) and its command succeeded: it exits 0 even if the command failed."""
    complaints = posix.complaints(result)
    if not complaints:
        return result.code == 0
    return all("No such file" in line and _MV not in line for line in complaints)


def hint(action: Action, result: CommandResult) -> str | None:
    """Return what an administrator can do about a failure."""
    if isinstance(action, RunInJail) and action.log is not None:
        return f"`potnet logs {action.jail}` shows what it printed"
    if isinstance(action, (RunHook, RunInJail)):
        return "run it by hand to see its output: potnet does not keep it"
    if isinstance(action, LimitRate):
        return "bandwidth limits require dummynet(4): `kldload dummynet`"
    if result.code == NOT_FOUND:
        return "check --host and --via: this does not look like a FreeBSD host"
    if isinstance(action, StartJail) and _NO_ADDRESS in result.err:
        return "create the pot with -i BRIDGE|ADDRESS: on FreeBSD 15 a member of a bridge gets no address"
    if isinstance(action, (StartJail, SetParameters)) and _UNKNOWN in result.err:
        return "load the kernel module of that parameter, or take it away with `potnet set --no-param NAME`"
    if "permission" in result.err.lower() or "not permitted" in result.err.lower():
        return "run potnet as root: it changes the host's network"
    return None


def refused(result: CommandResult) -> bool:
    """Return whether a command certainly created nothing, because the thing already existed."""
    return result.code != TIMED_OUT and any(words in result.err for words in _THERE)


def in_use(command: Command, result: CommandResult) -> frozenset[str]:
    """Return the interfaces whose names are in use on the host, though ifconfig(8) may not list them."""
    match command.argv:
        case ("ifconfig", name, "create", *_) if refused(result):
            return frozenset({f"{name}a", f"{name}b"} if name.startswith("epair") else {name})
    return frozenset()
