"""Help, version, the settings in force, and what importing the command line costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from potnet import __version__
from potnet.cli.main import COMMANDS

#: What no command may import before it is called.
HEAVY = {"netaddr", "jinja2", "sqlite3", "toml", "tabulate", "potnet.config", "potnet.model"}


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_everywhere(potnet: Callable[..., Any], command: str, flag: str) -> None:
    result = potnet(*command.split(), flag)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: potnet {command}".rstrip())


def test_help_lists_every_command(potnet: Callable[..., Any]) -> None:
    out = potnet("-h").out
    assert all(f"\n  {command} " in out for command in COMMANDS)
    assert "..." not in out.split("Commands:")[1]


def test_help_is_asked_for_without_the_host(stage: Any, potnet: Callable[..., Any]) -> None:
    for command in COMMANDS:
        potnet(command, "-h")
    assert not stage.settings


def test_version(potnet: Callable[..., Any]) -> None:
    assert potnet("--version") == (0, f"potnet {__version__}\n", "")


def loaded(code: str) -> set[str]:
    """The modules that a fresh Python has after running this."""
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_nothing_heavy_is_imported_for_the_version() -> None:
    modules = loaded("from potnet.cli.main import run\nrun(['--version'])")
    assert "click" in modules
    assert not HEAVY & modules
    own = {name for name in modules if name.startswith("potnet.cli.")}
    assert own == {"potnet.cli.main", "potnet.cli.options", "potnet.cli.terminal"}


def test_nothing_heavy_is_imported_by_the_commands_themselves() -> None:
    assert not HEAVY & loaded(f"from potnet.cli.main import run\nfor c in {list(COMMANDS)}: run([c, '-h'])")


def test_config_says_what_is_in_force_and_why(
    tmp_path: Path, potnet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "potnet.toml"
    text = '[potnet]\nvia = "doas"\n[network.extra_interfaces]\nem1 = "10.0.0.0/8"\n'
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("POTNET_HOST", "sim")
    result = potnet("--config", str(file), "config", "--state-dir", "/d", "-o", "json")
    rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(result.out)}
    assert rows["potnet.host"] == ("sim", "environment, POTNET_HOST")
    assert rows["potnet.state_dir"] == ("/d", "command line")
    assert rows["potnet.output"] == ("json", "command line")
    assert rows["potnet.via"] == ("doas", str(file))
    assert rows["network.extra_interfaces"] == ({"em1": "10.0.0.0/8"}, str(file))
    assert rows["network.public"] == ("10.192.0.0/10", "default")
    assert rows["ports.first"] == (None, "default")


def test_config_as_text(tmp_path: Path, potnet: Callable[..., Any]) -> None:
    file = tmp_path / "potnet.toml"
    file.write_text('[network.extra_interfaces]\nem1 = "10.0.0.0/8"\n', encoding="utf-8")
    lines = [line.split() for line in potnet("config", "--config", str(file)).out.splitlines()]
    assert lines[0] == ["key", "value", "origin"]
    assert ["network.isolate", "false", "default"] in lines
    assert ["ports.first", "-", "default"] in lines
    assert ["network.extra_interfaces", "em1=10.0.0.0/8", str(file)] in lines


def test_python_m_potnet() -> None:
    command = [sys.executable, "-m", "potnet", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"potnet {__version__}\n"
