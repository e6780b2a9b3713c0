from __future__ import annotations

from pathlib import Path

import pytest
from world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A prepared host with nothing on it."""
    return World(tmp_path)


@pytest.fixture
def bare_world(tmp_path: Path) -> World:
    """A host as it comes from its installer."""
    return World(tmp_path, bare=True)
