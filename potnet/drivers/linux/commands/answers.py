"""The meaning of the answers of Linux tools: success, failure, and hints."""

from __future__ import annotations

from collections.abc import Collection

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
    EndProcesses,
    RemoveAddress,
    RestoreInterface,
    RunInJail,
    StopJail,
    TakeBack,
)
from potnet.host.file_actions import RemoveDirectory, RemoveFile, ReplaceFile, RestoreFile
from potnet.host.filter_actions import (
    EndConnections,
    EndUntranslated,
    FilterMembers,
    KillStates,
    LiftRate,
    LoadAnchor,
    RemoveEntry,
)
from potnet.host.ruleset import NoRules

#: What tc(8) says of a queue that is not there; the last is of `ip -batch` and its like.
_NO_QUEUE = (
    "Cannot delete qdisc with handle of zero",
    "Cannot find specified qdisc",
    "Invalid handle",
    "We have an error talking to the kernel",
)

#: What ip(8) says of a thing that is there already; the last is of a tap that is open.
_THERE = ("already exists", "File exists", "TUNSETIFF): Device or resource busy")


def succeeded(action: Action, result: CommandResult) -> bool:
    """Whether an action is done; taking away what is not there is."""
    if result.code == NOT_FOUND:
        return False
    match action:
        case RunInJail(tolerant=True):
            return True
        case RemoveFile() | ReplaceFile() | RestoreFile() | RemoveDirectory():
            # find(1) exits 0 even if what it ran failed; what went wrong is on standard error.
            return not parse.other_complaints(result.err, ABSENT)
        case EndProcesses() if "No such process" in result.err:
            # It ended by itself, before it was told to.
            return True
        case CreateBridge() if "/disable_ipv6: No such file" in result.err:
            # A host without IPv6.
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
    """Whether a command certainly made nothing: the thing was there already, and is not ours to undo."""
    return result.code != TIMED_OUT and any(words in result.err for words in _THERE)


def failure(command: Command, result: CommandResult, begun: Collection[int] | None = None) -> CommandError:
    """The error of a command that failed. begun: as CommandError has it; None: as its answer says."""
    if begun is None:
        begun = () if refused(result) else (0,)
    return CommandError(command, result, hint(result), begun)


def only_absent(result: CommandResult) -> bool:
    """Whether nothing went wrong but that something was not there. nft(8) shows what it was told, too."""
    complaints = [line for line in lines_of(result.err) if "Error" in line or "error" in line]
    if complaints:
        return all(any(words in line for words in ABSENT) for line in complaints)
    return not parse.other_complaints(result.err, ABSENT)


def hint(result: CommandResult) -> str | None:
    """What an administrator can do about a failure."""
    if result.code == NOT_FOUND:
        return "install iproute2, nftables and conntrack, or look at --host and --via"
    if "open: " in result.err or "TUNSETIFF" in result.err:
        return "taps are made by /dev/net/tun: `modprobe tun` brings it, `potnet doctor` looks at it"
    if "Exchange full" in result.err:
        return f"a bridge takes {TRAITS.bridge_ports} members: stop a pot on it, or use another bridge"
    if "permi" in result.err.lower():
        return "potnet changes the host's network: run it as root, or as root of a namespace (unshare -Urnm)"
    return None
