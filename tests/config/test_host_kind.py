"""Which host a command is about, and where its store is: root of a user namespace is not root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from potnet import app
from potnet.config import configuration, host_kind
from potnet.errors import ConfigError


@pytest.mark.parametrize("real", [True, False])
def test_the_store_of_a_linux_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, real: bool) -> None:
    monkeypatch.setattr(host_kind, "real_root", lambda: real)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    expected = Path("/var/lib/potnet-linux") if real else tmp_path / "potnet" / "linux"
    assert host_kind.state_dir(configuration.load(None), "linux", None) == expected


def test_the_store_of_a_rootless_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    expected = tmp_path / "potnet" / "rootless"
    assert host_kind.state_dir(configuration.load(None), "linux", None, rootless=True) == expected


@pytest.mark.parametrize(
    ("user", "settings", "rootless"),
    [
        (1000, {"host": "linux"}, True),
        (0, {"host": "linux"}, False),
        (0, {"host": "linux", "rootless": True}, True),
        (1000, {"host": "linux", "via": "ssh root@host"}, False),
        (1000, {"host": "sim"}, False),
        (1000, {}, False),
    ],
)
def test_who_is_not_root_has_a_rootless_host(
    monkeypatch: pytest.MonkeyPatch, user: int, settings: dict[str, Any], rootless: bool
) -> None:
    monkeypatch.setattr(host_kind.os, "geteuid", lambda: user)
    monkeypatch.setattr(host_kind.platform, "system", lambda: "Linux")
    given = app.Settings(**settings)
    kind = host_kind.host_kind(given.host, None)
    assert host_kind.is_rootless(given.rootless, kind, host_kind.prefix(given.via, None, kind)) is rootless


@pytest.mark.parametrize("more", [{"host": "sim"}, {"host": "freebsd"}, {"host": "linux", "via": "doas"}])
def test_other_hosts_are_never_rootless(more: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="--rootless is for a Linux host on this machine"):
        host_kind.is_rootless(True, more["host"], more.get("via"))


def test_the_uplink_has_a_network_of_its_own(tmp_path: Path) -> None:
    config = replace(configuration.load(None), rootless_cidr="10.192.5.0/24")
    with pytest.raises(ConfigError, match=r"rootless.cidr = 10.192.5.0/24 overlaps network.public"):
        app._rootless_host(config, tmp_path)


def test_a_tour_never_rewires_a_linux_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_kind.platform, "system", lambda: "Linux")
    assert host_kind.host_kind(None, configuration.load(None)) == "sim"
    assert host_kind.host_kind("linux", configuration.load(None)) == "linux"
