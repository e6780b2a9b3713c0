"""Runs commands on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import nullcontext
from pathlib import Path

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult

#: FreeBSD's tools are in these; cron and rc(8) give less.
_PATH = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


def _environment() -> dict[str, str]:
    """Tools answer in English, and are found whatever the caller's PATH."""
    return {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:{_PATH}".lstrip(":")}


class LocalExecutor:
    """Starts each command as a process of its own; files that it makes are readable by all (umask 022)."""

    def run(self, command: Command) -> CommandResult:
        """See `Executor`. A missing program is code 127, a time-out code 124."""
        text = command.stdin if isinstance(command.stdin, str) else None
        source = command.stdin.open("rb") if isinstance(command.stdin, Path) else nullcontext()
        try:
            with source as file:
                done = subprocess.run(
                    command.argv,
                    input=None if file else (text or "").encode("utf-8", "surrogateescape"),
                    stdin=file,
                    capture_output=True,
                    timeout=command.timeout,
                    env=_environment(),
                    umask=0o022,
                    process_group=0,
                    check=False,
                )
        except FileNotFoundError:
            return CommandResult(NOT_FOUND, "", f"{command.argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return CommandResult(TIMED_OUT, "", f"no answer within {command.timeout:g} seconds, given up")
        except (OSError, ValueError) as error:
            return CommandResult(126, "", f"{command.argv[0]}: {error}")
        return CommandResult(done.returncode % 256, _text(done.stdout), _text(done.stderr))

    def attach(self, command: Command) -> int:
        """See `Executor`. An interrupt from the terminal is for the command, not for potnet."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            # Handlers that are ignored stay so in a new process; the command wants its own.
            return subprocess.Popen(command.argv, env=_environment(), preexec_fn=_interruptible).wait() % 256
        except FileNotFoundError:
            return NOT_FOUND
        finally:
            signal.signal(signal.SIGINT, before)


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
