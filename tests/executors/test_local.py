"""Processes of this machine."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, Limit
from potnet.executors.local import LocalExecutor
from potnet.executors.remote import RemoteExecutor
from potnet.runtime import interrupts

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


@pytest.mark.parametrize("holder", ["sleep 40", "while :; do echo y; sleep 0.01; done"])
def test_a_process_that_keeps_the_output_open_delays_nobody(holder: str) -> None:
    """As a daemon that an exec.start of jail(8) leaves running."""
    begin = time.monotonic()
    script = f"({holder}) & echo $! >&2; head -c 200000 /dev/zero | tr '\\0' x; exit 4"
    result = LOCAL.run(Command(("sh", "-c", script), timeout=QUICK))
    os.killpg(os.getpgid(int(result.err)), signal.SIGKILL)
    assert (result.code, result.out.count("x")) == (4, 200000)
    assert time.monotonic() - begin < QUICK / 2


def test_what_writes_after_a_command_has_closed_its_output_is_waited_for() -> None:
    assert LOCAL.run(Command(("sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 5"))).code == 5


def test_the_environment_of_tools_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IFCONFIG_FORMAT", "LIBXO_OPTIONS", "SECRET", "LC_ALL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PATH", ":/usr/bin:")
    shown = LOCAL.run(Command(("env",))).out.splitlines()
    assert not [line for line in shown if line.endswith("=x")]
    (path,) = [line for line in shown if line.startswith("PATH=")]
    assert "" not in path.removeprefix("PATH=").split(":")
    assert "SECRET=x" in LocalExecutor(prefixed=True).run(Command(("env",))).out


@pytest.mark.parametrize("shell", ["sh", "tcsh -f"])
def test_a_prefix_quotes_for_the_shell_at_the_far_end(shell: str) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed")
    far = RemoteExecutor(f"sh -c 'exec {shell} -c \"$*\"' sh", LocalExecutor(prefixed=True))
    words = ("a b", "$(id)", "it's", "{};(", "", "!x", "a!b'!", "!", "~root", "*", "\\n", '"`', "^a^b")
    assert far.run(Command(("printf", "%s|", *words))).out == "".join(f"{word}|" for word in words)
    begin = time.monotonic()
    assert far.run(Command(("sh", "-c", "sleep 40 & exit 4"), quiet=True)).code == 4
    assert time.monotonic() - begin < QUICK


def test_root_takes_programs_from_the_systems_directories_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("true", "potnet-tool"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho mine\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:.:/usr/bin")
    monkeypatch.chdir(tmp_path)
    for root in (True, False):
        monkeypatch.setattr("potnet.runtime.environment.real_root", lambda root=root: root)
        for local in (LOCAL, LocalExecutor(prefixed=True)):
            assert local.run(Command(("true",))).out == ""
            other = local.run(Command(("potnet-tool",)))
            assert (other.code, other.out) == ((NOT_FOUND, "") if root else (0, "mine\n"))
    monkeypatch.setenv("PATH", ".")
    assert LOCAL.run(Command(("potnet-tool",))).code == NOT_FOUND


HOSTILE = (
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "IFS", "ENV", "BASH_ENV", "PYTHONPATH", "PYTHONSTARTUP", "PERL5LIB"),
    *("LC_ALL", "LANG", "LANGUAGE", "TZ", "IFCONFIG_FORMAT", "LIBXO_OPTIONS", "SHELLOPTS", "BASH_FUNC_ls%%"),
)


@pytest.mark.parametrize("prefixed", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_hostile_variables_reach_no_tool(
    monkeypatch: pytest.MonkeyPatch, prefixed: bool, inside: bool
) -> None:
    for name in HOSTILE:
        monkeypatch.setenv(name, "/nonexistent")
    local = LocalExecutor(prefixed=prefixed)
    shown = local.run(Command((sys.executable, "-I", "-c", ENVIRONMENT), inside=inside)).out
    assert set(HOSTILE).isdisjoint(json.loads(shown))


ENVIRONMENT = "import json, os; print(json.dumps({**os.environ}))"


def test_a_jail_learns_no_proxy_and_a_download_does(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "http://user:secret@proxy"
    for name in ("HTTP_PROXY", "https_proxy", "NO_PROXY", "SSL_CA_CERT_FILE", "TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, secret)
    tool, jail = (LOCAL.run(Command(("env",), inside=inside)).out for inside in (False, True))
    assert tool.count(secret) == 6
    assert secret not in jail


TERMINAL = """
import os
try:
    os.open("/dev/tty", os.O_RDWR)
    print("a terminal")
except OSError:
    print("no terminal")
"""


def on_a_terminal(tell: Callable[[], str]) -> str:
    """What a function answers in a process whose controlling terminal is a new one."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.write(1, tell().encode())
        finally:
            os._exit(0)
    said = b""
    with suppress(OSError):
        while more := os.read(terminal, 4096):
            said += more
    os.waitpid(pid, 0)
    os.close(terminal)
    return said.decode().strip()


@pytest.mark.parametrize(
    ("prefixed", "kind", "expected"),
    [
        (False, {}, "no terminal"),
        (False, {"inside": True}, "no terminal"),
        (True, {"inside": True}, "no terminal"),
        # What asks for a password.
        (True, {}, "a terminal"),
    ],
)
def test_what_runs_unattended_has_no_terminal(prefixed: bool, kind: dict[str, bool], expected: str) -> None:
    command = Command((sys.executable, "-I", "-c", TERMINAL), **kind)
    local = LocalExecutor(prefixed=prefixed)
    assert on_a_terminal(lambda: local.run(command).out) == expected


@pytest.mark.parametrize("prefixed", [False, True])
def test_a_quiet_command_has_no_terminal(tmp_path: Path, prefixed: bool) -> None:
    """Programs of a jail, and hooks, say nothing: they write down what they find."""
    script = f"{TERMINAL.replace('print(', 'tell(')}"
    argv = (sys.executable, "-I", "-c", f"tell = open({str(tmp_path / 'said')!r}, 'w').write\n{script}")
    local = LocalExecutor(prefixed=prefixed)
    on_a_terminal(lambda: local.run(Command(argv, quiet=True)).out)
    assert (tmp_path / "said").read_text() == "no terminal"


def test_what_is_attached_has_the_terminal() -> None:
    command = Command((sys.executable, "-I", "-c", TERMINAL), inside=True)
    assert on_a_terminal(lambda: str(LOCAL.attach(command))).split("\r\n") == ["a terminal", "0"]


def test_a_watch_runs_commands_until_the_command_ends() -> None:
    seen: list[str] = []
    command = Command(("sh", "-c", "sleep 0.7; echo end"), watch=lambda: seen.append(LOCAL.run(ECHO).out))
    assert LOCAL.run(command).out == "end\n"
    assert seen and {*seen} == {"look\n"}
    count = len(seen)
    time.sleep(0.3)
    assert len(seen) == count


ECHO = Command(("echo", "look"), changes_host=False)


@pytest.mark.parametrize("look", ["true", "sleep 50"])
def test_an_interrupt_ends_a_command_that_has_a_watch(tmp_path: Path, look: str) -> None:
    """It comes after the first look, or while that runs."""
    pids, seen = tmp_path / "pids", tmp_path / "seen"
    child = os.fork()
    if child == 0:
        interrupts.install()

        def watch() -> None:
            if not seen.exists():
                script = f"echo $$ >>{pids}; touch {seen}; exec {look}"
                LOCAL.run(Command(("sh", "-c", script), changes_host=False))

        with suppress(KeyboardInterrupt):
            script = f"echo $$ >>{pids}; exec sleep 50"
            LOCAL.run(Command(("sh", "-c", script), timeout=Limit.LONG, watch=watch))
            os._exit(1)
        os._exit(0)
    begin = time.monotonic()
    while not seen.exists():
        assert time.monotonic() - begin < QUICK
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert time.monotonic() - begin < QUICK
    assert not [process for process in map(int, pids.read_text().split()) if alive(process)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("prefixed", [False, True])
def test_an_interrupt_kills_all_that_a_command_has_started(
    tmp_path: Path, number: signal.Signals, prefixed: bool
) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM INT; (sh -c 'echo $$ >> {pids}; sleep 50; :') & echo $$ >> {pids}; sleep 50; :"
    child = os.fork()
    if child == 0:
        interrupts.install()
        with suppress(KeyboardInterrupt):
            local = LocalExecutor(prefixed=prefixed)
            local.run(Command(("sh", "-c", script), timeout=Limit.LONG, quiet=True))
        os._exit(0)
    begin = time.monotonic()
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert time.monotonic() - begin < QUICK
        time.sleep(0.01)
    os.kill(child, number)
    os.waitpid(child, 0)
    processes = [int(line) for line in pids.read_text().split()]
    while [process for process in processes if alive(process)]:
        assert time.monotonic() - begin < QUICK
        time.sleep(0.01)
