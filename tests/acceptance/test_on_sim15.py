"""The suite on the simulated host as FreeBSD 15."""

from __future__ import annotations

from .as_test import accept
from .host import Host
from .registry import Scenario

HOST = "sim15"


def test_scenario(host: Host, wanted: Scenario) -> None:
    accept(host, wanted)
