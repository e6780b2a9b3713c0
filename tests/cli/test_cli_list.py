"""`potnet list`: what it chooses, and how its table fits the terminal."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potnet.cli.output import fitted
from potnet.model.names import natural

PLAIN = {"addresses": [], "bridges": [], "exports": [], "stack": "ipv4", "network_type": "inherit"}
WORDS = st.lists(st.text("abc.:-019", min_size=1, max_size=45), max_size=4)


def named(view: str, state: str, kind: str = "inherit") -> dict[str, Any]:
    return PLAIN | {"name": view, "state": state, "network_type": kind}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("list -q", "a b c"),
        ("list -q --running", "a c"),
        ("list -q --type alias", "b c"),
        ("list -q --type alias --running", "c"),
        ("list -q --type private-bridge", ""),
    ],
)
def test_list_chooses(stage: Any, potnet: Callable[..., Any], line: str, names: str) -> None:
    stage.answers["list_pots"] = [
        named("a", "running"), named("b", "stopped", "alias"), named("c", "running", "alias"),
    ]  # fmt: skip
    assert potnet(*line.split()).out.split() == names.split()


@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), max_size=5), st.integers(30, 100))
def test_a_table_fits_its_width_and_keeps_every_word(rows: list[list[list[str]]], width: int) -> None:
    text = fitted(("name", "addresses", "exports"), rows, width)
    assert all(len(line) <= width for line in text.split("\n"))
    if rows:
        body = text.split("\n")[2:]
        assert sorted("".join(body).replace(" ", "")) == sorted(
            "".join(w for r in rows for c in r for w in c)
        )


def test_a_table_without_a_width_has_a_line_a_row() -> None:
    rows = [[["web"], [f"10.192.0.{number}" for number in range(30)]]]
    assert len(fitted(("name", "addresses"), rows, None).split("\n")) == 3


def test_words_break_only_when_lines_do_not_help() -> None:
    rows = [[["web"], ["fdf5:b0ed:de86::2", "10.192.0.3"]]]
    assert fitted(("name", "addresses"), rows, 24).split("\n")[2:] == [
        "web   fdf5:b0ed:de86::2",
        "      10.192.0.3",
    ]


def test_numbers_in_names_sort_as_numbers() -> None:
    assert sorted(["web10", "web2", "web1", "web", "db3x", "db"], key=natural) == [
        "db", "db3x", "web", "web1", "web2", "web10",
    ]  # fmt: skip


@given(st.lists(st.text("a1-02", min_size=1, max_size=6), unique=True))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    keys = [natural(name) for name in sorted(names, key=natural)]
    assert all(first <= second for first, second in pairwise(keys))
