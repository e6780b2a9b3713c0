from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import linux_world
import pytest
from crash import Bench
from on_linux import LinuxWorld, Machines
from world import World

#: Modules that `make test` runs on FreeBSD 15, too; `make test-all` runs all of them there.
ON_15 = {"test_lan_bridges", "test_isolation"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test run on FreeBSD 14, and on 15."""
    if "world15" in metafunc.fixturenames:
        metafunc.parametrize("release", [pytest.param("15.0", id=pytest.HIDDEN_PARAM)], indirect=True)
    elif "release" in metafunc.fixturenames:
        marks = () if metafunc.module.__name__ in ON_15 else (pytest.mark.slow,)
        releases = [pytest.param("14.3", id=pytest.HIDDEN_PARAM), pytest.param("15.0", marks=marks)]
        metafunc.parametrize("release", releases, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A Linux kernel has no release of FreeBSD."""
    kept, dropped = [], []
    for item in items:
        given = getattr(item, "callspec", None)
        both = (given.params.get("world"), given.params.get("release")) if given is not None else None
        (dropped if both == ("linux", "15.0") else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture(autouse=True)
def release(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The release of the simulated hosts. On 15, the host's addresses are on a bridge of its own."""
    # A test of unittest, such as a state machine, takes no parameters.
    chosen = str(getattr(request, "param", "14.3"))
    plain = request.node.get_closest_marker("plain_interface") is not None
    monkeypatch.setenv("POTNET_SIM_RELEASE", chosen)
    monkeypatch.setattr(World, "release", chosen)
    monkeypatch.setattr(World, "lan_bridge", chosen == "15.0" and not plain)
    return chosen


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
