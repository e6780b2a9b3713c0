"""Bridges that are part of a LAN: the interface that joins them, free addresses, and those by DHCP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from potnet.errors import HostError
from potnet.host.actions import AddMember, CreateBridge, DestroyInterface, Plan, RemoveMember, Step
from potnet.host.state import HostState, Interface
from potnet.host.traits import Tools
from potnet.model.bridges import Bridge, LanNetwork
from potnet.model.pots import Attachment, Pot
from potnet.planning.rc_conf import keeps_addresses, refused_as_member
from potnet.runtime.fast_dataclass import dataclass


def plan_lan_up(bridge: Bridge, description: str, state: HostState) -> Plan:
    """Return the steps that connect a bridge to its LAN. Raises HostError.

    description: of a bridge that potnet makes. The interface that joins it must be observed.
    """
    found, tools = state.interfaces.get(bridge.interface), state.traits.tools
    if bridge.joined is not None:
        raise _unusable(bridge, found, tools)
    member = bridge.member
    assert member is not None
    check_member(member, state)
    add = AddMember(bridge.interface, member)
    notice = f"{member} joins {bridge.interface} for bridge {bridge.name}, which may interrupt its link"
    if found is None:
        create = CreateBridge(bridge.interface, description, mtu=bridge.mtu)
        made = Step(create, DestroyInterface(bridge.interface), f"the bridge {bridge.name}")
        return Plan((made, Step(add, None, "the LAN")), (notice,))
    if not found.up:
        command = tools.bring_up.format(interface=found.name)
        raise HostError(f"{found.name} is down", hint=f"`{command}`, or stop the pots on it")
    return Plan((Step(add, RemoveMember(bridge.interface, member), "the LAN"),), (notice,))


def _unusable(bridge: Bridge, found: Interface | None, tools: Tools) -> HostError:
    """Return the error for a bridge of the host that is down or gone."""
    if found is not None and found.bridge:
        command = tools.bring_up.format(interface=found.name)
        return HostError(
            f"the host's bridge {found.name}, which {bridge.name} joins, is down", f"`{command}`"
        )
    what = "is not a bridge any more" if found is not None else "does not exist"
    return HostError(
        f"the host's bridge {bridge.joined}, which {bridge.name} joins, {what}", hint="bring the bridge back"
    )


def check_member(name: str, state: HostState) -> None:
    """Raises HostError if an observed interface of the host cannot join a bridge."""
    found, tools = state.interfaces.get(name), state.traits.tools
    if found is None:
        raise HostError(f"the host has no interface {name}", hint=f"`{tools.list_interfaces}` lists them")
    if found.wireless:
        raise HostError(
            f"{name} is a wireless interface, which cannot join a bridge: its access point drops the frames "
            "of pots",
            hint="use a wired interface, or -N public-bridge",
        )
    if not found.up:
        raise HostError(
            f"{name} is down: the bridge would carry nothing",
            hint=f"`{tools.bring_up.format(interface=name)}`; also set it up at boot",
        )
    if refused_as_member(found, state):
        raise keeps_addresses(found, state, "then join that bridge")
    own = [str(a.address) for a in found.addresses if not a.address.is_link_local()]
    if own and not state.traits.members_reached:
        raise HostError(
            f"{name} has {', '.join(own)}, and a member of a bridge loses its own traffic",
            hint=f"move its addresses to a bridge of the host with {name} on it, and join that bridge",
        )


def holder(address: IPAddress, interfaces: Iterable[Interface]) -> str | None:
    """Return the interface of the host that has an address."""
    return next((each.name for each in interfaces if each.has(address)), None)


def reaches(network: IPNetwork, interfaces: Iterable[Interface]) -> bool:
    """Whether the host has an address in a network, so that it can ask the machines there."""
    return any(a.address in network for each in interfaces for a in each.addresses)


def taken_by(network: LanNetwork, address: IPAddress, state: HostState, own_mac: str = "") -> str | None:
    """Return who has an address of a LAN, in words; None if the address seems to be free."""
    interface = holder(address, state.interfaces.values())
    if interface is not None:
        return f"the host, on {interface}"
    if address == network.gateway:
        return "the gateway of the LAN"
    mac = state.answering.get(address)
    if mac is None or (own_mac and mac == own_mac):
        return None
    return f"the machine with the MAC address {mac}" if mac else "a machine of the LAN, which answers"


@dataclass(frozen=True, slots=True)
class Learned:
    """The result of DHCP for an interface of a pot.

    confirmed: the recorded address. wanted: the address to record. seen: an address of the interface, if it
    has one; why: why it is not confirmed.
    """

    pot: str
    bridge: str
    interface: str
    confirmed: IPAddress | None = None
    wanted: IPAddress | None = None
    seen: IPAddress | None = None
    why: str = ""


def learn(pot: str, own: Attachment, seen: Iterable[tuple[IPAddress, str | None]]) -> Learned:
    """Return what an attachment got. seen: its IPv4 addresses, each with why it is not confirmed.

    The recorded address comes first: a jail may have several.
    """
    base = Learned(pot, own.bridge, own.jail_end, own.address)
    reasons = sorted(seen, key=lambda each: each[0] != own.address)
    good = next((address for address, why in reasons if why is None), None)
    if good is not None:
        return replace(base, wanted=good, seen=good)
    if not reasons:
        return base
    return replace(base, seen=reasons[0][0], why=reasons[0][1] or "")


def unfit_by_dhcp(network: LanNetwork, address: IPAddress, state: HostState) -> str | None:
    """Return why an address cannot be one by DHCP; the interfaces of the host must be observed."""
    if address not in network.network:
        return f"it is outside {network.network}"
    if int(address) in (network.network.first, network.network.last):
        return f"it is the network or broadcast address of {network.network}"
    if network.range is not None and network.range[0] <= address <= network.range[1]:
        return f"it is inside the range {network.range[0]}-{network.range[1]}, which potnet leases itself"
    who = taken_by(network, address, state)
    return f"it is in use by {who}" if who is not None else None


def recorded(pot: Pot, found: Iterable[Learned]) -> Pot:
    """Return a pot with these addresses by DHCP."""
    wanted = {(each.bridge, each.interface): each.wanted for each in found}
    return replace(
        pot,
        attachments=tuple(
            replace(a, address=wanted[a.bridge, a.jail_end])
            if a.dhcp and (a.bridge, a.jail_end) in wanted
            else a
            for a in pot.attachments
        ),
    )


def without_leases(pot: Pot) -> Pot:
    """Return a pot without its addresses by DHCP, which end with its start."""
    return replace(pot, attachments=tuple(replace(a, address=None) if a.dhcp else a for a in pot.attachments))
