"""The suite on the simulated host as FreeBSD 14."""

from __future__ import annotations

from .as_test import accept
from .host import Host
from .registry import Scenario

HOST = "sim14"


def test_scenario(host: Host, wanted: Scenario) -> None:
    accept(host, wanted)
