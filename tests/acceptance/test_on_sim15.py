"""The suite on the simulated host as FreeBSD 15."""

from __future__ import annotations

from pathlib import Path

import pytest

from .as_test import accept
from .host import Host
from .hosts import PLAIN, make
from .registry import Scenario, scenarios

HOST = "sim15"


def test_scenario(host: Host, wanted: Scenario) -> None:
    accept(host, wanted)


@pytest.mark.parametrize("each", [e for e in scenarios() if "plain" in e.needs], ids=lambda e: e.title)
def test_scenario_of_a_plain_interface(tmp_path: Path, each: Scenario) -> None:
    accept(make(PLAIN, tmp_path), each)
