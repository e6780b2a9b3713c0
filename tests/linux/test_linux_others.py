"""Chains of others that drop what pots send: told, unless they name the pots' bridge or network."""

from __future__ import annotations

import pytest

from potnet.drivers.linux.facts import others
from potnet.errors import HostError

CHAINS = """{"nftables": [{"metainfo": {"json_schema_version": 1}},
{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter",
 "hook": "forward", "prio": 0, "policy": "drop"}},
{"chain": {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0,
 "policy": "drop"}},
{"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER", "handle": 2}},
{"chain": {"family": "inet", "table": "potnet", "name": "f", "type": "filter", "hook": "forward", "prio": 0,
 "policy": "drop"}},
{"chain": {"family": "inet", "table": "fw", "name": "fwd", "type": "filter", "hook": "forward", "prio": 0,
 "policy": "accept"}}]}"""


def test_only_chains_that_drop_what_is_forwarded() -> None:
    def run(*argv: str) -> str:
        return CHAINS if "chains" in argv else f"table {' '.join(argv[-2:])}"

    assert [chain.name for chain in others.dropping(run)] == ["ip filter FORWARD"]
    assert others.dropping(lambda *argv: None) == ()


NAMELESS = '{"nftables": [{"chain": {"hook": "forward", "policy": "drop"}}]}'


@pytest.mark.parametrize("text", ["[]", "{}", '{"nftables": 1}', NAMELESS, "a b"])
def test_what_nft_never_prints_is_refused(text: str) -> None:
    with pytest.raises(HostError):
        others.dropping(lambda *argv: text)
