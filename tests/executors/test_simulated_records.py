"""The simulated host answers as the recorded FreeBSD did: every recorded command, compared to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from potnet.executors.simulated.world.world import World
from tests.executors.replay import RECORDS, Replay, commands, mask, scenes, session, stopped_clock


def test_each_record_has_a_scene() -> None:
    assert {session(path) for path in RECORDS.glob("*.json")} == {*scenes()}


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*.json")), ids=lambda path: path.stem)
def test_answers_as_recorded(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "now", stopped_clock)
    scene = scenes()[session(path)]
    replay = Replay(tmp_path / "host", scene)
    reasons = {number: reason for reason, numbers in scene.outside.items() for number in numbers}
    recorded = commands(path)
    for number, entry in enumerate(recorded, 1):
        if str(number) in scene.between:
            replay.run(scene.between[str(number)])
        result = replay.repeat(entry)
        wanted = (entry["code"], mask(entry["stdout"], scene.indexes), mask(entry["stderr"]))
        answered = (result.code, mask(result.out, scene.indexes), mask(result.err))
        if number in reasons:
            assert answered != wanted, f"{number} is the same: compare it"
        else:
            assert answered == wanted, (number, entry["argv"])
    assert len(recorded) - len(reasons) == scene.compared
