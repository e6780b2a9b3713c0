"""The suite on the hosts that this machine can make: a sample of it, and with the slow tests all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .host import Host, UnfitError
from .hosts import MADE, make
from .registry import Scenario, scenarios
from .runner import FAILED, SKIPPED, run_one

#: Where the sample runs.
QUICK = ("sim14", "linux")


def cases() -> list[object]:
    found = []
    for host in MADE:
        for each in scenarios():
            slow = () if each.sample and host in QUICK else (pytest.mark.slow,)
            found.append(pytest.param(host, each, id=f"{host}-{each.title}", marks=slow))
    return found


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Host]]:
    """The hosts that were made so far, each of which serves all its scenarios."""
    made: dict[str, Host] = {}
    yield made
    for host in made.values():
        host.close()


@pytest.mark.parametrize(("name", "wanted"), cases())
def test_scenario(
    hosts: dict[str, Host], tmp_path_factory: pytest.TempPathFactory, name: str, wanted: Scenario
) -> None:
    try:
        # Names of sockets are short.
        host = hosts[name] if name in hosts else make(name, tmp_path_factory.mktemp("a"))
    except UnfitError as error:
        pytest.skip(str(error))
    hosts[name] = host
    result = run_one(host, wanted)
    if result.outcome == SKIPPED:
        pytest.skip(result.why)
    assert result.outcome != FAILED, result.why
