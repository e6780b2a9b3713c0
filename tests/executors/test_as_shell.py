"""Commands as a dry run shows them: what sh(1) takes, and nothing that a terminal obeys."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from potnet.executors.base import Command, as_shell
from potnet.executors.dry_run import DryRun
from potnet.executors.traced import Traced

WORDS = (
    "plain",
    "two words",
    "it's",
    "$HOME `id`",
    "two\nlines\tand a tab",
    "title\x1b]0;owned\x07",
    "back\\slash\x1b[2J'quoted'",
    "over\rwritten",
    "csi \x9b31m",
    "no text \udc9b\udcff",
    "turned \u202e round",
    "ü",
)


def harmless(line: str) -> bool:
    return all(character.isprintable() or character in "\n\t" for character in line)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("fed", [False, True])
def test_a_shown_command_is_harmless_and_the_same_for_a_shell(word: str, fed: bool) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("bash is not installed, and older shells do not know $'…' of POSIX.1-2024")
    command = Command(("cat",), stdin=word) if fed else Command(("printf", "%s", word))
    line = as_shell(command)
    assert harmless(line)
    done = subprocess.run(
        [shell, "-c", line.encode("utf-8", "surrogateescape")], capture_output=True, check=True
    )
    # A here-document ends with a newline.
    assert done.stdout.removesuffix(b"\n") == word.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("attached", [False, True])
def test_what_is_told_of_commands_is_harmless(attached: bool) -> None:
    lines: list[str] = []
    executor = Traced(DryRun(None, lines.append), lines.append)  # type: ignore[arg-type]
    for command in (Command(("tee", "/x"), stdin="a\x1b[2J\n"), Command(("rm", "a\x1b[2J"))):
        (executor.attach if attached else executor.run)(command)
    assert len(lines) == 4
    assert all(harmless(line) for line in lines)
