"""What a terminal is told of long work, and nobody else."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from potnet.runtime.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, patience: float = 0) -> str:
    progress = Progress(stream, patience)
    with progress.of(3, "started") as tell:
        for count in (1, 2, 3):
            tell(count)
            progress.clear()
    return stream.getvalue()


def test_a_line_follows_the_work_and_goes() -> None:
    shown = told(Terminal())
    assert [part for part in shown.split("\r\x1b[K") if part] == [
        f"potnet: {count} of 3 started" for count in (1, 2, 3)
    ]
    assert shown.endswith("\r\x1b[K")


def test_nothing_is_told_where_there_is_no_terminal_nor_before_it_takes_long() -> None:
    assert told(io.StringIO()) == told(Terminal(), patience=3600) == ""
    with Progress().of(3, "started") as tell:
        tell(1)


def test_an_error_leaves_no_line_behind() -> None:
    stream = Terminal()
    try:
        with Progress(stream, 0).of(3, "started") as tell:
            tell(1)
            raise ValueError
    except ValueError:
        assert stream.getvalue().endswith("\r\x1b[K")


def test_a_command_on_a_terminal_tells_how_far_it_is(tmp_path: Path) -> None:
    code = (
        "import sys, potnet.runtime.progress as p\n"
        "p.Progress.__init__.__defaults__ = (None, 0.0)\n"
        "from potnet.cli.main import run\n"
        "sys.exit(run(sys.argv[1:]))"
    )
    environment = {**os.environ, "TERM": "xterm"}
    argv = [sys.executable, "-c", code, "--host", "sim", "--state-dir", str(tmp_path / "state")]

    def on_terminal(*words: str) -> str:
        main, terminal = pty.openpty()
        try:
            whole = [*argv, *words]
            subprocess.run(whole, check=True, stdout=subprocess.PIPE, stderr=terminal, env=environment)
            os.write(terminal, b"#")
            shown = b""
            while not shown.endswith(b"#"):
                shown += os.read(main, 65536)
            return shown.decode()
        finally:
            os.close(main)
            os.close(terminal)

    create = ("create", "-N", "public-bridge")
    subprocess.run([*argv, *create], check=True, capture_output=True)
    shown = on_terminal(*create, "-b", "14.3")
    assert shown.endswith("potnet: 1 of 1 MB downloaded\r\x1b[K#")
    assert "potnet: 2 of 2 started" in on_terminal("start", "--all")
    assert on_terminal("-q", *create, "-b", "15.0") == "#"
    assert "downloaded" not in on_terminal("-n", *create, "-b", "14.1")
    piped = subprocess.run([*argv, "stop", "--all"], check=True, capture_output=True, text=True)
    assert " of 2 " not in piped.stderr
