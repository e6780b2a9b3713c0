"""NAT rules of the administrator that catch packets which a bridge passes on to a LAN.

With antispoof, pf looks at packets at the members of bridges, and translates them there. They then have the
address of the host, and their answers never reach the pot.
"""

from __future__ import annotations

from collections.abc import Collection

from potnet.errors import HostError
from potnet.host.ruleset import MainRule
from potnet.host.state import HostState, PacketFilter
from potnet.model.bridges import Bridge
from potnet.planning.filter.main_ruleset import Flow, Match, entered


def translating(found: PacketFilter, bridge: Bridge, members: Collection[str]) -> MainRule | None:
    """Return a NAT rule that may apply to IPv4 sources of a LAN at one of these members of its bridge."""
    if bridge.network is None or found.self_contained or not found.enabled:
        return None
    for name in sorted(members):
        flow = Flow("out", frozenset({name, name.rstrip("0123456789"), "all"}), 4, bridge.network)
        for rule, part in entered(found.translation, flow):
            if rule.action != "nat":
                continue
            if not rule.no:
                return rule
            if part is Match.ALWAYS:
                break
    return None


def outer_members(bridge: Bridge, state: HostState) -> tuple[str, ...]:
    """Return the members of a bridge that may lead to the LAN. The bridge must be observed, if it exists."""
    if bridge.member is not None:
        return (bridge.member,)
    found = state.interfaces.get(bridge.interface)
    return found.members if found is not None else ()


def refuse_translated(bridge: Bridge, state: HostState) -> None:
    """Raises HostError if a NAT rule would keep pots with antispoof from their LAN."""
    rule = translating(state.packet_filter, bridge, outer_members(bridge, state))
    if rule is not None:
        raise HostError(
            f"pf has {rule.shown}, which applies to {bridge.network}: with network.antispoof it would cut "
            f"pots on {bridge.name} off from the LAN",
            hint="limit that rule to other sources, or set network.antispoof = false",
        )
