"""Whether a connection comes about on the modelled network, and who answers.

The first packet is followed through wires, routes, forwarding and pf; then it is asked whether the answer
finds its way back. Jails and machines outside answer on every port, the host only where something listens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from potnet.executors.simulated.net import routes
from potnet.executors.simulated.net.membership import Members, NoConnectionError, Sent, reply
from potnet.executors.simulated.net.wires import (
    GUEST,
    OUTSIDE,
    Place,
    machines,
    neighbours,
    other_side,
    out_there,
    owner,
    wire_of,
)
from potnet.executors.simulated.pf import load, state_table
from potnet.executors.simulated.pf.match import Filter, Packet, Verdict
from potnet.executors.simulated.pf.rules import Rule
from potnet.executors.simulated.pf.state_table import PfState, endpoint
from potnet.executors.simulated.world.entities import HOST, Interface, Jail
from potnet.executors.simulated.world.world import World

#: The octets of a connection's packets, there and back; others are like those of ping(8).
_OCTETS = {"tcp": (60, 40)}
_ECHO = (84, 84)
#: What Ethernet puts before each (IEEE 802.3).
_HEADER = 14


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that came about. server: "host", "outside" or a jail; client: the address it saw."""

    server: str
    address: str
    port: int
    client: str
    hops: int = 0
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """One that did not, and why, in a few words."""

    reason: str
    ok: bool = False


def connect(
    world: World,
    source: str,
    destination: str,
    port: int,
    protocol: str = "tcp",
    client: str = "",
    own_port: int | None = None,
) -> Connection | Refusal:
    """source: "outside", "host", a jail or what has opened a tap. client: the outside machine's address.

    own_port: that of a client that goes on talking; what pf remembers of it holds.
    """
    journey = _Journey(world, protocol, own_port)
    try:
        made = journey.start(source, str(ip_address(destination)), port, client)
    except NoConnectionError as error:
        if protocol == "udp" and journey.closed:
            # The packet itself has made a state, which each further one renews (record 59).
            for state in journey.states:
                state_table.add(world, replace(state, ends="NO_TRAFFIC:SINGLE"))
        return Refusal(str(error))
    for state in journey.states:
        state_table.add(world, state)
    journey.count()
    return made


class _Journey:
    """One packet on its way."""

    def __init__(self, world: World, protocol: str, own_port: int | None = None) -> None:
        self.world = world
        self.own_port = own_port
        #: It has arrived at a port of the host on which nobody listens.
        self.closed = False
        self.protocol = protocol
        self.pf = Filter(world)
        self.members = Members(world, self.pf)
        self.sent: Sent | None = None
        #: A state that a member's rules made lets the packet through on the bridge.
        self.known = False
        self.states: list[PfState] = []
        self.redirected = False
        self.natted = False
        self.looped = False
        self.hops = 0
        self.origin = Place(HOST)
        #: What the first packet passed: interfaces by stack and name, and whether it came in there.
        self.passed: list[tuple[str, str, bool]] = []

    def start(self, source: str, destination: str, port: int, client: str) -> Connection:
        number = self.own_port or 49152 + self.world.state.next_number("ephemeral") % 16000
        packet = Packet(self.protocol, client, number, destination, port)
        if source == OUTSIDE:
            self.origin = Place(OUTSIDE, wire_of(self.world, client) if client else "")
            return self._from_outside(replace(packet, source=client or self._outsider(packet.family)))
        guest = self.world.state.get("guest", source)
        if guest is not None:
            return self._from_stack(source, guest["stack"], packet)
        jail = None if source == "host" else self.world.jail(source)
        if source != "host" and jail is None:
            raise NoConnectionError(f"there is no jail {source}")
        if jail is not None and jail.vnet:
            return self._from_stack(jail.name, jail.stack, packet)
        return self._from_host(packet, jail)

    def count(self) -> None:
        """Add one packet and one that answers it to all that they passed."""
        there, back = _OCTETS.get(self.protocol, _ECHO)
        for path, rule in self.pf.used:
            load.count(self.world, path, rule, 2, there + back)
        for stack, name, inward in self.passed:
            found = self.world.interface(name, stack)
            assert found is not None
            for counter, octets in zip(
                (found.received, found.sent) if inward else (found.sent, found.received),
                (there, back),
                strict=True,
            ):
                counter[0] += 1
                counter[1] += octets + _HEADER
            self.world.save(found)

    def _passes(self, place: Place, inward: bool) -> None:
        """Note an interface, and of an epair its other end."""
        self.passed.append((place.stack, place.interface, inward))
        found = self.world.interface(place.interface, place.stack)
        paired = found is not None and found.kind in ("epair", "tap", GUEST)
        other = other_side(self.world, found) if found is not None and paired else None
        if other is not None:
            self.passed.append((other.vnet, other.name, not inward))

    def _passes_wire(self, place: Place, inward: bool) -> None:
        """Note the host's interface at a wire, unless a jail has it."""
        name = place.interface or self.world.facts.interface
        if self.world.interface(name) is not None:
            self._passes(Place(HOST, name), inward)

    def _outsider(self, family: int) -> str:
        """A machine on the external wire."""
        network = ip_network(
            self.world.facts.address if family == 4 else self.world.facts.router6, strict=False
        )
        return str(network.network_address + 99)

    # Where it begins

    def _from_outside(self, packet: Packet) -> Connection:
        """To who has the address on the wire; else to the host, which the machine takes for its gateway."""
        place = owner(self.world, self.origin, packet.destination)
        if place is not None and place.stack not in (HOST, OUTSIDE):
            self._passes_wire(self.origin, True)
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
        """The host's interface on the external wire: a bridge, where that has the addresses of its member."""
        found = self.world.interface(self.world.facts.interface)
        bridge = self.world.interface(found.bridge) if found is not None and found.bridge else None
        return bridge if bridge is not None and bridge.inet else found

    def _from_stack(self, name: str, stack: str, packet: Packet) -> Connection:
        """From a jail with a stack of its own, or from the machine behind a tap."""
        interface, route, own = routes.lookup(self.world, packet.destination, stack)
        if own:
            return self._served(replace(packet, source=packet.destination), stack)
        if interface is None:
            raise NoConnectionError(f"{name} has no route to {packet.destination}")
        packet = replace(packet, source=self._source(interface, packet, route.gateway if route else ""))
        self.origin = Place(stack, interface.name)
        self._passes(self.origin, False)
        hop = route.gateway if route else packet.destination
        place = self._next(self.origin, hop)
        self.known = self.members.pass_on(packet, self.origin, place)
        if place.stack == HOST:
            found = self.world.interface(place.interface)
            assert found is not None
            return self._host_in(packet, found)
        if place.stack == OUTSIDE:
            self._passes_wire(place, False)
            return self._arrive(packet, place)
        if route is not None:
            raise NoConnectionError(f"the gateway {hop} is a jail, which forwards nothing")
        return self._arrive(packet, place)

    def _next(self, place: Place, hop: str) -> Place:
        found = owner(self.world, place, hop.partition("%")[0])
        if found is None:
            raise NoConnectionError(f"nobody on the wire has {hop}")
        return found

    def _from_host(self, packet: Packet, jail: Jail | None) -> Connection:
        interface, route, own = routes.lookup(self.world, packet.destination, HOST)
        if interface is None:
            raise NoConnectionError(f"the host has no route to {packet.destination}")
        source = (
            packet.destination if own else self._source(interface, packet, route.gateway if route else "")
        )
        if jail is not None and (jail.ip4_addr if packet.family == 4 else jail.ip6_addr):
            source = (jail.ip4_addr if packet.family == 4 else jail.ip6_addr)[0]
        packet = replace(packet, source=source)
        if own:
            self.looped = True
            self._filtered("out", packet, interface)
            return self._host_in(packet, interface)
        return self._host_out(packet, interface, route.gateway if route else packet.destination)

    # Through the host

    def _host_in(self, packet: Packet, interface: Interface) -> Connection:
        self._passes(Place(HOST, interface.name), True)
        kept = self.known or self._remembered(packet)
        changed, rule = (packet, None) if kept else self.pf.translate("rdr", packet, interface)
        if rule is not None:
            self.redirected = True
        if not self.known and (rule is None or not rule.natpass):
            verdict = self._filtered("in", changed, interface, recorded=rule is None)
            keeper = verdict.rule if verdict.rule is not None and verdict.rule.keeps else None
            rule = keeper or rule
            changed = replace(changed, tag=verdict.tag)
        if self.redirected and rule is not None:
            left, right = _end(changed, "destination"), _end(packet, "source")
            self._state(left, _end(packet, "destination"), "<-", right, interface, rule)
            self.members.follow(changed, interface, "if-bound" in rule.limits)
        _, _, own = routes.lookup(self.world, changed.destination, HOST)
        if own:
            return self._served(changed, HOST)
        if self.redirected and self.looped and not self.pf.filter_local:
            raise NoConnectionError("the answer is not translated back without net.pf.filter_local")
        name = "net.inet.ip.forwarding" if packet.family == 4 else "net.inet6.ip6.forwarding"
        # What the host itself sent and pf redirected is forwarded by the input path as well.
        if self.world.sysctl(name) != "1":
            raise NoConnectionError(f"the host does not forward ({name})")
        self.hops += 1
        found, route, _ = routes.lookup(self.world, changed.destination, HOST)
        if found is None:
            raise NoConnectionError(f"the host has no route to {changed.destination}")
        return self._host_out(changed, found, route.gateway if route else changed.destination)

    def _remembered(self, packet: Packet) -> bool:
        """Whether a client that goes on has a state from before, which no rule has translated."""
        if self.own_port is None:
            return False
        ends = (packet.protocol, _end(packet, "destination"), "", "<-", _end(packet, "source"))
        known = state_table.states(self.world)
        return any((s.protocol, s.left, s.translated, s.arrow, s.right) == ends for s in known)

    def _host_out(self, packet: Packet, interface: Interface, hop: str) -> Connection:
        changed, rule = self.pf.translate("nat", packet, interface)
        verdict = self._filtered("out", changed, interface, recorded=False)
        keeper = verdict.rule if verdict.rule is not None and verdict.rule.keeps else None
        if rule is not None:
            self.natted = True
            translated = _end(packet, "source")
            self._state(
                _end(changed, "source"), translated, "->", _end(changed, "destination"), interface, rule
            )
        elif keeper is not None:
            self._state(_end(changed, "source"), "", "->", _end(changed, "destination"), interface, keeper)
        if rule is None and keeper is None and not self.pf.filter("in", reply(changed), interface).passed:
            # Nothing remembers the connection, and pf looks at its answers as at any packet.
            raise NoConnectionError(f"pf blocks the answer in on {interface.name}")
        bound = keeper is not None and "if-bound" in keeper.limits
        self.sent = Sent(interface, packet, changed, rule is not None or keeper is not None, bound)
        if ip_address(changed.source).is_loopback:
            raise NoConnectionError("a packet from 127.0.0.0/8 does not leave the host")
        self._passes(Place(HOST, interface.name), False)
        place = self._next(Place(HOST, interface.name), hop)
        return self._arrive(changed, place)

    def _filtered(
        self, direction: str, packet: Packet, interface: Interface, recorded: bool = True
    ) -> Verdict:
        verdict = self.pf.filter(direction, packet, interface)
        if not verdict.passed:
            raise NoConnectionError(f"pf blocks it {direction} on {interface.name}")
        if any(self.world.state.get("pipe", f"{number:05}") is None for number in verdict.pipes):
            raise NoConnectionError(f"dummynet has no pipe for it {direction} on {interface.name}")
        if verdict.rule is not None:
            self._count(verdict.rule, packet)
        if recorded and verdict.rule is not None and verdict.rule.keeps:
            ends = (_end(packet, "destination"), "<-", _end(packet, "source"))
            if direction == "out":
                ends = (ends[2], "->", ends[0])
            self._state(ends[0], "", ends[1], ends[2], interface, verdict.rule)
        return verdict

    def _count(self, rule: Rule, packet: Packet) -> None:
        """Refuse what a rule has let in often enough from one source."""
        most = rule.most("max-src-states")
        if packet.protocol == "tcp" and rule.most("max-src-conn") is not None:
            most = min(each for each in (most, rule.most("max-src-conn")) if each is not None)
        if most is not None and state_table.of_source(self.world, rule.listed(), packet.source) >= most:
            raise NoConnectionError(f"{packet.source} has {most} connections already")

    def _state(
        self, left: str, translated: str, arrow: str, right: str, interface: Interface, rule: Rule
    ) -> None:
        self.states.append(
            PfState(
                "", self.protocol, left, translated, arrow, right, interface.name, rule.label, rule.listed()
            )
        )

    # Where it ends

    def _arrive(self, packet: Packet, place: Place) -> Connection:
        if place.stack == OUTSIDE:
            if not self._knows(place, packet.source):
                raise NoConnectionError(f"outside, nobody has a route back to {packet.source}")
            return Connection(OUTSIDE, packet.destination, packet.destination_port, packet.source, self.hops)
        if place.stack == HOST:
            return self._served(packet, HOST)
        interface = self.world.interface(place.interface, place.stack)
        if interface is None or all(a.address != packet.destination for a in interface.addresses):
            raise NoConnectionError(f"nobody has {packet.destination}")
        self._passes(place, True)
        self._answer(packet, place)
        return self._served(packet, place.stack)

    def _knows(self, place: Place, source: str) -> bool:
        """Whether machines outside have a way back to an address."""
        if not place.interface:
            return out_there(self.world, source)
        return any(ip_address(source) in machine.network for machine in machines(self.world, place.interface))

    def _answer(self, packet: Packet, place: Place) -> None:
        """The answer must come back the way that undoes the translations."""
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
        """Whether that address is a neighbour of the place, other than the host."""
        for found in neighbours(self.world, place):
            interface = (
                None if found.stack in (HOST, OUTSIDE) else self.world.interface(found.interface, found.stack)
            )
            if interface is not None and any(a.address == address for a in interface.addresses):
                return True
        own = self.world.interface(place.interface, place.stack)
        return own is not None and any(a.address == address for a in own.addresses)

    def _served(self, packet: Packet, stack: str) -> Connection:
        name = self._server(packet, stack)
        return Connection(name, packet.destination, packet.destination_port, packet.source, self.hops)

    def _source(self, interface: Interface, packet: Packet, gateway: str) -> str:
        """The address that the sender takes: one of the network it sends into, else the first."""
        now = self.world.now()
        able = [a for a in interface.addresses if not a.tentative(now)]
        mine = [a for a in able if a.family == packet.family]
        hop = ip_address((gateway or packet.destination).partition("%")[0])
        near = [a for a in mine if hop in a.network and (hop.is_link_local or not a.link_local)]
        if hop.is_link_local and not ip_address(packet.destination).is_link_local:
            near = [a for a in mine if not a.link_local]
        chosen = near or mine
        if not chosen:
            raise NoConnectionError(f"no address on {interface.name} for {packet.destination}")
        return chosen[0].address

    def _server(self, packet: Packet, stack: str) -> str:
        if stack.startswith(GUEST):
            rows = self.world.state.scan("guest")
            return next(name for name, row in rows if row["stack"] == stack)
        if stack != HOST:
            found = self.world.jail(stack, dying=True)
            if found is None or found.dying is not None:
                raise NoConnectionError("the jail is gone")
            return found.name
        for jail in self.world.jails():
            if packet.destination in (*jail.ip4_addr, *jail.ip6_addr):
                return jail.name
        if packet.protocol in ("icmp", "ipv6-icmp"):
            return "host"
        for _, row in self.world.state.scan("listen", f"{HOST}/"):
            same = row["port"] == packet.destination_port and row["protocol"].startswith(packet.protocol)
            if same and row["address"] in ("*", packet.destination):
                return str(row.get("jail") or "host")
        self.closed = True
        raise NoConnectionError(f"nothing listens on {endpoint(packet.destination, packet.destination_port)}")


def _end(packet: Packet, side: str) -> str:
    """Address and port as pfctl lists them; of an echo request it is the identifier on either side."""
    if packet.protocol in ("icmp", "ipv6-icmp"):
        return endpoint(getattr(packet, side), packet.source_port)
    return endpoint(getattr(packet, side), getattr(packet, f"{side}_port"))
