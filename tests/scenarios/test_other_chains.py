"""Chains of other programs on Linux that drop what pots send."""

from __future__ import annotations

import pytest
from world import World

from potnet.host.findings import Kind, Verdict
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.running.start import start

CHAIN = """table inet fw {{
chain forward {{
type filter hook forward priority 0; policy drop;
{rules}
}}
}}
"""


@pytest.mark.parametrize("world", ["linux"], indirect=True)
@pytest.mark.parametrize(
    ("rules", "told"),
    [("ct state established,related accept", True), ('iifname "docker0" accept', True), ("OWN", False)],
)
def test_a_chain_that_drops_what_is_forwarded(world: World, rules: str, told: bool) -> None:
    world.create("casserole", "public-bridge")
    own = 'iifname "bridge0" accept\noifname "bridge0" accept' if rules == "OWN" else rules
    world.do_there("nft", "-f", "-", stdin=CHAIN.format(rules=own))
    try:
        world.do(start, ["casserole"])
        address = str(world.records()["pots"][0].ipv4)
        assert address
        assert any("inet fw forward" in notice for notice in world.notices) == told
        assert ([found.kind for found in world.do(check, [], None)] == [Kind.TRAFFIC_BLOCKED]) == told
        limited = [each for each in world.do(doctor) if each.subject == "forwarding"]
        assert bool(limited) == told and all(each.verdict is Verdict.LIMITED for each in limited)
    finally:
        world.do_there("nft", "delete", "table", "inet", "fw")
    assert world.do(check, [], None) == ()
