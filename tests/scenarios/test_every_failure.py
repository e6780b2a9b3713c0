"""Every command of everything that changes a host made to fail and to hang, before and after its work.

The host is as before then, or what is left is told: with the error, or by check. The same command, the
opposite one, and repair lead on from there as from a command that was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from crash import Bench, Fault, Ran, difference
from crash_cases import CASES, Case
from recovery import counting, halfway, recoveries, run_from
from world import FAILURE, HANG


def faults(done: Ran, every: int) -> Iterator[Fault]:
    """Those of an undisturbed run. A look says nothing when it hangs; its failing code is an answer."""
    numbers = {True: [], False: []}
    for number, (line, changes) in enumerate(done.commands):
        # Without an answer to it, the next advertisement that comes configures the interface.
        if "/sbin/rtsol" not in line:
            numbers[changes].append(number)
    for number in numbers[True][::every]:
        for answer in (FAILURE, HANG):
            yield Fault(number, answer)
            yield Fault(number, answer, after=True)
    for number in numbers[False][::every]:
        yield Fault(number, HANG)


def fail(case: Case, bench: Bench, every: int, figure: Callable[..., None]) -> None:
    """Let one command after the other fail."""
    assert bench.run(case.prepare, bare=case.bare).error is None
    bench.save("before")
    before, done = bench.state(), bench.run(case.command)
    assert done.error is None and done.state is not None
    bench.save("after")
    ways = recoveries(case, bench, done)
    fair = [state["host"] for state in (*halfway(case, bench), done.state)]
    runs, wrong, known = 0, [], [before, done.state]
    for fault in faults(done, every):
        bench.restore("before")
        ran = bench.run(case.command, fault=fault)
        runs += 1
        assert ran.state is not None
        found = [] if ran.error or ran.state == done.state else ["nothing is told"]
        if ran.error and "left behind" not in ran.error and ran.state["host"] not in fair:
            left = counting(difference(ran.state, before, ""), (*case.stays, "/store"))
            if left and not bench.findings():
                found += [f"what is left is not told: {ran.error}", *left]
        if ran.state not in known:
            known.append(ran.state)
            bench.save("cut")
            for way in ways:
                more = way.faults(run_from(bench, "cut", way.work))
                found += [f"then {way.name}: {line}" for line in more]
            bench.drop("cut")
        if found:
            lines = (f"{case.name}, {described(fault, done)}:", *(line[:300] for line in found[:6]))
            wrong.append("\n   ".join(lines))
    figure("failures of commands", commands=len(done.commands), runs=runs, failures=len(wrong))
    assert not wrong, "\n".join(wrong[:20])


def described(fault: Fault, done: Ran) -> str:
    what = "hangs" if fault.answer is HANG else "fails"
    return f"where {done.commands[fault.number][0][:80]} {what}{' after its work' if fault.after else ''}"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_command(case: Case, bench: Bench, figure: Callable[..., None]) -> None:
    fail(case, bench, 1, figure)


SAMPLE = {
    "create private-bridge ipv4": 4,
    "start public-bridge dual": 9,
    "stop a machine": 7,
    "vnet-stop ipv4": 2,
    "set-hook": 3,
}


@pytest.mark.parametrize("case", [c for c in CASES if c.name in SAMPLE], ids=lambda case: case.name)
def test_some_commands(case: Case, bench: Bench, figure: Callable[..., None]) -> None:
    fail(case, bench, SAMPLE[case.name], figure)
