"""dhcp: static leases of the pots on bridges, for servers that serve guests on taps."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from world import World

from potnet.errors import PotnetError
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.reports.dhcp import networks, text


@pytest.fixture
def kitchen(world: World) -> World:
    world.create("wok", "public-bridge", macs=("02:00:00:00:00:01",))
    world.do(create_private_bridge, BridgeRequest("stove", 6, ipv6="auto", mtu=1400))
    for number, name in enumerate(("vm1", "12h", "under_score"), 2):
        mac = (f"02:00:00:00:00:{number:02}",)
        world.create(name, "private-bridge", "dual", bridge="stove", tap=True, macs=mac)
    world.create("ladle", "alias")
    return world


def written(world: World, form: str, bridge: str | None = None) -> str:
    with world.app() as app:
        return text(app, networks(app, bridge), form)


def test_each_pot_on_a_bridge_has_its_leases(kitchen: World) -> None:
    kitchen.executor.commands.clear()
    found = {each["bridge"]: each for each in kitchen.do(networks)}
    assert list(found) == ["public", "stove"]
    assert [(each["pot"], each["mac"], each["address"]) for each in found["public"]["leases"]] == [
        ("wok", "02:00:00:00:00:01", "10.192.0.3")
    ]
    pots = {pot.name: pot for pot in kitchen.records()["pots"]}
    leases = {(each["pot"], each["address"]) for each in found["stove"]["leases"]}
    assert leases == {(n, str(a)) for n in ("vm1", "12h", "under_score") for a in pots[n].leased}
    assert len(leases) == 6
    assert not kitchen.executor.commands  # The store knows.


def test_dnsmasq_accepts_it(kitchen: World, tmp_path: Path) -> None:
    lines = written(kitchen, "dnsmasq").splitlines()
    network = kitchen.do(networks, "stove")[0]["networks"][0]
    assert f"dhcp-option=tag:bridge1,option:router,{network['gateway']}" in lines
    assert "dhcp-option=tag:bridge1,option:mtu,1400" in lines
    assert "ra-param=bridge1,mtu:1400,600" in lines
    hosts = [line for line in lines if line.startswith("dhcp-host=")]
    # One line has both addresses of an interface.
    assert len(hosts) == 4
    # dnsmasq would take 12h for the time of the lease.
    assert sum(line.endswith("],vm1") for line in hosts) == 1
    assert not [line for line in hosts if line.endswith(("12h", "under_score"))]
    if shutil.which("dnsmasq") is None:
        pytest.skip("dnsmasq is not installed")
    (tmp_path / "dnsmasq.conf").write_text("\n".join(lines) + "\n")
    tested = subprocess.run(
        ["dnsmasq", "--test", f"--conf-file={tmp_path}/dnsmasq.conf"], capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stderr


def test_kea_gets_a_subnet_for_each_bridge(kitchen: World) -> None:
    server = json.loads(written(kitchen, "kea"))["Dhcp4"]
    assert server["interfaces-config"] == {"interfaces": ["bridge0", "bridge1"]}
    public, stove = server["subnet4"]
    assert public == {
        "id": 1,
        "subnet": "10.192.0.0/10",
        "interface": "bridge0",
        "option-data": [{"name": "routers", "data": "10.192.0.1"}],
        "reservations": [{"hw-address": "02:00:00:00:00:01", "ip-address": "10.192.0.3", "hostname": "wok"}],
    }
    assert {"name": "interface-mtu", "data": "1400"} in stove["option-data"]
    assert [each.get("hostname") for each in stove["reservations"]].count("vm1") == 1
    (six,) = json.loads(written(kitchen, "kea6"))["Dhcp6"]["subnet6"]
    assert [len(each["ip-addresses"]) for each in six["reservations"]] == [1, 1, 1]


def test_no_server_answers_where_another_one_does(world: World) -> None:
    world.create("tea", "public-bridge", "ipv6")
    with pytest.raises(PotnetError, match="SLAAC"):
        world.do(networks, "public6")
    assert world.do(networks) == []
