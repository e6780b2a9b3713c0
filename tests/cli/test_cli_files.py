"""The files around the program: rc.d script, manual pages, demo and Makefile are sound for their readers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

#: As much of rc.subr(8) as the script leans on.
RC_SUBR = """
load_rc_config() { potnet_enable=YES; }
run_rc_command() { eval "\\${${1}_cmd}"; }
"""


def output(*command: str, **environment: str) -> str:
    env = os.environ | environment
    return subprocess.run(command, cwd=TOP, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("script", ["etc/rc.d/potnet", "etc/demo", ".ci/run"])
def test_scripts_are_well_formed(script: str) -> None:
    path = TOP / script
    assert os.access(path, os.X_OK)
    shell = "bash" if "bash" in path.read_text(encoding="utf-8").splitlines()[0] else "sh"
    output(shell, "-n", str(path))


def test_the_demo_shows_isolation_and_a_clean_host() -> None:
    """It ends with an error where a pot reaches what it must not, or where something is left."""
    installed = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shown = output("sh", "etc/demo", PATH=installed)
    assert shown.count("(tcp) failed\n") == 3
    _, before, running = shown.split("$ ifconfig -l\n")
    assert "bridge1" in running.partition("\n")[0] and "block return in quick on bridge1" in running
    assert "bridge" not in before.partition("\n")[0] and "block return" not in before.partition("\n# ")[0]
    assert "no difference: 7 commands answer as before the start\n" in shown


@pytest.mark.parametrize(
    ("action", "arguments"), [("start", "start --boot-only"), ("stop", "stop --all"), ("status", "list")]
)
def test_the_rc_script_calls_potnet(tmp_path: Path, action: str, arguments: str) -> None:
    (tmp_path / "rc.subr").write_text(RC_SUBR, encoding="utf-8")
    text = (TOP / "etc/rc.d/potnet").read_text(encoding="utf-8")
    script = tmp_path / "potnet"
    script.write_text(text.replace("/etc/rc.subr", str(tmp_path / "rc.subr")), encoding="utf-8")
    environment = {"potnet_program": "echo", "potnet_flags": "--config /x"}
    assert output("sh", str(script), action, **environment) == f"--config /x {arguments}\n"


def test_the_rc_script_says_where_it_belongs_at_boot() -> None:
    lines = (TOP / "etc/rc.d/potnet").read_text(encoding="utf-8").splitlines()
    assert "# PROVIDE: potnet" in lines
    (require,) = (line.split()[2:] for line in lines if line.startswith("# REQUIRE:"))
    assert {"NETWORKING", "FILESYSTEMS", "pf"} <= set(require)
    assert "# KEYWORD: nojail shutdown" in lines


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
@pytest.mark.parametrize("page", sorted(path.name for path in TOP.glob("man/*.[58]")))
def test_manual_pages_are_clean(page: str) -> None:
    command = ["mandoc", "-T", "lint", "-W", "warning", f"man/{page}"]
    assert subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False).stdout == ""


@pytest.mark.parametrize("program", ["make", "gmake", "bmake"])
@pytest.mark.parametrize("target", ["demo", "test", "clean"])
def test_every_make_understands_the_makefile(program: str, target: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    # What a make above this one handed down is not for this one.
    assert output(program, "-n", target, MAKEFLAGS="", MFLAGS="")
