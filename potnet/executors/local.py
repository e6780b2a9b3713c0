"""Runs commands on this machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Limit
from potnet.runtime import environment
from potnet.runtime.interrupts import waiting

#: Seconds for each limit, where nobody configures them.
LIMITS: Mapping[Limit, float] = {Limit.BRIEF: 60, Limit.LONG: 3600}
#: Seconds for what was killed to be gone; it is not while the kernel itself hangs in it.
_DEATH = 5.0

#: Variables of the caller that a command gets; a program of a jail gets the first line only.
_FOR_ALL = ("HOME", "LOGNAME", "SHELL", "TERM", "USER")
_FOR_HOST = ("TMPDIR", "XDG_RUNTIME_DIR")
_FOR_FETCH = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "SSL_CA_CERT_FILE", "SSL_CA_CERT_PATH")


def _environment(command: Command) -> dict[str, str]:
    """A clean environment: nothing changes the form of what tools print, nothing leaks into a jail."""
    if command.inside:
        return environment.chosen(*_FOR_ALL)
    return environment.chosen(*_FOR_ALL, *_FOR_HOST, *_FOR_FETCH, *(name.lower() for name in _FOR_FETCH))


def _streams(command: Command, text: str | None, file: IO[bytes] | None) -> dict[str, Any]:
    """What standard input, output and error are connected to."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if command.quiet:
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if file is not None:
        return streams | {"stdin": file}
    return streams | {"stdin": subprocess.DEVNULL if text is None else subprocess.PIPE}


class _Process(subprocess.Popen[bytes]):
    """A process whose end is noticed when it comes.

    With a timeout, Popen looks for it and sleeps in between: 1.2 ms for true(1) instead of 0.8, 4 for a batch
    of ip(8) instead of 1.5.
    """

    def wait(self, timeout: float | None = None) -> int:
        """See `subprocess.Popen`."""
        if timeout is not None and self.returncode is None and hasattr(os, "pidfd_open"):
            with suppress(OSError):
                ended = os.pidfd_open(self.pid)
                try:
                    look = select.poll()
                    look.register(ended, select.POLLIN)
                    look.poll(max(timeout, 0.0) * 1000)
                finally:
                    os.close(ended)
                timeout = 0.0
        return super().wait(timeout)


class LocalExecutor:
    """Starts each command as a process of its own; files that it makes are readable by all (umask 022).

    A command has a session of its own, without a controlling terminal: a program of a jail could push
    characters into the terminal, which the caller's shell would read (TIOCSTI, tty(4)).

    prefixed: commands begin with what leads to another machine (ssh). It gets the caller's environment, and
    stays in the session of the caller, whom it may ask for a password, unless programs of a jail run.
    limits: seconds for each.
    """

    def __init__(self, prefixed: bool = False, limits: Mapping[Limit, float] = LIMITS) -> None:
        self._limits = limits
        self._prefixed = prefixed

    def _has_session(self, command: Command) -> bool:
        return not self._prefixed or command.quiet or command.inside

    def _environment(self, command: Command) -> dict[str, str]:
        return environment.inherited() if self._prefixed else _environment(command)

    def run(self, command: Command) -> CommandResult:
        """See `Executor`. A missing program is code 127, a time-out code 124.

        What took too long is killed with all that it started and that stayed in its process group, which is
        that of its session.
        """
        with waiting():
            pass  # a signal that came before this command is heeded before it
        source = command.stdin.open("rb") if isinstance(command.stdin, Path) else nullcontext()
        try:
            with source as file:
                return self._run(command, file)
        except FileNotFoundError:
            return CommandResult(NOT_FOUND, "", f"{command.argv[0]}: not found")
        except subprocess.TimeoutExpired:
            which = f" ({command.timeout})" if isinstance(command.timeout, Limit) else ""
            took = f"no answer within {self._seconds(command):g} seconds{which}"
            return CommandResult(TIMED_OUT, "", f"{took}, killed")
        except (OSError, ValueError) as error:
            return CommandResult(126, "", f"{command.argv[0]}: {error}")

    def _run(self, command: Command, file: IO[bytes] | None) -> CommandResult:
        text = command.stdin if isinstance(command.stdin, str) else None
        process = _Process(
            command.argv,
            **_streams(command, text, file),
            env=self._environment(command),
            umask=0o022,
            start_new_session=self._has_session(command),
        )
        try:
            data = None if text is None else text.encode("utf-8", "surrogateescape")
            # What is done in no time and changes the host is not killed halfway.
            with nullcontext() if _brief(command) else waiting():
                out, err = process.communicate(data, timeout=self._seconds(command))
        except BaseException:
            with suppress(ProcessLookupError):
                if self._has_session(command):
                    # The process leads a group, which dies with it.
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            _await_death(process)
            raise
        return CommandResult(_code(process.returncode), _text(out or b""), _text(err or b""))

    def _seconds(self, command: Command) -> float | None:
        limit = command.timeout
        return self._limits[limit] if isinstance(limit, Limit) else limit

    def attach(self, command: Command) -> int:
        """See `Executor`. An interrupt from the terminal is for the command, not for potnet."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            # Handlers that are ignored stay so in a new process; the command wants its own.
            process = subprocess.Popen(
                command.argv, env=self._environment(command), preexec_fn=_interruptible
            )
            with waiting():
                return _code(process.wait())
        except FileNotFoundError:
            return NOT_FOUND
        finally:
            signal.signal(signal.SIGINT, before)


def _await_death(process: _Process) -> None:
    """Wait for the end of a process that has been killed, but not for ever."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    try:
        process.wait(_DEATH)
    except subprocess.TimeoutExpired:
        # Nobody asks for it any more.
        process.returncode = -signal.SIGKILL


def _brief(command: Command) -> bool:
    return command.changes_host and command.timeout is Limit.BRIEF


def _code(returned: int) -> int:
    """An exit code as sh(1) has it: 128 and more for a signal."""
    return 128 - returned if returned < 0 else returned


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
