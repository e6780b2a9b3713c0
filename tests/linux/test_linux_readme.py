"""The README's sessions on Linux, run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from linux_world import PATH, TOP, World

SECTION = re.compile(r"^## Try it on Linux\n(.*?)^## ", re.MULTILINE | re.DOTALL)
STUB = f'#!/bin/sh\nPYTHONPATH="{TOP}" exec "{sys.executable}" -m potnet "$@"\n'


def sessions() -> tuple[str, str, str]:
    """What installs potnet; what tries it; what makes a place for that without root."""
    found = SECTION.search((TOP / "README.md").read_text("utf-8"))
    assert found
    assert "curl prints `soup`" in found[1]
    first, own = re.findall(r"^```sh\n(.*?)^```$", found[1], re.MULTILINE | re.DOTALL)
    installing, environment, trying = re.split("^(export .*\n)", first, flags=re.MULTILINE)
    assert environment == "export PATH=/opt/potnet/bin:$PATH POTNET_HOST=linux\n"
    return installing, trying, own


def test_the_session_for_linux_runs_as_documented(world: World) -> None:
    installing, trying, _ = sessions()
    for package in ("iproute2", "nftables", "conntrack", "curl", "python3-venv"):
        assert package in installing.splitlines()[0]
    world.run("mkdir", "-p", "/run/bin")
    world.run("tee", "/run/bin/potnet", stdin=STUB)
    world.run("chmod", "755", "/run/bin/potnet")
    # The first pot makes the folder of all roots, which stays.
    world.run("mkdir", "-p", "/run/state/jails")
    before = world.snapshot()
    done = world.run("env", f"PATH=/run/bin:{PATH}", "sh", "-e", "-c", trying)
    assert "soup" in done.out.splitlines(), done.err
    assert world.snapshot() == before


def test_the_session_without_root_runs_as_documented(world: World, tmp_path: Path) -> None:
    _, trying, own = sessions()
    with World(own_users=True) as possible:
        if possible.failed:
            pytest.skip(f"no user namespaces here: {possible.failed}")
    program = tmp_path / "bin/potnet"
    program.parent.mkdir()
    program.write_text(STUB)
    program.chmod(0o755)
    unshare, making = own.split("\n", 1)
    environment = {
        "PATH": f"{program.parent}:{PATH}",
        "HOME": str(tmp_path),
        "POTNET_HOST": "linux",
        "XDG_STATE_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [*unshare.split(), "-pf", "--kill-child", "sh", "-e", "-c", making + trying],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "soup" in done.stdout.splitlines(), done.stderr
    assert done.returncode == 0
