"""Runs commands on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult

#: FreeBSD's tools are in these; cron and rc(8) give less.
_PATH = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


#: What a command may know of the caller; a jail is told the first line only.
_FOR_ALL = ("HOME", "LOGNAME", "SHELL", "TERM", "USER")
_FOR_HOST = ("TMPDIR", "XDG_RUNTIME_DIR")
_FOR_FETCH = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "SSL_CA_CERT_FILE", "SSL_CA_CERT_PATH")


def _environment(command: Command) -> dict[str, str]:
    """A clean environment: nothing changes the form of what tools print, nothing leaks into a jail."""
    names = [*_FOR_ALL]
    if command.argv[0] != "jexec":
        names += [*_FOR_HOST, *_FOR_FETCH, *(name.lower() for name in _FOR_FETCH)]
    kept = {name: os.environ[name] for name in names if name in os.environ}
    own = [part for part in os.environ.get("PATH", "").split(":") if part]
    path = ":".join(dict.fromkeys([*own, *_PATH.split(":")]))
    return {**kept, "PATH": path}


def _streams(command: Command, text: str | None, file: IO[bytes] | None) -> dict[str, Any]:
    """What standard input, output and error are connected to."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if command.quiet:
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if file is not None:
        return streams | {"stdin": file}
    if text is None:
        return streams | {"stdin": subprocess.DEVNULL}
    return streams | {"input": text.encode("utf-8", "surrogateescape")}


class LocalExecutor:
    """Starts each command as a process of its own; files that it makes are readable by all (umask 022).

    inherit: commands get the caller's whole environment, as what leads to another machine (ssh) wants it.
    """

    def __init__(self, inherit: bool = False) -> None:
        # What asks for a password at the terminal has to stay in the terminal's own group.
        self._process_group = None if inherit else 0
        self._environment = (lambda command: dict(os.environ)) if inherit else _environment

    def run(self, command: Command) -> CommandResult:
        """See `Executor`. A missing program is code 127, a time-out code 124."""
        text = command.stdin if isinstance(command.stdin, str) else None
        source = command.stdin.open("rb") if isinstance(command.stdin, Path) else nullcontext()
        try:
            with source as file:
                done = subprocess.run(
                    command.argv,
                    **_streams(command, text, file),
                    timeout=command.timeout,
                    env=self._environment(command),
                    umask=0o022,
                    process_group=self._process_group,
                    check=False,
                )
        except FileNotFoundError:
            return CommandResult(NOT_FOUND, "", f"{command.argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return CommandResult(TIMED_OUT, "", f"no answer within {command.timeout:g} seconds, given up")
        except (OSError, ValueError) as error:
            return CommandResult(126, "", f"{command.argv[0]}: {error}")
        return CommandResult(_code(done.returncode), _text(done.stdout or b""), _text(done.stderr or b""))

    def attach(self, command: Command) -> int:
        """See `Executor`. An interrupt from the terminal is for the command, not for potnet."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            # Handlers that are ignored stay so in a new process; the command wants its own.
            process = subprocess.Popen(
                command.argv, env=self._environment(command), preexec_fn=_interruptible
            )
            return _code(process.wait())
        except FileNotFoundError:
            return NOT_FOUND
        finally:
            signal.signal(signal.SIGINT, before)


def _code(returned: int) -> int:
    """An exit code as sh(1) has it: 128 and more for a signal."""
    return 128 - returned if returned < 0 else returned


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
