from __future__ import annotations

from pathlib import Path

import pytest
from made_up import Call, Result

from potnet.cli.main import run


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run potnet, words apart by spaces, with a state directory of its own; path: of the program pot."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POTNET_STATE_DIR", str(tmp_path / "state"))

    def call(line: str, path: str = "/nowhere") -> Result:
        monkeypatch.setenv("PATH", path)
        capsys.readouterr()
        code = run(line.split())
        return Result(code, *capsys.readouterr())

    return call
