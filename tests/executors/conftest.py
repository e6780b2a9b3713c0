"""Simulated hosts for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import SimulatedHost

Run = Callable[..., CommandResult]


@pytest.fixture
def host(tmp_path: Path) -> SimulatedHost:
    return SimulatedHost(tmp_path / "host")


@pytest.fixture
def run(host: SimulatedHost) -> Run:
    """Run a command line of words without quotes; it must end with the code, 0 unless said."""

    def runner(line: str, stdin: str | None = None, code: int | None = 0) -> CommandResult:
        result = host.run(Command(tuple(line.split()), stdin=stdin))
        assert code is None or result.code == code, (line, result)
        return result

    return runner
