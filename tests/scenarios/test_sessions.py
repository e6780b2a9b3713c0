"""The sessions of pot's documentation, as they are typed, with potnet for pot."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from world import World

from potnet.cli.main import run
from potnet.executors.simulated import SimulatedHost, environment

Session = Callable[..., str]


@pytest.fixture
def potnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Session:
    """Types one command line on a fresh host and returns what it printed."""
    monkeypatch.setenv("POTNET_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("POTNET_HOST", "sim")
    monkeypatch.chdir(tmp_path)
    if World.lan_bridge:
        (tmp_path / "state").mkdir(mode=0o700)
        facts = replace(environment.machine(), interface="igb0")
        World.move_addresses(SimulatedHost(tmp_path / "state" / "sim", facts=facts))

    def type_line(line: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run(shlex.split(line)) == code, capsys.readouterr().err
        shown = capsys.readouterr()
        return shown.out if code == 0 else shown.err

    return type_line


def test_inherit(potnet: Session) -> None:
    assert potnet("create -p casserole -t single -b 12.2 -N inherit -S dual") == "casserole created\n"
    potnet("start casserole")
    assert "\tactive : true" in potnet("info -vp casserole")
    potnet("stop casserole")


def test_alias(potnet: Session) -> None:
    potnet(
        'create -p casserole -t single -b 12.2 -N alias -i "em0|2a00:1234:1234:1234::443" '
        '-i "em0|192.168.178.200" -i "2a00:1234:1234:1234::80" -S dual'
    )
    potnet("start casserole")
    text = potnet("info -vp casserole")
    assert "em0|2a00:1234:1234:1234::443 em0|192.168.178.200 em0|2a00:1234:1234:1234::80" in text
    lines = potnet("info -E -p casserole").splitlines()
    assert lines[:3] == [
        "export _POT_NAME=casserole",
        "export _POT_IP_0=2a00:1234:1234:1234::443",
        "export _POT_NIC_0=em0",
    ]
    potnet("stop casserole")


def test_run_opens_a_shell(potnet: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    potnet("create -p casserole -t single -b 12.2 -N inherit -S dual")
    monkeypatch.setattr("sys.stdin", io.StringIO("hostname\nexit 3\n"))
    assert run(["run", "casserole"]) == 3
    assert json.loads(potnet("-o json info -p casserole"))["state"] == "running"
    assert run(["stop", "casserole"]) == 0


def test_public_bridge(potnet: Session) -> None:
    potnet("vnet-start")
    potnet("create -p casserole4 -t single -b 12.2 -N public-bridge -i 10.192.0.10 -S ipv4")
    potnet("create -p casserole6 -t single -b 12.2 -N public-bridge -i auto -S ipv6")
    assert potnet("info -vp casserole4") == (
        "pot name : casserole4\n\ttype : single\n\tbase : 12.2\n\tlevel : 0\n\tnetwork_type : public-bridge\n"
        "\tip : 10.192.0.10\n\t\tno ports exported\n\tactive : false\n"
    )
    potnet("start casserole4 casserole6")
    assert json.loads(potnet("-o json info -p casserole6"))["addresses"][0]["address"].startswith(
        "2001:db8:7:"
    )
    potnet("create-private-bridge -B stove -S 4")
    assert potnet("show").splitlines() == [
        "Network topology:",
        "\tnetwork : 10.192.0.0/10",
        "\tmin addr: 10.192.0.0",
        "\tmax addr: 10.255.255.255",
        "",
        "Addresses already taken:",
        "\t10.192.0.0\t",
        "\t10.192.0.1\tdefault gateway",
        "\t10.192.0.2\tdns",
        "\t10.192.0.10\tcasserole4",
        "\t10.192.0.16\tstove bridge - network ",
        "\t10.192.0.17\tstove bridge - gateway ",
        *(f"\t10.192.0.{number}\tstove bridge - allocated address" for number in range(18, 23)),
        "\t10.192.0.23\tstove bridge - broadcast ",
        "\t10.255.255.255\t",
    ]


def test_private_bridge(potnet: Session) -> None:
    potnet("create -p first -N public-bridge -i 10.192.0.10")
    potnet("create-private-bridge -B stove -S 4")
    potnet("vnet-start -B stove")
    potnet("create -p casserole -t single -b 12.2 -N private-bridge -B stove -i 10.192.0.19")
    potnet("start casserole")
    assert potnet("show -b stove").splitlines() == [
        "\t10.192.0.16\tstove bridge - network ",
        "\t10.192.0.17\tstove bridge - gateway ",
        "\t10.192.0.19\tcasserole",
        "\t10.192.0.23\tstove bridge - broadcast ",
    ]


def test_export_ports(potnet: Session) -> None:
    potnet("create -p casserole -t single -b 12.2 -N public-bridge -i 10.192.0.11")
    potnet("export-ports -p casserole -e 80 -e 443")
    assert "\t\texported ports: 80 443\n" in potnet("info -vp casserole")
    potnet("export-ports -p casserole -e 80:30080 -e 443:30443")
    potnet("start casserole")
    lines = potnet("show -p casserole").splitlines()
    assert lines[0] == "pot casserole"
    assert lines[1].startswith("\tdisk usage      : ")
    assert lines[-3:] == [
        "\tNetwork port redirection",
        "\t\t192.168.178.20 port 30080 -> 10.192.0.11 port 80",
        "\t\t192.168.178.20 port 30443 -> 10.192.0.11 port 443",
    ]


def test_a_custom_resolver(potnet: Session, tmp_path: Path) -> None:
    (tmp_path / "myresolv.conf").write_text("nameserver 192.0.2.1\n")
    potnet("create -p c -t single -b 12.2 -N inherit -d custom:myresolv.conf")
    potnet("start c")
    assert potnet("exec c -- cat /etc/resolv.conf") is not None


def test_without_names(potnet: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert potnet("create -N public-bridge -i auto") == "pot1\n"
    potnet("export-ports -e 80:30080")
    assert potnet("create -N public-bridge -i auto") == "pot2\n"
    assert "pot1, pot2" in potnet("export-ports -e 80:30080", code=1)
    monkeypatch.setenv("POTNET_POT", "pot2")
    assert "exported by pot pot1" in potnet("export-ports -e 80:30080", code=1)
    potnet("export-ports -e 80:30081")
    potnet("destroy -p pot1")
    assert potnet("create -N public-bridge -i auto") == "pot1\n"


def test_a_dry_run_prints_what_then_runs_and_changes_nothing(potnet: Session, tmp_path: Path) -> None:
    potnet("create -p casserole -b 12.2 -N public-bridge -S dual")
    potnet("export-ports -e 80:30080 -e 443")
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "state").rglob("*") if "root" in p.parts)
    listed = potnet("-o json list")
    for line in ("start casserole", "destroy -p casserole", "vnet-start", "create -N public-bridge", "init"):
        potnet(f"{line} -n")
    potnet("start casserole --dry-run")
    assert (
        sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "state").rglob("*") if "root" in p.parts)
        == before
    )
    assert potnet("-o json list") == listed
    potnet("start casserole")


def test_a_dry_run_of_start_is_what_start_does(potnet: Session, capsys: pytest.CaptureFixture[str]) -> None:
    potnet("create -p casserole -b 12.2 -N public-bridge -S dual")
    potnet("export-ports -e 80:30080 -e 443")
    for verb in ("start", "stop"):
        planned = potnet(f"{verb} casserole -n").splitlines()
        capsys.readouterr()
        assert run([verb, "casserole", "-v"]) == 0
        done = capsys.readouterr().err.splitlines()
        run_lines = [line.removeprefix("potnet: + ") for line in done if line.startswith("potnet: + ")]
        changing = [
            line
            for line in planned
            if line.split(" ", 1)[0]
            in ("ifconfig", "pfctl", "jail", "tee", "mv", "route", "jexec", "find", "sysctl")
        ]
        assert changing
        remaining = iter(run_lines)
        assert all(line in remaining for line in changing), verb


def test_json_is_what_the_manual_says(potnet: Session) -> None:
    potnet("create -p casserole -N public-bridge -S dual")
    potnet("create-private-bridge -B stove -S 4")
    info = json.loads(potnet("-o json info -p casserole"))
    keys = [
        "name",
        "state",
        "network_type",
        "stack",
        "addresses",
        "bridge",
        "mac",
        "resolver",
        "exports",
        "root",
        "interfaces",
        "jid",
    ]
    assert set(keys) <= set(info)
    assert set(info["addresses"][0]) == {"family", "address", "prefix", "interface", "network"}
    assert set(info["interfaces"][0]) == {"name", "mac", "bridge", "mtu"}
    assert info["mac"] == info["interfaces"][0]["mac"]
    assert json.loads(potnet("-o json list"))[0]["name"] == "casserole"
    network = json.loads(potnet("show -o json"))
    assert set(network) == {"network", "gateway", "dns", "addresses"}
    assert {entry["kind"] for entry in network["addresses"]} == {
        "network", "gateway", "dns", "pot", "bridge", "broadcast",
    }  # fmt: skip
    bridge = json.loads(potnet("show -b stove -o json"))
    assert set(bridge) == {"bridge", "network", "gateway", "network6", "size", "free", "addresses"}
    assert (bridge["size"], bridge["free"]) == (4, 5)
    assert "redirections" in json.loads(potnet("show -p casserole -o json"))


def test_a_dry_run_of_several_pots_is_what_their_start_does(
    potnet: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("casserole", "ragout", "stew"):
        potnet(f"create -p {name} -N public-bridge -S dual")
    potnet("create -p dns -N public-bridge")
    potnet("create -p soup -N public-bridge -d pot")
    for verb in ("start", "stop"):
        planned = potnet(f"{verb} --all -n").splitlines()
        capsys.readouterr()
        assert run([verb, "--all", "-v"]) == 0
        done = capsys.readouterr().err.replace("potnet: + ", "").splitlines()
        looks = (
            *(
                "jls ",
                "stat ",
                "route -n",
                "cat ",
                "sysctl -n",
                "netstat ",
                "hostname",
                "pfctl -s",
                "pfctl -v -s",
                "pgrep ",
                "devfs rule",
                "potnet: ",
            ),
            *("ifconfig -l", "ifconfig -g"),
        )
        shows = [
            line for line in done
            if not line.startswith(looks) and not (line.startswith("ifconfig ") and len(line.split()) == 2)
        ]  # fmt: skip
        assert planned == shows, verb
