"""The rootless host for a command: its state, its start, entering it, and requests to its keeper."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potnet.errors import HostError
from potnet.rootless.uplinks.options import Options
from potnet.rootless.wire import CONTROL, LOG, PID_FILE, peer, send
from potnet.rootless.wire import connect as connect_in
from potnet.runtime.environment import inherited
from potnet.runtime.interrupts import waiting

#: The time in seconds for a keeper's answer, and for its end.
_PATIENCE = 60.0
_PAUSE = 0.02
_LOCK = "lock"
_TOP = str(Path(__file__).resolve().parents[3])


#: Argument vectors, in the order of their execution.
Commands = Sequence[Sequence[str]]


class RootlessHost:
    """The host of one state directory. directory: the keeper's files; its parent exists and is private."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self._directory = directory
        self._connection: Connection | None = None

    def running(self) -> Connection | None:
        """Return the connection to the keeper, always the same one; None while the host does not run."""
        if self._connection is None:
            self._connection = connect(self._directory)
        return self._connection

    def ensure(self) -> tuple[Connection, Commands]:
        """Return the host, started if necessary, and the commands of the start. Raises HostError."""
        commands: Commands = ()
        while (running := self.running()) is None:
            with _only_one(self._directory) as first:
                if first and not alive(self._directory):
                    self._connection, commands = start(self.options, self._directory)
        return running, commands

    def look(self, planned: bool) -> tuple[Connection, Commands]:
        """Return the host; if it does not run, return an empty host that ends with this process.

        planned: also return the commands of a start, which must be possible. Raises HostError.
        """
        commands: Commands = ()
        if self.running() is None:
            self._connection, commands = pretend(self.options, planned)
        assert self._connection is not None
        return self._connection, commands


class Connection:
    """A connection to a keeper."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.settimeout(_PATIENCE)

    def ask(self, verb: str, *arguments: Any) -> Any:
        """Return the keeper's answer to a request. Raises HostError."""
        return self._exchange({"verb": verb, "arguments": arguments})[0]

    def begin(self, settings: dict[str, Any]) -> Any:
        """Send the first request to a new keeper."""
        return self._exchange(settings)[0]

    def _exchange(self, words: dict[str, Any]) -> tuple[Any, list[int]]:
        data, fds = b"", []
        try:
            with waiting():
                send(self._socket, words)
                while not data.endswith(b"\n"):
                    more, found, _, _ = socket.recv_fds(self._socket, 1 << 16, 8)
                    fds += found
                    if not more:
                        raise ConnectionError("it has ended")
                    data += more
        except OSError as error:
            raise HostError(f"the rootless host does not answer: {error}", hint="its log says why") from error
        answer = json.loads(data)
        if "error" in answer:
            raise HostError(answer["error"]["desc"], hint=answer["error"]["hint"])
        return answer["return"], fds

    def join(self) -> None:
        """Enter the host's namespaces with this process, which is root there. Raises HostError."""
        from potnet.rootless import kernel

        kinds, fds = self._exchange({"verb": "join"})
        # If the present directory is gone, the command needs none.
        here = None
        with suppress(OSError):
            here = Path.cwd()
        try:
            for kind, descriptor in zip(kinds, fds, strict=True):
                kernel.setns(descriptor, kernel.KINDS[kind])
        except OSError as error:
            raise HostError(f"the rootless host cannot be joined: {error}") from error
        finally:
            for descriptor in fds:
                os.close(descriptor)
        if here is not None:
            with suppress(OSError):
                os.chdir(here)

    def stop(self) -> None:
        """End the host with everything in it, and wait for its end."""
        keeper = int(self.ask("facts")["keeper"])
        ended = os.pidfd_open(keeper)
        try:
            with suppress(HostError):
                self.ask("stop")
            with waiting():
                if not select.select([ended], [], [], _PATIENCE)[0]:
                    signal.pidfd_send_signal(ended, signal.SIGKILL)
                    select.select([ended], [], [])
        finally:
            os.close(ended)

    def close(self) -> None:
        self._socket.close()


def connect(directory: Path) -> Connection | None:
    """Connect to the keeper of a directory; None if none runs. Raises HostError."""
    give_up = time.monotonic() + _PATIENCE
    while alive(directory):
        sock = socket.socket(socket.AF_UNIX)
        try:
            connect_in(sock, directory, CONTROL)
            _refuse_others(sock, directory)
            return Connection(sock)
        except (FileNotFoundError, ConnectionRefusedError):
            # The keeper is about to listen, or to end.
            sock.close()
            if time.monotonic() >= give_up:
                raise HostError(
                    f"the rootless host (pid {pid_in(directory)}) does not listen",
                    hint=f"`ps -p {pid_in(directory)}` shows whether it is still running",
                ) from None
            with waiting():
                time.sleep(_PAUSE)
    return None


def _refuse_others(sock: socket.socket, directory: Path) -> None:
    """Refuse another user's keeper, because potnet obeys its answers. Raises HostError."""
    user = peer(sock)
    if user not in (0, os.geteuid()):
        sock.close()
        raise HostError(
            f"the rootless host in {directory} belongs to user {user}",
            hint="use another state directory (--state-dir)",
        )


def alive(directory: Path) -> bool:
    """Return whether a keeper holds the lock on its PID file; the file's contents prove nothing."""
    try:
        file = os.open(directory / PID_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        return _locked(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


def pid_in(directory: Path) -> str:
    """Return the number in the PID file."""
    with suppress(OSError):
        return (directory / PID_FILE).read_text("ascii").strip()
    return "unknown"


@contextmanager
def _only_one(directory: Path) -> Iterator[bool]:
    """Yield whether only this process may start the host; if another does, wait a moment."""
    directory.mkdir(mode=0o700, exist_ok=True)
    file = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        first = not _locked(file, fcntl.LOCK_EX)
        if not first:
            with waiting():
                time.sleep(_PAUSE)
        yield first
    finally:
        os.close(file)


def _locked(file: int, how: int) -> bool:
    """Return whether another process holds the lock on an open file; otherwise take the lock."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def start(options: Options, directory: Path) -> tuple[Connection, Commands]:
    """Start a lasting host, and return the commands of the start. Raises HostError."""
    how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    log = os.open(directory / LOG, how, 0o600)
    try:
        connection = _launch(log)
    finally:
        os.close(log)
    return connection, connection.begin(_settings(options, directory, planned=True))


def pretend(options: Options, planned: bool) -> tuple[Connection, Commands]:
    """Start a host for one look, which ends with this process, and return the commands of a lasting start.

    planned: these commands are requested, and must be possible.
    """
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123
        connection = _launch(nothing.fileno())
    return connection, connection.begin(_settings(options, None, planned))


def _settings(options: Options, directory: Path | None, planned: bool) -> dict[str, Any]:
    return {
        "options": asdict(options),
        "directory": str(directory.absolute()) if directory else None,
        "planned": planned,
    }


def _launch(log: int) -> Connection:
    """Start a keeper, which waits for its settings."""
    near, far = socket.socketpair()
    path = ":".join(filter(None, (_TOP, os.environ.get("PYTHONPATH"))))
    with far:
        process = subprocess.Popen(
            [sys.executable, "-m", "potnet.rootless.host.keeper"],
            stdin=far.fileno(),
            stdout=log,
            stderr=log,
            cwd="/",
            env={**inherited(), "PYTHONPATH": path},
            start_new_session=True,
        )
    # The keeper outlives this process, which does not wait for it.
    process.returncode = 0
    return Connection(near)
