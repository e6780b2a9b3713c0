"""The log of a pot: what its rc or its command printed, kept on the host and shown by logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.executors.base import CommandResult
from potnet.host.findings import Kind
from potnet.model.pots import NetworkType
from potnet.operations.files.pot_logs import log_of
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.pots.create import CreateRequest, create
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.reports import logs
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

HERE = str(Path(__file__).parents[2])
#: Seconds that nothing takes which does not wait, even on a busy machine.
QUICK = 30
HOSTILE = "\x1b]0;title\x07 \u202eevil \r== 2026-01-01T00:00:00Z start"


def path_of(world: World, pot: str) -> Path:
    path = str(world.do(log_of, pot))
    return Path(path) if world.kind == "linux" else Path(world.host.tree) / path.lstrip("/")


def printing(world: World, *lines: str) -> None:
    """Let the rc of web print lines."""
    rc = world.host.tree / "opt/potnet/jails/web/m/etc/rc"
    rc.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))


def shown(world: World, pot: str = "web") -> str:
    log = world.do(logs.log, pot)
    text = "" if log is None else logs.text_of(log)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


@pytest.fixture
def web(world: World) -> World:
    world.create("web", "public-bridge", base="12.2")
    return world


def test_each_start_is_kept_and_destroy_removes_the_log(web: World) -> None:
    assert web.do(logs.log, "web") is None
    for number in (1, 2):
        printing(web, f"start {number}", "a  b")
        web.do(start, ["web"])
        web.do(stop, ["web"])
    assert shown(web).split("\n") == [
        "== TIME start", "  start 1", "  a  b", "== TIME start", "  start 2", "  a  b",
    ]  # fmt: skip
    path = path_of(web, "web")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for name in ("web.log.0.bz2", "webby.log", "web.txt"):
        (path.parent / name).write_text("")
    web.do(destroy_pot, "web")
    assert sorted(each.name for each in path.parent.iterdir()) == ["web.txt", "webby.log"]


@both_hosts
def test_a_command_of_its_own(world: World) -> None:
    more = {} if world.kind == "linux" else {"base": world.base}
    request = CreateRequest(
        name="web", network_type=NetworkType.PUBLIC_BRIDGE, command="echo it is up", **more
    )
    world.do(create, request)
    world.do(start, ["web"])
    begin = time.monotonic()
    while "it is up" not in shown(world):
        assert time.monotonic() - begin < QUICK
    assert shown(world) == "== TIME start\n  it is up"
    assert world.notices == []
    world.do(stop, ["web"])
    world.do(destroy_pot, "web")
    assert not path_of(world, "web").exists()


def test_a_failed_start_names_the_log(web: World) -> None:
    web.executor.fail_at = web.executor.changes + 10_000
    run = web.executor.inner.run

    def failing(command: object) -> CommandResult:
        result = run(command)
        return CommandResult(3) if getattr(command, "output_to", None) else result

    web.executor.inner.run = failing
    with pytest.raises(PotnetError, match="exit code 3") as failure:
        web.do(start, ["web"])
    assert failure.value.hint == "`potnet logs web` shows what it printed"
    assert "Starting cron." in shown(web)


def test_hostile_output_is_shown_and_not_obeyed(web: World) -> None:
    printing(web, HOSTILE)
    web.do(start, ["web"])
    text = shown(web)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & {*text}
    assert [line for line in text.split("\n") if not line.startswith("  ")] == ["== TIME start"]
    (found,) = logs.starts(str(web.do(logs.log, "web")))
    assert found["lines"] == [HOSTILE]
    assert found["complete"] is True


def test_a_flood_is_cut(web: World) -> None:
    printing(web, *["x" * 100_000] * 11)
    web.do(start, ["web"])
    assert path_of(web, "web").stat().st_size < (1 << 20) + 100
    (found,) = logs.starts(str(web.do(logs.log, "web")))
    assert found["complete"] is False


def test_a_log_without_its_beginning(web: World) -> None:
    text = "Dec  1 00:00:00 fbsd newsyslog[7]: logfile turned over\n    12\tlate\n"
    assert logs.starts(text) == [{"time": None, "lines": ["late"], "complete": True}]
    assert logs.text_of(text).split("\n")[1] == "  late"


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_a_start_without_a_log_says_so(web: World, make: Callable[[Path], None]) -> None:
    path = path_of(web, "web")
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    make(path)
    web.do(start, ["web"])
    assert web.notices == [f"the output of web is not kept: {web.do(log_of, 'web')} is not a plain file"]
    assert web.host.jails()["web"].ran == ["/bin/sh /etc/rc"]


@pytest.mark.parametrize("place", ["var/log/potnet", "var/log"])
def test_logs_that_others_can_change(web: World, place: str) -> None:
    web.do(start, ["web"])
    web.do(stop, ["web"])
    before = shown(web)
    (web.host.tree / place).chmod(0o777)
    web.notices.clear()
    web.do(start, ["web"])
    assert web.notices == [f"the output of web is not kept: everybody can write to /{place}"]
    assert shown(web) == before
    (finding,) = web.do(check, [], None)
    assert (finding.kind, finding.repairable) == (Kind.LOGS_EXPOSED, False)
    (condition,) = [each for each in web.do(doctor) if each.subject == "directory of logs"]
    assert condition.verdict == "limited"


def test_a_root_holds_no_logs(world: World, tmp_path: Path) -> None:
    world.configure(f'[paths]\nlogs = "{tmp_path}/root/logs"\n')
    (tmp_path / "root").mkdir()
    with pytest.raises(PotnetError, match=r"paths\.logs.* is in the root"):
        world.create("web", path=f"{tmp_path}/root")


# The command


def potnet(state: Path, *words: str) -> str:
    environment = os.environ | {"POTNET_HOST": "sim", "POTNET_STATE_DIR": str(state), "PYTHONPATH": HERE}
    argv = [sys.executable, "-m", "potnet", *words]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=QUICK)
    return done.stdout


def test_logs_follows_through_a_rotation_until_it_is_interrupted(tmp_path: Path) -> None:
    potnet(tmp_path, "create", "-p", "web", "-N", "inherit", "-b", "14.3")
    potnet(tmp_path, "start", "web")
    assert [each["lines"] for each in json.loads(potnet(tmp_path, "logs", "web", "-o", "json"))] == [
        ["Starting syslogd.", "Starting cron."]
    ]
    environment = os.environ | {"POTNET_HOST": "sim", "POTNET_STATE_DIR": str(tmp_path), "PYTHONPATH": HERE}
    argv = [sys.executable, "-m", "potnet", "logs", "-f", "web"]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        lines = [following.stdout.readline() for _ in range(3)]
        log = tmp_path / "sim/root/var/log/potnet/web.log"
        log.rename(f"{log}.0")
        log.write_text("     9\tnew \x1b[2J\n")
        lines.append(following.stdout.readline())
        following.send_signal(2)
        assert following.wait(QUICK) == 0
    assert lines[1:] == ["  Starting syslogd.\n", "  Starting cron.\n", "  new \\x1b[2J\n"]
