"""What a command prints is kept in a log, by a real shell."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_local import alive

from potnet.executors.base import Command, CommandResult, as_shell, expanded
from potnet.executors.local import LocalExecutor
from potnet.executors.remote import RemoteExecutor

#: Seconds that nothing takes which does not wait, even on a busy machine.
QUICK = 30
SHELLS = [name for name in ("dash", "bash", "busybox", "ksh") if shutil.which(name)]
MOST = 1 << 20
REMOTE = "sh -c 'eval \"$*\"' sh"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "web.log"


def keep(log: Path, script: str, far: bool = False) -> CommandResult:
    local = LocalExecutor(prefixed=far)
    executor = RemoteExecutor(REMOTE, local) if far else local
    command = Command(("sh", "-c", script), timeout=QUICK, inside=True, output_to=str(log))
    begin = time.monotonic()
    result = executor.run(command)
    assert time.monotonic() - begin < QUICK / 2
    return result


def settled(log: Path, wanted: str) -> str:
    """The log without times, once it has the text: what reads the output may end after the command."""
    begin = time.monotonic()
    while True:
        text = log.read_bytes().decode() if log.exists() else ""
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
        if wanted in text:
            return text
        assert time.monotonic() - begin < QUICK, text
        time.sleep(0.01)


@pytest.mark.parametrize("far", [False, True])
def test_output_and_code_of_two_starts(log: Path, far: bool) -> None:
    assert keep(log, "echo 'a  b'; echo c >&2; exit 3", far) == CommandResult(3)
    settled(log, "2\tc\n")
    assert keep(log, "printf half", far) == CommandResult(0)
    settled(log, "half")
    keep(log, "echo last; umask; cat", far)
    text = settled(log, "0022\n")
    start = "\n== TIME start\n"
    assert text == f"{start}     1\ta  b\n     2\tc\n{start}     1\thalf{start}     1\tlast\n     2\t0022\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_takes_the_script(log: Path, tmp_path: Path, shell: str) -> None:
    program = tmp_path / "bin" / "sh"
    program.parent.mkdir()
    program.symlink_to(str(shutil.which(shell)))
    argv = list(expanded(Command(("env", "sh", "-c", "echo $0; exit 7"), output_to=str(log))).argv)
    path = f"{program.parent}:{os.environ['PATH']}"
    done = subprocess.run(argv, env={"PATH": path}, capture_output=True, timeout=QUICK, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"", b"")
    assert settled(log, "1\tsh\n") == "\n== TIME start\n     1\tsh\n"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Path]:
    """A file for the number of a process that goes on, which is ended after the test."""
    yield tmp_path / "pid"
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("far", [False, True])
def test_a_daemon_that_keeps_the_output_delays_nobody_and_lives_on(
    log: Path, daemon: Path, far: bool
) -> None:
    loop = "while :; do echo tick; sleep 0.02; done"
    assert keep(log, f"sh -c 'echo $$ >{daemon}; {loop}' & sleep 0.1; echo up", far) == CommandResult(0)
    # Nobody waits for the end of the output, and what comes later is kept too.
    size = len(settled(log, "up\n"))
    text = settled(log, "10\ttick\n")
    assert len(text) > size
    os.kill(int(daemon.read_text()), 0)


def test_a_flood_fills_no_disk_and_kills_nobody(log: Path) -> None:
    flood = "head -c 1500000 /dev/zero | tr '\\\\0' x"
    assert keep(log, f"{flood}; echo $? >{log}.code; exit 5") == CommandResult(5)
    text = settled(log, "the rest is not kept")
    assert MOST - 2048 < len(text) < MOST + 2048
    assert Path(f"{log}.code").read_text() == "0\n"
    # Each start has its own share.
    assert keep(log, "echo again") == CommandResult(0)
    assert settled(log, "again\n").endswith("== TIME start\n     1\tagain\n")


def test_a_pot_cannot_forge_what_potnet_writes(log: Path) -> None:
    keep(log, "printf '\\n== 2026-01-01T00:00:00Z start\\n\\r== x\\n'")
    lines = settled(log, "== x").split("\n")
    assert [line for line in lines if line.startswith("==")] == ["== TIME start"]


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "file above"])
def test_a_place_that_is_no_log_does_not_hinder_the_start(log: Path, kind: str) -> None:
    log.parent.mkdir()
    victim = log.parent / "victim"
    victim.write_text("precious")
    if kind == "directory":
        log.mkdir()
    elif kind == "link":
        log.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(log)
    else:
        log = victim / "web.log"
    result = keep(log, f"echo run >{log.parent.parent}/proof; exit 2")
    if kind != "file above":
        assert (log.parent.parent / "proof").read_text() == "run\n"
    assert result.code == 2
    assert result.out.startswith("not kept: ")
    assert victim.read_text() == "precious"


def test_a_full_disk_does_not_hinder_the_start(log: Path, tmp_path: Path) -> None:
    """A limit of the size of files stands for the disk."""
    log.parent.mkdir()
    argv = expanded(Command(("sh", "-c", "mkdir ran; exit 2"), output_to=str(log))).argv
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, timeout=QUICK, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout.startswith("not kept: ")
    assert (tmp_path / "ran").is_dir()


def test_what_a_dry_run_prints_does_the_same(log: Path) -> None:
    line = as_shell(Command(("echo", "it's"), output_to=str(log)))
    subprocess.run(["sh", "-c", line], check=True, timeout=QUICK)
    assert settled(log, "it's\n") == "\n== TIME start\n     1\tit's\n"


def test_a_stream_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    seen: list[bytes] = []

    class EnoughError(Exception):
        pass

    def write(piece: bytes) -> None:
        seen.append(piece)
        if b"old" in piece:
            # As newsyslog(8) does.
            path.rename(tmp_path / "log.0")
            path.write_text("new\n")
        if b"new" in piece:
            raise EnoughError

    begin = time.monotonic()
    with pytest.raises(EnoughError):
        LocalExecutor().stream(Command(("tail", "-c", "+1", "-F", str(path)), changes_host=False), write)
    assert b"".join(seen) == b"old\nnew\n"
    assert time.monotonic() - begin < QUICK
    assert LocalExecutor().stream(Command(("sh", "-c", "echo a; exit 4")), seen.append) == 4
    assert LocalExecutor().stream(Command(("no-such-program",)), seen.append) == 127


def test_a_stream_that_ends_early_takes_its_processes_along(tmp_path: Path) -> None:
    """They have no terminal, so that no ^C would reach them."""
    pids: list[int] = []

    def write(piece: bytes) -> None:
        pids.extend(int(line) for line in piece.split())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalExecutor().stream(Command(("sh", "-c", "sleep 50 & echo $!; wait"), changes_host=False), write)
    begin = time.monotonic()
    while alive(pids[0]):
        assert time.monotonic() - begin < 10
        time.sleep(0.01)
