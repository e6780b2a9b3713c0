"""Colours: a terminal gets them for states and errors; a pipe and NO_COLOR get none."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from potnet.cli import colours

GREEN, YELLOW, RED, PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"
PAINTS = (colours.rows, colours.info_states, colours.verdicts, colours.findings)


def test_states_have_colours_and_names_have_none() -> None:
    rows = "running  stopped  inherit\nup       running  alias"
    text = f"name     state    type\n-------  -------  -------\n{rows}"
    lines = colours.rows(text).split("\n")
    assert lines[:2] == text.split("\n")[:2]
    assert lines[2].startswith("running  \x1b[33mstopped\x1b[0m")
    assert lines[3].startswith("up       \x1b[32mrunning\x1b[0m")
    assert "\x1b[32mup\x1b[0m" in colours.rows("public   public   bridge0    up     10.192.0.0/10")


def test_the_state_of_a_pot_or_bridge_has_a_colour() -> None:
    pot = "pot name : active\n\tip : 10.192.0.3\n\tactive : "
    assert colours.info_states(f"{pot}true") == f"{pot}{GREEN}true{PLAIN}"
    assert colours.info_states(f"{pot}false\n\ttap : tap0") == f"{pot}{YELLOW}false{PLAIN}\n\ttap : tap0"
    assert colours.info_states("\tstate : down\n\trouted : true") == (
        f"\tstate : {YELLOW}down{PLAIN}\n\trouted : true"
    )


def test_verdicts_have_colours() -> None:
    text = "ok       pf: on\nlimited  loopback: off\n         fix: potnet init\nmissing  root: no"
    assert colours.verdicts(text).split("\n") == [
        f"{GREEN}ok{PLAIN}       pf: on",
        f"{YELLOW}limited{PLAIN}  loopback: off",
        "         fix: potnet init",
        f"{RED}missing{PLAIN}  root: no",
    ]


def test_findings_have_colours() -> None:
    text = "member-missing web: it is on no bridge\nrules-differ db: reload\n\t- nat: a\n\t+ rdr b"
    assert colours.findings(text).split("\n") == [
        f"{RED}member-missing web{PLAIN}: it is on no bridge",
        f"{RED}rules-differ db{PLAIN}: reload",
        f"{RED}\t- nat: a{PLAIN}",
        f"{GREEN}\t+ rdr b{PLAIN}",
    ]


@pytest.mark.parametrize("paint", PAINTS)
def test_colours_change_no_character(paint: Callable[[str], str]) -> None:
    text = "a  up  b\n\tactive : true\nok  x: y\n\t- rule\n\n:\nweb stopped"
    assert click.unstyle(paint(text)) == text


def on_a_terminal(*words: str, **environment: str) -> str:
    """The output of a command whose standard output is a terminal."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "potnet", *words]
    done = subprocess.Popen(argv, stdout=theirs, stderr=subprocess.DEVNULL, env=os.environ | environment)
    os.close(theirs)
    shown = b""
    while done.poll() is None or shown[-1:] != b"\n":
        try:
            shown += os.read(ours, 4096)
        except OSError:
            break
    done.wait()
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_unless_the_user_refuses_them(tmp_path: Path) -> None:
    where = {"POTNET_HOST": "sim", "POTNET_STATE_DIR": str(tmp_path / "state"), "NO_COLOR": ""}
    on_a_terminal("create", "web", **where)
    assert f"{YELLOW}stopped{PLAIN}" in on_a_terminal("list", **where)
    assert f"\tactive : {YELLOW}false{PLAIN}" in on_a_terminal("info", "web", **where)
    assert f"{GREEN}ok{PLAIN} " in on_a_terminal("doctor", **where)
    for words in (("list",), ("info", "web"), ("doctor",)):
        plain = on_a_terminal(*words, **where | {"NO_COLOR": "1"})
        assert plain
        assert "\x1b" not in plain


def test_a_pipe_gets_no_colours(stage: Any, potnet: Callable[..., Any]) -> None:
    row = {"name": "a", "state": "running", "network_type": "inherit", "stack": "ipv4"}
    stage.answers["list_pots"] = [row | {"addresses": [], "bridges": [], "exports": []}]
    assert "\x1b" not in potnet("list").out
    assert "\x1b" not in potnet("nothing").err
