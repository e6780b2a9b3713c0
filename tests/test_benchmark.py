"""The table of the benchmark, and those of its figures that no busy machine changes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rows import BEGIN, END, MDOC_BEGIN, MDOC_END, Comparison, Row, Table, insert, put_into

BENCH = Path(__file__).with_name("bench")


def row(figure: float, **more: float | bool | str | None) -> Row:
    return Row("part", "thing", figure, "ms", **({"bound": 1.5} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (row(15, floor=10), "yes"),
        (row(16, floor=10), "no"),
        (row(16, floor=10, held=2.0), "out of reach"),
        (row(21, floor=10, held=2.0), "no"),
        (row(1.5), "yes"),
        (row(1.4, at_least=True), "no"),
        (row(1.5, at_least=True), "yes"),
        (row(1.4, at_least=True, held=1.3), "out of reach"),
    ],
)
def test_a_figure_is_compared_with_its_bound(measured: Row, verdict: str) -> None:
    assert measured.verdict == verdict
    table = Table([measured])
    assert table.met == (verdict != "no")
    (shown,) = json.loads(table.json())["rows"]
    assert (shown["verdict"], shown["value"]) == (verdict, measured.value)
    assert verdict in table.text()


def test_a_reason_is_told_once_for_all_its_rows() -> None:
    far = [Row("part", what, 20, "ms", 1.5, 10, held=3.0, why="It is far.") for what in ("a", "b")]
    table = Table([*far, row(16, floor=10, held=2.0, why="This too.")])
    assert "- Out of reach: a; b. It is far.\n- Out of reach: thing. This too." in table.markdown()
    assert "- a; b. It is far.\n- thing. This too.\n" in table.text()


def test_the_portions_of_a_command_are_measured(tmp_path: Path) -> None:
    state = str(tmp_path)
    env = {"POTNET_HOST": "sim", "POTNET_STATE_DIR": state, "HOME": state, "PATH": "/bin:/usr/bin"}
    env["PYTHONPATH"] = str(BENCH.parents[1])
    words = ("create", "-p", "web", "-N", "public-bridge")
    argv = (sys.executable, BENCH / "portions.py", *words)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    # The simulated host starts no processes.
    assert found["host"] == [] and found["commits"]
    assert 0 < found["imports"] + sum(found["commits"]) < found["all"]


def test_what_is_left_out_is_told() -> None:
    table = Table(left_out=["netavark: netavark is not installed."])
    assert "netavark is not installed" in table.text() and table.met
    assert "- Left out: netavark: netavark is not installed.\n" in table.markdown() + "\n"


def test_make_bench_writes_into_a_file_with_marks() -> None:
    recipe = (BENCH.parents[1] / "Makefile").read_text("utf-8")
    (name,) = re.findall(r"tests/bench .*--into (\S+)", recipe)
    text = (BENCH.parents[1] / name).read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert "| Row | Measured |" in text.partition(BEGIN)[2].partition(END)[0]


def test_the_table_of_a_file_is_replaced_and_nothing_else() -> None:
    table = Table([row(16, floor=10, held=2.0, why="It is far.")]).markdown()
    once = insert(f"before\n{BEGIN}\nold\n{END}\nafter\n", table)
    assert "| thing | 16.0 ms | 10.0 ms | 1.60× | ≤ 1.5× | out of reach |" in once and "It is far" in once
    assert once.startswith(f"before\n{BEGIN}\n") and once.endswith(f"{END}\nafter\n") and "old" not in once
    assert insert(once, table) == once


def test_a_part_that_there_is_not_is_refused() -> None:
    done = subprocess.run([sys.executable, BENCH, "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no such part: nothing" in done.stderr


def test_a_manual_page_has_the_comparisons_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "potnet.8"
    page.write_text(f"before\n{MDOC_BEGIN}\nold\n{MDOC_END}\nafter\n", "utf-8")
    rows = (("largest MTU", "1500", ""), ("out", "0.50", "9.00"))
    table = Table(comparisons=[Comparison("Uplinks", ("", "tin", "veth"), rows)])
    put_into(page, table)
    shown = page.read_text("utf-8")
    assert '.Bl -column "largest MTU" "1500" "veth"\n.It  Ta tin Ta veth\n' in shown
    assert ".It largest MTU Ta 1500 Ta\n.It out Ta 0.50 Ta 9.00\n.El\n" in shown
    assert shown.startswith("before\n") and shown.endswith("after\n") and "old" not in shown
    assert json.loads(table.json())["comparisons"]["Uplinks"]["out"] == {"tin": "0.50", "veth": "9.00"}
    assert "largest MTU" in table.text() and table.met
    with pytest.raises(SystemExit, match="was not measured"):
        put_into(page, Table())
    assert page.read_text("utf-8") == shown
