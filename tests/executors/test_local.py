"""Processes of this machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, Limit
from potnet.executors.local import LocalExecutor
from potnet.executors.remote import RemoteExecutor

LOCAL = LocalExecutor()
#: Seconds that nothing takes which does not wait, even on a busy machine; what is waited for takes longer.
QUICK = 30


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
    assert slow.err == "no answer within 0.1 seconds, killed"
    assert LOCAL.run(Command(("echo", "a\0b"))).code == 126


def alive(process: int) -> bool:
    try:
        shown = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie whose parent does not look is dead.
    return shown.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("quiet", [False, True])
def test_what_takes_too_long_is_killed_with_the_processes_that_it_started(
    tmp_path: Path, quiet: bool
) -> None:
    limited, pids = LocalExecutor(limits={Limit.BRIEF: 1, Limit.LONG: 60}), tmp_path / "pids"
    script = f"trap '' TERM; (sh -c 'echo $$ >> {pids}; sleep 50; :') & echo $$ >> {pids}; sleep 50; :"
    begin = time.monotonic()
    result = limited.run(Command(("sh", "-c", script), quiet=quiet))
    assert result.code == TIMED_OUT
    assert result.err == "no answer within 1 seconds (potnet.command_wait), killed"
    assert time.monotonic() - begin < QUICK
    processes = [int(line) for line in pids.read_text().split()]
    assert len(processes) == 2
    while [process for process in processes if alive(process)]:
        assert time.monotonic() - begin < QUICK
        time.sleep(0.01)


def test_what_takes_its_time_has_a_limit_of_its_own() -> None:
    limited = LocalExecutor(limits={Limit.BRIEF: 0.1, Limit.LONG: QUICK})
    assert limited.run(Command(("sleep", "0.2"), timeout=Limit.LONG)).code == 0
    limited = LocalExecutor(limits={Limit.BRIEF: QUICK, Limit.LONG: 0.1})
    assert "(potnet.long_wait)" in limited.run(Command(("sleep", "90"), timeout=Limit.LONG)).err


def test_what_cannot_be_killed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a tool in which the kernel itself hangs."""
    spared: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: spared.append(group))
    monkeypatch.setattr("potnet.executors.local._DEATH", 0.1)
    begin = time.monotonic()
    assert LOCAL.run(Command(("sleep", "90"), timeout=0.1)).code == TIMED_OUT
    assert time.monotonic() - begin < QUICK
    monkeypatch.undo()
    os.killpg(spared[0], signal.SIGKILL)
    os.waitpid(spared[0], 0)


def test_nobody_waits_for_what_a_quiet_command_leaves_running() -> None:
    begin = time.monotonic()
    result = LOCAL.run(Command(("sh", "-c", "sleep 40 & echo x; exit 4"), quiet=True))
    assert (result.code, result.out) == (4, "")
    assert time.monotonic() - begin < QUICK


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
    assert far.run(Command(("sh", "-c", "sleep 40 & exit 4"), quiet=True)).code == 4
    assert time.monotonic() - begin < QUICK
