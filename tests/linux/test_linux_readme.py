"""The README's session on Linux, run as it stands there."""

from __future__ import annotations

import re
import sys

from linux_world import TOP, World

SECTION = re.compile(r"^## Try it on Linux\n(.*?)^## ", re.MULTILINE | re.DOTALL)


def test_the_session_for_linux_runs_as_documented(world: World) -> None:
    found = SECTION.search((TOP / "README.md").read_text("utf-8"))
    assert found
    (script,) = re.findall(r"^```sh\n(.*?)^```$", found[1], re.MULTILINE | re.DOTALL)
    first, rest = script.split("\n", 1)
    assert first.startswith("apt-get install")
    for tool, package in (("ip", "iproute2"), ("nft", "nftables"), ("conntrack", "conntrack")):
        assert package in first, tool
    world.run("mkdir", "-p", "/run/bin")
    world.run("tee", "/run/bin/potnet", stdin=f'#!/bin/sh\nexec "{sys.executable}" -m potnet "$@"\n')
    world.run("chmod", "755", "/run/bin/potnet")
    # The first pot makes the folder of all roots, which stays.
    world.run("mkdir", "-p", "/run/state/jails")
    before = world.snapshot()
    path = f"/run/bin:{world.run('printenv', 'PATH').out.strip()}"
    done = world.run("env", f"PATH={path}", "sh", "-e", "-c", rest)
    assert "soup" in done.out.splitlines(), done.err
    assert "curl prints `soup`" in found[1]
    assert world.snapshot() == before
