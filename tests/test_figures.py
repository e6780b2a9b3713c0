"""The figures at the end of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import pytest

@pytest.mark.parametrize("points", [1200, 34])
def test_points(figure, points):
    figure("crash points", points=points, failures=0)

@pytest.mark.slow
def test_slow(figure):
    figure("slow ones", runs_on_the_host=1)
"""


def summary(directory: Path, *options: str) -> str:
    for name in ("conftest.py", "forks.py"):
        (directory / name).write_bytes(CONFTEST.with_name(name).read_bytes())
    (directory / "pyproject.toml").write_bytes((CONFTEST.parents[1] / "pyproject.toml").read_bytes())
    (directory / "tests").mkdir(exist_ok=True)
    (directory / "tests/test_some.py").write_text(TESTS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout


def test_figures_of_an_item_are_added_up_and_shown_at_the_end(tmp_path: Path) -> None:
    said = summary(tmp_path)
    assert "\ncrash points: 1,234 points, 0 failures\n" in said
    assert "slow ones" not in said


def test_an_empty_choice_takes_the_slow_tests_too(tmp_path: Path) -> None:
    assert "\nslow ones: 1 runs on the host\n" in summary(tmp_path, "-m", "")
