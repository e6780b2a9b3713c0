"""Interpret the results of Linux tools: success, failure and hints."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

from potnet.drivers.base import CommandError
from potnet.drivers.linux.facts import parse
from potnet.drivers.linux.facts.reader import ABSENT
from potnet.drivers.linux.facts.traits import TRAITS
from potnet.drivers.reading import lines_of
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult
from potnet.host.actions import (
    Action,
    CreateBridge,
    DestroyInterface,
    RemoveAddress,
    RestoreInterface,
    TakeBack,
)
from potnet.host.file_actions import RemoveDirectory, RemoveFile, RenameEntry, ReplaceFile, RestoreFile
from potnet.host.filter_actions import (
    EndConnections,
    EndUntranslated,
    FilterMembers,
    KillStates,
    LiftRate,
    LoadAnchor,
    RemoveEntry,
)
from potnet.host.jail_actions import EndProcesses, RunInJail, StopJail
from potnet.host.ruleset import NoRules

#: The complaints of tc(8) about a missing queue; `ip -batch` and its like use the last one.
_NO_QUEUE = (
    "Cannot delete qdisc with handle of zero",
    "Cannot find specified qdisc",
    "Invalid handle",
    "We have an error talking to the kernel",
)

#: The complaints of ip(8) about an existing thing; the last one is about an open tap.
_THERE = ("already exists", "File exists", "TUNSETIFF): Device or resource busy")


def succeeded(action: Action, result: CommandResult) -> bool:
    """Return whether an action succeeded; removing a missing thing does."""
    if result.code == NOT_FOUND:
        return False
    match action:
        case RunInJail(tolerant=True):
            return True
        case RemoveFile() | RenameEntry() | ReplaceFile() | RestoreFile() | RemoveDirectory():
            # find(1) exits 0 even if its command failed; only standard error shows the failure.
            return not parse.other_complaints(result.err, ABSENT)
        case EndProcesses() if "No such process" in result.err:
            # The process ended before the signal.
            return True
        case CreateBridge() if "/disable_ipv6: No such file" in result.err:
            # This host has no IPv6.
            return True
        case KillStates() | EndConnections() | EndUntranslated():
            return result.code == 0 or "0 flow entries have been deleted" in result.err
        case LiftRate():
            return result.code == 0 or not parse.other_complaints(result.err, (*ABSENT, *_NO_QUEUE))
        case (
            RemoveEntry()
            | FilterMembers(enabled=False)
            | DestroyInterface()
            | StopJail()
            | RemoveAddress()
            | LoadAnchor(rules=NoRules())
        ):
            return result.code == 0 or only_absent(result)
        case TakeBack() | RestoreInterface():
            return result.code == 0 or only_absent(result)
        case _:
            return result.code == 0


def refused(result: CommandResult) -> bool:
    """Return whether a command certainly created nothing: the thing existed, and undoing must not remove
    it."""
    return result.code != TIMED_OUT and any(words in result.err for words in _THERE)


def failure(command: Command, result: CommandResult, begun: Collection[int] | None = None) -> CommandError:
    """Build the error of a failed command. begun: as in CommandError; None: the result decides."""
    if begun is None:
        begun = () if refused(result) else (0,)
    if command.output_to is not None:
        kept = f"`potnet logs {PurePosixPath(command.output_to).stem}` shows what it printed"
        return CommandError(command, result, kept, begun)
    return CommandError(command, result, hint(result), begun)


def only_absent(result: CommandResult) -> bool:
    """Return whether a missing thing was the only failure. nft(8) prints its input as well."""
    complaints = [line for line in lines_of(result.err) if "Error" in line or "error" in line]
    if complaints:
        return all(any(words in line for words in ABSENT) for line in complaints)
    return not parse.other_complaints(result.err, ABSENT)


def hint(result: CommandResult) -> str | None:
    """Return what an administrator can do about a failure."""
    if result.code == NOT_FOUND:
        return "install iproute2, nftables and conntrack, or check --host and --via"
    if "open: " in result.err or "TUNSETIFF" in result.err:
        return "taps require /dev/net/tun: `modprobe tun`"
    if "Exchange full" in result.err:
        return f"a bridge holds {TRAITS.bridge_ports} members: stop a pot on it, or use another bridge"
    if "permi" in result.err.lower():
        return "run potnet as root, or as root of a namespace (unshare -Urnm): it changes the host's network"
    return None
