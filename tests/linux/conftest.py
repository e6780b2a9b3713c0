from __future__ import annotations

from collections.abc import Iterator

import pytest
import rootless_world
from linux_world import World, obstacle
from rootless_world import User, eventually


@pytest.fixture
def world() -> Iterator[World]:
    """A world of its own for one test."""
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with World() as made:
        yield made


@pytest.fixture(scope="module")
def machine() -> Iterator[World]:
    """A machine with a neighbour, on which users without root can be."""
    reason = rootless_world.obstacle("setpriv")
    if reason:
        pytest.skip(reason)
    with World() as world:
        reason = rootless_world.prepare(world)
        if reason:
            pytest.skip(reason)
        yield world


@pytest.fixture
def cook(request: pytest.FixtureRequest, machine: World) -> Iterator[User]:
    """A new user, of whom nothing is left in the end. A parameter names the uplink."""
    uplink = getattr(request, "param", "slirp4netns")
    reason = rootless_world.obstacle(*(() if uplink in ("host", "vpnkit") else (uplink,)))
    if reason:
        pytest.skip(reason)
    user = User(machine, next(rootless_world.numbers))
    if uplink == "vpnkit":
        user.stand_in("vpnkit")
    user.configure(uplink=uplink)
    yield user
    user.try_potnet("rootless", "stop")
    assert eventually(lambda: not user.processes()), user.processes()
