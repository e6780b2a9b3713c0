"""Many processes at once on one store and one host: nothing is shared, nothing is half done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import linux_world
import pytest
import side_by_side
from crash import Bench
from world import World


@pytest.mark.parametrize(
    ("processes", "runs"), [(4, 12), pytest.param(16, 250, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_commands_side_by_side(bench: Bench, processes: int, runs: int, figure: Callable[..., None]) -> None:
    bench.place.mkdir()
    World(bench.place)
    answers = side_by_side.many(World, bench.place, processes, runs)
    judge("side by side", answers, side_by_side.unsound(World(bench.place)), figure)


@pytest.mark.slow
def test_commands_side_by_side_on_a_linux_kernel(tmp_path: Path, figure: Callable[..., None]) -> None:
    reason = linux_world.obstacle()
    if reason:
        pytest.skip(reason)
    with linux_world.World() as machine:
        said = machine.spawn(None, sys.executable, side_by_side.__file__, str(tmp_path), "6", "40")
        assert said, "see the traceback on standard error"
        found = json.loads(said)
    judge("side by side, Linux", found["answers"], found["unsound"], figure)


def judge(
    item: str,
    answers: Sequence[side_by_side.Result],
    unsound: Sequence[str],
    figure: Callable[..., None],
) -> None:
    wrong = [*(line for answer in answers for line in answer[2]), *unsound]
    commands, refused = sum(answer[0] for answer in answers), sum(answer[1] for answer in answers)
    figure(item, commands=commands, refused=refused, failures=len(wrong))
    assert not wrong, "\n".join(wrong[:10])
