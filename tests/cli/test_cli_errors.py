"""How commands fail: one message, a hint, an exit code, and never a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from potnet.errors import PotnetError, UsageError


def test_a_refusal(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["start"] = PotnetError("cannot start c: bridge stove is full", hint="destroy a pot")
    result = potnet("start", "c")
    assert result == (1, "", "potnet: cannot start c: bridge stove is full\nhint: destroy a pot\n")


def test_a_refusal_without_a_hint(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["start"] = UsageError("12 is no name")
    assert potnet("start", "12") == (2, "", "potnet: 12 is no name\n")


def test_click_s_own_refusal(potnet: Callable[..., Any]) -> None:
    result = potnet("create", "--nothing")
    assert result.code == 2
    message, hint = result.err.splitlines()
    # click's words differ by version.
    assert message.startswith("potnet: no such option") and "--nothing" in message
    assert hint == "hint: see potnet create --help"


def test_an_interrupt(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["start"] = KeyboardInterrupt()
    result = potnet("start", "c")
    assert (result.code, result.err.strip()) == (130, "potnet: interrupted")


def test_a_bug_shows_no_traceback(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["start"] = RuntimeError("two\nlines")
    result = potnet("start", "c")
    assert result.code == 1
    message, hint = result.err.splitlines()
    assert message == "potnet: internal error: RuntimeError: two lines"
    assert hint.startswith("hint: ") and "-v" in hint


def test_a_bug_shows_its_traceback_when_asked(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["start"] = RuntimeError("why")
    assert "Traceback" in potnet("-v", "start", "c").err


def test_a_wrong_configuration(tmp_path: Path, potnet: Callable[..., Any]) -> None:
    file = tmp_path / "potnet.toml"
    file.write_text('[dns]\nnam = "x"\n', encoding="utf-8")
    result = potnet("--config", str(file), "config")
    assert result == (1, "", f'potnet: {file}: unknown key dns.nam = "x"\nhint: did you mean dns.name?\n')


def test_a_reader_that_has_gone_is_no_error() -> None:
    command = f"{sys.executable} -m potnet config | head -c 1 > /dev/null"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr == ""


WAIT = """
import time
from potnet.cli import main
from potnet.runtime.interrupts import waiting
main.cli.commands  # the group is there
def invoke(self, ctx):
    with waiting():
        print("ready", flush=True)
        time.sleep(60)
main.LazyGroup.invoke = invoke
main.main(["list"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_command_in_order(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error.strip()) == (130, "potnet: interrupted")
