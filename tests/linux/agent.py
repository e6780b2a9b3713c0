"""The first process of a test's world: it prepares the world and runs there what it is told to.

A line of JSON on standard input is a request, a line on standard output its answer. potnet runs in a forked
copy of this process, which saves starting Python anew; it is the whole program, killed by kill(2) if asked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

#: What makes the world: private mounts, a host `eth0` with a wire to the namespace `outside`.
MOUNTS = (
    "mount --make-rprivate /",
    "mount -t tmpfs tmpfs /run",
    # It shows the links of the namespace that it is mounted in.
    "mount -t sysfs sysfs /sys",
    "mkdir -p /run/netns /run/upper /run/work /run/state",
    "mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc",
    "mkdir -p /etc/netns",
)
WIRE = """\
link set dev lo up
netns add outside
link add name eth0 type veth peer name wire netns outside
addr add 192.0.2.1/24 dev eth0
addr add 2001:db8:7::20/64 dev eth0 nodad
link set dev eth0 addrgenmode none up
route add default via 192.0.2.9
"""
OUTSIDE = """\
link set dev lo up
addr add 192.0.2.9/24 dev wire
addr add 2001:db8:7::1/64 dev wire nodad
addr add fe80::9/64 dev wire nodad
link set dev wire addrgenmode none up
route add 10.192.0.0/10 via 192.0.2.1
"""
#: The host takes no address from what a test's router advertises: its state is compared.
QUIET = ("/proc/sys/net/ipv6/conf/eth0/accept_ra", "/proc/sys/net/ipv6/conf/all/accept_ra")


def prepare() -> None:
    """Make the world; raises CalledProcessError with what could not be done."""
    for line in MOUNTS:
        subprocess.run(line.split(), check=True, capture_output=True, text=True)
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text("nameserver 192.0.2.9\n", "utf-8")
    for command, lines in ((["ip"], WIRE), (["ip", "-n", "outside"], OUTSIDE)):
        subprocess.run([*command, "-batch", "-"], input=lines, check=True, capture_output=True, text=True)
    for path in QUIET:
        Path(path).write_text("0\n", "ascii")


def potnet(argv: list[str], kill_after: float | None, environment: dict[str, str]) -> dict[str, Any]:
    """Run potnet, which is killed after so many seconds when it has not ended by then."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.environ.update(environment)
            _become_potnet(argv, out.fileno(), err.fileno())
        code = _wait(child, kill_after)
        if kill_after is not None:
            _wait_for_orphans()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return {"code": code, "out": texts[0], "err": texts[1]}


def _become_potnet(argv: list[str], out: int, err: int) -> None:
    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    code = 99
    try:
        from potnet.cli.main import run

        code = run(argv)
        sys.stdout.flush()
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


def _wait_for_orphans() -> None:
    """Wait until the command that a killed potnet had started has ended, as it does by itself."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def run(argv: list[str], text: str) -> dict[str, Any]:
    """Run any command to its end."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=60)
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


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if "potnet" in request:
        return potnet(request["potnet"], request.get("kill_after"), request.get("environment", {}))
    if "timed" in request:
        return timed(request["timed"], request["mark"])
    if "spawn" in request:
        return spawn(request["spawn"])
    return run(request["run"], request.get("stdin", ""))


def main() -> None:
    try:
        prepare()
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", "") or ""
        print(json.dumps({"failed": f"{error} {said}".strip()}), flush=True)
        return
    # So that a fork has it all.
    import potnet.operations.start
    import potnet.templates  # noqa: F401

    print(json.dumps({"failed": None}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
