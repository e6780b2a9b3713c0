"""A scenario as a test."""

from __future__ import annotations

import pytest

from .host import Host
from .registry import Scenario
from .runner import FAILED, SKIPPED, run_one


def accept(host: Host, wanted: Scenario) -> None:
    """Run one scenario; it is skipped with the reason, or fails with all that is wrong."""
    result = run_one(host, wanted)
    if result.outcome == SKIPPED:
        pytest.skip(result.why)
    assert result.outcome != FAILED, result.why
