"""Every command cut off at every point, and what then brings host and store to where they should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from crash import Bench
from crash_cases import CASES, Case
from recovery import recoveries, run_from


def cut_off(case: Case, bench: Bench, every: int, figure: Callable[..., None]) -> None:
    """Cut a command off at every point, or every so many, and finish it or take it back."""
    assert bench.run(case.prepare, bare=case.bare).error is None
    bench.save("before")
    done = bench.run(case.command)
    assert done.error is None
    bench.save("after")
    ways = recoveries(case, bench, done)
    points, runs, faults, former = range(0, len(done.points), every), 0, [], None
    for point in points:
        bench.restore("before")
        assert bench.run(case.command, stop_at=point).died
        state = bench.state()
        if state == former:
            # It came from a command that only looks: what follows from the same state is the same.
            continue
        former = state
        bench.save("cut")
        for way in ways:
            runs += 1
            wrong = way.faults(run_from(bench, "cut", way.work))
            if wrong:
                where = f"{case.name}, cut off behind {done.points[point][:80]} ({point}), then {way.name}:"
                faults.append("\n   ".join((where, *(line[:300] for line in wrong[:5]))))
        bench.drop("cut")
    figure("crash points", points=len(points), recoveries=runs, failures=len(faults))
    assert not faults, "\n".join(faults[:20])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_point(case: Case, bench: Bench, figure: Callable[..., None]) -> None:
    cut_off(case, bench, 1, figure)


SAMPLE = {
    "create public-bridge dual": 5,
    "start public-bridge dual": 6,
    "start of many wires": 40,
    "start a machine": 30,
    "stop private-bridge ipv4": 5,
    "destroy alias dual": 4,
    "export-ports public-bridge running": 4,
    "export-ports with limits": 3,
    "vnet-start dual": 5,
    "policy add": 4,
    "start with policies": 9,
    "start with antispoof": 7,
    "start on a LAN": 6,
    "start with DHCP": 6,
    "stop with antispoof": 7,
    "policy add on one bridge": 4,
    "create on a dataset": 4,
    "destroy on a dataset": 3,
    "rename on a dataset": 12,
    "clone on a dataset": 9,
}


@pytest.mark.parametrize("case", [c for c in CASES if c.name in SAMPLE], ids=lambda case: case.name)
def test_some_points(case: Case, bench: Bench, figure: Callable[..., None]) -> None:
    cut_off(case, bench, SAMPLE[case.name], figure)
