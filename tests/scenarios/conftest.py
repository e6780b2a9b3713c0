from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import linux_world
import pytest
from crash import Bench
from on_linux import LinuxWorld, Machines
from world import World


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    """The machines of namespaces that tests on a Linux kernel take turns at."""
    made = Machines()
    yield made
    made.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A prepared host with nothing on it: the simulated one, or with `both_hosts` each in turn."""
    if getattr(request, "param", "freebsd") == "freebsd":
        yield World(tmp_path)
        return
    reason = linux_world.obstacle()
    if reason:
        pytest.skip(reason)
    machines: Machines = request.getfixturevalue("machines")
    with machines.one() as machine:
        yield LinuxWorld(tmp_path, machine)


@pytest.fixture
def bare_world(tmp_path: Path) -> World:
    """A host as it comes from its installer."""
    return World(tmp_path, bare=True)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Where commands are cut off: in memory if that can be had, since it is written anew each time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Bench(Path(directory))
