"""The states of what neighbours on the external wire send to all: the router's advertisements (RFC 4861)."""

from __future__ import annotations

from potnet.executors.simulated.pf.match import Filter, Packet
from potnet.executors.simulated.pf.state_table import PfState, endpoint
from potnet.executors.simulated.world.world import World

#: The address of all nodes, and what pf takes as the port of an advertisement.
_ALL_NODES, _PORT = "ff02::1", 16384


def states(world: World) -> list[PfState]:
    """Return the state of the advertisements, if a rule keeps it; each of them renews it."""
    outer = world.interface(world.facts.interface)
    if outer is None or not outer.up or "IFDISABLED" in outer.nd6 or not world.facts.router6_link:
        return []
    router = world.facts.router6_link
    packet = Packet("ipv6-icmp", router, _PORT, _ALL_NODES, _PORT)
    verdict = Filter(world).filter("in", packet, outer)
    if verdict.rule is None or not verdict.passed or not verdict.rule.keeps:
        return []
    left, right = endpoint(_ALL_NODES, _PORT), endpoint(router, _PORT)
    line = verdict.rule.listed()
    made = PfState("c13a0e6b00000000", "ipv6-icmp", left, "", "<-", right, outer.name, rule=line)
    made.ends, made.numbers = "NO_TRAFFIC:NO_TRAFFIC", verdict.numbers
    return [made]
