"""The first process of a test's world: it prepares the world and runs there what it is told to.

A line of JSON on standard input is a request, a line on standard output its answer. potnet, and both ends of
a conversation, run in forked copies of this process, which saves starting Python anew; potnet is the whole
program, killed by kill(2) if asked.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import talk

from potnet.executors.base import Command, Limit
from potnet.executors.local import LocalExecutor

#: setns(2), which Python has from 3.12 on.
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PR_SET_DUMPABLE = 4
#: What makes the world: private mounts, a host `eth0` with a wire to the namespace `outside`.
MOUNTS = (
    "mount --make-rprivate /",
    "mount -t tmpfs tmpfs /run",
    # It shows the links of the namespace that it is mounted in.
    "mount -t sysfs sysfs /sys",
    "mkdir -p /run/netns /run/upper /run/work /run/state",
    "mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc",
    "mkdir -p /etc/netns",
    # The machine's own files of namespaces stay out of sight.
    "mount -t tmpfs tmpfs /etc/netns",
)
WIRE = """\
link set dev lo up
netns add outside
link add name eth0 type veth peer name wire netns outside
link set dev eth0 addrgenmode none up
"""
OUTSIDE = """\
link set dev lo up
link set dev wire addrgenmode none up
addr add 192.0.2.9/24 dev wire
addr add 2001:db8:7::1/64 dev wire nodad
addr add fe80::9/64 dev wire nodad
route add 10.192.0.0/10 via 192.0.2.1
"""
#: Up once more: what comes up while the other end is has IPv6 at once, the first to come up a second later.
ADDRESSES = """\
link set dev eth0 down
link set dev eth0 up
addr add 192.0.2.1/24 dev eth0
addr add 2001:db8:7::20/64 dev eth0 nodad
route add default via 192.0.2.9
"""
#: What a new namespace may inherit from the machine, with the value of a kernel without settings.
INHERITED = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/ip_unprivileged_port_start": "1024",
    "net/ipv4/ip_local_port_range": "32768\t60999",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/route_localnet": "0",
    "net/ipv4/conf/default/route_localnet": "0",
    "net/ipv6/conf/all/forwarding": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    # There where a module is loaded, as container engines do.
    "net/bridge/bridge-nf-call-iptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
}
#: What most commands import, which takes longer than they do: copies of this process have it at once.
IMPORTED = (
    *("potnet.cli.main", "potnet.cli.known_names", "potnet.cli.output", "potnet.cli.views", "potnet.app"),
    *(f"potnet.cli.commands.{name}" for name in ("check", "create", "export", "info", "start")),
    *(f"potnet.operations.{name}" for name in ("pots.create", "running.start", "running.stop")),
    *(f"potnet.operations.{name}" for name in ("maintenance.check", "exports.export_ports", "reports.info")),
    *("potnet.drivers.linux.driver", "potnet.store.opening", "potnet.runtime.progress", "potnet.templates"),
)
#: The host takes no address from what a test's router advertises: its state is compared.
QUIET = ("/proc/sys/net/ipv6/conf/eth0/accept_ra", "/proc/sys/net/ipv6/conf/all/accept_ra")


def prepare() -> None:
    """Make the world; raises CalledProcessError with what could not be done."""
    for line in MOUNTS:
        subprocess.run(line.split(), check=True, capture_output=True, text=True)
    for name, value in INHERITED.items():
        if Path("/proc/sys", name).exists():
            Path("/proc/sys", name).write_text(f"{value}\n", "ascii")
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text("nameserver 192.0.2.9\n", "utf-8")
    host, outside = ["ip"], ["ip", "-n", "outside"]
    for command, lines in ((host, WIRE), (outside, OUTSIDE), (host, ADDRESSES)):
        subprocess.run([*command, "-batch", "-"], input=lines, check=True, capture_output=True, text=True)
    for path in QUIET:
        Path(path).write_text("0\n", "ascii")


def potnet(
    argv: list[str], kill_after: float | None, environment: dict[str, str], user: int | None = None
) -> dict[str, Any]:
    """Run potnet, which is killed after so many seconds when it has not ended by then.

    user: who runs it, with this environment alone.
    """
    for name in IMPORTED:
        importlib.import_module(name)
    others = _children() if kill_after is not None else set()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            if user is not None:
                become(user)
                os.environ.clear()
            os.environ.update(environment)
            _become_potnet(argv, out.fileno(), err.fileno())
        code = _wait(child, kill_after)
        if kill_after is not None:
            _wait_for_orphans(others)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return {"code": code, "out": texts[0], "err": texts[1]}


def become(user: int) -> None:
    """Be a user without root, with a group of the same number and in a home of his own."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # The kernel hides from himself a process that was root's; a new program would not be.
    LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def _become_potnet(argv: list[str], out: int, err: int) -> None:
    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    # In a copy of a process of the tests they are objects of pytest's.
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    code = 99
    try:
        from potnet.cli.main import run

        code = run(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, kill_after: float | None) -> int:
    if kill_after is not None:
        give_up = time.monotonic() + kill_after
        while time.monotonic() < give_up:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _wait_for_orphans(others: set[int]) -> None:
    """Wait until the command that a killed potnet had started has ended, as it does by itself.

    others: children that were there before, such as servers.
    """
    with suppress(ChildProcessError):
        while _children() - others:
            os.waitpid(-1, os.WNOHANG)
            time.sleep(0.005)


def _children() -> set[int]:
    """Return the PIDs of this process's children."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name of the program, in parentheses, may contain anything.
            if int(path.read_text("utf-8", "replace").rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


def run(argv: list[str], text: str, patience: float) -> dict[str, Any]:
    """Run any command to its end."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=patience)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def spawn(argv: list[str]) -> dict[str, Any]:
    """Start a command that goes on, and return when it has said that it is ready."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return {"pid": process.pid, "said": process.stdout.readline()}


def timed(argv: list[str], mark: str) -> dict[str, Any]:
    """Run a command and return when, in seconds since its start, it printed a line with a mark on stderr."""
    start = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    times = [time.monotonic() - start for line in process.stderr if mark in line]
    return {"code": process.wait(), "times": times, "total": time.monotonic() - start}


def command(
    argv: list[str],
    stdin: str | None,
    file: str | None,
    timeout: str | float | None,
    quiet: bool,
    inside: bool,
) -> dict[str, Any]:
    """Run a command as potnet would run it here."""
    source = Path(file) if file is not None else stdin
    limit = Limit(timeout) if isinstance(timeout, str) else timeout
    asked = Command(tuple(argv), source, timeout=limit, quiet=quiet, inside=inside)
    return asdict(LocalExecutor().run(asked))


def enter(name: str | None) -> None:
    """Go into a namespace; None for the host's."""
    if name is None:
        return
    file = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    if LIBC.setns(file, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter {name}")


def forked(work: Callable[[int], None]) -> tuple[int, str]:
    """Do something in a copy of this process, and return the PID and the first line that it writes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1):
                os.dup2(nothing, number)
            os.close(reading)
            work(writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, encoding="ascii") as file:  # noqa: PTH123
        return child, file.readline().strip()


def serve(name: str | None, port: int, called: str, only_tcp: bool, named: str) -> dict[str, Any]:
    """Answer callers in a namespace from now on."""

    def work(out: int) -> None:
        Path("/proc/self/comm").write_text(called, "ascii")
        enter(name)
        talk.serve(port, lambda: os.write(out, b"ready\n"), only_tcp, named)

    pid, said = forked(work)
    return {"pid": pid, "said": said}


def ask(name: str | None, protocol: str, address: str, port: int) -> dict[str, Any]:
    """What a server answers to a caller in a namespace."""

    def work(out: int) -> None:
        enter(name)
        os.write(out, talk.ask(protocol, address, port).encode())

    pid, said = forked(work)
    os.waitpid(pid, 0)
    return {"said": said}


def children() -> dict[str, Any]:
    """Whether any child of this process goes on."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return {"running": True}
    return {"running": False}


def several(commands: dict[str, list[str]]) -> dict[str, str]:
    """What each of these commands prints; they run at the same time."""
    started = {
        what: subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for what, argv in commands.items()
    }
    return {what: process.communicate()[0] for what, process in started.items()}


#: What the agent does, by the word in a request that holds its arguments.
VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "potnet": potnet,
    "timed": timed,
    "spawn": spawn,
    "run": run,
    "command": command,
    "serve": serve,
    "ask": ask,
    "several": several,
    "children": children,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    return VERBS[request["verb"]](**request["arguments"])


def main() -> None:
    try:
        prepare()
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", "") or ""
        print(json.dumps({"failed": f"{error} {said}".strip()}), flush=True)
        return
    print(json.dumps({"failed": None}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
