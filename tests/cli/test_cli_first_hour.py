"""The output of the first commands on a simulated host: info, create, export-ports and the notice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from potnet.cli.main import run

NOTICE = "potnet: the host is simulated: nothing of this machine is changed (--host freebsd for a real one)\n"

Run = Callable[[str], tuple[str, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line on a fresh simulated host; its standard output and standard error."""
    monkeypatch.setenv("POTNET_HOST", "sim")
    monkeypatch.setenv("POTNET_STATE_DIR", str(tmp_path / "state"))

    def say(line: str) -> tuple[str, str]:
        capsys.readouterr()
        code = run(line.split())
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out, said.err

    return say


def test_info_of_a_pot_without_settings_is_that_of_pot(say: Run) -> None:
    say("create -p casserole4 -b 12.2 -N public-bridge -i 10.192.0.10 -S ipv4")
    assert say("info -vp casserole4")[0] == (
        "pot name : casserole4\n\ttype : single\n\tbase : 12.2\n\tlevel : 0\n\tnetwork_type : public-bridge\n"
        "\tip : 10.192.0.10\n\t\tno ports exported\n\tactive : false\n"
    )


SETTINGS = [
    ("-N inherit", "--hostname www.example.org", "hostname : www.example.org"),
    ("-N inherit", "-d off", "resolver : off"),
    ("-N inherit", "--boot", "boot : true"),
    ("-N public-bridge", "--mac 02:00:00:12:34:56", "mac : 02:00:00:12:34:56"),
    ("-N public-bridge", "--mtu 1400", "mtu : 1400"),
]


@pytest.mark.parametrize(("network", "setting", "line"), SETTINGS)
@pytest.mark.parametrize("later", [False, True])
def test_info_shows_what_differs_from_the_default(
    say: Run, network: str, setting: str, line: str, later: bool
) -> None:
    say(f"create -p web {network}" + ("" if later else f" {setting}"))
    if later:
        say(f"set -p web {setting}")
    assert f"\t{line}\n" in say("info web")[0]


def test_the_stack_of_the_configuration_is_the_default(say: Run, tmp_path: Path) -> None:
    (tmp_path / "potnet.toml").write_text('[network]\nstack = "dual"\n')
    say(f"--config {tmp_path}/potnet.toml create -p web -S dual")
    assert "stack" not in say(f"--config {tmp_path}/potnet.toml info web")[0]
    assert "\tstack : dual\n" in say("info web")[0]


def test_info_shows_command_root_and_several_bridges(say: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    say("create-private-bridge -B stove -S 4 --mtu 1400")
    say("create-private-bridge -B floor -S 4")
    say(
        "create -p web -N private-bridge -N private-bridge -B stove -B floor --cmd /bin/sleep\u00a0 "
        f"--path {root} --mac 06:00:00:00:00:01"
    )
    lines = say("info web")[0].splitlines()
    assert f"\troot : {root}" in lines
    assert "\tmtu : 1400 on stove" in lines
    assert "\tmac : 06:00:00:00:00:01" in lines
    assert any(line.startswith("\tcommand : ") for line in lines)
    assert {"mac_given", "own"}.isdisjoint(json.loads(say("info web -o json")[0]))


def test_create_says_the_addresses(say: Run) -> None:
    assert say("create -p web -N public-bridge")[0] == "web created: 10.192.0.3\n"
    assert say("create db -N alias -i 192.168.178.200")[0] == "db created: em0|192.168.178.200\n"
    assert say("create -p plain")[0] == "plain created\n"
    assert say("create -p six -N public-bridge -S ipv6")[0] == "six created\n"
    assert say("create -p quiet -N public-bridge -q")[0] == ""
    assert say("create -N public-bridge")[0] == "pot1\n"


@pytest.mark.parametrize("running", [False, True])
def test_export_ports_says_what_it_withdraws(say: Run, running: bool) -> None:
    say("create -p web -N public-bridge")
    if running:
        say("start web")
    assert say("export-ports web -e 80:30080 -e 443:30443")[0] == "web exports 80:30080, 443:30443\n"
    assert say("export-ports web -e 80:30081 -e 443:30443")[0] == (
        "web exports 80:30081, 443:30443; withdrawn: 80:30080\n"
    )
    assert say("export-ports web -e 80:30081 --from 192.0.2.0/24")[0] == (
        "web exports 80:30081; withdrawn: 443:30443\n"
    )
    assert say("export-ports web --add -e udp:53:30053")[0] == "web exports 80:30081, udp:53:30053\n"
    assert say("export-ports web --remove -e udp:53")[0] == "web exports 80:30081; withdrawn: udp:53:30053\n"
    assert say("export-ports web --clear")[0] == "web exports nothing; withdrawn: 80:30081\n"
    assert say("export-ports web --clear")[0] == "web exports nothing\n"


def test_the_notice_comes_once_for_a_state_directory_and_in_list(say: Run, tmp_path: Path) -> None:
    assert say("create -p tried -n")[1].startswith(NOTICE)
    assert say("create -p web")[1] == NOTICE
    assert say("create -p db")[1] == ""
    assert say("start web")[1] == ""
    assert say("info web")[1] == ""
    assert say("list")[1] == NOTICE
    assert say("list -b -o json")[1] == NOTICE
    assert say("list -q") == ("db\nweb\n", "")
    assert say(f"create -p web --state-dir {tmp_path / 'other'}")[1] == NOTICE
