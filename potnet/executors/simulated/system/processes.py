"""pgrep(1), pkill(1) and pwait(1) for processes in jails."""

from __future__ import annotations

import getopt

from potnet.executors.base import TIMED_OUT, CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin
from potnet.executors.simulated.world.world import ToolError, World, unknown


def begin(world: World, jid: int, stubborn: bool, children: int, command: str = "") -> int:
    """Start a process in a jail. stubborn: it survives SIGTERM. children: the number of new processes."""
    pid = 1000 + world.state.next_number("pid")
    row = {"jid": jid, "stubborn": stubborn, "children": children, "command": command}
    world.state.put("process", f"{pid:07}", row)
    return pid


def running(world: World, jid: int) -> list[int]:
    """Return the PIDs of the processes in a jail."""
    return [int(key) for key, row in world.state.scan("process") if row["jid"] == jid]


def end_all(world: World, jid: int) -> None:
    """End all processes, as jail_remove(2) does; none can escape."""
    for pid in running(world, jid):
        world.state.delete("process", f"{pid:07}")


def _chosen(world: World, argv: list[str]) -> list[int]:
    """Return the processes of -j JAIL[,…] [NAME]; "none" means those outside jails, "any" those in any."""
    try:
        options, rest = getopt.getopt(argv, "j:")
    except getopt.GetoptError as error:
        raise unknown(f"the option: {error}") from None
    if len(rest) > 1 or [name for name, _ in options] != ["-j"]:
        raise unknown(" ".join(argv))
    found = []
    for word in options[0][1].split(","):
        if word in ("none", "0"):
            raise unknown("an end, or a list, of all that runs on the host itself")
        jail = world.jail(word)
        if jail is None and not word.isdigit():
            raise ToolError(f"Invalid jail ID or name `{word}'", 2)
        found += [each.jid for each in world.jails()] if word == "any" else [jail.jid if jail else int(word)]
    pids = [pid for jid in found for pid in running(world, jid)]
    return [pid for pid in pids if not rest or _command(world, pid) == rest[0]]


def _command(world: World, pid: int) -> str:
    return str((world.state.get("process", f"{pid:07}") or {}).get("command", ""))


def pgrep(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """pgrep -j JAIL[,…] [NAME]."""
    pids = _chosen(world, argv[1:])
    return CommandResult(0 if pids else 1, "".join(f"{pid}\n" for pid in pids))


def pkill(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """pkill [-TERM|-KILL|-9] -j JAIL[,…] [NAME]."""
    given = argv[1:2] in (["-TERM"], ["-KILL"], ["-9"])
    pids = _chosen(world, argv[1 + given :])
    world.state.changing()
    for pid in pids:
        row = world.state.get("process", f"{pid:07}")
        assert row is not None
        if argv[1] not in ("-KILL", "-9") and row["stubborn"]:
            continue
        world.state.delete("process", f"{pid:07}")
        if row["children"]:
            begin(world, row["jid"], row["stubborn"], row["children"] - 1, row["command"])
    return CommandResult(0 if pids else 1)


def pwait(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """pwait -t SECONDS PID …."""
    if argv[1:2] != ["-t"] or len(argv) < 4:
        raise unknown(" ".join(argv))
    left = [pid for pid in argv[3:] if world.state.get("process", f"{int(pid):07}") is not None]
    err = "".join(f"pwait: {pid}: No such process\n" for pid in argv[3:] if pid not in left)
    return CommandResult(TIMED_OUT if left else 0, "", err)


TOOLS: dict[str, FileTool] = {"pgrep": pgrep, "pkill": pkill, "pwait": pwait}
