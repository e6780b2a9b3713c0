"""Run commands on this machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Limit, expanded
from potnet.runtime import environment
from potnet.runtime.interrupts import waiting

#: The default of each limit in seconds.
LIMITS: Mapping[Limit, float] = {Limit.BRIEF: 60, Limit.LONG: 3600}
#: The time in seconds for a killed process to end, which fails while the kernel itself hangs.
_DEATH = 5.0
#: The time in seconds between two looks whether a process has ended while its output is open. The last output
#: is read for the same time.
_LOOK = 0.2

#: The variables that a command gets from the caller; a program of a jail gets the first line only.
_FOR_ALL = ("HOME", "LOGNAME", "SHELL", "TERM", "USER")
_FOR_HOST = ("TMPDIR", "XDG_RUNTIME_DIR")
_FOR_FETCH = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "SSL_CA_CERT_FILE", "SSL_CA_CERT_PATH")


def _environment(command: Command) -> dict[str, str]:
    """Return a clean environment: it keeps the output of tools uniform, and leaks nothing into a jail."""
    if command.inside:
        return environment.chosen(*_FOR_ALL)
    return environment.chosen(*_FOR_ALL, *_FOR_HOST, *_FOR_FETCH, *(name.lower() for name in _FOR_FETCH))


def _streams(command: Command, text: str | None, file: IO[bytes] | None) -> dict[str, Any]:
    """Return the connections of standard input, output and error."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if command.quiet:
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if file is not None:
        return streams | {"stdin": file}
    return streams | {"stdin": subprocess.DEVNULL if text is None else subprocess.PIPE}


class _Process(subprocess.Popen[bytes]):
    """A process whose end is noticed at once.

    With a timeout, Popen polls and sleeps in between. A run of true(1) then takes 1.2 ms instead of 0.8,
    and a batch of ip(8) takes 4 ms instead of 1.5.
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

    def finish(
        self, data: bytes | None, seconds: float | None, watch: Callable[[], None] | None
    ) -> tuple[bytes, bytes]:
        """Return the output of a process that has ended. Raises TimeoutExpired. watch: called at each look.

        Its children may keep the output open, so potnet does not wait for the end of the output.
        """
        if self.stdout is None:
            self.communicate(data, seconds)
            return b"", b""
        limit = None if seconds is None else time.monotonic() + seconds
        while True:
            # After the end, the pipe has all that the process wrote.
            ended = self.poll() is not None
            left = _LOOK if limit is None or ended else min(_LOOK, limit - time.monotonic())
            try:
                return self.communicate(data, max(left, 0.0))
            except subprocess.TimeoutExpired as waited:
                if ended:
                    _close(self)
                    return waited.output or b"", waited.stderr or b""
                if limit is not None and time.monotonic() >= limit:
                    raise
                if watch is not None:
                    watch()
            data = None


class LocalExecutor:
    """Starts each command as a separate process; its files are readable by everyone (umask 022).

    A command has a session of its own, without a controlling terminal. Otherwise a program of a jail could
    push characters into the terminal for the caller's shell (TIOCSTI, tty(4)).

    prefixed: commands begin with a prefix to another machine (ssh). Unless it runs programs of a
    jail, such a command gets the environment and session of the caller: it may ask for a password. limits:
    seconds for each.
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

        After a time-out the command is killed with all processes in its process group, which is the group of
        its session.
        """
        with waiting():
            pass  # an earlier signal is handled before the command starts
        command = expanded(command)
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
            # A brief command that changes the host is never interrupted.
            with nullcontext() if _brief(command) else waiting():
                out, err = process.finish(data, self._seconds(command), command.watch)
        except BaseException:
            self._kill(process, command)
            raise
        return CommandResult(_code(process.returncode), _text(out or b""), _text(err or b""))

    def _seconds(self, command: Command) -> float | None:
        limit = command.timeout
        return self._limits[limit] if isinstance(limit, Limit) else limit

    def attach(self, command: Command) -> int:
        """See `Executor`. The command handles an interrupt from the terminal, not potnet."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            # A new process inherits ignored signals, but the command needs its own handlers.
            process = subprocess.Popen(
                command.argv, env=self._environment(command), preexec_fn=_interruptible
            )
            with waiting():
                return _code(process.wait())
        except FileNotFoundError:
            return NOT_FOUND
        finally:
            signal.signal(signal.SIGINT, before)

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`. If `write` fails, or a signal arrives, the command is killed."""
        try:
            process = _Process(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment(command),
                start_new_session=self._has_session(command),
            )
        except FileNotFoundError:
            return NOT_FOUND
        assert process.stdout is not None
        try:
            while piece := _next(process.stdout):
                write(piece)
            return _code(process.wait())
        except BaseException:
            self._kill(process, command)
            raise

    def _kill(self, process: _Process, command: Command) -> None:
        """Kill a command with all processes in its session, if it has one of its own."""
        with suppress(ProcessLookupError):
            if self._has_session(command):
                # The process leads a group; the kill ends the whole group.
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        _await_death(process)


def _next(source: IO[bytes]) -> bytes:
    """Return what can be read, at least one byte; empty at the end."""
    with waiting():
        return os.read(source.fileno(), 1 << 16)


def _await_death(process: _Process) -> None:
    """Wait for the end of a killed process, with a time limit."""
    _close(process)
    try:
        process.wait(_DEATH)
    except subprocess.TimeoutExpired:
        # The code keeps Popen from waiting again.
        process.returncode = -signal.SIGKILL


def _close(process: _Process) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _brief(command: Command) -> bool:
    return command.changes_host and command.timeout is Limit.BRIEF


def _code(returned: int) -> int:
    """Return an exit code as in sh(1): 128 and more for a signal."""
    return 128 - returned if returned < 0 else returned


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
