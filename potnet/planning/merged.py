"""One plan from the plans of several pots."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from potnet.host.actions import Plan, Step


def side_by_side(plans: Sequence[Plan]) -> Plan:
    """Merge independent plans into one, and group steps of the same kind.

    The steps of each plan stay in order.
    """
    rest = [deque(plan.steps) for plan in plans]
    steps: list[Step] = []
    while rest := [own for own in rest if own]:
        kind = type(rest[0][0].action)
        for own in rest:
            while own and type(own[0].action) is kind:
                steps.append(own.popleft())
    # A notice about the host appears once, not for each pot.
    notices = dict.fromkeys(notice for plan in plans for notice in plan.notices)
    return Plan(tuple(steps), tuple(notices))
