"""Differences on bridges that are part of a LAN, and addresses there that others have taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from potnet.host.actions import AddMember, Step
from potnet.host.findings import Finding, Kind
from potnet.host.state import HostState, Interface
from potnet.model.bridges import Bridge
from potnet.planning.check.drift import Drift, Facts
from potnet.planning.filter.lan_nat import outer_members, translating
from potnet.planning.lan import holder


def compare_member(bridge: Bridge, found: Interface, state: HostState) -> Iterator[Drift]:
    """Compare the place of the interface by which a bridge of potnet is part of a LAN."""
    member = bridge.member
    if member is None or member in found.members:
        return
    expected = f"{member} is on {found.name}"
    on = next((each.name for each in state.interfaces.values() if member in each.members), None)
    where = f"it is on {on}" if on is not None else "it is on no bridge"
    finding = Finding(
        Kind.MEMBER_MISSING, expected, where, "repair adds it again, which may interrupt its link",
        bridge=bridge.name, interface=member,
    )  # fmt: skip
    if member not in state.interfaces:
        yield Drift(replace(finding, found="none", remedy=f"bring {member} back", repairable=False))
    elif on is not None:
        remedy = f"remove {member} from {on}; then repair adds it"
        yield Drift(replace(finding, remedy=remedy, repairable=False))
    else:
        yield Drift(finding, joining(bridge, state))


def joining(bridge: Bridge, state: HostState) -> tuple[Step, ...]:
    """Return the steps that add the interface of a LAN to a bridge of potnet."""
    member = bridge.member
    if member is None or member not in state.interfaces:
        return ()
    return (Step(AddMember(bridge.interface, member), None, "the LAN"),)


def compare_lan_addresses(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report addresses of running pots on a LAN that the host has, too, since it got another address."""
    own = [(run.pot, a) for run in facts.active for a in run.pot.attachments if a.lan]
    for pot, attachment in own:
        for address in attachment.given:
            interface = holder(address, state.interfaces.values())
            if interface is not None:
                finding = Finding(
                    Kind.ADDRESS_TAKEN, f"only {pot.name} has {address}", f"the host has it on {interface}",
                    f"`potnet set -p {pot.name} -i ADDRESS` gives the pot another one for its next start",
                    pot=pot.name, bridge=attachment.bridge, interface=interface, repairable=False,
                )  # fmt: skip
                yield Drift(finding)


def compare_translation(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report NAT rules that cut pots with antispoof off from their LAN."""
    guarded = {a.bridge for run in facts.active if run.pot.antispoof for a in run.pot.attachments if a.lan}
    for bridge in facts.bridges:
        members = outer_members(bridge, state) if bridge.name in guarded else ()
        rule = translating(state.packet_filter, bridge, members)
        if rule is not None:
            finding = Finding(
                Kind.TRAFFIC_BLOCKED, f"no NAT applies to {bridge.network} on {bridge.interface}",
                f"pf has {rule.shown}", "limit that rule to other sources", bridge=bridge.name,
                repairable=False,
            )  # fmt: skip
            yield Drift(finding)
