"""The treatment of frames by a bridge and by pf at the members (if_bridge(4), pf(4)).

pf filters members only if net.link.bridge.pfil_member is set. Packets to the host itself also require
net.link.bridge.pfil_local_phys. pf never filters at members what the host sends on a bridge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from potnet.executors.simulated.net.wires import OUTSIDE, Place
from potnet.executors.simulated.packets.calls import NoConnectionError, Sign
from potnet.executors.simulated.pf.match import Filter, Packet, Verdict
from potnet.executors.simulated.world.entities import HOST, Interface
from potnet.executors.simulated.world.world import World


@dataclass(slots=True)
class Sent:
    """A packet that the host sent on a bridge, before and after translation.

    state: a state exists for the packet; bound: only for that interface.
    """

    interface: Interface
    before: Packet
    after: Packet
    state: bool
    bound: bool


class Members:
    """The members of bridges that one connection passes."""

    def __init__(self, world: World, pf: Filter) -> None:
        self._world = world
        self._pf = pf
        self._filtered = world.sysctl("net.link.bridge.pfil_member") == "1"
        self._local = self._filtered and world.sysctl("net.link.bridge.pfil_local_phys") == "1"
        self._entered: Interface | None = None
        self._left: Interface | None = None
        self._states: set[str] = set()

    def pass_on(self, packet: Packet, sender: Place, receiver: Place) -> bool:
        """Let a packet pass, and return whether a floating state exists for it.

        Raises NoConnectionError.
        """
        source, target = self._port(sender), self._port(receiver)
        self._check_mac(source, sender)
        # The answer to a sender with another's address goes to the member that has it as a static one.
        self._check_target(source, sender)
        self._check_target(target, receiver)
        local = receiver.stack == HOST
        if source is None or not (self._local if local else self._filtered):
            return False
        self._entered, self._left = source, None if local else target
        known = self._looked_at("in", packet, source)
        if self._left is not None:
            self._not_translated(packet, self._left)
            self._looked_at("out", packet, self._left)
        return local and known

    def answer(self, packet: Packet, server: Place, sent: Sent | None) -> None:
        """Let the reply to a packet pass. sent: how the host sent the packet. Raises NoConnectionError."""
        port = self._port(server)
        self._check_mac(port, server)
        if port is None:
            return
        if sent is not None:
            self._check_target(port, server)
            if self._local:
                self._answer_host(sent, port)
        elif self._entered is not None and self._left is not None:
            if "out" not in self._states:
                self._looked_at("in", reply(packet), self._left)
            if "in" not in self._states:
                self._looked_at("out", reply(packet), self._entered)

    def follow(self, packet: Packet, interface: Interface, bound: bool) -> None:
        """Check the packets after one that was redirected on a bridge; they are redirected at the member
        already.

        Raises NoConnectionError. bound: the state applies to that interface alone.
        """
        if self._local and self._entered is not None and not bound:
            self._looked_at("in", replace(packet, answer=True), interface)

    def _answer_host(self, sent: Sent, port: Interface) -> None:
        if not sent.state or sent.bound:
            self._looked_at("in", reply(sent.after), port)
        elif sent.before.source != sent.after.source:
            # The member translates the reply back, and the bridge then has no state for it.
            self._looked_at("in", reply(sent.before), sent.interface)

    def _looked_at(self, direction: str, packet: Packet, interface: Interface) -> bool:
        verdict: Verdict = self._pf.filter(direction, packet, interface)
        if not verdict.passed:
            sign = Sign.REFUSED if verdict.answers else Sign.TIMEOUT
            raise NoConnectionError(f"pf blocks it {direction} on {interface.name}", sign)
        kept = verdict.rule is not None and verdict.rule.state == "keep"
        if kept:
            self._states.add(direction)
        return kept and verdict.rule is not None and "if-bound" not in verdict.rule.limits

    def _not_translated(self, packet: Packet, member: Interface) -> None:
        """Refuse a packet that NAT of the host catches at a member: its answer never comes (record 50)."""
        _, rule = self._pf.translate("nat", packet, member)
        if rule is not None:
            raise NoConnectionError(f"pf translates it at the member {member.name}", Sign.TIMEOUT)

    def _port(self, place: Place) -> Interface | None:
        """Return the member of a bridge where frames from a place come in."""
        if place.stack == OUTSIDE:
            found = self._world.interface(place.interface or self._world.facts.interface)
        else:
            interface = self._world.interface(place.interface, place.stack)
            found = self._world.peer(interface) if interface and interface.kind == "epair" else None
        return found if found is not None and found.bridge is not None else None

    def _check_mac(self, port: Interface | None, place: Place) -> None:
        """Refuse an unknown address at a member with all its addresses."""
        interface = self._world.interface(place.interface, place.stack)
        if port is None or interface is None:
            return
        row = self._world.state.get("member", f"{port.bridge}/{port.name}") or {}
        known = {key for key, static in self._world.state.scan("static") if static["member"] == port.name}
        if row.get("most") and len(known) >= row["most"] and not self._owner(port, interface):
            raise NoConnectionError(f"{port.name} has all the addresses that may be behind it")

    def _check_target(self, port: Interface | None, place: Place) -> None:
        interface = self._world.interface(place.interface, place.stack)
        owner = self._owner(port, interface) if port is not None and interface is not None else None
        if port is not None and owner not in (None, port.name):
            raise NoConnectionError(f"frames for that address go to {owner}")

    def _owner(self, port: Interface, interface: Interface) -> str | None:
        """Return the member with the static address of an interface."""
        row = self._world.state.get("static", f"{port.bridge}/{interface.mac}")
        return None if row is None else str(row["member"])


def reply(packet: Packet) -> Packet:
    """Return the reply to a packet."""
    return Packet(
        packet.protocol,
        packet.destination,
        packet.destination_port,
        packet.source,
        packet.source_port,
        answer=True,
    )
