"""-N and -B as networks: every bridge once, in its order, and the order of types kept."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potnet.errors import UsageError
from potnet.model.pots import NetworkType
from potnet.operations.networks.addresses import paired

#: The types whose bridges have names.
NAMED = (NetworkType.PRIVATE_BRIDGE, NetworkType.BRIDGE)
TYPES = st.lists(st.sampled_from(NetworkType), max_size=5)
BRIDGES = st.lists(st.sampled_from(["stove", "oven", "grill", "wok"]), max_size=5)


@given(TYPES, BRIDGES)
def test_every_bridge_has_its_place(types: list[NetworkType], bridges: list[str]) -> None:
    if bridges and not set(NAMED) & set(types):
        with pytest.raises(UsageError, match="-B is for -N private-bridge"):
            paired(types, bridges)
        return
    found = paired(types, bridges)
    assert [bridge for _, bridge in found if bridge is not None] == bridges
    assert all(kind in NAMED for kind, bridge in found if bridge is not None)
    # The types are as given, but that a named one may stand for several bridges.
    shorter = [kind for kind, _ in groupby(kind for kind, _ in found)]
    assert shorter == [kind for kind, _ in groupby(types or [NetworkType.INHERIT])]
    assert len(found) >= len(types)
