"""Plans of several pots as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potnet.host.actions import BringUp, DestroyInterface, Plan, Step
from potnet.host.file_actions import MakeDirectory
from potnet.planning.merged import side_by_side

ACTIONS = st.sampled_from([BringUp("em0"), DestroyInterface("epair0a"), MakeDirectory("/x")])
PLANS = st.lists(st.lists(ACTIONS, max_size=8), max_size=6)


def plans_of(kinds: list[list[object]]) -> list[Plan]:
    """Each step says by its reason which plan it is from, and which of its steps it is."""
    return [
        Plan(tuple(Step(action, None, f"{plan} {place}") for place, action in enumerate(own)), (str(plan),))  # type: ignore[arg-type]
        for plan, own in enumerate(kinds)
    ]


@given(PLANS)
def test_each_plan_keeps_its_steps_in_their_order(kinds: list[list[object]]) -> None:
    plans = plans_of(kinds)
    merged = side_by_side(plans)
    for number, plan in enumerate(plans):
        assert tuple(step for step in merged.steps if step.why.startswith(f"{number} ")) == plan.steps
    assert len(merged.steps) == sum(map(len, kinds))
    assert merged.notices == tuple(str(number) for number in range(len(plans)))


@given(st.lists(ACTIONS, max_size=8), st.integers(1, 6))
def test_steps_of_a_kind_are_neighbours_when_the_plans_are_alike(kinds: list[object], number: int) -> None:
    def runs(steps: tuple[Step, ...]) -> list[type]:
        found: list[type] = []
        for step in steps:
            if not found or found[-1] is not type(step.action):
                found.append(type(step.action))
        return found

    plans = plans_of([kinds] * number)
    assert runs(side_by_side(plans).steps) == runs(plans[0].steps)
