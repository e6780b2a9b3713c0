"""Interface settings: MAC addresses, MTUs, VLANs of bridges, and interfaces passed to pots."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.names import INTERFACE, INTERFACE_HINT
from potnet.model.pots import GROUP, Lent, Pot
from potnet.operations.common import external_interface, require_bridge
from potnet.planning import passed_interfaces
from potnet.planning.uplink import USUAL_MTU, check_parent, read_uplink
from potnet.planning.vnet import refuse_member, refuse_small_mtu

if TYPE_CHECKING:
    from potnet.app import App

#: Facts about the host's interfaces that are required before one is passed to a pot.
_ALL = Query(interfaces=None, members=True, external=True)
_MAC = re.compile("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
#: In bytes; if_bridge(4) accepts no smaller MTU, and an IPv4 datagram is never larger.
SMALLEST_MTU, LARGEST_MTU = 576, 65535


def parse_mac(text: str) -> str:
    """Return a valid unicast MAC address in lower case; raises UsageError."""
    mac = text.lower()
    if not _MAC.fullmatch(mac):
        raise UsageError(f"invalid MAC address {text!r}", hint="write one such as 02:00:00:12:34:56")
    if int(mac[:2], 16) & 1:
        raise UsageError(
            f"invalid MAC address {text}: a group address (IEEE 802)",
            hint="use an even first octet, such as 02",
        )
    if int(mac.replace(":", ""), 16) == 0:
        raise UsageError(f"invalid MAC address {text}: all zero", hint="write one such as 02:00:00:12:34:56")
    return mac


def check_macs(app: App, name: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return the --mac values of a pot; raises PotnetError if one is invalid or in use."""
    macs = tuple(parse_mac(value) for value in values)
    if not macs:
        return ()
    if len(set(macs)) < len(macs):
        raise UsageError("a MAC address is given twice", hint="each interface needs its own")
    shown = app.driver.observe(Query(interfaces=None)).interfaces.values()
    holders = {found.mac: f"{found.name} of the host" for found in shown if found.mac is not None}
    for run in app.store.runs():
        # Addresses that `set` has replaced stay in use until the pots stop.
        theirs = {a.mac: f"pot {run.pot.name}" for a in run.pot.attachments if run.pot.name != name}
        holders |= theirs | {
            each.mac: f"{each.name}, passed to {run.pot.name}" for each in run.lent if each.mac
        }
    for mac in macs:
        if mac in holders:
            raise PotnetError(f"MAC address {mac} is in use by {holders[mac]}", hint="choose another")
    return macs


def with_macs(pot: Pot, macs: Sequence[str]) -> Pot:
    """Give these MAC addresses to the pot's interfaces in order; the other interfaces keep theirs."""
    if len(macs) > len(pot.attachments):
        number = len(pot.attachments)
        times = "once" if len(macs) == 1 else f"{len(macs)} times"
        raise UsageError(
            f"--mac is given {times}, and the pot has {number or 'no'} interface"
            f"{'' if number == 1 else 's'} on bridges",
            hint="each is for one interface, in their order",
        )
    changed = [replace(own, mac=mac, mac_given=True) for own, mac in zip(pot.attachments, macs, strict=False)]
    return replace(pot, attachments=(*changed, *pot.attachments[len(macs) :]))


def check_mtu(mtu: int) -> int:
    """Return a valid MTU of a bridge, in bytes; raises UsageError."""
    if not SMALLEST_MTU <= mtu <= LARGEST_MTU:
        raise UsageError(f"invalid MTU {mtu}", hint=f"use {SMALLEST_MTU} to {LARGEST_MTU} bytes")
    return mtu


def check_bridge_mtu(app: App, bridge: Bridge, mtu: int) -> None:
    """Raises PotnetError if a bridge and its members cannot have an MTU on the present host."""
    ipv6 = bridge.network6 is not None or bridge.kind is BridgeKind.PUBLIC6
    ipv6 = ipv6 or (bridge.lan is not None and bridge.lan.slaac)
    refuse_small_mtu(check_mtu(mtu), 6 if ipv6 else 4)
    _check_member(app, bridge, mtu)
    if bridge.uplink is not None:
        vlan = read_uplink(bridge.uplink)
        check_parent(vlan, mtu, app.driver.observe(Query(interfaces=(vlan.parent,))))


def to_change(app: App, pot: Pot, mtu: int) -> tuple[Bridge, ...]:
    """Return the bridges of a pot with this MTU; raises PotnetError if the pot cannot change a bridge.

    All interfaces on a bridge have the same MTU; the first pot on the bridge can change the MTU.
    """
    if not pot.attachments:
        raise UsageError(f"--mtu is for pots on bridges, not {pot.network_type}")
    changed = []
    for own in pot.attachments:
        bridge = require_bridge(app, own.bridge)
        if 6 in own.families or bridge.network6 is not None:
            refuse_small_mtu(mtu, 6)
        _check_member(app, bridge, mtu)
        others = [name for name in app.store.bridged_names(own.bridge) if name != pot.name]
        if bridge.mtu == mtu:
            continue
        if others and (bridge.mtu or USUAL_MTU) != mtu:
            raise PotnetError(
                f"all on bridge {bridge.name} have the MTU {bridge.mtu or USUAL_MTU}, "
                f"such as {', '.join(others[:3])}",
                hint=f"`potnet set -B {bridge.name} --mtu {mtu}` gives it to all of them",
            )
        changed.append(replace(bridge, mtu=mtu))
    return tuple(changed)


def check_uplink(app: App, text: str, mtu: int | None) -> None:
    """Raises PotnetError if a bridge cannot join this VLAN on the present host."""
    try:
        vlan = read_uplink(text)
    except ValueError as error:
        raise UsageError(f"--uplink {text!r}: {error}", hint="such as em0.30, VLAN 30 on em0") from error
    holder = app.store.passed_to(vlan.parent)
    if holder is not None:
        raise PotnetError(f"{vlan.parent} is passed to pot {holder}", hint="use another interface")
    state = app.driver.observe(Query(interfaces=(vlan.parent, vlan.interface)))
    check_parent(vlan, mtu, state)
    if vlan.parent == "lo0" or GROUP in state.interfaces[vlan.parent].groups:
        raise PotnetError(f"{vlan.parent} leads to no network outside", hint="use an Ethernet interface")
    if vlan.interface in state.interfaces:
        raise PotnetError(
            f"the host has {vlan.interface} already, and potnet makes its own",
            hint="choose another VLAN for the bridge",
        )


def _check_member(app: App, bridge: Bridge, mtu: int) -> None:
    """Raises HostError if an interface of the host on the bridge has another MTU."""
    name = bridge.joins
    if bridge.kind is BridgeKind.PUBLIC6:
        state = app.driver.observe(Query(external=app.config.external_interface is None))
        name = external_interface(app, state)
    found = app.driver.observe(Query(interfaces=(name,))).interfaces if name is not None else {}
    for member in found.values():
        refuse_member(bridge.name, mtu, member)


def parse_passed(values: Sequence[str]) -> tuple[str, ...]:
    """Return the --pass values; raises UsageError for an invalid or repeated interface name."""
    for value in values:
        if not INTERFACE.fullmatch(value):
            raise UsageError(f"--pass: invalid interface name {value!r}", hint=INTERFACE_HINT)
    if len(set(values)) < len(values):
        raise UsageError("an interface is passed twice", hint="once is enough")
    return tuple(values)


def check_passed(app: App, pot: Pot) -> None:
    """Raises PotnetError if interfaces cannot be passed to the pot on the present host."""
    if pot.passed and not pot.network_type.bridged:
        raise UsageError(
            f"--pass is for pots with a network stack of their own, and {pot.network_type} has the host's",
            hint="use -N public-bridge or -N private-bridge",
        )
    for name in pot.passed:
        holder = app.store.passed_to(name)
        if holder not in (None, pot.name):
            raise PotnetError(f"{name} is passed to pot {holder}", hint="choose another interface")
    run = app.store.run(pot.name)
    kept = {each.name for each in run.lent} if run is not None else set()
    lend(app, replace(pot, passed=tuple(name for name in pot.passed if name not in kept)))


def lend(app: App, pot: Pot) -> tuple[Lent, ...]:
    """Return the state of the interfaces passed to a pot; raises HostError if one is otherwise needed."""
    if not pot.passed:
        return ()
    return passed_interfaces.lend(
        pot, _needed(app, pot.name), app.driver.observe(replace(_ALL, indexes=True))
    )


def free_interfaces(app: App) -> tuple[str, ...]:
    """Return the interfaces of the host that can be passed to a pot, sorted."""
    passed = {name for pot in app.store.pots() for name in pot.passed}
    return tuple(sorted(passed_interfaces.free(_needed(app), app.driver.observe(_ALL)) - passed))


def uplink_parents(app: App) -> tuple[str, ...]:
    """Return the interfaces of the host that can carry a VLAN of a bridge, sorted."""
    passed = {name for pot in app.store.pots() for name in pot.passed}
    found = app.driver.observe(_ALL).interfaces.values()
    able = {each.name for each in found if each.up and each.mac is not None and GROUP not in each.groups}
    return tuple(sorted(able - passed))


def _needed(app: App, pot: str | None = None) -> dict[str, str]:
    """Return the interfaces that store and configuration need, with the reason for each."""
    found = {
        name: f"network.extra_interfaces names it ({', '.join(map(str, networks))})"
        for name, networks in app.config.extra_interfaces
    }
    if app.config.external_interface is not None:
        found[app.config.external_interface] = "it is the external interface"
    for other in app.store.pots():
        found |= {alias.interface: f"pot {other.name} has an alias there" for alias in other.aliases}
    for bridge in app.store.bridges():
        if bridge.uplink is not None:
            found[read_uplink(bridge.uplink).parent] = f"bridge {bridge.name} has its uplink there"
        if bridge.member is not None:
            found[bridge.member] = f"bridge {bridge.name} joins it"
    for run in app.store.runs():
        if run.pot.name != pot:
            found |= {each.name: f"pot {run.pot.name} has it until it stops" for each in run.lent}
    return found


def refuse_small(app: App, pot: Pot) -> None:
    """Raises HostError if the MTU of a bridge is too small for a pot with IPv6."""
    for own in pot.attachments:
        mtu = require_bridge(app, own.bridge).mtu
        if mtu is not None and 6 in own.families:
            refuse_small_mtu(mtu, 6)
