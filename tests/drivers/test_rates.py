"""What dnctl(8) and tc(8) say of bandwidth, as facts."""

from __future__ import annotations

import pytest

from potnet.drivers.freebsd.pf.parse_pf import pipes
from potnet.drivers.linux.facts.rates import in_force
from potnet.drivers.reading import UnreadableError
from potnet.host.ruleset import Pipes

SHOWN = """\
10000:  10.000 Mbit/s    0 ms burst 0
q141072  50 sl. 0 flows (1 buckets) sched 75536 weight 0 lmax 0 pri 0 droptail
 sched 75536 type FIFO flags 0x0 0 buckets 0 active
10001: unlimited         0 ms burst 0
10002: 500.000 Kbit/s    0 ms burst 0
10003:   1.500 Gbit/s    0 ms burst 0
10004:   8.000 bit/s     0 ms burst 0
"""
BOTH = Pipes(7, ("epair7a",), 8_000_000, 1_000_000)
QUEUES = [
    {"kind": "noqueue", "dev": "lo"},
    {"kind": "tbf", "dev": "epair7a", "options": {"rate": 1_000_000}},
    {"kind": "tbf", "dev": "shaper7", "options": {"rate": 125_000}},
]
LEADS = {"epair7a": "action order 1: mirred (Egress Redirect to device shaper7) stolen"}


def test_pipes_of_dummynet() -> None:
    assert pipes(SHOWN) == {10000: 10e6, 10001: 0, 10002: 500e3, 10003: 1.5e9, 10004: 8}
    assert pipes("") == {}


def test_queues_of_tc() -> None:
    assert in_force(BOTH, QUEUES, LEADS)
    assert not in_force(BOTH, QUEUES, {})
    assert not in_force(BOTH, QUEUES, {"epair7a": "shaper77"})
    assert not in_force(BOTH, QUEUES[:2], LEADS)
    assert not in_force(Pipes(7, ("epair7a",), 4_000_000, 1_000_000), QUEUES, LEADS)
    assert in_force(Pipes(7, ("epair7a",), 8_000_000), QUEUES, {})


@pytest.mark.parametrize("queue", [{"kind": "tbf"}, {"kind": "tbf", "dev": "a", "options": {"rate": "fast"}}])
def test_what_tc_never_says_is_told(queue: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        in_force(BOTH, [queue], LEADS)
