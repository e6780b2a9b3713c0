"""Run commands of the keeper in the namespaces of a host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from potnet.errors import HostError
from potnet.rootless.uplinks.uplink import ENTERING, READY, Target


def run_inside(target: Target, *argv: str, stdin: str = "") -> str:
    """Run a command there and return its output. Raises HostError if the command fails."""
    entering = (*ENTERING, "-U", "-m", "-n", "-t", str(target.pid))
    try:
        done = subprocess.run(
            [*entering, *argv], input=stdin, capture_output=True, text=True, check=False, timeout=READY
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        raise HostError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


@contextmanager
def tap(target: Target, name: str) -> Iterator[None]:
    """Hold a driver's tap open during its start, so that the tap outlives the driver with its settings.

    A driver creates its tap only if the name is free. The old driver's settings are removed. The promiscuous
    flag is restored, because slirp4netns sets all flags anew.
    """
    if target.pid is None:
        yield
        return
    before = flags(target, name)
    if before is None:
        run_inside(target, "ip", "tuntap", "add", "dev", name, "mode", "tap")
    else:
        lines = (f"link set dev {name} down", f"addr flush dev {name}")
        run_inside(target, "ip", "-batch", "-", stdin="\n".join(lines))
    yield
    if before is not None and "PROMISC" in before:
        run_inside(target, "ip", "link", "set", "dev", name, "promisc", "on")


def flags(target: Target, interface: str) -> list[str] | None:
    """Return the flags of an interface in the words of ip(8); None if the interface does not exist."""
    links = json.loads(run_inside(target, "ip", "-j", "link", "show"))
    return next((each["flags"] for each in links if each["ifname"] == interface), None)
