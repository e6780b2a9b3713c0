"""The suite on Linux, with real packets."""

from __future__ import annotations

from .as_test import accept
from .host import Host
from .registry import Scenario

HOST = "linux"


def test_scenario(host: Host, wanted: Scenario) -> None:
    accept(host, wanted)
