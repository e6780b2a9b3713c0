"""The line that a command leaves in the log of commands."""

from __future__ import annotations

import json
import os
import re
import syslog
from pathlib import Path

import pytest

from potnet.app import Settings, open_app
from potnet.cli.main import run
from potnet.executors.simulated import SimulatedHost
from potnet.runtime import command_log
from potnet.runtime.command_log import Priority, Record, to_file

LINE = re.compile(r"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d freebsd potnet\[\d+\]: (.*)")
USER = command_log._user_name(os.getuid())


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POTNET_HOST", "sim")
    monkeypatch.setenv("POTNET_STATE_DIR", str(tmp_path))
    for name in ("SUDO_USER", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def lines(state: Path) -> list[str]:
    log = state / "sim/root/var/log/messages"
    text = log.read_text() if log.exists() else ""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    return [line[1].removeprefix(f"user={USER} ") for line in found if line]


def test_what_changes_something_leaves_a_line_and_a_look_leaves_none(state: Path) -> None:
    assert run(["create", "-p", "web", "-N", "public-bridge"]) == 0
    created = lines(state)
    assert created == ['command="create -p web -N public-bridge" steps=2 result=ok']
    for look in (
        ["list"],
        ["info", "-p", "web"],
        ["check"],
        ["doctor"],
        ["start", "web", "-n"],
        ["logs", "web"],
    ):
        run(look)
    assert lines(state) == created
    # What needs no host has a line, too.
    assert run(["create-private-bridge", "-B", "stove", "-S", "4"]) == 0
    assert lines(state)[1:] == ['command="create-private-bridge -B stove -S 4" steps=0 result=ok']


def test_failures_are_told_with_their_reason(state: Path) -> None:
    assert run(["start", "web"]) == 1
    assert lines(state) == ['command="start web" steps=0 result=failed error="pot \'web\' not found"']
    # What click refuses opens nothing.
    assert run(["start", "--nonsense"]) == 2
    assert len(lines(state)) == 1


@pytest.mark.parametrize(
    "name", ["a\nDec  1 00:00:00 freebsd potnet[1]: user=root", "\x1b[2J", 'x" steps=9', "ü" * 900]
)
def test_hostile_words_stay_in_their_line(state: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SUDO_USER", name)
    assert run(["start", name]) == 1
    text = (state / "sim/root/var/log/messages").read_text()
    assert text.isascii()
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert len(text) < 2048
    fields = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', LINE.fullmatch(text.rstrip("\n"))[1])  # type: ignore[index]
    assert [key for key, _ in fields if key != "sudo"] == ["user", "command", "steps", "result", "error"]
    if len(name) < 100:
        assert name in json.loads(dict(fields)["command"])


@pytest.mark.parametrize("root", [True, False])
def test_only_root_names_the_user_behind(monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0 if root else 65533)
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("DOAS_USER", "bob")
    said: list[str] = []
    record = Record(["start", "web"])
    record.write = lambda line, priority: said.append(line)
    record.finish(KeyboardInterrupt())
    who = "user=root sudo=alice doas=bob" if root else "user=65533"
    assert said == [f'{who} command="start web" steps=0 result=interrupted']


def test_a_real_host_is_told_to_syslog(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *args: calls.append(args))
    monkeypatch.setattr(syslog, "syslog", lambda *args: calls.append(args))
    base = Settings(host="freebsd", via="ssh root@far", state_dir=tmp_path / "s", purpose="change")
    for dry, error in ((False, None), (True, None), (False, ValueError())):
        record = Record(["start"])
        settings = Settings(
            **{name: getattr(base, name) for name in base.__slots__} | {"dry_run": dry, "record": record}
        )
        with open_app(settings):
            pass
        record.finish(error)
    texts = [
        f'user={USER} via="ssh root@far" command="start" steps=0 result={each}' for each in ("ok", "failed")
    ]
    opened = ("potnet", syslog.LOG_PID, syslog.LOG_DAEMON)
    assert calls == [opened, (syslog.LOG_NOTICE, texts[0]), opened, (syslog.LOG_ERR, texts[1])]


def test_a_log_that_cannot_be_written_is_no_failure(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: SimulatedHost, line: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SimulatedHost, "log", broken)
    assert run(["create", "-p", "web"]) == 0


def test_the_file_of_a_rootless_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_log, "_LARGEST", 100)
    log = tmp_path / "commands.log"
    write = to_file(log)
    write("one", Priority.NOTICE)
    assert log.stat().st_mode & 0o777 == 0o600
    write("x" * 100, Priority.NOTICE)
    assert Path(f"{log}.0").read_text().count("\n") == 2
    write("two", Priority.ERR)
    assert log.read_text().endswith(": two\n")
    log.unlink()
    log.symlink_to(tmp_path / "elsewhere")
    record = Record(["start"])
    record.write = write
    record.finish(None)
    assert not (tmp_path / "elsewhere").exists()


def test_requests_to_serve_are_told(state: Path) -> None:
    from potnet.cli.commands import serve
    from potnet.cli.options import Options
    from potnet.operations.exports.serve import Numbers
    from potnet.rootless.ports.hostfwd import List, Remove

    options = Options(arguments=("serve", "--socket", "s"), host="sim", state_dir=state)
    serve._reply(options, Numbers(), List(), None)
    assert lines(state) == []
    serve._reply(options, Numbers(), Remove(7), None)
    assert lines(state)[0].startswith("command=\"serve --socket s 'remove_hostfwd 7'\" steps=0 result=")
