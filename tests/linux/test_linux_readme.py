"""The sessions on Linux of README and manual, run as they stand there."""

from __future__ import annotations

import re
import sys

import pytest
import rootless_world
from linux_world import PATH, TOP, World

SECTION = re.compile(r"^## Try it on Linux\n(.*?)^## ", re.MULTILINE | re.DOTALL)
STUB = f'#!/bin/sh\nPYTHONPATH="{TOP}" exec "{sys.executable}" -m potnet "$@"\n'


def sessions() -> tuple[str, str, str, str]:
    """What installs potnet; what tries it; what root installs for others; what they do then."""
    found = SECTION.search((TOP / "README.md").read_text("utf-8"))
    assert found
    assert "curl prints `soup`" in found[1]
    first, packages, own = re.findall(r"^```sh\n(.*?)^```$", found[1], re.MULTILINE | re.DOTALL)
    installing, environment, trying = re.split("^(export .*\n)", first, flags=re.MULTILINE)
    assert environment == "export PATH=/opt/potnet/bin:$PATH POTNET_HOST=linux\n"
    return installing, trying, packages, own


def first_pot(page: str) -> str:
    """The session of a manual page with a first pot."""
    text = (TOP / "man" / page).read_text("utf-8")
    found = re.search(r"^\.Sh A FIRST POT\n.*?^\.Bd -literal.*?\n(.*?)^\.Ed$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def prepared(world: World) -> object:
    """What is in a world that has potnet as a program, before the first pot."""
    world.run("mkdir", "-p", "/run/bin")
    world.run("tee", "/run/bin/potnet", stdin=STUB)
    world.run("chmod", "755", "/run/bin/potnet")
    # The first pot makes the folder of all roots, which stays.
    world.run("mkdir", "-p", "/run/state/jails")
    return world.snapshot()


def test_the_session_for_linux_runs_as_documented(world: World) -> None:
    installing, trying, _, _ = sessions()
    for package in ("iproute2", "nftables", "conntrack", "curl", "python3-venv"):
        assert package in installing.splitlines()[0]
    before = prepared(world)
    done = world.run("env", f"PATH=/run/bin:{PATH}", "sh", "-e", "-c", trying)
    assert "soup" in done.out.splitlines(), done.err
    assert world.snapshot() == before


def test_the_session_without_root_runs_as_documented() -> None:
    reason = rootless_world.obstacle("slirp4netns", "curl")
    if reason:
        pytest.skip(reason)
    _, _, packages, own = sessions()
    for package in ("iproute2", "nftables", "conntrack", "curl", "python3-venv", "slirp4netns", "uidmap"):
        assert package in packages.split()
    installing, trying = own.split("export PATH=~/potnet-venv/bin:$PATH POTNET_HOST=linux\n")
    assert installing == "python3 -m venv ~/potnet-venv && ~/potnet-venv/bin/pip install -q .\n"
    with World() as world:
        reason = rootless_world.prepare(world)
        if reason:
            pytest.skip(reason)
        user = rootless_world.User(world)
        world.run("mkdir", "-p", "/run/bin")
        world.run("tee", "/run/bin/potnet", stdin=STUB)
        world.run("chmod", "755", "/run/bin/potnet")
        done = user.run("sh", "-e", "-c", trying, PATH=f"/run/bin:{PATH}")
        lines = done.out.splitlines()
        assert "soup" in lines, done
        assert any(line.split()[:3] == ["tcp", "0.0.0.0", "30080"] for line in lines)
        assert lines[-1] == "the rootless host is stopped"
        assert (done.code, user.processes()) == (0, [])
        done = user.run("sh", "-e", "-c", first_pot("potnet-rootless.7"), PATH=f"/run/bin:{PATH}")
        assert done.out.endswith("soup\nthe rootless host is stopped\n"), done
        assert (done.code, user.processes()) == (0, [])


def test_the_first_pot_of_the_manual_runs_as_documented(world: World) -> None:
    before = prepared(world)
    done = world.run("env", f"PATH=/run/bin:{PATH}", "sh", "-e", "-c", first_pot("potnet-linux.7"))
    assert done.out.endswith("soup\nweb stopped\n"), done
    world.run("env", f"PATH=/run/bin:{PATH}", "POTNET_HOST=linux", "potnet", "destroy", "web")
    assert world.snapshot() == before
