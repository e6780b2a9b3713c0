"""Run scenarios on a host, one after the other, and compare the host before and after each."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .host import Host, UnfitError
from .registry import Scenario
from .user import User, differences, eventually

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
#: What the kernel does later by itself: jails that are dying, duplicate address detection. Seconds.
SETTLE = 20


@dataclass(frozen=True)
class Result:
    """What became of a scenario on a host; why: the reason of a skip, or the failure in lines."""

    scenario: str
    host: str
    outcome: str
    why: str = ""
    seconds: float = 0.0


def run(host: Host, wanted: Iterable[Scenario], results: list[Result]) -> None:
    """Run scenarios, report each on standard error, and add its result."""
    for each in wanted:
        print(f"{host.title}: {each.title}: ", end="", file=sys.stderr, flush=True)
        results.append(run_one(host, each))
        print(results[-1].outcome, file=sys.stderr, flush=True)
        if results[-1].outcome == FAILED:
            print(results[-1].why, file=sys.stderr, flush=True)


def run_one(host: Host, wanted: Scenario) -> Result:
    """Run one scenario, remove what it made, and compare."""
    began = time.monotonic()
    wrong: list[str] = []
    try:
        reasons = filter(None, (host.lacks(need) for need in wanted.needs))
        if reason := next(reasons, ""):
            return Result(wanted.title, host.title, SKIPPED, reason)
        before, user = host.snapshot(), User(host)
        try:
            with _failures(wrong):
                wanted.work(user)
        finally:
            with _undisturbed():
                wrong += user.clean()
        wrong += _left(host, before)
    except Exception:
        # The host or the suite itself does not answer as it should.
        wrong.append(traceback.format_exc())
    outcome = FAILED if wrong else OK
    return Result(wanted.title, host.title, outcome, "\n".join(wrong), time.monotonic() - began)


@contextmanager
def _failures(wrong: list[str]) -> Iterator[None]:
    """Note what a scenario failed with."""
    try:
        yield
    except (AssertionError, UnfitError) as error:
        wrong.append(f"{_where(error)}{error}")
    except Exception:
        wrong.append(traceback.format_exc())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no further ^C interrupt what removes a scenario's pots."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _left(host: Host, before: dict[str, str]) -> list[str]:
    changes: list[str] = []

    def same() -> bool:
        changes[:] = differences(before, host.snapshot())
        return not changes

    eventually(same, SETTLE)
    return [f"left behind: {line}" for line in changes]


def _where(error: BaseException) -> str:
    """Return the line of the scenario that an error came from."""
    frames = traceback.extract_tb(error.__traceback__)
    found = [frame for frame in frames if "/scenarios/" in frame.filename]
    return f"{found[-1].filename.rpartition('/')[2]}:{found[-1].lineno}: " if found else ""


def table(results: list[Result]) -> str:
    """Return scenario by result, a column for each host, and below it the reasons."""
    hosts = list(dict.fromkeys(result.host for result in results))
    rows = list(dict.fromkeys(result.scenario for result in results))
    found = {(result.scenario, result.host): result for result in results}
    cells = [["scenario", *hosts]]
    cells += [[row, *(_cell(found.get((row, host))) for host in hosts)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in (*lines, "", *_reasons(results), *_sums(results)))


def _cell(result: Result | None) -> str:
    if result is None:
        return "-"
    return f"{result.outcome} ({result.seconds:.1f} s)" if result.outcome != SKIPPED else SKIPPED


def _reasons(results: list[Result]) -> list[str]:
    """Return each reason of a skip once with its number, and all failures."""
    skipped = [f"{each.host}: {each.why}" for each in results if each.outcome == SKIPPED]
    lines = [f"skipped on {reason} ({skipped.count(reason)})" for reason in dict.fromkeys(skipped)]
    for each in results:
        if each.outcome == FAILED:
            lines += [f"failed on {each.host}: {each.scenario}", *(f"    {x}" for x in each.why.splitlines())]
    return lines


def _sums(results: list[Result]) -> list[str]:
    lines = []
    for host in dict.fromkeys(result.host for result in results):
        counted = Counter(result.outcome for result in results if result.host == host)
        sums = ", ".join(f"{counted[outcome]} {outcome}" for outcome in (OK, FAILED, SKIPPED))
        lines.append(f"{host}: {sums}")
    return lines
