"""What the command line prints goes through one function."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import potnet.cli
from potnet.cli.terminal import say

FOLDER = Path(potnet.cli.__file__).parent


def prints(path: Path) -> list[int]:
    """The lines of a module that print by themselves."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if ast.unparse(call.func) in ("print", "click.echo", "click.secho")]


def test_only_one_module_prints() -> None:
    modules = [path for path in FOLDER.rglob("*.py") if path.name != "terminal.py"]
    assert len(modules) > 30
    assert {path.name: lines for path in modules if (lines := prints(path))} == {}


@pytest.mark.parametrize("err", [False, True])
def test_a_terminal_is_sent_no_control_characters(err: bool, capsys: pytest.CaptureFixture[str]) -> None:
    say("a\tb\nred \x1b[31m \x9b31m over\rwritten \u202e \udcff", err=err)
    said = capsys.readouterr()
    assert (said.err if err else said.out) == (
        "a\tb\nred \\x1b[31m \\x9b31m over\\rwritten \\u202e \\udcff\n"
    )
