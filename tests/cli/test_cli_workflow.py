"""The workflow of continuous integration, and what `make test` does on FreeBSD."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
TEXT = (TOP / ".github/workflows/freebsd.yml").read_text("utf-8")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]


def matrix(key: str) -> list[str]:
    """The values of one key of a matrix."""
    (found,) = re.findall(rf"^ +{key}: \[(.+)\]$", TEXT, re.M)
    return [each.strip().strip('"') for each in found.split(",")]


def test_each_make_target_of_the_workflow_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text("utf-8"), re.M))
    called = set(re.findall(r"\bmake ([a-z-]+)$|\bmake ([a-z-]+) [A-Z]", TEXT, re.M))
    names = {one or other for one, other in called}
    assert {"install", "test", "acceptance", "demo"} <= names <= targets
    settings = set(re.findall(r"\b([A-Z]+)=", " ".join(re.findall(r"\bmake .*", TEXT))))
    assert settings <= set(re.findall(r"^([A-Z]+) =", (TOP / "Makefile").read_text("utf-8"), re.M))
    assert all((TOP / script).exists() for script in re.findall(r"run: (\.ci/\S+)", TEXT))


def test_the_workflow_tries_each_supported_python() -> None:
    supported = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: Python :: 3." in each]
    assert matrix("python") == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"
    used = set(re.findall(r"PYTHON=python(\S+)", TEXT))
    assert used <= set(supported)
    for version in used:
        # Python's package on FreeBSD leaves its SQLite module to another one.
        short = version.replace(".", "")
        assert f" python{short} py{short}-sqlite3\n" in TEXT


def test_the_workflow_runs_both_branches_of_freebsd() -> None:
    assert [release.partition(".")[0] for release in matrix("release")] == ["14", "15"]


def test_actions_of_others_are_pinned_to_one_commit() -> None:
    for action in re.findall(r"uses: (.*)", TEXT):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[0-9.]+", action)


def test_nothing_has_to_be_compiled_on_freebsd() -> None:
    """PyPI has wheels of these for Linux, macOS and Windows only, beside archives of C and Rust."""
    from packaging.requirements import Requirement

    wanted = [Requirement(each) for each in PROJECT["optional-dependencies"]["test"]]
    there = {"platform_system": "FreeBSD", "sys_platform": "freebsd14"}
    chosen = {each.name: each for each in wanted if each.marker is None or each.marker.evaluate(there)}
    assert not {"ruff", "mypy"} & chosen.keys()
    # The first hypothesis that is partly in Rust.
    assert not chosen["hypothesis"].specifier.contains("6.156.0")
    assert chosen["hypothesis"].specifier.contains("6.155.7")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH of the system's tools, on a machine that calls itself FreeBSD."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("make", "sh", "find", "env", "cat", "true"):
        found = next(
            Path(each) / tool
            for each in ("/usr/bin", "/bin", "/usr/local/bin")
            if (Path(each) / tool).exists()
        )
        (folder / tool).symlink_to(found)
    script(folder / "uname", "echo FreeBSD")
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def make_test(tmp_path: Path, tools: Path) -> subprocess.CompletedProcess[str]:
    """Run `make test` with a virtual environment whose Python prints what it is to run."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    script(venv / "bin/python", 'echo "python $*"')
    script(venv / "bin/pip", "exit 1")
    for stamp in ("installed", "test-tools"):
        (venv / stamp).touch()
        later = (venv / stamp).stat().st_mtime + 3600
        os.utime(venv / stamp, (later, later))
    return subprocess.run(
        ["make", "test", f"VENV={venv}", f"PYTHON={sys.executable}"],
        cwd=TOP, env={"PATH": str(tools)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_on_freebsd_make_test_says_that_it_skips_ruff_and_mypy(tmp_path: Path, tools: Path) -> None:
    result = make_test(tmp_path, tools)
    assert result.returncode == 0, result.stderr
    assert "skipped: ruff check . (ruff is not installed)\n" in result.stdout
    assert "(mypy is not installed)\n" in result.stdout
    assert "\npython -m pytest " in result.stdout


def test_on_freebsd_make_test_uses_ruff_and_mypy_of_packages(tmp_path: Path, tools: Path) -> None:
    script(tools / "ruff", 'echo "ran ruff $*"')
    script(tools / "mypy", 'echo "ran mypy $*"; exit 1')
    result = make_test(tmp_path, tools)
    assert result.returncode != 0
    assert "ran ruff check .\n" in result.stdout and "ran mypy --python-executable " in result.stdout
    assert "skipped: " not in result.stdout and "-m pytest" not in result.stdout


def test_elsewhere_make_test_requires_ruff(tmp_path: Path, tools: Path) -> None:
    script(tools / "uname", "echo Linux")
    result = make_test(tmp_path, tools)
    assert result.returncode != 0 and "ruff" in result.stderr and "-m pytest" not in result.stdout
