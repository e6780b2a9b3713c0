"""Where the store of a Linux host is: root of a user namespace is not root of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from potnet import app
from potnet import config as configuration


@pytest.mark.parametrize("real", [True, False])
def test_the_store_of_a_linux_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, real: bool) -> None:
    monkeypatch.setattr(app, "real_root", lambda: real)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    expected = Path("/var/lib/potnet-linux") if real else tmp_path / "potnet" / "linux"
    assert app._state_dir(configuration.load(None), "linux", None) == expected


def test_a_tour_never_rewires_a_linux_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.platform, "system", lambda: "Linux")
    assert app._host_kind(app.Settings(), configuration.load(None)) == "sim"
    assert app._host_kind(app.Settings(host="linux"), configuration.load(None)) == "linux"
