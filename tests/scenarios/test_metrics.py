"""metrics: figures that follow what pots do."""

from __future__ import annotations

import re

import pytest
from world import World

from potnet.drivers.base import CommandError
from potnet.executors.base import Command, CommandResult
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.reports.metrics import metrics
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: The metrics whose samples are those of interfaces of pots.
OF_INTERFACES = [
    f"pot_{way}_{what}_total"
    for way in ("receive", "transmit")
    for what in ("bytes", "packets", "errors")
]  # fmt: skip
TO_EXPORT = ("outside", "192.168.178.20", 30080)


def figures(world: World) -> dict[str, dict[tuple[str, ...], int]]:
    """By metric: the values by the values of their labels."""
    return {
        metric["name"].removeprefix("potnet_"): {
            tuple(sample["labels"].values()): sample["value"] for sample in metric["samples"]
        }
        for metric in world.do(metrics)
    }


@pytest.fixture
def kitchen(world: World) -> World:
    """Two running pots on different bridges, the first with exports, and one that is stopped."""
    world.create("wok", "public-bridge")
    world.do(export_ports, "wok", ExportRequest(["80:30080", "udp:53:30053"]))
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create("kettle", "private-bridge", bridge="stove")
    world.create("ladle", "alias")
    world.do(start, ["wok", "kettle"])
    return world


def test_a_host_without_pots(bare_world: World) -> None:
    found = figures(bare_world)
    assert found["pots"] == {("running",): 0, ("stopped",): 0}
    assert found["store_size_bytes"][()] > 10_000
    counted = [name for name, samples in found.items() if name.endswith("_total") and samples]
    assert all(name.startswith("uplink_") for name in counted)
    assert [key for name in counted for key in found[name]] == [("em0",)] * 6


def test_what_is_defined_and_what_runs(kitchen: World) -> None:
    found = figures(kitchen)
    assert found["pots"] == {("running",): 2, ("stopped",): 1}
    assert found["pot_running"] == {
        ("kettle", "private-bridge"): 1,
        ("ladle", "alias"): 0,
        ("wok", "public-bridge"): 1,
    }
    assert found["bridge_up"] == {("public", "bridge0"): 1, ("stove", "bridge1"): 1}
    assert found["network_leases"] == {("public", "ipv4"): 1, ("stove", "ipv4"): 1}
    assert found["network_free_addresses"]["stove", "ipv4"] == 4
    kitchen.do(stop, ["kettle"])
    after = figures(kitchen)
    assert after["bridge_up"]["stove", "bridge1"] == 0
    assert after["pots"][("running",)] == 1
    assert [key[0] for name in OF_INTERFACES for key in after[name]] == ["wok"] * 6


def test_traffic_is_counted_as_the_pot_sees_it(kitchen: World) -> None:
    wok = ("wok", "public", "epair0b")
    before = figures(kitchen)
    assert all(set(before[name].values()) == {0} for name in OF_INTERFACES)
    assert kitchen.host.connect(*TO_EXPORT).ok
    found = figures(kitchen)
    # One packet of 60 octets there and one of 40 back, each with an Ethernet header.
    assert (found["pot_receive_bytes_total"][wok], found["pot_transmit_bytes_total"][wok]) == (74, 54)
    assert (found["pot_receive_packets_total"][wok], found["pot_transmit_packets_total"][wok]) == (1, 1)
    assert kitchen.host.connect("wok", "192.168.178.1", 80).ok
    found = figures(kitchen)
    assert (found["pot_receive_bytes_total"][wok], found["pot_transmit_bytes_total"][wok]) == (128, 128)
    kettle = [found[name][("kettle", "stove", "epair1b")] for name in OF_INTERFACES]
    assert kettle == [0] * 6


def test_names_and_labels_are_as_prometheus_has_them(kitchen: World) -> None:
    """Each family once and whole, each sample of it once, and counters called _total."""
    found = kitchen.do(metrics)
    names = [metric["name"] for metric in found]
    assert len(set(names)) == len(names)
    for metric in found:
        assert re.fullmatch(r"potnet_[a-z_]+", metric["name"])
        assert metric["name"].endswith("_total") == (metric["type"] == "counter")
        labels = [tuple(sorted(sample["labels"].items())) for sample in metric["samples"]]
        assert len(set(labels)) == len(labels)
        assert all(re.fullmatch(r"[a-z][a-z_]*", label) and value for each in labels for label, value in each)


def test_what_leads_outside_is_counted(kitchen: World) -> None:
    kitchen.host.plug("em1")
    kitchen.host.plug("em2")
    kitchen.configure('[network.extra_interfaces]\nem1 = "198.51.100.0/24"\nem9 = "203.0.113.0/24"\n')
    kitchen.do(create_private_bridge, BridgeRequest("floor", 4, uplink="em2.30"))
    kitchen.create("lid", "private-bridge", bridge="floor")
    assert [*figures(kitchen)["uplink_receive_bytes_total"]] == [("em0",), ("em1",)]
    kitchen.do(start, ["lid"])
    before = figures(kitchen)
    assert [*before["uplink_receive_bytes_total"]] == [("em0",), ("em1",), ("em2.30", "floor")]
    assert kitchen.host.connect("wok", "192.168.178.1", 80).ok
    found = figures(kitchen)
    for way in ("receive", "transmit"):
        name = f"uplink_{way}_packets_total"
        assert found[name]["em0",] == before[name]["em0",] + 1
        assert found[name]["em1",] == before[name]["em1",]


def test_exports_are_counted_from_wherever_they_are_used(kitchen: World) -> None:
    tcp, udp = ("wok", "tcp", "30080", "80"), ("wok", "udp", "30053", "53")
    assert figures(kitchen)["export_connections_total"] == {tcp: 0, udp: 0}
    assert kitchen.host.connect(*TO_EXPORT).ok
    assert kitchen.host.connect("kettle", *TO_EXPORT[1:]).ok
    found = figures(kitchen)
    assert found["export_connections_total"] == {tcp: 2, udp: 0}
    assert found["export_packets_total"] == {tcp: 4, udp: 0}
    assert found["export_bytes_total"] == {tcp: 200, udp: 0}
    kitchen.do(export_ports, "wok", ExportRequest(["80:30080", "443:30443"]))
    # The rules are new, and so are their counters.
    assert set(figures(kitchen)["export_connections_total"].values()) == {0}
    kitchen.do(stop, ["wok"])
    assert figures(kitchen)["export_connections_total"] == {}


def test_the_number_of_commands_grows_with_pots_that_export_only(kitchen: World) -> None:
    kitchen.executor.commands.clear()
    kitchen.do(metrics)
    few = [command.argv[0] for command in kitchen.executor.commands]
    assert sorted(few) == ["ifconfig", "jls", "netstat", "pfctl", "route"]
    for name in ("a", "b", "c"):
        kitchen.create(name, "public-bridge")
    kitchen.do(start, ["a", "b", "c"])
    kitchen.executor.commands.clear()
    kitchen.do(metrics)
    assert len(kitchen.executor.commands) == len(few)
    assert kitchen.executor.changes == 0


def test_what_cannot_be_read_is_told(kitchen: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = kitchen.host.run

    def answer(command: Command) -> CommandResult:
        broken = command.argv[0] == "netstat"
        return CommandResult(1, "", "netstat: sysctl: broken\n") if broken else run(command)

    monkeypatch.setattr(kitchen.host, "run", answer)
    with pytest.raises(CommandError, match="netstat"):
        kitchen.do(metrics)
