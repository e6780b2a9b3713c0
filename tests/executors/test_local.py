"""Processes of this machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command
from potnet.executors.local import LocalExecutor
from potnet.executors.remote import RemoteExecutor

LOCAL = LocalExecutor()


def test_output_code_and_input() -> None:
    result = LOCAL.run(Command(("sh", "-c", "cat; echo no >&2; exit 3"), stdin="ü\n"))
    assert (result.code, result.out, result.err) == (3, "ü\n", "no\n")


def test_a_file_is_fed_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"\x00\xff")
    assert LOCAL.run(Command(("wc", "-c"), stdin=path)).out.strip() == "2"


def test_missing_slow_and_impossible_commands_are_answers() -> None:
    assert LOCAL.run(Command(("nosuchprogram",))).code == NOT_FOUND
    slow = LOCAL.run(Command(("sleep", "5"), timeout=0.1))
    assert slow.code == TIMED_OUT
    assert "0.1 seconds" in slow.err
    slow = LocalExecutor(brief=0.1).run(Command(("sleep", "5")))
    assert (slow.code, slow.err) == (TIMED_OUT, "no answer within 0.1 seconds, given up")
    assert LOCAL.run(Command(("echo", "a\0b"))).code == 126


def test_nobody_waits_for_what_a_quiet_command_leaves_running() -> None:
    begin = time.monotonic()
    result = LOCAL.run(Command(("sh", "-c", "sleep 5 & echo x; exit 4"), quiet=True))
    assert (result.code, result.out) == (4, "")
    assert time.monotonic() - begin < 3


def test_the_environment_of_tools_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IFCONFIG_FORMAT", "LIBXO_OPTIONS", "SECRET", "LC_ALL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PATH", ":/usr/bin:")
    shown = LOCAL.run(Command(("env",))).out.splitlines()
    assert not [line for line in shown if line.endswith("=x")]
    (path,) = [line for line in shown if line.startswith("PATH=")]
    assert "" not in path.removeprefix("PATH=").split(":")
    assert "SECRET=x" in LocalExecutor(inherit=True).run(Command(("env",))).out


def test_a_prefix_quotes_for_the_shell_at_the_far_end() -> None:
    far = RemoteExecutor("sh -c 'eval \"$*\"' sh", LocalExecutor(inherit=True))
    words = ("printf", "%s|", "a b", "$(id)", "it's", "{};(", "")
    assert far.run(Command(words)).out == "a b|$(id)|it's|{};(||"
    begin = time.monotonic()
    assert far.run(Command(("sh", "-c", "sleep 5 & exit 4"), quiet=True)).code == 4
    assert time.monotonic() - begin < 3
