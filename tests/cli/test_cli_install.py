"""`make install`, `make uninstall` and the port of FreeBSD: which files they make, and what they leave."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from potnet import __version__

TOP = Path(__file__).resolve().parents[2]
MAKES = [program for program in ("make", "bmake") if shutil.which(program)]
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def make(
    target: str, prefix: str, destdir: Path | str = "", program: str = "make"
) -> subprocess.CompletedProcess[str]:
    command = [program, target, f"PREFIX={prefix}", f"DESTDIR={destdir}", f"PYTHON={sys.executable}"]
    # What a make above this one handed down is not for this one.
    environment = os.environ | {"MAKEFLAGS": "", "MFLAGS": ""}
    return subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)


def done(target: str, prefix: str, destdir: Path | str = "", program: str = "make") -> str:
    result = make(target, prefix, destdir, program)
    assert result.returncode == 0, result.stderr
    return result.stdout


def content(root: Path) -> dict[str, bytes | None]:
    """Everything below a directory: directories, and files with their content."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


def plist() -> set[str]:
    """The files of the port, as they are staged: samples not yet copied, manual pages not yet compressed."""
    tag = str(sys.implementation.cache_tag)
    lines = (TOP / "etc/port/pkg-plist").read_text("utf-8")
    for word, meaning in (
        ("CACHE_TAG", tag),
        ("PYTHON_SITELIBDIR", SITE),
        ("PORTVERSION", __version__),
    ):
        lines = lines.replace(f"%%{word}%%", meaning)
    names = (line.removeprefix("@sample ") for line in lines.splitlines())
    return {name.removesuffix(".gz") if name.startswith("share/man/") else name for name in names}


@pytest.mark.parametrize("program", MAKES)
def test_the_list_of_the_port_names_what_an_install_stages(tmp_path: Path, program: str) -> None:
    done("install", "/usr/local", tmp_path, program)
    staged = {name for name, data in content(tmp_path / "usr/local").items() if data is not None}
    assert staged == plist(), "`make plist` writes the list anew"
    rc = (tmp_path / "usr/local/etc/rc.d/potnet").read_text("utf-8")
    assert rc == (TOP / "etc/rc.d/potnet").read_text("utf-8")
    for name in ("bin/potnet", "etc/rc.d/potnet", "etc/periodic/daily/450.potnet"):
        assert os.access(tmp_path / "usr/local" / name, os.X_OK)
    assert str(tmp_path) not in (tmp_path / "usr/local/bin/potnet").read_text("utf-8")
    done("uninstall", "/usr/local", tmp_path, program)
    assert content(tmp_path) == {"usr": None}


def test_samples_of_the_port_are_copied_by_pkg() -> None:
    lines = (TOP / "etc/port/pkg-plist").read_text("utf-8").splitlines()
    assert "@sample etc/potnet.toml.sample" in lines
    assert all(line.startswith("@sample ") == line.endswith(".sample") for line in lines)


def test_an_installed_copy_runs_with_an_empty_environment(tmp_path: Path) -> None:
    """It finds its own package and templates, whatever else Python has."""
    prefix = tmp_path / "own"
    done("install", str(prefix))
    state = ["--host", "sim", "--state-dir", str(tmp_path / "state")]

    def run(*words: str) -> str:
        command = [str(prefix / "bin/potnet"), *words, *state]
        return subprocess.run(command, env={}, capture_output=True, text=True, check=True, cwd="/").stdout

    assert run("create", "-p", "web", "-N", "public-bridge") == "web created: 10.192.0.3\n"
    shown = run("start", "web", "--dry-run")
    assert "pfctl -a pot-nat -f -" in shown and 'path = "/opt/potnet/jails/web/m"' in shown
    program = (prefix / "bin/potnet").read_text("utf-8")
    assert f"sys.path.insert(0, '{prefix}/{SITE}')" in program
    assert f"potnet_program:={prefix}/bin/potnet" in (prefix / "etc/rc.d/potnet").read_text("utf-8")
    (known,) = metadata.distributions(name="potnet", path=[str(prefix / SITE)])
    assert known.version == __version__ and known.files is not None
    assert {str(Path(file.locate()).resolve().relative_to(prefix)) for file in known.files} == plist()
    # Python compiles for other levels of optimization, too, and users change what was copied from a sample.
    cache = prefix / SITE / "potnet/__pycache__"
    (cache / "app.cpython-39.opt-1.pyc").write_bytes(b"")
    (prefix / "etc/potnet.toml").write_text("[paths]\n", "utf-8")
    kept = prefix / "etc/newsyslog.conf.d/potnet.conf"
    assert kept.read_bytes() == kept.with_suffix(".conf.sample").read_bytes()
    assert "etc/potnet.toml was changed, and stays" in done("uninstall", str(prefix))
    assert content(prefix) == {"etc": None, "etc/potnet.toml": b"[paths]\n"}


def test_a_second_install_takes_away_what_the_first_had_beside(tmp_path: Path) -> None:
    prefix = str(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/other.conf").write_text("x", "utf-8")
    before = content(tmp_path)
    done("install", prefix)
    wanted = content(tmp_path)
    # As an older version would have left it, for an older Python.
    old = tmp_path / "lib/python3.10/site-packages/potnet-0.0.9.dist-info"
    old.mkdir(parents=True)
    (old / "INSTALLER").write_text("make\n", "utf-8")
    names = "potnet/old.py,,\npotnet-0.0.9.dist-info/RECORD,,\npotnet-0.0.9.dist-info/INSTALLER,,\n"
    names += "potnet-0.0.9.dist-info/DIRECTORIES,,\n"
    (old / "RECORD").write_text(names, "utf-8")
    folders = ("", "/site-packages", "/site-packages/potnet", "/site-packages/potnet-0.0.9.dist-info")
    (old / "DIRECTORIES").write_text("".join(f"lib/python3.10{each}\n" for each in folders), "utf-8")
    (old.parent / "potnet").mkdir()
    (old.parent / "potnet/old.py").write_text("", "utf-8")
    done("install", prefix)
    left = content(tmp_path)
    assert left.keys() == wanted.keys()
    done("uninstall", prefix)
    assert content(tmp_path) == before
    refused = make("uninstall", prefix)
    assert refused.returncode != 0 and f"potnet is not installed in {prefix}" in refused.stderr


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        # pot's helper of the same name, and a copy that pip installed.
        ("bin/potnet", "bin/potnet exists and is not of `make install`"),
        (f"{SITE}/potnet-0.1.0.dist-info/RECORD", "remove it with `pip uninstall potnet` first"),
    ],
)
def test_files_of_others_are_never_replaced(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("theirs", "utf-8")
    before = content(tmp_path)
    refused = make("install", str(tmp_path))
    assert refused.returncode != 0 and reason in refused.stderr
    assert content(tmp_path) == before


def test_a_record_never_leads_an_uninstall_out_of_the_prefix(tmp_path: Path) -> None:
    information = tmp_path / "usr" / SITE / "potnet-0.1.0.dist-info"
    information.mkdir(parents=True)
    (information / "INSTALLER").write_text("make\n", "utf-8")
    (information / "RECORD").write_text("../../../../precious,,\n", "utf-8")
    (tmp_path / "precious").write_text("x", "utf-8")
    refused = make("uninstall", str(tmp_path / "usr"))
    assert refused.returncode != 0 and "which is not below" in refused.stderr
    assert (tmp_path / "precious").exists()


def test_the_port_requires_what_the_package_requires() -> None:
    import tomllib

    port = (TOP / "etc/port/Makefile").read_text("utf-8")
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = dict(re.fullmatch(r"(\w+)>=(.+)", each).groups() for each in project["dependencies"])  # type: ignore[union-attr]
    found = {name.lower(): least for name, least in re.findall(r"PREFIX\}(\w+)>=([0-9.]+):", port)}
    assert found == wanted
    assert re.search(r"^DISTVERSION=\t(.+)$", port, re.M)[1] == __version__  # type: ignore[index]
    assert f"USES=\t\tpython:{project['requires-python'].removeprefix('>=')}+\n" in port
    assert re.search(r"^CONFLICTS_INSTALL=\tpotnet\b", port, re.M)


def test_the_first_commands_of_the_message_exist() -> None:
    from potnet.cli.command_table import COMMANDS

    message = (TOP / "etc/port/pkg-message").read_text("utf-8")
    commands = re.findall(r"^\tpotnet (\S+)", message, re.M)
    assert len(commands) == 3 and set(commands) <= COMMANDS.keys()
