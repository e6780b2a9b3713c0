"""`potnet rootless` and `potnet ports`: what they take, call and print."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

RUNNING = {
    "state": "running", "down": None, "uplink": "slirp4netns", "program": "slirp4netns", "version": "1.2.0",
    "pid": 12, "interface": "tap0", "address": "10.0.2.100", "mtu": 65520, "families": [4],
    "live_ports": True, "keeper": 10, "init": 11, "ids": [[0, 1000, 1], [1, 100000, 65536]],
    "ports": ["tcp:30080"],
}  # fmt: skip
TEXT = """\
state     running
uplink    slirp4netns 1.2.0 (pid 12)
interface tap0
address   10.0.2.100
mtu       65520
keeper    pid 10
init      pid 11
users     0 is 1000, 1 to 65536 are 100000 to 165535
ports     tcp:30080
"""


@pytest.mark.parametrize(
    "words",
    [
        "rootless", "rootless begin", "rootless start tcp:80", "rootless stop now", "rootless status all",
        "rootless open", "rootless close", "ports casserole",
    ],
)  # fmt: skip
def test_wrong_usage(stage: Any, potnet: Callable[..., Any], words: str) -> None:
    result = potnet(*words.split())
    assert (result.code, stage.calls) == (2, [])
    assert result.err.startswith("potnet: ")


def test_status(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["status"] = RUNNING
    assert potnet("rootless", "status") == (0, TEXT, "")
    assert json.loads(potnet("-o", "json", "rootless", "status").out) == RUNNING
    stage.answers["status"] = RUNNING | {"state": "disconnected", "down": "it has ended", "pid": None}
    shown = potnet("rootless", "status").out
    assert shown.startswith("state     disconnected: it has ended\nuplink    slirp4netns 1.2.0\n")
    stage.answers["status"] = {"state": "stopped"}
    assert potnet("rootless", "status").out == "stopped\n"
    assert all(settings.purpose == "read" for settings in stage.settings)


@pytest.mark.parametrize(
    ("action", "changed", "text"),
    [
        ("start", True, "the rootless host is started\n"),
        ("start", False, "the rootless host is already running\n"),
        ("stop", True, "the rootless host is stopped\n"),
        ("stop", False, "the rootless host is already stopped\n"),
    ],
)
def test_start_and_stop(
    stage: Any, potnet: Callable[..., Any], action: str, changed: bool, text: str
) -> None:
    stage.answers[action] = changed
    assert potnet("--rootless", "rootless", action) == (0, text, "")
    assert (stage.call[0], stage.settings[0].rootless, stage.settings[0].purpose) == (action, True, "change")


@pytest.mark.parametrize("action", ["start", "stop", "enter", "open", "close"])
@pytest.mark.parametrize("line", ["-n rootless {}", "rootless -n {}", "rootless {} --dry-run"])
def test_dry_run(stage: Any, potnet: Callable[..., Any], action: str, line: str) -> None:
    stage.answers |= {"start": True, "stop": True, "enter": 0}
    ports = ["tcp:80"] if action in ("open", "close") else []
    assert potnet(*line.format(action).split(), *ports) == (0, "", "")
    assert stage.settings[0].dry_run


def test_what_enter_runs_has_its_own_options(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["enter"] = 0
    potnet("rootless", "enter", "-n", "ip", "-o", "link")
    assert stage.call[1][0] == ("ip", "-o", "link")


def test_enter_ends_with_the_code_of_its_command(stage: Any, potnet: Callable[..., Any]) -> None:
    stage.answers["enter"] = 3
    assert potnet("rootless", "enter", "--", "ip", "-br", "link").code == 3
    assert stage.call[1][0] == ("ip", "-br", "link")


def test_ports_are_opened_and_closed(stage: Any, potnet: Callable[..., Any]) -> None:
    assert potnet("rootless", "open", "tcp:80", "udp:[::1]:53").code == 0
    assert stage.call == ("change_ports", ("open", ("tcp:80", "udp:[::1]:53")), {})


def test_ports_in_force(stage: Any, potnet: Callable[..., Any]) -> None:
    lent = {"pot": None, "interface": None, "pot_address": None, "pot_port": None}
    row = {
        "pot": "pan", "interface": "tap0", "protocol": "tcp", "address": "0.0.0.0", "port": 30080,
        "pot_address": "10.192.0.3", "pot_port": 80,
    }  # fmt: skip
    stage.answers["show_ports"] = [row, {**lent, "protocol": "udp", "address": "127.0.0.1", "port": 53}]
    lines = potnet("ports").out.splitlines()
    assert lines[2].split() == ["tcp", "0.0.0.0", "30080", "tap0", "pan", "10.192.0.3", "80"]
    assert lines[3].split() == ["udp", "127.0.0.1", "53", "-", "-", "-", "-"]
    assert json.loads(potnet("-o", "json", "ports").out) == stage.answers["show_ports"]
