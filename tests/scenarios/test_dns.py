"""dns: records of the pots on bridges, for resolvers of the host's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from world import World

from potnet.errors import PotnetError, UsageError
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.dns import text, zones
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


@pytest.fixture
def kitchen(world: World) -> World:
    """Three pots with addresses on two bridges, and two without."""
    world.create("wok", "public-bridge", stack="dual")
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create("kettle", "private-bridge", bridge="stove")
    world.create("pan", "private-bridge", bridge="stove", addresses=("10.192.0.13",))
    world.create("ladle", "alias")
    world.create("spoon", "inherit")
    return world


def written(world: World, form: str, bridge: str | None = None, domain: str | None = None) -> str:
    with world.app() as app:
        return text(app, zones(app, bridge, domain), form)


def test_each_bridge_is_a_zone(kitchen: World) -> None:
    kitchen.executor.commands.clear()
    found = {zone["zone"]: zone["records"] for zone in kitchen.do(zones)}
    names = {zone: [(r["name"], r["type"], r["address"]) for r in records] for zone, records in found.items()}
    assert names == {
        "public": [("wok.public", "A", "10.192.0.3")],
        "stove": [("kettle.stove", "A", "10.192.0.10"), ("pan.stove", "A", "10.192.0.13")],
    }
    assert not kitchen.executor.commands  # The store knows.


def test_one_domain_takes_all(kitchen: World) -> None:
    (zone,) = kitchen.do(zones, None, "pots.example.org.")
    assert zone["zone"] == "pots.example.org"
    assert [r["name"].partition(".")[0] for r in zone["records"]] == ["wok", "kettle", "pan"]
    (zone,) = kitchen.do(zones, "stove", "pots.example.org")
    assert [r["bridge"] for r in zone["records"]] == ["stove", "stove"]


def test_lines_for_unbound(kitchen: World) -> None:
    assert written(kitchen, "unbound", "stove") == (
        'server:\n\tlocal-zone: "stove." transparent\n'
        '\tlocal-data: "kettle.stove. A 10.192.0.10"\n\tlocal-data-ptr: "10.192.0.10 kettle.stove."\n'
        '\tlocal-data: "pan.stove. A 10.192.0.13"\n\tlocal-data-ptr: "10.192.0.13 pan.stove."'
    )


def test_lines_for_hosts(kitchen: World) -> None:
    assert written(kitchen, "hosts") == (
        "10.192.0.3 wok.public wok\n10.192.0.10 kettle.stove kettle\n10.192.0.13 pan.stove pan"
    )


def test_servers_take_what_is_written(kitchen: World, tmp_path: Path) -> None:
    unbound, dnsmasq = shutil.which("unbound-checkconf"), shutil.which("dnsmasq")
    if unbound is None or dnsmasq is None:
        pytest.skip("unbound and dnsmasq are not installed")
    kitchen.create(f"{'x' * 50}_", "public-bridge")
    path = tmp_path / "pots"
    path.write_text('server:\n\tchroot: ""\n\tdirectory: "/"\n' + written(kitchen, "unbound") + "\n")
    subprocess.run([unbound, str(path)], check=True, capture_output=True)
    path.write_text(written(kitchen, "hosts") + "\n")
    subprocess.run([dnsmasq, "--test", "-C", "/dev/null", f"--addn-hosts={path}"], check=True)


def test_a_running_pot_is_known_by_the_address_that_it_has(kitchen: World) -> None:
    kitchen.do(start, ["pan"])
    kitchen.do(
        set_options,
        "pan",
        SettingsRequest(addresses=("10.192.0.12",), resolver=None, hostname=None, command=None, boot=None),
    )
    assert [r["address"] for r in kitchen.do(zones, "stove")[0]["records"]] == ["10.192.0.10", "10.192.0.13"]
    kitchen.do(stop, ["pan"])
    assert [r["address"] for r in kitchen.do(zones, "stove")[0]["records"]] == ["10.192.0.10", "10.192.0.12"]


def test_addresses_that_pots_learn_are_not_known(kitchen: World) -> None:
    assert kitchen.do(zones, "public6") == []
    assert "by SLAAC" in kitchen.notices[-1]


def test_what_is_no_bridge_or_domain_is_refused(kitchen: World) -> None:
    with pytest.raises(PotnetError, match="bridge 'grill' not found"):
        kitchen.do(zones, "grill")
    for domain in ("a..b", "-a", 'x" A 192.0.2.1', "", "a\nb"):
        with pytest.raises(UsageError):
            kitchen.do(zones, None, domain)
    with pytest.raises(UsageError, match="too long"):
        kitchen.do(zones, None, ".".join(["d" * 49] * 5))
