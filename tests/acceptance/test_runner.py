"""The runner: what it reports of a scenario, and that it removes and compares whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import runner
from .host import Answer
from .registry import Scenario
from .runner import FAILED, OK, SKIPPED, Result, run_one, table
from .user import User, differences


class Nothing:
    """A host without pots, of which a snapshot is one text."""

    title = "nothing"

    def __init__(self) -> None:
        self.text, self.tidied = "as before", 0

    def lacks(self, need: str) -> str:
        return f"it has no {need}" if need == "outside" else ""

    def configure(self, text: str) -> None:
        pass

    def potnet(self, *argv: str, kill_after: float | None = None) -> Answer:
        return Answer(0, "[]", "")

    def snapshot(self) -> dict[str, str]:
        return {"interfaces": self.text}

    def tidy(self) -> None:
        self.tidied += 1


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SETTLE", 0)


def tried(host: Any, work: Callable[[User], None], *needs: str) -> Result:
    return run_one(host, Scenario("topic", "name", work, needs, ()))


def test_a_scenario_that_holds() -> None:
    host = Nothing()
    assert tried(host, lambda user: None).outcome == OK
    assert host.tidied == 1


def test_a_host_that_lacks_something() -> None:
    found = tried(Nothing(), lambda user: None, "tap", "outside")
    assert (found.outcome, found.why) == (SKIPPED, "it has no outside")


def test_a_failure_is_told_after_the_host_is_tidy() -> None:
    def work(user: User) -> None:
        raise AssertionError("web to mail: timeout")

    host = Nothing()
    found = tried(host, work)
    assert (found.outcome, found.why, host.tidied) == (FAILED, "web to mail: timeout", 1)
    assert "failed on nothing: topic: name\n    web to mail: timeout" in table([found])


def test_whatever_is_left_behind_is_a_failure() -> None:
    host = Nothing()

    def work(user: User) -> None:
        host.text = "as before\nepair7a"

    found = tried(host, work)
    assert (found.outcome, found.why) == (FAILED, "left behind: interfaces: + epair7a")


def test_an_interruption_leaves_the_host_tidy() -> None:
    def work(user: User) -> None:
        raise KeyboardInterrupt

    host = Nothing()
    with pytest.raises(KeyboardInterrupt):
        tried(host, work)
    assert host.tidied == 1


def test_differences_of_snapshots() -> None:
    before = {"routes": "a\nb", "sysctl x": "0"}
    assert differences(before, before) == []
    assert differences(before, {"routes": "a", "sysctl x": "1"}) == [
        "routes: - b",
        "sysctl x: - 0",
        "sysctl x: + 1",
    ]
    assert differences(before, before | {"sysctl of a module": "1"}) == []
    assert differences(before, before | {"routes": "b\na"}) == ["routes: in another order"]
