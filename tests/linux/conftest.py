from __future__ import annotations

from collections.abc import Iterator

import pytest
from linux_world import World, obstacle


@pytest.fixture
def world() -> Iterator[World]:
    """A world of its own for one test."""
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with World() as made:
        yield made
