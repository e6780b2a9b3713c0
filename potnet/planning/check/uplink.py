"""Drift of the VLAN that is the uplink of a bridge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from potnet.host.actions import AddMember, BringUp, RemoveMember, SetMtu, Step
from potnet.host.findings import Finding, Kind
from potnet.host.state import HostState, Interface
from potnet.host.traits import Tools
from potnet.model.bridges import Bridge
from potnet.model.pots import GROUP
from potnet.planning import uplink
from potnet.planning.check.drift import Drift


def compare_uplink(bridge: Bridge, found: Interface, state: HostState) -> Iterator[Drift]:
    """Compare the uplink of an existing bridge: the interface, its parent and its place on the bridge."""
    if bridge.uplink is None:
        return
    vlan = uplink.read_uplink(bridge.uplink)
    parent, there = state.interfaces.get(vlan.parent), state.interfaces.get(vlan.interface)
    if parent is None or not parent.up:
        yield _without_parent(bridge, vlan, parent, state.traits.tools)
    if there is None:
        if parent is not None:
            expected = f"{vlan.interface} on {found.name}"
            finding = _finding(bridge, Kind.INTERFACE_MISSING, expected, "none", "repair makes it")
            yield Drift(finding, tuple(uplink.make(bridge, vlan)))
    elif not (GROUP in there.groups and there.description == uplink.description(bridge)):
        remedy = "potnet leaves it alone: once its owner has removed it, repair makes the VLAN"
        what = "something else of that name"
        finding = _finding(bridge, Kind.INTERFACE_FOREIGN, vlan.interface, what, remedy)
        yield Drift(replace(finding, repairable=False))
    else:
        yield from _interface(bridge, there, found, state)


def _finding(bridge: Bridge, kind: Kind, expected: str, found: str, remedy: str) -> Finding:
    """Return a finding about the uplink of a bridge."""
    return Finding(kind, expected, found, remedy, bridge=bridge.name, interface=bridge.uplink)


def _without_parent(bridge: Bridge, vlan: uplink.Vlan, parent: Interface | None, tools: Tools) -> Drift:
    expected = f"{vlan.parent}, which carries {vlan.interface}, is up"
    if parent is None:
        finding = _finding(bridge, Kind.INTERFACE_MISSING, expected, "none", f"bring {vlan.parent} back")
    else:
        remedy = f"`{tools.bring_up.format(interface=parent.name)}`"
        finding = _finding(bridge, Kind.INTERFACE_DOWN, expected, "down", remedy)
    return Drift(replace(finding, interface=vlan.parent, repairable=False))


def _interface(bridge: Bridge, there: Interface, found: Interface, state: HostState) -> Iterator[Drift]:
    if there.name not in found.members:
        on = next((each for each in state.interfaces.values() if there.name in each.members), None)
        off = [Step(RemoveMember(on.name, there.name))] if on is not None else []
        where = f"it is on {on.name if on else 'no bridge'}"
        finding = _finding(
            bridge, Kind.MEMBER_MISSING, f"{there.name} is on {found.name}", where, "repair puts it there"
        )
        yield Drift(finding, (*off, Step(AddMember(found.name, there.name))))
    if not there.up:
        finding = _finding(bridge, Kind.INTERFACE_DOWN, "up", "down", "repair brings it up")
        yield Drift(finding, (Step(BringUp(there.name)),))
    mtu = bridge.mtu or uplink.USUAL_MTU
    with_bridge = state.traits.one_mtu and there.name in found.members
    if there.mtu != mtu and not with_bridge:
        finding = _finding(bridge, Kind.MTU_DIFFERS, str(mtu), str(there.mtu), "repair sets it")
        yield Drift(finding, (Step(SetMtu(there.name, mtu, before=there.mtu)),))
