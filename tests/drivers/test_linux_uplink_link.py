"""What ip(8) says of an external interface."""

from __future__ import annotations

from typing import Any

import pytest

from potnet.drivers.linux.uplinks.uplink import External, external_link
from potnet.drivers.reading import UnreadableError

LINK: dict[str, Any] = {
    "ifname": "eth0",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "mtu": 1500,
    "link_type": "ether",
    "address": "02:fc:00:00:00:01",
}


def test_what_can_be_a_member() -> None:
    assert external_link(LINK, "eth0") == External("eth0", "02:fc:00:00:00:01", 1500, False)
    listening = LINK | {"flags": ["PROMISC"], "mtu": 9000}
    assert external_link(listening, "eth0") == External("eth0", "02:fc:00:00:00:01", 9000, True)


@pytest.mark.parametrize("kind", ["none", "ppp", "loopback", "infiniband"])
def test_what_is_not_of_the_ethernet_kind_has_no_mac(kind: str) -> None:
    assert external_link(LINK | {"link_type": kind, "address": "80:00:02"}, "ppp0").mac is None


@pytest.mark.parametrize(
    "change",
    [
        {"address": '02:fc:00:00:00:01" drop'},
        {"address": ""},
        {"mtu": "x"},
        {"flags": None},
    ],
)
def test_what_is_malformed_reaches_no_rule(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        external_link({**LINK, "link_type": "ether", **change}, "eth0")


def test_nothing_at_all_is_malformed_too() -> None:
    with pytest.raises(UnreadableError):
        external_link({}, "eth0")
