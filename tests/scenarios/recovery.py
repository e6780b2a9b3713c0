"""What is done after a command was cut off or has failed, and what it may come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crash import Bench, Ran, Work, difference
from crash_cases import Case
from world import World

from potnet.errors import PotnetError
from potnet.operations.maintenance.repair import repair


@dataclass
class Recovery:
    """One way on, and what that may come to. stays: differences that do not count."""

    name: str
    work: Work
    states: list[dict[str, Any]]
    errors: set[str | None]
    stays: tuple[str, ...] = ()

    def faults(self, ran: Ran) -> list[str]:
        """What is wrong with what it came to, a line each."""
        if ran.error not in self.errors:
            return [f"potnet: {ran.error}"]
        assert ran.state is not None
        return min((counting(difference(ran.state, wanted), self.stays) for wanted in self.states), key=len)


def counting(differences: list[str], stays: tuple[str, ...]) -> list[str]:
    """Those of the differences that count."""
    return [line for line in differences if not line.startswith(stays)] if stays else differences


def recoveries(case: Case, bench: Bench, done: Ran) -> list[Recovery]:
    """The same command again must end where an undisturbed one does; the opposite one where it does."""
    assert done.state is not None
    again = bench.run(case.command)
    assert again.state == done.state, difference(again.state, done.state)
    found = [Recovery("the same", case.command, [done.state], {None, again.error})]
    back = []
    if case.opposite:
        from_after = run_from(bench, "after", case.opposite, case.bare)
        from_before = run_from(bench, "before", case.opposite, case.bare)
        assert from_after.error is None
        assert from_after.state is not None and from_before.state is not None
        back = [from_after.state, from_before.state]
        found.append(Recovery("the opposite", case.opposite, back, {None, from_before.error}, case.stays))
    states = [*halfway(case, bench), done.state, *back]
    return [*found, Recovery("repair", repaired, states, {None, case.told}, case.stays)]


def halfway(case: Case, bench: Bench) -> list[dict[str, Any]]:
    """The state before a command, and those of one on two things when one of them is done."""
    bench.restore("before")
    states = [bench.state()]
    for half in case.halves:
        ran = run_from(bench, "before", half)
        assert ran.state is not None
        states.append(ran.state)
    return states


def repaired(world: World) -> None:
    """Repair, which tells as an error what only somebody else can mend."""
    report = world.do(repair, (), None)
    if report.left:
        raise PotnetError(f"left: {', '.join(f'{each.kind} {each.pot}' for each in report.left)}")


def run_from(bench: Bench, copy: str, work: Work, bare: bool = False) -> Ran:
    bench.restore(copy)
    return bench.run(work, bare=bare)
