"""Decide whether a connection succeeds on the modelled network, and who answers.

The first packet is followed through wires, routes, forwarding and pf; then its reply is followed back.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from potnet.executors.simulated.net import routes, slaac
from potnet.executors.simulated.net.neighbours import fixed
from potnet.executors.simulated.net.wires import (
    OUTSIDE,
    Place,
    behind_idle,
    machines,
    neighbours,
    out_there,
    owner,
    routed_there,
    wire_of,
)
from potnet.executors.simulated.packets import tunnels
from potnet.executors.simulated.packets.calls import Call, Connection, NoConnectionError, Refusal, Sign
from potnet.executors.simulated.packets.counters import Passed, octets_of
from potnet.executors.simulated.packets.membership import Members, Sent, reply
from potnet.executors.simulated.packets.servers import ClosedPortError, server
from potnet.executors.simulated.packets.sources import sender
from potnet.executors.simulated.pf import load, state_table
from potnet.executors.simulated.pf.match import Filter, Packet, Verdict
from potnet.executors.simulated.pf.rules import Rule
from potnet.executors.simulated.pf.state_table import PfState, endpoint
from potnet.executors.simulated.world.entities import HOST, Interface, Jail
from potnet.executors.simulated.world.world import World


def connect(world: World, call: Call) -> Connection | Refusal:
    """Try a connection, and keep its states and counters."""
    journey = _Journey(world, call)
    # Only a client that sends on can have a state already.
    keep = state_table.add if call.own_port is None else state_table.renew
    try:
        made = journey.start()
    except NoConnectionError as error:
        if call.protocol == "udp" and isinstance(error, ClosedPortError):
            # The packet itself has created a state, which each further packet renews (record 59).
            for state in journey.states:
                keep(world, replace(state, ends="NO_TRAFFIC:SINGLE"))
        return Refusal(str(error), error.sign)
    for state in journey.states:
        keep(world, state)
    journey.count()
    return replace(made, rates=journey.rates())


class _Journey:
    """One packet on its way."""

    def __init__(self, world: World, call: Call) -> None:
        self.world = world
        self.call = call
        self.pf = Filter(world)
        self.members = Members(world, self.pf)
        self.sent: Sent | None = None
        #: A state that a member's rules created lets the packet pass on the bridge.
        self.known = False
        self.states: list[PfState] = []
        #: The numbers of the filter rule that keeps the state of the packet.
        self.numbers: tuple[int, ...] = ()
        #: The pipes of each rule that the packet matched: its own, and that of the replies.
        self.pipes: list[tuple[int, ...]] = []
        self.redirected = False
        self.natted = False
        self.looped = False
        self.hops = 0
        self.origin = Place(HOST)
        #: The interfaces that the first packet passed.
        self.passed = Passed(world)

    def start(self) -> Connection:
        """Follow the first packet to the machine that answers. Raises NoConnectionError."""
        source, client = self.call.source, self.call.client
        number = self.call.own_port or 49152 + self.world.state.next_number("ephemeral") % 16000
        destination = str(ip_address(self.call.destination))
        packet = Packet(self.call.protocol, client, number, destination, self.call.port)
        if source == OUTSIDE:
            wire = self.call.wire or (wire_of(self.world, client) if client else "")
            self.origin = Place(OUTSIDE, wire)
            if client and not self.origin.interface:
                self.world.state.put("machine", f"/{client}", {"address": client})
            return self._from_outside(replace(packet, source=client or self._outsider(packet.family)))
        guest = self.world.state.get("guest", source)
        if guest is not None:
            return self._from_stack(source, guest["stack"], packet)
        jail = None if source == "host" else self.world.jail(source)
        if source != "host" and jail is None:
            raise NoConnectionError(f"jail {source} not found")
        if jail is not None and jail.stack != HOST:
            slaac.advertise(self.world, jail.stack)
            return self._from_stack(jail.name, jail.stack, packet)
        return self._from_host(packet, jail)

    def count(self) -> None:
        """Add one packet and one reply to the counters that they passed."""
        packets = octets_of(self.call.protocol)
        for path, rule in self.pf.used:
            load.count(self.world, path, rule, 2, sum(packets))
        self.passed.count(packets)

    def rates(self) -> tuple[int, int]:
        """Return the rate of the narrowest pipe of the packet, and of its replies; 0 means unlimited."""
        if not any(self.pipes):
            return 0, 0
        rate = {int(number): int(row["rate"]) for number, row in self.world.state.scan("pipe")}
        there, back = ([rate[p[way]] for p in self.pipes if len(p) > way] for way in (0, 1))
        return min(filter(None, there), default=0), min(filter(None, back), default=0)

    def _outsider(self, family: int) -> str:
        """Return the address of a machine on the external wire."""
        network = ip_network(
            self.world.facts.address if family == 4 else self.world.facts.router6, strict=False
        )
        return str(network.network_address + 99)

    # Where it begins

    def _from_outside(self, packet: Packet) -> Connection:
        """Follow a packet to the address on the wire, or else to the host as the machine's gateway."""
        link = tunnels.arrives(self.world, self.origin.interface, packet)
        if link is not None:
            return self._host_in(packet, link)
        place = owner(self.world, self.origin, packet.destination)
        if place is not None and place.stack not in (HOST, OUTSIDE):
            self.passed.from_wire(self.origin)
            self.members.pass_on(packet, self.origin, place)
            return self._arrive(packet, place)
        if place is None and self.origin.interface:
            raise NoConnectionError(f"nobody on the wire has {packet.destination}")
        if place is None and out_there(self.world, packet.destination):
            raise NoConnectionError(f"nobody on the wire has {packet.destination}")
        interface = self.world.interface(place.interface) if place else self._outer()
        if interface is None or not interface.up:
            raise NoConnectionError("the external interface is down")
        return self._host_in(packet, interface)

    def _outer(self) -> Interface | None:
        """Return the host's interface on the external wire, or its bridge if that has the addresses."""
        found = self.world.interface(self.world.facts.interface)
        bridge = self.world.interface(found.bridge) if found is not None and found.bridge else None
        return bridge if bridge is not None and bridge.inet else found

    def _from_stack(self, name: str, stack: str, packet: Packet) -> Connection:
        """Follow a packet from a VNET jail, or from the machine behind a tap."""
        interface, route, own = routes.lookup(self.world, packet.destination, stack)
        if own:
            return self._served(replace(packet, source=packet.destination), stack)
        if interface is None:
            raise NoConnectionError(f"{name} has no route to {packet.destination}", Sign.UNREACHABLE)
        if packet.family == 6 and "IFDISABLED" in interface.nd6:
            raise NoConnectionError(f"IPv6 is off on {interface.name}", Sign.DOWN)
        packet = replace(packet, source=sender(self.world, interface, packet, route.gateway if route else ""))
        self.origin = Place(stack, interface.name)
        self.passed.out_of(self.origin)
        hop = route.gateway if route else packet.destination
        place = self._next(self.origin, hop)
        self.known = self.members.pass_on(packet, self.origin, place)
        if place.stack == HOST:
            found = self.world.interface(place.interface)
            assert found is not None
            return self._host_in(packet, found)
        if place.stack == OUTSIDE:
            self.passed.to_wire(place)
            return self._arrive(packet, place)
        if route is not None:
            raise NoConnectionError(f"the gateway {hop} is a jail, which forwards nothing")
        return self._arrive(packet, place)

    def _next(self, place: Place, hop: str) -> Place:
        found = owner(self.world, place, hop.partition("%")[0])
        if found is None:
            known = place.stack == HOST and not self.hops and behind_idle(self.world, place.interface, hop)
            raise NoConnectionError(f"nobody on the wire has {hop}", Sign.DOWN if known else Sign.TIMEOUT)
        sender = self.world.interface(place.interface) if place.stack == HOST and ":" in hop else None
        mac = fixed(self.world, sender, hop) if sender is not None else None
        receiver = self.world.interface(found.interface, found.stack)
        if mac is not None and (receiver is None or receiver.mac != mac):
            raise NoConnectionError(f"ndp(8) has another MAC address for {hop}")
        return found

    def _from_host(self, packet: Packet, jail: Jail | None) -> Connection:
        interface, route, own = routes.lookup(self.world, packet.destination, HOST)
        if interface is None:
            raise NoConnectionError(f"the host has no route to {packet.destination}", Sign.UNREACHABLE)
        source = (
            packet.destination
            if own
            else sender(self.world, interface, packet, route.gateway if route else "")
        )
        if jail is not None and (jail.ip4_addr if packet.family == 4 else jail.ip6_addr):
            source = (jail.ip4_addr if packet.family == 4 else jail.ip6_addr)[0]
        packet = replace(packet, source=source)
        if own:
            self.looped = True
            self._recorded("out", packet, interface)
            return self._host_in(packet, interface)
        return self._host_out(packet, interface, route.gateway if route else packet.destination)

    # Through the host

    def _host_in(self, packet: Packet, interface: Interface) -> Connection:
        self.passed.into(Place(HOST, interface.name))
        self.numbers = ()
        kept = self.known or self._remembered(packet)
        changed, rule = (packet, None) if kept else self.pf.translate("rdr", packet, interface)
        if rule is not None:
            self.redirected = True
        if not self.known and (rule is None or not rule.natpass):
            looked_at = self._filtered if rule is not None else self._recorded
            verdict = looked_at("in", changed, interface)
            keeper = verdict.rule if verdict.rule is not None and verdict.rule.keeps else None
            rule = keeper or rule
            changed = replace(changed, tag=verdict.tag)
        if self.redirected and rule is not None:
            left, right = _end(changed, "destination"), _end(packet, "source")
            self._state((left, _end(packet, "destination"), "<-", right), interface, rule)
            self.members.follow(changed, interface, "if-bound" in rule.limits)
        _, _, own = routes.lookup(self.world, changed.destination, HOST)
        if own:
            return self._served(changed, HOST)
        if self.redirected and self.looped and not self.pf.filter_local:
            raise NoConnectionError("the answer is not translated back without net.pf.filter_local")
        name = "net.inet.ip.forwarding" if packet.family == 4 else "net.inet6.ip6.forwarding"
        # The input path also forwards packets that the host sent and pf redirected.
        if self.world.sysctl(name) != "1":
            raise NoConnectionError(f"the host does not forward ({name})")
        self.hops += 1
        found, route, _ = routes.lookup(self.world, changed.destination, HOST)
        if found is None:
            raise NoConnectionError(f"the host has no route to {changed.destination}")
        return self._host_out(changed, found, route.gateway if route else changed.destination)

    def _remembered(self, packet: Packet) -> bool:
        """Return whether a client that sends on has an earlier state that no rule has translated."""
        if self.call.own_port is None:
            return False
        ends = (packet.protocol, _end(packet, "destination"), "", "<-", _end(packet, "source"))
        known = state_table.states(self.world)
        return any((s.protocol, s.left, s.translated, s.arrow, s.right) == ends for s in known)

    def _host_out(self, packet: Packet, interface: Interface, hop: str) -> Connection:
        changed, rule = self.pf.translate("nat", packet, interface)
        verdict = self._filtered("out", changed, interface)
        keeper = verdict.rule if verdict.rule is not None and verdict.rule.keeps else None
        if rule is not None:
            self.natted = True
            translated = _end(packet, "source")
            ends = (_end(changed, "source"), translated, "->", _end(changed, "destination"))
            self._state(ends, interface, rule)
        elif keeper is not None:
            ends = (_end(changed, "source"), "", "->", _end(changed, "destination"))
            self._state(ends, interface, keeper)
        if rule is None and keeper is None and not self.pf.filter("in", reply(changed), interface).passed:
            # No state exists for the connection, and pf filters its replies like any packet.
            raise NoConnectionError(f"pf blocks the answer in on {interface.name}")
        bound = keeper is not None and "if-bound" in keeper.limits
        self.sent = Sent(interface, packet, changed, rule is not None or keeper is not None, bound)
        if ip_address(changed.source).is_loopback:
            raise NoConnectionError("a packet from 127.0.0.0/8 does not leave the host")
        self.passed.out_of(Place(HOST, interface.name))
        place = self._next(Place(HOST, interface.name), hop)
        return self._arrive(changed, place)

    def _recorded(self, direction: str, packet: Packet, interface: Interface) -> Verdict:
        """Return pf's decision, and record the state that pf creates."""
        verdict = self._filtered(direction, packet, interface)
        if verdict.rule is not None and verdict.rule.keeps:
            source, destination = _end(packet, "source"), _end(packet, "destination")
            ends = (source, "", "->", destination) if direction == "out" else (destination, "", "<-", source)
            self._state(ends, interface, verdict.rule)
        return verdict

    def _filtered(self, direction: str, packet: Packet, interface: Interface) -> Verdict:
        verdict = self.pf.filter(direction, packet, interface)
        if not verdict.passed:
            sign = Sign.REFUSED if verdict.answers else Sign.TIMEOUT
            own = direction == "out" and self.origin.stack == HOST and not self.hops
            reason = f"pf blocks it {direction} on {interface.name}"
            raise NoConnectionError(reason, Sign.DENIED if own else sign)
        if any(self.world.state.get("pipe", f"{number:05}") is None for number in verdict.pipes):
            raise NoConnectionError(f"dummynet has no pipe for it {direction} on {interface.name}")
        self.pipes.append(verdict.pipes)
        self.numbers = verdict.numbers if verdict.rule is not None and verdict.rule.keeps else ()
        if verdict.rule is not None:
            self._count(verdict.rule, packet)
        return verdict

    def _count(self, rule: Rule, packet: Packet) -> None:
        """Refuse a connection if a rule has reached its limit for the source."""
        exact = self.world.release.exact_limits
        most = rule.most("max-src-states")
        if most is not None and not exact:
            # Before FreeBSD 15, pf counts the new state before it compares (pf_find_src_node in pf.c).
            most = max(1, most - 1)
        if packet.protocol == "tcp" and rule.most("max-src-conn") is not None:
            most = min(each for each in (most, rule.most("max-src-conn")) if each is not None)
        # Before FreeBSD 15, source-track global counts for each rule, too.
        shared = exact and "source-track global" in rule.limits
        counted = "source-track global" if shared else rule.listed()
        if most is not None and state_table.of_source(self.world, counted, packet.source) >= most:
            raise NoConnectionError(f"{packet.source} has {most} connections already")

    def _state(self, ends: tuple[str, str, str, str], interface: Interface, rule: Rule) -> None:
        """Record a state. ends: as pfctl(8) lists them: left end, translated end, arrow, right end."""
        made = PfState("", self.call.protocol, *ends, interface.name, rule.label, rule.listed())
        made.numbers = self.numbers
        self.states.append(made)

    # Where it ends

    def _arrive(self, packet: Packet, place: Place) -> Connection:
        if place.stack == OUTSIDE:
            own = self.origin.stack == HOST and not self.hops
            tunnels.leaves(self.world, place.interface, packet, own)
            if not self._knows(place, packet.source):
                raise NoConnectionError(f"outside, nobody has a route back to {packet.source}")
            self._return(packet)
            return Connection(OUTSIDE, packet.destination, packet.destination_port, packet.source, self.hops)
        if place.stack == HOST:
            return self._served(packet, HOST)
        interface = self.world.interface(place.interface, place.stack)
        if interface is None or all(a.address != packet.destination for a in interface.addresses):
            raise NoConnectionError(f"nobody has {packet.destination}")
        self.passed.into(place)
        self._answer(packet, place)
        return self._served(packet, place.stack)

    def _knows(self, place: Place, source: str) -> bool:
        """Return whether machines outside have a route back to an address."""
        if not place.interface:
            # A neighbour must have the address, or answer for it.
            neighbour = owner(self.world, place, source)
            return (neighbour is not None and neighbour.stack != OUTSIDE) or routed_there(self.world, source)
        return any(ip_address(source) in machine.network for machine in machines(self.world, place.interface))

    def _return(self, packet: Packet) -> None:
        """Check that the host can forward the reply to a packet that it has forwarded."""
        interface, route, own = routes.lookup(self.world, packet.source, HOST)
        if not self.hops or own:
            return
        if interface is None:
            raise NoConnectionError(f"the host has no route back to {packet.source}")
        self._next(Place(HOST, interface.name), route.gateway if route else packet.source)

    def _answer(self, packet: Packet, place: Place) -> None:
        """Check that the reply returns on the path that undoes the translations."""
        interface, route, _ = routes.lookup(self.world, packet.source, place.stack)
        if interface is None:
            raise NoConnectionError(f"the answer finds no route back to {packet.source}")
        if self.redirected and not self.natted and route is None and self._beside(packet.source, place):
            raise NoConnectionError("the answer goes straight to the client, from an address it did not call")
        hop = route.gateway.partition("%")[0] if route else packet.source
        if owner(self.world, Place(place.stack, interface.name), hop) is None:
            raise NoConnectionError(f"the answer finds nobody on the wire with {hop}")
        self.members.answer(packet, place, self.sent)
        if self.looped and self.redirected and not self.natted:
            raise NoConnectionError("the answer to the host itself is not translated back without nat")

    def _beside(self, address: str, place: Place) -> bool:
        """Return whether that address is a neighbour of the place, other than the host."""
        for found in neighbours(self.world, place):
            interface = (
                None if found.stack in (HOST, OUTSIDE) else self.world.interface(found.interface, found.stack)
            )
            if interface is not None and any(a.address == address for a in interface.addresses):
                return True
        own = self.world.interface(place.interface, place.stack)
        return own is not None and any(a.address == address for a in own.addresses)

    def _served(self, packet: Packet, stack: str) -> Connection:
        name = server(self.world, packet, stack)
        return Connection(name, packet.destination, packet.destination_port, packet.source, self.hops)


def _end(packet: Packet, side: str) -> str:
    """Return address and port as pfctl lists them; an echo request has its identifier on both sides."""
    if packet.protocol in ("icmp", "ipv6-icmp"):
        return endpoint(getattr(packet, side), packet.source_port)
    return endpoint(getattr(packet, side), getattr(packet, f"{side}_port"))
