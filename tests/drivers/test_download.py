"""The progress of a download, which a terminal shows while fetch(1) runs."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from potnet.drivers.base import CommandError
from potnet.drivers.freebsd import FreeBSD
from potnet.drivers.freebsd.commands import download
from potnet.executors.base import Command, CommandResult, Executor
from potnet.executors.local import LocalExecutor
from potnet.executors.remote import RemoteExecutor
from potnet.host.file_actions import Fetch
from potnet.runtime.progress import Progress

URL, PART = "https://example.org/14.3-RELEASE/base.txz", "/cache/part"
FETCH, ASK, LOOK = ("fetch", "-q", "-o", PART, URL), ("fetch", "-s", URL), ("stat", "-f", "%z", PART)
ABSENT = CommandResult(1, err=f"stat: {PART}: No such file or directory\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        return [part for part in self.getvalue().split("\r\x1b[K") if part]


class Server:
    """A host where a download takes as long as there are answers to the looks at its file."""

    def __init__(self, size: CommandResult, looks: list[CommandResult], end: Callable[[], CommandResult]):
        self.size, self.looks, self.end = size, looks, end
        self.argvs: list[tuple[str, ...]] = []

    def run(self, command: Command) -> CommandResult:
        self.argvs.append(command.argv)
        if command.argv == ASK:
            assert not command.changes_host
            return self.size
        if command.argv == LOOK:
            assert not command.changes_host
            return self.looks.pop(0)
        while command.watch is not None and self.looks:
            command.watch()
        return self.end()

    attach = stream = None


def performed(server: object, terminal: io.StringIO | None, part: str = PART) -> None:
    executor: Executor = server  # type: ignore[assignment]
    driver = FreeBSD(executor, lambda template, values: "", Progress(terminal, 0))
    driver.perform([Fetch(URL, part)])


@pytest.fixture(autouse=True)
def every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("size", "rest"),
    [
        (CommandResult(0, "189500001\n"), "of 190 MB downloaded"),
        (CommandResult(0, "Unknown\n"), "MB downloaded"),
        (CommandResult(0, "-5\n"), "MB downloaded"),
        (CommandResult(0, f"{'9' * 5000}\n"), "MB downloaded"),
        (CommandResult(1, "", "fetch: Method Not Allowed\n"), "MB downloaded"),
        (CommandResult(124, "189500001\n", "no answer within 5 seconds, killed"), "MB downloaded"),
    ],
)
def test_a_terminal_sees_how_much_is_there(size: CommandResult, rest: str) -> None:
    looks = [ABSENT, *(CommandResult(0, f"{count}\n") for count in (0, 57_000_000, 189_500_001)), ABSENT]
    server, terminal = Server(size, looks, CommandResult), Terminal()
    performed(server, terminal)
    assert server.argvs == [ASK, FETCH, *[LOOK] * 5]
    assert terminal.lines == [f"potnet: {count} {rest}" for count in (0, 57, 190)]
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize("terminal", [None, io.StringIO()])
def test_without_a_terminal_nothing_more_runs(terminal: io.StringIO | None) -> None:
    server = Server(CommandResult(0, "5\n"), [], CommandResult)
    performed(server, terminal)
    assert server.argvs == [FETCH]
    assert terminal is None or terminal.getvalue() == ""


def interrupted() -> CommandResult:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda: CommandResult(1, "", f"fetch: {URL}: Not Found\n"), CommandError),
        (interrupted, KeyboardInterrupt),
    ],
)
def test_a_download_that_fails_leaves_no_line(
    end: Callable[[], CommandResult], error: type[BaseException]
) -> None:
    server, terminal = Server(CommandResult(0, "9\n"), [CommandResult(0, "5\n")], end), Terminal()
    with pytest.raises(error):
        performed(server, terminal)
    assert terminal.lines == ["potnet: 1 of 1 MB downloaded"]
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_looks_are_a_pause_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 1.0)
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    class Slow(Server):
        def run(self, command: Command) -> CommandResult:
            nonlocal now
            if command.argv == LOOK:
                now += 0.5
            for _ in range(10 if command.watch is not None else 0):
                command.watch()
                now += 0.25
            return CommandResult(0, "5\n")

    terminal = Terminal()
    performed(Slow(CommandResult(), [], CommandResult), terminal)
    assert len(terminal.lines) == 3


def test_a_far_download_that_takes_time(tmp_path: Path) -> None:
    """Real processes behind a prefix, which joins its words for a shell as ssh(1) does."""
    scripts = {
        "fetch": '[ "$1" = -s ] && exec echo 6000000\n'
        'for piece in 1 2 3; do head -c 2000000 /dev/zero >>"$3"; sleep 0.5; done',
        "stat": 'size=$(wc -c <"$3") && echo $((size))',
        "far": f'PATH={tmp_path}:$PATH exec sh -c "$*"',
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    terminal = Terminal()
    executor = RemoteExecutor(str(tmp_path / "far"), LocalExecutor(prefixed=True))
    performed(executor, terminal, str(tmp_path / "part"))
    assert (tmp_path / "part").stat().st_size == 6_000_000
    shown = list(dict.fromkeys(terminal.lines))
    assert len(shown) > 1
    assert set(shown) <= {f"potnet: {count} of 6 MB downloaded" for count in (0, 1, 2, 3, 4, 5, 6)}
    assert terminal.getvalue().endswith("\r\x1b[K")
