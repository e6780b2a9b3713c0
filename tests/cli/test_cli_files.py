"""The files around the program: rc.d script, manual pages, demo and Makefile are sound for their readers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks, write_program

TOP = Path(__file__).resolve().parents[2]

#: As much of rc.subr(8) as the script leans on: run_rc_command runs `X_cmd` only for a command that exists,
#: and exits by it. What logger(1) would get goes to a file.
RC_SUBR = """
load_rc_config() { potnet_enable=YES; }
run_rc_command()
{
	case " start stop $extra_commands " in
	*" $1 "*) eval "\\$${1}_cmd" ;;
	*) exit 9 ;;
	esac
}
logger() { echo "logger $*" >>"$LOGGED"; cat >>"$LOGGED"; }
"""
#: A program in potnet's place: it prints its arguments, and what the test wants; it exits as the test wants.
PROGRAM = """#!/bin/sh
echo "$*"
case " $* " in
*" store backup "*) for last; do :; done; echo saved >"$last" ;;
esac
exit "${CODE:-0}"
"""


def output(*command: str, **environment: str) -> str:
    env = os.environ | environment
    return subprocess.run(command, cwd=TOP, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "script", ["etc/rc.d/potnet", "etc/periodic/daily/450.potnet", "etc/demo", ".ci/run"]
)
def test_scripts_are_well_formed(script: str) -> None:
    path = TOP / script
    assert os.access(path, os.X_OK)
    shell = "bash" if "bash" in path.read_text(encoding="utf-8").splitlines()[0] else "sh"
    output(shell, "-n", str(path))


def test_the_demo_shows_isolation_and_a_clean_host(tmp_path: Path, forks: Forks) -> None:
    """It ends with an error where a pot reaches what it must not, or where something is left."""
    write_program(tmp_path / "potnet", forks.argv("-m", "potnet"))
    write_program(tmp_path / "python", forks.argv())
    shown = output("sh", "etc/demo", **forks.of_python, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert shown.count("(tcp) failed\n") == 3
    _, before, running = shown.split("$ ifconfig -l\n")
    assert "bridge1" in running.partition("\n")[0] and "block return in quick on bridge1" in running
    assert "bridge" not in before.partition("\n")[0] and "block return" not in before.partition("\n# ")[0]
    assert "no difference: 7 commands answer as before the start\n" in shown


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Return a stand-in for potnet."""
    path = tmp_path / "potnet"
    path.write_text(PROGRAM, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def with_stand_in(tmp_path: Path, script: str, system: str, text: str) -> str:
    """Write a script that reads a stand-in for a file of the system; return its path."""
    (tmp_path / "system").write_text(text, encoding="utf-8")
    copy = tmp_path / "script"
    copy.write_text((TOP / script).read_text("utf-8").replace(system, str(tmp_path / "system")), "utf-8")
    return str(copy)


def rc(
    tmp_path: Path, program: str, action: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run the rc.d script; return the result, and what went to syslog."""
    logged = tmp_path / "logged"
    settings = {"potnet_program": program, "potnet_flags": "--config /x", "LOGGED": str(logged)}
    script = with_stand_in(tmp_path, "etc/rc.d/potnet", "/etc/rc.subr", RC_SUBR)
    result = subprocess.run(
        ["/bin/sh", script, action],
        env=os.environ | settings | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result, logged.read_text("utf-8") if logged.exists() else ""


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("start", "start --boot-only"),
        ("stop", "stop --all"),
        ("repair", "repair"),
        ("reload", "repair --rules"),
    ],
)
@pytest.mark.parametrize("code", [0, 1])
def test_the_rc_script_reports_changes_to_syslog(
    tmp_path: Path, program: str, action: str, arguments: str, code: int
) -> None:
    result, logged = rc(tmp_path, program, action, CODE=str(code))
    assert (result.stdout, result.returncode) == (f"--config /x {arguments}\n", code)
    level = "err" if code else "notice"
    assert logged == f"logger -t potnet -p daemon.{level}\n--config /x {arguments}\n"


@pytest.mark.parametrize("action", ["check", "doctor"])
@pytest.mark.parametrize("code", [0, 1])
def test_the_rc_script_passes_questions_on(tmp_path: Path, program: str, action: str, code: int) -> None:
    result, logged = rc(tmp_path, program, action, CODE=str(code))
    assert (result.stdout, result.returncode, logged) == (f"--config /x {action}\n", code, "")


def test_the_status_of_the_rc_script_is_whether_a_pot_runs(tmp_path: Path) -> None:
    """With the real potnet and a simulated host."""
    config = tmp_path / "potnet.toml"
    config.write_text('[potnet]\nhost = "sim"\n' + f'state_dir = "{tmp_path / "state"}"\n', "utf-8")
    potnet = str(Path(sys.executable).with_name("potnet"))
    settings = {"potnet_flags": f"-q --config {config}"}

    def status() -> tuple[int, int]:
        result, logged = rc(tmp_path, potnet, "status", **settings)
        assert logged == ""
        return result.returncode, result.stdout.count("web")

    assert status() == (1, 0)
    output(potnet, "-q", "--config", str(config), "create", "-p", "web", "-N", "public-bridge", "--boot")
    assert rc(tmp_path, potnet, "start", **settings)[0].returncode == 0
    assert status() == (0, 1)
    assert rc(tmp_path, potnet, "stop", **settings)[0].returncode == 0
    assert status() == (1, 1)


#: As much of /etc/defaults/periodic.conf as the script leans on; the test has the administrator's file.
PERIODIC_CONF = """
source_periodic_confs() { . "$SETTINGS"; }
"""


@pytest.mark.parametrize(
    ("settings", "answers", "code", "shown"),
    [
        ("", {"CODE": "1"}, 0, []),
        ("daily_potnet_enable=NO", {"CODE": "1"}, 0, []),
        ("daily_potnet_enable=YES", {}, 0, ["check", "store backup --force BACKUP.new"]),
        ("daily_potnet_enable=yes daily_potnet_flags='-o json'", {}, 0, ["-o json check"]),
        # Exit 1 with something found, and exit 2.
        ("daily_potnet_enable=YES", {"CODE": "1"}, 3, ["check", "store backup --force BACKUP.new"]),
        ("daily_potnet_enable=YES daily_potnet_backup=", {"CODE": "1"}, 1, ["check"]),
        ("daily_potnet_enable=YES daily_potnet_backup=", {"CODE": "2"}, 3, ["check"]),
    ],
)  # fmt: skip
def test_the_daily_script_checks_and_saves(
    tmp_path: Path, program: str, settings: str, answers: dict[str, str], code: int, shown: list[str]
) -> None:
    result = daily(tmp_path, program, settings, **answers)
    assert result.returncode == code
    found = result.stdout.replace(str(tmp_path / "backup.db"), "BACKUP")
    assert all(f"{line}\n" in found for line in shown)
    assert shown or not found


def daily(
    tmp_path: Path, program: str, settings: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the daily script with a potnet, and the settings of periodic.conf(5)."""
    script = with_stand_in(
        tmp_path, "etc/periodic/daily/450.potnet", "/etc/defaults/periodic.conf", PERIODIC_CONF
    )
    (tmp_path / "periodic.conf").write_text(settings, "utf-8")
    known = {"daily_potnet_program": program, "daily_potnet_backup": str(tmp_path / "backup.db")}
    return subprocess.run(
        ["/bin/sh", script],
        env=os.environ | known | {"SETTINGS": str(tmp_path / "periodic.conf")} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_daily_script_keeps_two_copies_of_the_store_and_reports_drift(tmp_path: Path) -> None:
    """With the real potnet and a simulated host; exit codes are those of periodic(8)."""
    potnet = str(Path(sys.executable).with_name("potnet"))
    state = ["-q", "--host", "sim", "--state-dir", str(tmp_path / "state")]
    settings = f"daily_potnet_enable=YES daily_potnet_flags='{' '.join(state)}'"
    output(potnet, *state, "create", "-p", "web", "-N", "public-bridge")
    output(potnet, *state, "start", "web")
    assert daily(tmp_path, potnet, settings).returncode == 0
    first = (tmp_path / "backup.db").read_bytes()
    output(potnet, *state, "exec", "web", "--", "route", "delete", "default")
    result = daily(tmp_path, potnet, settings)
    assert result.returncode == 1 and "\nroute-missing web public" in result.stdout
    assert (tmp_path / "backup.db.2").read_bytes() == first
    assert sorted(path.name for path in tmp_path.glob("backup.db*")) == ["backup.db", "backup.db.2"]
    # Nothing of the copies is lost where the new one cannot be made.
    (tmp_path / "backup.db.new").mkdir()
    result = daily(tmp_path, potnet, settings)
    assert result.returncode == 3 and "already exists and is not a plain file" in result.stderr
    assert (tmp_path / "backup.db").exists() and (tmp_path / "backup.db.2").read_bytes() == first
    result = daily(tmp_path, str(tmp_path / "absent"), settings)
    assert result.returncode == 2 and "is not installed" in result.stdout


def test_the_entry_of_newsyslog_is_complete() -> None:
    """newsyslog.conf(5): name, owner, mode, count, size, when, flags; G for a pattern, N for no signal."""
    text = (TOP / "etc/newsyslog.conf.d/potnet.conf.sample").read_text("utf-8")
    (entry,) = (line.split() for line in text.splitlines() if not line.startswith("#"))
    name, owner, mode, count, size, when, flags = entry
    assert name == "/var/log/potnet/*.log" and owner == "root:wheel" and when == "*"
    assert int(mode, 8) & 0o077 == 0 and int(count) > 0 and int(size) > 0
    assert {"G", "N"} <= set(flags)


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
@pytest.mark.parametrize("target", ["demo", "test", "install", "uninstall", "clean"])
def test_every_make_understands_the_makefile(program: str, target: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    # What a make above this one handed down is not for this one.
    assert output(program, "-n", target, MAKEFLAGS="", MFLAGS="")
