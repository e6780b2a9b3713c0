"""Clients that go on talking while what they talk to becomes an export, stops being one, or moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import World

from potnet.executors.base import Command
from potnet.executors.simulated.packets.calls import Call
from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.init import init
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ANCHORS = """nat-anchor "pot-nat"
nat-anchor "pot-rdr/*"
rdr-anchor "pot-rdr/*"
anchor "pot-filter/*"
"""
PORT, EXPORT = 5353, ["udp:53:5353"]


def asks(world: World, source: str = "outside", address: str = "") -> str:
    """Who answers a client that always has the same port: a pot, or nobody."""
    made = world.host.call(Call(source, address or world.address, PORT, "udp", own_port=45454))
    return str(made.server) if made.ok else ""


def states(world: World) -> list[str]:
    return str(world.host.run(Command(("pfctl", "-s", "states"))).out).splitlines()


@pytest.fixture
def kept(world: World) -> World:
    """A host whose own ruleset keeps states; web exports, and other runs."""
    world.do(init, True, True)
    world.do_there("pfctl", "-f", "-", stdin=f"{ANCHORS}pass all keep state\n")
    for name in ("web", "other"):
        world.create(name, "public-bridge")
    return world


Step = Callable[[World], object]


def _remove(world: World) -> None:
    world.do(export_ports, "web", ExportRequest(EXPORT, False, change=Change.REMOVE))


def _flushed(world: World) -> None:
    world.do_there("pfctl", "-a", "pot-rdr/web", "-F", "nat")


#: What takes an export away while a client goes on, and what brings one back.
GONE: dict[str, tuple[Step, Step]] = {
    "stop and start": (lambda w: w.do(stop, ["web"]), lambda w: w.do(start, ["web"])),
    "removed and added": (
        _remove,
        lambda w: w.do(export_ports, "web", ExportRequest(EXPORT, False, change=Change.ADD)),
    ),
    "flushed and repaired": (_flushed, lambda w: w.do(repair, [], None)),
    "flushed and loaded": (_flushed, lambda w: w.do(vnet_start, None)),
}


@pytest.mark.parametrize("source", ["outside", "other"])
@pytest.mark.parametrize("way", GONE)
def test_a_client_that_goes_on_reaches_the_export_again(kept: World, way: str, source: str) -> None:
    kept.do(export_ports, "web", ExportRequest(EXPORT))
    kept.do(start, ["web", "other"])
    assert asks(kept, source) == "web"
    away, back = GONE[way]
    away(kept)
    if "flushed" in way:
        kept.do_there("pfctl", "-F", "states")
    assert [asks(kept, source) for _ in range(3)] == ["", "", ""]
    back(kept)
    assert asks(kept, source) == "web"
    assert kept.do(check, [], None) == ()


def test_the_simulated_client_is_held_by_its_state(kept: World) -> None:
    """As record 59 has it: without what is tested here the export would stay dead."""
    kept.do(start, ["web"])
    assert asks(kept) == ""
    rule = f"rdr pass on em0 inet proto udp from any to (em0:0) port {PORT} -> 10.192.0.3 port 53\n"
    kept.do_there("pfctl", "-a", "pot-rdr/web", "-f", "-", stdin=rule)
    assert asks(kept) == ""
    kept.do_there("pfctl", "-F", "states")
    assert asks(kept) == "web"


@pytest.mark.parametrize("source", ["outside", "third"])
def test_an_export_that_moves_takes_its_clients_along(kept: World, source: str) -> None:
    kept.create("third", "public-bridge")
    kept.do(export_ports, "web", ExportRequest(EXPORT))
    kept.do(start, ["web", "other", "third"])
    assert asks(kept, source) == "web"
    _remove(kept)
    assert asks(kept, source) == ""
    kept.do(export_ports, "other", ExportRequest(EXPORT))
    assert asks(kept, source) == "other"
    kept.do(export_ports, "other", ExportRequest(["80:30080"]))
    assert asks(kept, source) == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.178.20"])
def test_the_host_itself_reaches_it_at_once(kept: World, address: str) -> None:
    kept.do(start, ["web"])
    assert asks(kept, "host", address) == ""
    kept.do(export_ports, "web", ExportRequest(EXPORT, True))
    assert asks(kept, "host", address) == "web"


def test_others_keep_their_states(kept: World) -> None:
    """Connections to other machines' port, to further addresses of the host, and by other protocols."""
    kept.add_address("192.168.178.77/24")
    kept.do(start, ["web", "other"])
    asks(kept, "outside", "192.168.178.77")
    kept.host.connect("other", "192.168.178.99", PORT, "udp")
    kept.host.connect("outside", kept.address, PORT, "tcp")
    before = states(kept)
    assert len(before) > 2
    kept.do(export_ports, "web", ExportRequest(EXPORT))
    assert states(kept) == before
