"""sh(1) with the few programs that potnet gives to it; all other programs are refused."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable

from potnet.executors.base import DISCARD, KEEP_OUTPUT, TIMED_OUT, CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin, mkdir, why
from potnet.executors.simulated.world.world import ToolError, World, unknown

#: Runs the tool that a command names.
Run = Callable[[World, list[str]], CommandResult]
#: The limit of a log for each start, in bytes.
_MOST = 1 << 20


def shell(run: Run) -> FileTool:
    """Return sh(1) for a host whose other tools are run by `run`."""

    def sh(world: World, argv: list[str], _: Stdin) -> CommandResult:
        match argv[1:]:
            case ["-c", script, "sh", log, *words] if script == KEEP_OUTPUT and words:
                return _keep(world, log, lambda: run(world, words))
            case ["-c", script, "sh", *words] if script == DISCARD and words:
                return CommandResult(run(world, words).code)
        raise unknown(f"sh {' '.join(argv[1:])}")

    return sh


def timeout(run: Run) -> FileTool:
    """Return timeout(1), which waits for all that the command leaves behind, and ends it in time."""

    def tool(world: World, argv: list[str], _: Stdin) -> CommandResult:
        if len(argv) < 3 or not argv[1].isdigit():
            raise unknown(" ".join(argv))
        before = world.state.keys("process")
        result = run(world, argv[2:])
        left = [key for key in world.state.keys("process") if key not in before]
        for key in left:
            world.state.delete("process", key)
        if not left:
            return result
        world.wait(float(argv[1]))
        return CommandResult(TIMED_OUT, result.out, result.err)

    return tool


def _keep(world: World, log: str, run: Callable[[], CommandResult]) -> CommandResult:
    """Run a command with its output in a log, as `KEEP_OUTPUT` says."""
    world.state.changing()
    lack = _open(world, log)
    if lack is not None:
        return CommandResult(run().code, f"not kept: {lack}\n")
    result = run()
    *whole, rest = (result.err + result.out).encode(errors="surrogateescape").split(b"\n")
    lines = [line + b"\n" for line in whole] + ([rest] if rest else [])
    kept = b"".join(b"%6d\t%b" % numbered for numbered in enumerate(lines, 1))
    _append(world, log, kept[:_MOST])
    if len(kept) > _MOST:
        _append(world, log, _note("the rest is not kept"))
    return CommandResult(result.code)


def _open(world: World, log: str) -> str | None:
    """Begin a log, or return why it cannot be written."""
    directory = log.rpartition("/")[0]
    try:
        if not world.tree.is_dir(directory):
            mkdir(world, ["mkdir", "-p", "-m", "700", directory], None)
        status = world.tree.lstat(log)
        if status is not None and not stat.S_ISREG(status.st_mode):
            return f"{log} is not a plain file"
        _append(world, log, _note("start"))
    except ToolError as failure:
        return failure.result.err.strip()
    except OSError as error:
        return f"sh: cannot create {log}: {why(error)}"
    return None


def _note(text: str) -> bytes:
    return f"\n== {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n".encode()


def _append(world: World, log: str, data: bytes) -> None:
    real = world.tree.resolve(log, follow=False)
    file = os.open(real, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "ab") as opened:
        opened.write(data)
