"""The namespaces of a rootless host, and the process that is its init.

When the init ends, everything in its namespaces ends (user_namespaces(7), pid_namespaces(7)). The init ends
with the socket to the keeper, so that nothing outlives the keeper.
"""

from __future__ import annotations

import json
import os
import pwd
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import NoReturn

from potnet.errors import HostError
from potnet.rootless import kernel
from potnet.runtime.fast_dataclass import dataclass

#: The place of a directory's contents on the machine, below its copy.
_BELOW = ".machine"
#: Entries that each host has for itself.
_OWN = ("netns", "resolv.conf")
_USER_HINT = (
    "user namespaces are off, or all in use: `sysctl user.max_user_namespaces "
    "kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns` shows which"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The properties of a host. network: it has its own network. copy_up: directories with write access.

    nameserver: the one in its resolv.conf; None keeps the machine's.
    """

    network: bool = True
    copy_up: tuple[str, ...] = ()
    nameserver: str | None = None


class Host:
    """Existing namespaces. pid: of their init. ids: their users on the machine: inside, outside, count."""

    def __init__(self, pid: int, life: socket.socket, ids: tuple[tuple[int, int, int], ...]) -> None:
        self.pid = pid
        self.ids = ids
        self._life = life
        self.ended = os.pidfd_open(pid)

    def open(self) -> dict[str, int]:
        """Open the namespaces that differ from the machine's, by kind; the caller closes the files."""
        paths = {kind: Path(f"/proc/{self.pid}/ns/{kind}") for kind in kernel.KINDS}
        own = {kind: path for kind, path in paths.items() if not path.samefile(f"/proc/self/ns/{kind}")}
        return {kind: os.open(path, os.O_RDONLY | os.O_CLOEXEC) for kind, path in own.items()}

    def end(self) -> None:
        """End everything in the namespaces, and wait for the end."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)
        select.select([self.ended], [], [])
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._life.close()


def make(layout: Layout) -> Host:
    """Create the namespaces of a host. Raises HostError with the refusal of the kernel."""
    kernel.adopt_orphans()
    life, other = socket.socketpair()
    first = os.fork()
    if first == 0:
        _begin(other, layout)
    other.close()
    try:
        _expect(life, "user")
        ids = _map(first)
        life.sendall(b"\n")
        pid = int(_expect(life, "pid"))
        _expect(life, "ready")
    except BaseException:
        life.close()
        raise
    finally:
        os.waitpid(first, 0)
    return Host(pid, life, ids)


def _expect(life: socket.socket, what: str) -> str:
    line = b""
    while not line.endswith(b"\n"):
        more = life.recv(1)
        if not more:
            raise HostError(f"cannot create namespaces: their first process ended before it was {what}")
        line += more
    said: dict[str, str] = json.loads(line)
    if "failed" in said:
        raise HostError(said["failed"], hint=said.get("hint"))
    return said[what]


def _map(pid: int) -> tuple[tuple[int, int, int], ...]:
    """Map the users of a new user namespace: root is the caller, others are its subordinate IDs."""
    ranges = [_subordinate(path, own) for path, own in (("/etc/subuid", None), ("/etc/subgid", None))]
    if all(ranges) and which("newuidmap") and which("newgidmap"):
        owns, programs = (os.getuid(), os.getgid()), ("newuidmap", "newgidmap")
        entries = [((0, own, 1), (1, *each)) for own, each in zip(owns, ranges, strict=True) if each]
        if all(_map_several(program, pid, each) for program, each in zip(programs, entries, strict=True)):
            return entries[0]
    return _map_one(pid)


def _map_several(program: str, pid: int, entries: tuple[tuple[int, int, int], ...]) -> bool:
    argv = (program, str(pid), *(str(number) for entry in entries for number in entry))
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _map_one(pid: int) -> tuple[tuple[int, int, int], ...]:
    folder = Path(f"/proc/{pid}")
    try:
        with suppress(PermissionError):
            (folder / "setgroups").write_text("deny", "ascii")
        for name, own in (("uid_map", os.geteuid()), ("gid_map", os.getegid())):
            with suppress(FileExistsError):
                (folder / name).write_text(f"0 {own} 1\n", "ascii")
    except OSError as error:
        raise HostError(
            f"cannot create a user namespace: {error.strerror} ({error.filename})", hint=_USER_HINT
        ) from error
    return ((0, os.geteuid(), 1),)


def _subordinate(path: str, name: str | None) -> tuple[int, int] | None:
    """Return the user's first range of subordinate IDs in a file (subuid(5))."""
    names = {str(os.getuid()), name}
    with suppress(KeyError):
        names.add(pwd.getpwuid(os.getuid()).pw_name)
    with suppress(OSError, ValueError):
        for line in Path(path).read_text("utf-8").splitlines():
            owner, _, numbers = line.partition(":")
            if owner in names:
                first, _, count = numbers.partition(":")
                return int(first), int(count)
    return None


def _begin(life: socket.socket, layout: Layout) -> NoReturn:
    """Enter new namespaces in a child of the keeper, and start the init as their first process."""
    code = 1
    try:
        _leave_files(life)
        _attempt(life, "a user namespace", lambda: kernel.unshare(kernel.NEW_USER), _USER_HINT)
        _say(life, user="")
        if life.recv(1) == b"\n":
            new = kernel.NEW_NS | kernel.NEW_PID | (kernel.NEW_NET if layout.network else 0)
            _attempt(life, "namespaces", lambda: kernel.unshare(new), _USER_HINT)
            child = os.fork()
            if child == 0:
                _init(life, layout)
            _say(life, pid=str(child))
            code = 0
    finally:
        os._exit(code)


def _leave_files(life: socket.socket) -> None:
    """Keep only the log and the socket: the keeper alone holds the lock on the PID file."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    kept = life.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 16)


def _say(life: socket.socket, **words: str) -> None:
    life.sendall(json.dumps(words).encode() + b"\n")


def _attempt(life: socket.socket, what: str, do: Callable[[], None], hint: str) -> None:
    try:
        do()
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _say(life, failed=f"this user cannot have {what}: {error.strerror}{where}", hint=hint)
        os._exit(1)


def _init(life: socket.socket, layout: Layout) -> NoReturn:
    try:
        os.setsid()
        hint = "in a container, its own mounts below /proc and /sys are in the way of new ones"
        _attempt(life, "file systems of its own", lambda: _furnish(layout), hint)
        _say(life, ready="")
        _reap(life)
    finally:
        os._exit(1)


def _furnish(layout: Layout) -> None:
    """Mount the host's own file systems: the kernel's views, and directories with write access."""
    # Later mounts of the machine appear here, but mounts here stay inside.
    kernel.mount("", "/", flags=kernel.SLAVE | kernel.RECURSIVE)
    quiet = kernel.NO_SUID | kernel.NO_DEV | kernel.NO_EXEC
    kernel.mount("proc", "/proc", "proc", quiet)
    if layout.network:
        kernel.mount("sysfs", "/sys", "sysfs", quiet)
    resolver = _resolver(layout.nameserver)
    for directory in dict.fromkeys(("/run", "/etc", *layout.copy_up)):
        _copy_up(directory)
    for own in ("/run/netns", "/etc/netns"):
        Path(own).mkdir()
    Path("/etc/resolv.conf").write_text(resolver, "utf-8")
    if layout.network:
        subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=False)
        # The driver has the wire alone, and a restarted driver must not wait (RFC 4862, 5.4).
        with suppress(OSError):
            Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0", "ascii")


def _resolver(nameserver: str | None) -> str:
    """Return the text for resolv.conf: the machine's, with another nameserver."""
    text = ""
    with suppress(OSError, ValueError):
        text = Path("/etc/resolv.conf").read_text("utf-8")
    if nameserver is None:
        return text
    kept = [line for line in text.splitlines() if line.split(maxsplit=1)[:1] in (["search"], ["options"])]
    return "".join(f"{line}\n" for line in (f"nameserver {nameserver}", *kept))


def _copy_up(directory: str) -> None:
    """Mount a directory in memory over another, with links to the earlier contents."""
    old = kernel.picked_up(directory)
    kernel.mount("tmpfs", directory, "tmpfs", kernel.NO_SUID | kernel.NO_DEV, "mode=755")
    below = Path(directory) / _BELOW
    below.mkdir()
    kernel.put_down(old, str(below))
    for entry in os.scandir(below):
        if entry.name not in _OWN and entry.name != _BELOW:
            # An existing link may lead upwards, so it is copied to the same place.
            target = Path(entry).readlink() if entry.is_symlink() else Path(_BELOW, entry.name)
            Path(directory, entry.name).symlink_to(target)


def _reap(life: socket.socket) -> None:
    """Be the parent of orphans until the keeper is gone."""
    told, wake = os.pipe()
    for end in (told, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        ready, _, _ = select.select([life.fileno(), told], [], [])
        with suppress(BlockingIOError):
            os.read(told, 4096)
        if life.fileno() in ready and not life.recv(100):
            return


def describe_ids(ids: Sequence[tuple[int, int, int]]) -> str:
    """Describe in words which users of the machine are the host's users."""
    return ", ".join(
        f"{inside} is {outside}" if count == 1 else f"{inside} and {count - 1} more are {outside} and more"
        for inside, outside, count in ids
    )
