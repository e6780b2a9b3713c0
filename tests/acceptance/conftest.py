"""The suite on the hosts that this machine can make: a file for each, so that they run side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .host import Host, UnfitError
from .hosts import make
from .registry import scenarios


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The host of a module, which serves all its scenarios."""
    try:
        # Names of sockets are short.
        made = make(request.module.HOST, tmp_path_factory.mktemp("a"))
    except UnfitError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each module that has a host all scenarios; those outside of its sample are slow."""
    if "wanted" in metafunc.fixturenames:
        name = metafunc.module.HOST
        marks = {each: () if name in each.sample else pytest.mark.slow for each in scenarios()}
        cases = [pytest.param(each, id=each.title, marks=mark) for each, mark in marks.items()]
        metafunc.parametrize("wanted", cases)
