"""CONTRIBUTING.md: its examples are in the code as they are shown, and what it names exists."""

from __future__ import annotations

import re

from transcripts import TOP

TEXT = (TOP / "CONTRIBUTING.md").read_text("utf-8")


def test_examples_are_in_the_code() -> None:
    tests = [*(TOP / "tests/scenarios").glob("*.py"), *(TOP / "tests/acceptance").rglob("*.py")]
    sources = [*(TOP / "potnet").rglob("*.py"), *tests]
    code = {line.strip() for path in sources for line in path.read_text("utf-8").splitlines()}
    blocks = re.findall(r"^ *```python\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
    shown = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    assert len(blocks) > 4
    assert [line for line in shown if line not in code] == []


def test_files_are_there() -> None:
    named = re.findall(r"`((?:potnet|tests|man|drivers)/[\w./-]+)`", TEXT)
    assert len(named) > 15
    places = (TOP, TOP / "potnet")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_functions_and_make_targets_are_there() -> None:
    makefile = (TOP / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|\$ )make ([a-z -]+)", TEXT):
        assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in target.split())
    for name, path in re.findall(r"`(\w+)` in\s`(potnet/[\w/.]+)`", TEXT):
        assert re.search(rf"\b{name}\b", (TOP / path).read_text("utf-8"))
