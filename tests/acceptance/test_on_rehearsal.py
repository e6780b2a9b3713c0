"""The suite on a far host that is simulated, as on a real one."""

from __future__ import annotations

from .as_test import accept
from .host import Host
from .registry import Scenario

HOST = "rehearsal"


def test_scenario(host: Host, wanted: Scenario) -> None:
    accept(host, wanted)
