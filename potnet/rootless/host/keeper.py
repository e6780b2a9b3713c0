"""The process that keeps a rootless host: its namespaces, its uplink, its ports.

Its standard input is a socket, which carries one line of JSON for each request and answer. It listens for
further sockets. A lock on its PID file shows that it is alive, whatever number the file holds.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potnet.errors import HostError, PotnetError
from potnet.rootless.host.namespaces import Host, Layout, make
from potnet.rootless.ports.carried import Port, parse_ports
from potnet.rootless.uplinks.choose import choose
from potnet.rootless.uplinks.offline_uplink import StandIn
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Target, Uplink
from potnet.rootless.wire import CONTROL, PID_FILE, listen, peer, send

#: The seconds between attempts to restart a driver that has ended: first and longest.
_SOON, _LATE = 0.5, 30.0
_LONGEST = 1 << 20
#: The seconds for reading an answer before potnet disconnects, and the limit of connections.
_READING, _MOST_CONNECTIONS = 2.0, 256


class Keeper:
    """Holds one host.

    directory: for PID file and sockets; None for a host that ends with its first connection.
    """

    def __init__(self, options: Options, directory: Path | None, planned: bool) -> None:
        self._options = options
        self._directory = directory
        self._uplink = self._choose(planned)
        self._host: Host | None = None
        self._listener: socket.socket | None = None
        self._lock = -1
        self._wanted: dict[Port, None] = {}
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, bytes] = {}
        self._going = True
        self._watched: int | None = None
        self._why_down: str | None = None
        self._next_try = 0.0
        self._pause = _SOON

    def _choose(self, planned: bool) -> Uplink | StandIn:
        here = self._directory or Path("/")
        if self._directory is None:
            return StandIn(self._options, choose(self._options, here) if planned else None)
        return choose(self._options, here)

    # From nothing to a host, and back.

    def start(self) -> None:
        """Create the host. Raises PotnetError and leaves nothing behind."""
        if self._directory is not None:
            self._lock = self._claim(self._directory)
            self._listener = listen(self._directory)
        network = self._options.uplink != "host"
        layout = Layout(network, self._options.copy_up, self._uplink.nameserver)
        try:
            self._host = make(layout)
            self._uplink.start(Target(self._host.pid))
        except BaseException:
            self.end()
            raise

    def _claim(self, directory: Path) -> int:
        file = os.open(directory / PID_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostError(
                f"a rootless host is already running (pid {os.read(file, 20).decode()})"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return file

    def end(self) -> None:
        """End the driver, everything in the host, and remove the files that announce the host."""
        self._uplink.stop()
        if self._host is not None:
            self._host.end()
            self._host = None
        if self._directory is not None and self._lock >= 0:
            for name in (CONTROL, PID_FILE):
                (self._directory / name).unlink(missing_ok=True)

    # Watching.

    def run(self, first: socket.socket) -> None:
        """Answer requests until a stop, or until the host has ended."""
        assert self._host is not None
        self._watch_signals()
        self._selector.register(self._host.ended, selectors.EVENT_READ, self._host_ended)
        if self._listener is not None:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._add(first)
        self._watch_driver()
        while self._going:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            if self._why_down is not None and time.monotonic() >= self._next_try:
                self._restart()
        self.end()

    def _watch_signals(self) -> None:
        told, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)
        self._selector.register(told, selectors.EVENT_READ, self._stop)

    def _stop(self) -> None:
        self._going = False

    def _host_ended(self) -> None:
        _log("the host has ended")
        self._going = False

    def _patience(self) -> float | None:
        if self._why_down is None:
            return None
        return max(0.0, self._next_try - time.monotonic())

    def _watch_driver(self) -> None:
        self._watched = self._uplink.ended()
        if self._watched is not None:
            self._selector.register(self._watched, selectors.EVENT_READ, self._driver_ended)

    def _leave_driver(self) -> None:
        if self._watched is not None:
            self._selector.unregister(self._watched)
            self._watched = None

    def _driver_ended(self) -> None:
        self._leave_driver()
        self._uplink.stop()
        _log(f"{self._uplink.name} has ended; it is restarted")
        self._why_down = "its driver has ended"
        self._next_try = time.monotonic()
        self._pause = _SOON

    def _restart(self) -> None:
        """Connect the host again, with its earlier ports."""
        assert self._host is not None
        try:
            self._uplink.start(Target(self._host.pid))
        except (PotnetError, OSError) as error:
            # The host may be about to end, and its files can no longer be opened.
            _log(f"{self._uplink.name}: {error}")
            self._why_down = str(error)
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LATE)
            return
        self._why_down = None
        with self._at_work():
            try:
                self._uplink.add_port(*self._wanted)
            except PotnetError:
                self._reopen()

    def _reopen(self) -> None:
        """Open the host's earlier ports, as far as possible."""
        for port in self._wanted:
            try:
                self._uplink.add_port(port)
            except PotnetError as error:
                _log(f"{port}: {error.message}")

    # Requests.

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            # The caller has gone, or no file is left for the connection; the other connections continue.
            _log(f"cannot accept a connection: {error}")
            return
        if peer(connection) in (0, os.getuid()) and len(self._connections) < _MOST_CONNECTIONS:
            self._add(connection)
        else:
            connection.close()

    def _add(self, connection: socket.socket) -> None:
        # A caller that does not read its answer must not delay the others.
        connection.settimeout(_READING)
        self._connections[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = connection.recv(1 << 16)
        if not data or len(self._connections[connection]) > _LONGEST:
            self._leave(connection)
            return
        *lines, rest = (self._connections[connection] + data).split(b"\n")
        self._connections[connection] = rest
        try:
            for line in lines:
                self._answer(connection, line)
        except OSError:
            self._leave(connection)

    def _leave(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._connections[connection]
        connection.close()
        # A host for one look ends with the command that looked.
        self._going &= self._directory is not None

    def _answer(self, connection: socket.socket, line: bytes) -> None:
        verbs: dict[str, Callable[..., Any]] = {
            "facts": self._facts,
            "open": self._open,
            "close": self._close,
            "ports": lambda: [str(port) for port in self._uplink.list_ports()],
            "addresses": lambda words: [word for word in words if _is_own(word)],
            "listeners": lambda: _output("ss", "-H", "-lntup"),
            "stop": self._stop,
        }
        fds: dict[str, int] = {}
        try:
            request = json.loads(line)
            if request["verb"] == "join":
                assert self._host is not None
                fds = self._host.open()
                result: Any = list(fds)
            else:
                result = verbs[request["verb"]](*request.get("arguments", []))
            answer: dict[str, Any] = {"return": result}
        except PotnetError as error:
            answer = {"error": {"desc": error.message, "hint": error.hint}}
        except (OSError, KeyError, TypeError, ValueError) as error:
            answer = {"error": {"desc": f"{type(error).__name__}: {error}", "hint": None}}
        try:
            send(connection, answer, list(fds.values()))
        finally:
            for each in fds.values():
                os.close(each)
        _shorten_log()

    def _facts(self) -> dict[str, Any]:
        assert self._host is not None
        return {
            **asdict(self._uplink.facts()),
            "keeper": os.getpid(),
            "init": self._host.pid,
            "ids": self._host.ids,
            "down": self._why_down,
        }

    def commands(self) -> list[list[str]]:
        """Return the commands of a start."""
        return [list(argv) for argv in self._uplink.commands("$PID")]

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Watch the present driver after the block, because it may have replaced the watched driver."""
        if self._why_down is not None:
            raise HostError(f"the uplink is down: {self._why_down}", hint="potnet keeps trying")
        self._leave_driver()
        try:
            yield
        finally:
            self._watch_driver()

    def _open(self, texts: Sequence[str]) -> None:
        """Open all of these ports or none."""
        with self._at_work():
            self._open_all(parse_ports(texts))

    def _open_all(self, ports: Sequence[Port]) -> None:
        there = set(self._uplink.list_ports())
        for port in ports:
            if port not in there:
                check_free(port)
        self._uplink.add_port(*ports)
        self._wanted |= dict.fromkeys(ports)

    def _close(self, texts: Sequence[str]) -> None:
        with self._at_work():
            ports = parse_ports(texts)
            for port in ports:
                self._wanted.pop(port, None)
            self._uplink.remove_port(*ports)


def check_free(port: Port) -> None:
    """Check that this user can listen on a port of the machine. Raises HostError."""
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    what = f"host port {port.protocol} {port.number}"
    with socket.socket(family, kind) as trial:
        if port.protocol == "tcp":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            trial.bind((port.address, port.number))
            if port.protocol == "tcp":
                trial.listen(1)
        except OSError as error:
            raise HostError(*_refusal(what, port, error.errno)) from error


def _refusal(what: str, port: Port, number: int | None) -> tuple[str, str | None]:
    if number == errno.EACCES:
        hint = f"as root: `sysctl net.ipv4.ip_unprivileged_port_start={port.number}`, or export a higher one"
        return f"{what} requires root", hint
    if number == errno.EADDRINUSE:
        return f"{what} is in use on this machine", "choose another host port, or omit it"
    if number == errno.EADDRNOTAVAIL:
        return f"{what}: this machine has no address {port.address}", "`ip addr` lists those that it has"
    return f"{what}: {os.strerror(number or 0)}", None


def _is_own(address: str) -> bool:
    """Return whether the machine has an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True


def _output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HostError(f"{argv[0]}: {done.stderr.strip()}")
    return done.stdout


def _shorten_log() -> None:
    """Empty a large log: drivers log each request, even for years."""
    found = os.fstat(2)
    if stat.S_ISREG(found.st_mode) and found.st_size > _LONGEST:
        os.ftruncate(2, 0)


def _log(line: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, file=sys.stderr, flush=True)


def main() -> None:
    first = socket.socket(fileno=0)
    line = b""
    while not line.endswith(b"\n"):
        more = first.recv(1 << 16)
        if not more:
            return
        line += more
    settings = json.loads(line)
    options = settings["options"]
    options["copy_up"] = tuple(options["copy_up"])
    directory = Path(settings["directory"]) if settings["directory"] else None
    try:
        keeper = Keeper(Options(**options), directory, settings["planned"])
        keeper.start()
    except (PotnetError, OSError) as error:
        hint = getattr(error, "hint", None)
        send(first, {"error": {"desc": str(error), "hint": hint}})
        sys.exit(1)
    send(first, {"return": keeper.commands()})
    keeper.run(first)


if __name__ == "__main__":
    main()
