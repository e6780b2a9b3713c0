"""Commands that the keeper runs in the namespaces of a host."""

from __future__ import annotations

import subprocess

from potnet.errors import HostError
from potnet.rootless.uplink import ENTERING, READY, Target


def run_inside(target: Target, *argv: str, stdin: str = "") -> str:
    """What a command prints there; raises HostError when it fails."""
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
