"""A bridge that takes only so many members: the next pot is refused before anything is changed."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from potnet.config import configuration
from potnet.errors import HostError
from potnet.host.state import FileKind, HostState, Interface, InterfaceAddress, PacketFilter
from potnet.host.traits import Traits
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import Attachment, NetworkType, Pot, Stack
from potnet.planning.start import Surroundings, plan_start
from potnet.planning.vnet import Vnet, description

BRIDGE = Bridge("public", BridgeKind.PUBLIC, 0, IPNetwork("10.192.0.0/10"), IPAddress("10.192.0.1"))
POT = Pot(
    name="casserole",
    network_type=NetworkType.PUBLIC_BRIDGE,
    stack=Stack.IPV4,
    root="/jails/casserole",
    attachments=(Attachment("public", 7, "02:00:00:00:00:07", IPAddress("10.192.0.7")),),
)


def state(members: int, ports: int | None) -> HostState:
    """A host whose bridge has so many members of so many that it takes."""
    bridge = Interface(
        "bridge0",
        up=True,
        description=description(BRIDGE),
        addresses=(InterfaceAddress(IPAddress("10.192.0.1"), 10),),
        members=tuple(f"epair{number}a" for number in range(100, 100 + members)),
    )
    return HostState(
        traits=Traits(bridge_ports=ports, etc="/etc/netns"),
        interfaces={"bridge0": bridge},
        packet_filter=PacketFilter(self_contained=True),
        files={POT.root: FileKind.DIRECTORY, "/etc/netns/casserole": FileKind.ABSENT},
    )


def plan(members: int, ports: int | None) -> int:
    around = Surroundings(Vnet((BRIDGE,)), {"public": BRIDGE})
    return len(plan_start(POT, around, configuration.load(None), state(members, ports)).steps)


def test_a_full_bridge_is_refused() -> None:
    with pytest.raises(HostError, match="is full: a bridge holds") as caught:
        plan(1023, 1023)
    assert "create-private-bridge" in (caught.value.hint or "")


@pytest.mark.parametrize(("members", "ports"), [(1022, 1023), (5000, None)])
def test_a_bridge_with_room_is_not(members: int, ports: int | None) -> None:
    assert plan(members, ports) > 3
