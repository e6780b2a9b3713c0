"""The interface of every uplink, and the process of its driver."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol

from potnet.errors import ConfigError, HostError
from potnet.rootless.ports.carried import Port
from potnet.rootless.uplinks.options import Options
from potnet.rootless.wire import LOG
from potnet.runtime.environment import tools_path
from potnet.runtime.fast_dataclass import dataclass

#: The seconds for a driver to become ready, and to end after the signal.
READY, END = 30.0, 10.0
#: Enters a host's namespaces as its root; the kinds of namespaces and `-t PID` follow.
ENTERING = ("nsenter", "--preserve-credentials")
_GUARD = str(Path(__file__).parents[1] / "guard.py")


@dataclass(frozen=True, slots=True)
class Target:
    """The namespaces that an uplink connects: those of a process, or those of two paths."""

    pid: int | None = None
    network: str | None = None
    user: str | None = None

    @property
    def network_path(self) -> str:
        return self.network or f"/proc/{self.pid}/ns/net"


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of an uplink. interface, address: of the host behind it. pid: of the running driver.

    families: the families of inbound ports. live_ports: a new port does not interrupt the traffic of others.
    """

    uplink: str
    program: str | None
    version: str | None
    interface: str | None
    address: str | None
    mtu: int | None
    families: tuple[int, ...] = (4,)
    live_ports: bool = True
    pid: int | None = None


class Uplink(Protocol):
    """Connects the namespaces of a host with the machine's network. Failures raise HostError.

    package: the Debian package of its program; "" for none. needs_tun: it opens /dev/net/tun. largest_mtu:
    None if fixed. inward: the families of inbound ports. port_interface: how ports are changed, in a word.
    version_words: the command that prints the program's version. lacks: unsupported options, each with the
    reason. nameserver: the resolver for names; None for the machine's.
    """

    name: str
    package: str
    needs_tun: bool
    largest_mtu: int | None
    inward: tuple[int, ...]
    port_interface: str
    version_words: tuple[str, ...]
    lacks: Mapping[str, str]

    def __init__(self, options: Options, directory: Path) -> None:
        """Create the uplink. directory: for its files. Raises ConfigError for an unsupported option."""
        ...

    @classmethod
    def missing(cls, options: Options) -> str | None:
        """Return what this machine lacks for it, and the fix; None if nothing is missing."""
        ...

    @property
    def nameserver(self) -> str | None: ...

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """Return the commands of `start`. target: the name of the process with the namespaces."""
        ...

    def start(self, target: Target) -> None:
        """Connect the host, and return when it is connected."""
        ...

    def stop(self) -> None:
        """Disconnect; running it again is harmless."""
        ...

    def ended(self) -> int | None:
        """Return a descriptor that becomes readable when the driver has ended."""
        ...

    def add_port(self, *ports: Port) -> None:
        """Open all of these ports of the machine to the host, or none; running it again is harmless."""
        ...

    def remove_port(self, *ports: Port) -> None:
        """Close ports; closed ports are ignored."""
        ...

    def list_ports(self) -> tuple[Port, ...]:
        """Return the open ports, as the driver reports them."""
        ...

    def facts(self) -> Facts: ...


def refusals(uplink: Uplink | type[Uplink], options: Options) -> tuple[str, ...]:
    """Return the given options that the uplink does not support, each with the reason."""
    given = {name: getattr(options, name) for name in options.changed()}
    found = [
        f"rootless.{name} = {given[name]}: {uplink.name} {uplink.lacks[name]}"
        for name in given
        if name in uplink.lacks
    ]
    largest = uplink.largest_mtu
    if largest is not None and given.get("mtu", 0) > largest:
        found.append(f"rootless.mtu = {options.mtu}: {uplink.name} takes {largest} at most")
    return tuple(found)


def refuse(uplink: Uplink | type[Uplink], options: Options) -> None:
    """Refuse given options that the uplink does not support. Raises ConfigError."""
    for refusal in refusals(uplink, options):
        hint = "leave it out, or choose another rootless.uplink; potnet-rootless(7) compares them"
        raise ConfigError(refusal, hint)


def no_tun() -> str | None:
    """Return why a tap cannot be created here; None if it can."""
    if os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return None
    return "/dev/net/tun cannot be opened: as root, `modprobe tun && chmod 666 /dev/net/tun`"


def installed(program: str, package: str) -> str | None:
    """Return why a program cannot be used; None if it can."""
    if shutil.which(program, path=tools_path()):
        return None
    how = f"`apt-get install {package}`" if package else "Debian has no package of it"
    return f"{program} is not installed: {how}"


def _adopted(program: str, parent: int) -> list[int]:
    """Return drivers whose guard was killed; an init, or the keeper, adopts such orphans."""
    try:
        words = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in _children(parent)}
    except OSError:
        return []
    return [pid for pid, each in words.items() if each[0] == os.fsencode(program)]


def _children(parent: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()]
    except OSError:
        return []


def _depth(pid: int) -> int:
    """Return the number of PID namespaces of a process, from that of /proc on."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError:
        return 0
    return next((len(line.split()) - 1 for line in status.splitlines() if line.startswith("NSpid:")), 0)


def _last_words(log: Path) -> str:
    """Return the last line in a program's log."""
    try:
        lines = log.read_text("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


@dataclass
class Process:
    """A driver's process. log: for its output. fds: further descriptors that it inherits.

    guarded: it ends with the keeper, which it does not watch itself. host: the PID of the init; the driver
    runs in its PID and user namespaces, and always ends with them.
    """

    argv: Sequence[str]
    directory: Path
    fds: Collection[int] = ()
    guarded: bool = True
    host: int | None = None
    child: subprocess.Popen[bytes] | None = None
    pidfd: int | None = None

    def start(self) -> None:
        """Start the process. Raises HostError if the program does not exist."""
        where = (*ENTERING, "-U", "-p", "-t", str(self.host)) if self.host is not None else ()
        guard = (sys.executable, "-I", "-S", _GUARD) if self.guarded else ()
        try:
            self.child = subprocess.Popen(
                [*where, *guard, *self.argv],
                stdin=subprocess.PIPE if self.guarded else subprocess.DEVNULL,
                stdout=2,
                cwd=self.directory,
                pass_fds=self.fds,
            )
        except OSError as error:
            raise HostError(f"{self.argv[0]}: {error.strerror}") from error
        self.pidfd = os.pidfd_open(self.child.pid)

    @property
    def pid(self) -> int | None:
        return self.child.pid if self.child is not None else None

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def wait_ready(self, ready: int) -> None:
        """Wait for a byte in a pipe. Raises HostError if the process ends first, or takes too long."""
        assert self.pidfd is not None
        found, _, _ = select.select([ready, self.pidfd], [], [], READY)
        if not (ready in found and os.read(ready, 1)):
            self.fail("did not come up")

    def fail(self, what: str) -> NoReturn:
        """Raise HostError with the last words of the process."""
        said = _last_words(self.directory / LOG)
        raise HostError(f"{self.argv[0]} {what}{f': {said}' if said else ''}")

    def end(self) -> None:
        """End the process, at first with an orderly stop."""
        if self.child is None:
            return
        if self.child.stdin is not None:
            self.child.stdin.close()
        if self.running:
            if not self.guarded:
                self.child.terminate()
            try:
                self.child.wait(END)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()
        for orphan in self._orphans() if self.guarded else ():
            with suppress(ProcessLookupError):
                ended = os.pidfd_open(orphan)
                signal.pidfd_send_signal(ended, signal.SIGKILL)
                select.select([ended], [], [], END)
                os.close(ended)
            with suppress(ChildProcessError):
                os.waitpid(orphan, 0)
        if self.pidfd is not None:
            os.close(self.pidfd)
        self.child = self.pidfd = None

    def _orphans(self) -> Iterator[int]:
        """Yield what a killed process has left: its guard, whose end leaves the driver.

        The init of a host receives no signal about such a guard, and does not end before this process waits
        for it.
        """
        here = os.getpid()
        if self.host is not None:
            yield from (pid for pid in _children(here) if pid != self.host and _depth(pid) > _depth(here))
        yield from _adopted(self.argv[0], self.host or here)
