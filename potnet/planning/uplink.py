"""The VLAN that a bridge joins: a vlan(4) interface, a member that is made and destroyed with the bridge."""

from __future__ import annotations

import re

from potnet.errors import HostError
from potnet.host.actions import AddMember, CreateVlan, DestroyInterface, Step
from potnet.host.state import HostState
from potnet.model.bridges import Bridge
from potnet.model.pots import GROUP
from potnet.runtime.fast_dataclass import dataclass

#: Prefix of the description of each of potnet's VLAN interfaces.
DESCRIPTION = f"{GROUP} uplink "
#: The MTU of Ethernet, in bytes, which a bridge has by default.
USUAL_MTU = 1500
#: IEEE 802.1Q reserves 0 and 4095.
LARGEST_TAG = 4094
_UPLINK = re.compile(r"(?P<parent>[A-Za-z0-9_][A-Za-z0-9_-]*)\.(?P<tag>[1-9][0-9]{0,3})", re.ASCII)
#: Maximum length of an interface name (IFNAMSIZ, with the NUL).
_LONGEST = 15


@dataclass(frozen=True, slots=True)
class Vlan:
    """A VLAN on an interface of the host. tag: its number, 1 to 4094."""

    parent: str
    tag: int

    @property
    def interface(self) -> str:
        return f"{self.parent}.{self.tag}"


def read_uplink(text: str) -> Vlan:
    """Parse ``PARENT.TAG`` (ifconfig(8)); raises ValueError with the reason."""
    match = _UPLINK.fullmatch(text)
    if match is None:
        raise ValueError("not a VLAN on an interface")
    if int(match["tag"]) > LARGEST_TAG:
        raise ValueError(f"VLANs are 1 to {LARGEST_TAG}")
    if len(text) > _LONGEST:
        raise ValueError(f"too long for the name of an interface, which holds {_LONGEST} characters")
    return Vlan(match["parent"], int(match["tag"]))


def description(bridge: Bridge) -> str:
    """Return the description that ifconfig(8) shows for the uplink of a bridge."""
    return f"{DESCRIPTION}{bridge.name}"


def looked_at(bridge: Bridge) -> tuple[str, ...]:
    """Return the interfaces that must be observed before `plan_uplink`."""
    return (read_uplink(bridge.uplink).parent, bridge.uplink) if bridge.uplink is not None else ()


def plan_uplink(bridge: Bridge, state: HostState) -> list[Step]:
    """Return the steps that make the uplink of an existing bridge and join the two. Raises HostError."""
    if bridge.uplink is None:
        return []
    vlan = read_uplink(bridge.uplink)
    check_parent(vlan, bridge.mtu, state)
    found = state.interfaces.get(vlan.interface)
    if found is not None and not (GROUP in found.groups and found.description == description(bridge)):
        raise HostError(
            f"the host has {vlan.interface} already, which potnet did not make, and {bridge.name} needs it",
            hint="choose another VLAN for the bridge",
        )
    left = [Step(DestroyInterface(vlan.interface), None, "to be made anew")] if found is not None else []
    return [*left, *make(bridge, vlan)]


def make(bridge: Bridge, vlan: Vlan) -> list[Step]:
    """Return the steps that make a missing uplink and join it to its bridge."""
    # The uplink is the first member, and a bridge takes the MTU of its first member.
    create = CreateVlan(vlan.interface, vlan.parent, vlan.tag, description(bridge), bridge.mtu or USUAL_MTU)
    return [
        Step(create, DestroyInterface(vlan.interface), f"{bridge.name} is part of a VLAN"),
        Step(AddMember(bridge.interface, vlan.interface)),
    ]


def check_parent(vlan: Vlan, mtu: int | None, state: HostState) -> None:
    """Raises HostError if an observed interface cannot carry a VLAN with this MTU."""
    parent = state.interfaces.get(vlan.parent)
    if parent is None:
        raise HostError(
            f"the host has no interface {vlan.parent}, for the uplink {vlan.interface}",
            hint=f"`{state.traits.tools.list_interfaces}` lists them; a running pot may have taken it",
        )
    if not parent.up:
        raise HostError(
            f"{vlan.parent} is down: the uplink {vlan.interface} would carry nothing",
            hint=f"`{state.traits.tools.bring_up.format(interface=vlan.parent)}`; also set it up at boot",
        )
    if parent.mtu < (mtu or USUAL_MTU):
        raise HostError(
            f"{vlan.parent} has the MTU {parent.mtu}: {vlan.interface} cannot have {mtu or USUAL_MTU}",
            hint="make the bridge with a smaller --mtu, or give the interface a larger one",
        )
