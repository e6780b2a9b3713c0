"""Differences on the bridges that must be up."""

from __future__ import annotations

from collections.abc import Iterator

from potnet.host.actions import AddMember, BringUp, CreateBridge, DestroyInterface, Step
from potnet.host.findings import Finding, Kind
from potnet.host.state import HostState, Interface, InterfaceAddress
from potnet.host.traits import Tools
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import GROUP, Attachment, Run
from potnet.planning import vnet
from potnet.planning.check.drift import Drift, Facts, bridge_anchors, rules_drift
from potnet.planning.check.interface import (
    address_finding,
    down_finding,
    mtu_drift,
    others_of_family,
    set_address,
)
from potnet.planning.check.lan import compare_lan_addresses, compare_member, compare_translation, joining
from potnet.planning.check.uplink import compare_uplink
from potnet.planning.members import join
from potnet.planning.uplink import make, read_uplink


def compare_bridges(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Compare the bridges that must be up: interface, addresses and unexpected members."""
    for anchor, rules, bridge in bridge_anchors(facts):
        yield from rules_drift(anchor, rules, state, bridge=bridge.name)
    for bridge in facts.wanted:
        found = state.interfaces.get(bridge.interface)
        if bridge.joined is not None:
            yield from _joined(bridge, found, facts, state.traits.tools)
        elif found is None:
            yield _missing_bridge(bridge, facts, state)
        elif found.description != vnet.description(bridge):
            remedy = "stop the pots on it and start them again: they get a bridge with another number"
            yield Drift(_bridge_finding(bridge, "something else of that name", remedy, repairable=False))
        elif _lacks_uplink(bridge, found, facts):
            yield _missing_uplink(bridge, facts, state)
        else:
            yield from _bridge(bridge, found, facts, state)
    yield from compare_lan_addresses(facts, state)
    yield from compare_translation(facts, state)


def _joined(bridge: Bridge, found: Interface | None, facts: Facts, tools: Tools) -> Iterator[Drift]:
    """Compare a bridge of the host that replaces one of potnet's; potnet repairs nothing on it."""
    if found is None or not found.bridge:
        remedy = "bring it back; or stop the pots on it and start them again"
        what = "none" if found is None else "something else of that name"
        yield Drift(_bridge_finding(bridge, what, remedy, repairable=False))
        return
    if not found.up:
        finding = Finding(
            Kind.INTERFACE_DOWN, "up", "down", f"`{tools.bring_up.format(interface=found.name)}`",
            bridge=bridge.name, interface=found.name, repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    if bridge.lan is None and facts.external not in (None, found.name):
        finding = Finding(
            Kind.MEMBER_MISSING, f"pots with IPv6 by SLAAC are in the network of {facts.external}",
            f"they are on {found.name}", "stop them and start them again", bridge=bridge.name,
            interface=facts.external, repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _bridge_finding(bridge: Bridge, found: str, remedy: str, repairable: bool = True) -> Finding:
    return Finding(
        Kind.BRIDGE_MISSING, f"the bridge {bridge.interface}", found, remedy, bridge=bridge.name,
        interface=bridge.interface, repairable=repairable,
    )  # fmt: skip


def _missing_bridge(bridge: Bridge, facts: Facts, state: HostState) -> Drift:
    finding = _bridge_finding(
        bridge, "none", "repair creates it, with its address and the running pots on it"
    )
    return Drift(finding, _make(bridge, facts, state))


def _make(bridge: Bridge, facts: Facts, state: HostState) -> tuple[Step, ...]:
    uplink = (facts.external,) if bridge.kind is BridgeKind.PUBLIC6 and facts.external else ()
    mtu = bridge.mtu if not uplink else None
    create = CreateBridge(bridge.interface, vnet.description(bridge), uplink, mtu)
    here = ((run, a) for run in facts.active for a in run.pot.attachments if a.bridge == bridge.name)
    # An incomplete wire is made again, and joins the bridge then.
    whole = [(run, own) for run, own in here if _is_whole(run, own, state)]
    return (
        Step(create, None, f"the bridge {bridge.name}"),
        *_vlan(bridge, state),
        *joining(bridge, state),
        *(
            Step(set_address(wanted, bridge.interface), None, "the pots' gateway")
            for wanted in _gateways(bridge)
        ),
        *(Step(join(run.pot, own, bridge, facts.config)) for run, own in whole),
    )


def _vlan(bridge: Bridge, state: HostState) -> tuple[Step, ...]:
    """Join a bridge that was made again to its VLAN."""
    if bridge.uplink is None:
        return ()
    vlan = read_uplink(bridge.uplink)
    if vlan.interface in state.interfaces:
        return (Step(AddMember(bridge.interface, vlan.interface)),)
    return tuple(make(bridge, vlan)) if vlan.parent in state.interfaces else ()


def _gateways(bridge: Bridge) -> list[InterfaceAddress]:
    return [InterfaceAddress(subnet.gateway, subnet.network.prefixlen) for subnet in bridge.subnets]


def _is_whole(run: Run, own: Attachment, state: HostState) -> bool:
    """Whether both ends of an epair are in place; a jail that was not observed counts as correct."""
    network = state.jail_networks.get(run.pot.name)
    return own.host_end in state.interfaces and (network is None or own.jail_end in network.interfaces)


def _lacks_uplink(bridge: Bridge, found: Interface, facts: Facts) -> bool:
    return bridge.kind is BridgeKind.PUBLIC6 and facts.external not in found.members


def _missing_uplink(bridge: Bridge, facts: Facts, state: HostState) -> Drift:
    """Report a missing uplink. The pots cannot reach the outside, so a new bridge interrupts nothing."""
    finding = Finding(
        Kind.MEMBER_MISSING, f"{facts.external} is on {bridge.interface}", "it is not",
        "repair recreates the bridge", bridge=bridge.name, interface=facts.external,
        repairable=facts.external is not None,
    )  # fmt: skip
    if facts.external is None:
        return Drift(finding)
    destroy = Step(DestroyInterface(bridge.interface), None, "to be made anew")
    return Drift(finding, (destroy, *_make(bridge, facts, state)))


def _bridge(bridge: Bridge, found: Interface, facts: Facts, state: HostState) -> Iterator[Drift]:
    for wanted in _gateways(bridge):
        if wanted not in found.addresses:
            action = set_address(wanted, found.name, beside=bool(others_of_family(wanted, found)))
            step = Step(action, None, "the pots' gateway")
            yield Drift(address_finding(wanted, found, bridge=bridge.name), (step,))
    if not found.up:
        yield Drift(down_finding(found, bridge=bridge.name), (Step(BringUp(found.name)),))
    if bridge.mtu not in (None, found.mtu):
        yield mtu_drift(found, int(bridge.mtu or 0), bridge)
    yield from compare_uplink(bridge, found, state)
    yield from compare_member(bridge, found, state)
    uplink = {facts.external} if bridge.kind is BridgeKind.PUBLIC6 else {bridge.joins}
    ends = {a.host_end for run in facts.runs for a in run.pot.attachments}
    for member in found.members:
        known = member in ends or GROUP in _groups(member, state)
        if not known and member not in uplink:
            remedy = "potnet leaves it alone: remove it with the program that added it"
            finding = Finding(
                Kind.MEMBER_FOREIGN, "pots only", f"{member} is on {found.name}", remedy,
                bridge=bridge.name, interface=member, repairable=False,
            )  # fmt: skip
            yield Drift(finding)


def _groups(name: str, state: HostState) -> frozenset[str]:
    found = state.interfaces.get(name)
    return found.groups if found is not None else frozenset()
