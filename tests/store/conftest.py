"""Stores to test with: in memory where the disk does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from potnet.store.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory, with the network of the documentation's examples."""
    with Store.open_copy(Path("/nonexistent"), "simulated") as made:
        made.define_network(
            "public", IPNetwork("10.192.0.0/10"), [IPAddress("10.192.0.1"), IPAddress("10.192.0.2")]
        )
        yield made
