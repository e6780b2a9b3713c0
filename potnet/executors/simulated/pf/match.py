"""Match packets against pf rules: first match in translation, last or quick in filtering (pf.conf(5))."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from potnet.executors.simulated.pf import load, tables
from potnet.executors.simulated.pf.rules import Host, Rule, Ruleset
from potnet.executors.simulated.world import pf_skip
from potnet.executors.simulated.world.entities import Interface, name_key
from potnet.executors.simulated.world.world import World


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection. tag: set by a rule (pf.conf(5)).

    answer: it is a later packet; with tcp it has other flags.
    """

    protocol: str
    source: str
    source_port: int
    destination: str
    destination_port: int
    tag: str = ""
    answer: bool = False

    @property
    def family(self) -> int:
        return 6 if ":" in self.destination else 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of the filter rules; rule: the deciding rule, None for the default, which keeps no state.

    tag: of the packet, which keeps it. pipes: of match rules, which apply whatever rule decides. numbers: of
    the rule in its ruleset, and before it that of the anchor call in the main ruleset, if any.
    """

    passed: bool
    rule: Rule | None = None
    tag: str = ""
    pipes: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def answers(self) -> bool:
        """Return whether pf tells the sender that it blocks the packet."""
        return self.rule is not None and self.rule.drop.startswith("return")


class Filter:
    """The active rulesets, looked up as packets need them."""

    def __init__(self, world: World) -> None:
        self._world = world
        status = world.state.get("pf", "status") or {}
        self.enabled = bool(status["enabled"])
        self.filter_local = bool(status["filter_local"])
        self._skip = pf_skip.marked(world.state)
        self._main = load.ruleset(world, "") or Ruleset()
        #: The rules that translated something, with their anchors.
        self.used: list[tuple[str, Rule]] = []
        self._tag = ""
        self._decided: Rule | None = None
        self._pipes: tuple[int, ...] = ()
        self._numbers: tuple[int, ...] = ()

    def looks_at(self, interface: Interface) -> bool:
        # A mark on a group applies to each of its members.
        return self.enabled and interface.name not in self._skip

    def translate(self, kind: str, packet: Packet, interface: Interface) -> tuple[Packet, Rule | None]:
        """Return the packet after nat (outbound) or rdr (inbound), and the rule that changed it."""
        if not self.looks_at(interface):
            return packet, None
        for path, rule in self._translations(kind, packet, interface):
            if rule.no or rule.target is None:
                return packet, None
            address = self._target(path, rule, packet)
            if address is None:
                return packet, None
            self.used.append((path, rule))
            tag = rule.tag or packet.tag
            if kind == "nat":
                return replace(packet, source=address, tag=tag), rule
            port = _port(rule, packet)
            return replace(packet, destination=address, destination_port=port, tag=tag), rule
        return packet, None

    def _translations(self, kind: str, packet: Packet, interface: Interface) -> Iterator[tuple[str, Rule]]:
        """Yield the matching rules of a kind in their order; binat comes before nat, and after rdr."""
        for each in ("binat", kind) if kind == "nat" else (kind, "binat"):
            yield from self._of_kind(each, kind, ("", self._main), packet, interface)

    def _of_kind(
        self, action: str, kind: str, place: tuple[str, Ruleset], packet: Packet, interface: Interface
    ) -> Iterator[tuple[str, Rule]]:
        path, ruleset = place
        for rule in ruleset.rules:
            if rule.action == action:
                rule = rule if action == kind else _one_way(rule, kind)
                if self._matches(rule, ruleset, packet, interface):
                    yield path, rule
            elif rule.action == f"{action}-anchor" and self._matches(rule, ruleset, packet, interface):
                for below in self._below(path, rule.anchor):
                    yield from self._of_kind(action, kind, below, packet, interface)

    def _below(self, path: str, anchor: str) -> Iterator[tuple[str, Ruleset]]:
        """Yield the rulesets that an anchor rule enters: its own or, with ``/*``, its direct children.

        A name is relative to the anchor that holds the rule, unless it begins with a slash.
        """
        whole = anchor[1:] if anchor.startswith("/") else f"{path}/{anchor}" if path else anchor
        paths = [whole]
        if whole.endswith("*"):
            paths = load.children(self._world, whole[:-1].rstrip("/"))
        for each in paths:
            found = load.ruleset(self._world, each)
            if found is not None:
                yield each, found

    def filter(self, direction: str, packet: Packet, interface: Interface) -> Verdict:
        """Decide about a packet; it passes if no rule matches."""
        if not self.looks_at(interface):
            return Verdict(True, tag=packet.tag)
        self._decided, self._pipes, self._tag, self._numbers = None, (), packet.tag, ()
        self._evaluate(("", self._main), direction, packet, interface)
        decided = self._decided
        passed = decided is None or decided.action == "pass"
        pipes = (decided.pipes if decided else ()) or self._pipes
        return Verdict(passed, decided, self._tag, pipes, self._numbers)

    def _evaluate(
        self,
        place: tuple[str, Ruleset],
        direction: str,
        packet: Packet,
        interface: Interface,
        above: tuple[int, ...] = (),
    ) -> tuple[bool, bool]:
        """Return whether a rule has decided, and whether the evaluation ends. above: the anchor call's
        number."""
        path, ruleset = place
        hit = False
        for number, rule in enumerate(ruleset.filters()):
            if rule.direction not in ("", direction) or not self._matches(rule, ruleset, packet, interface):
                continue
            if rule.action == "anchor":
                inside = False
                for below in self._below(path, rule.anchor):
                    decided, done = self._evaluate(below, direction, packet, interface, above or (number,))
                    inside = inside or decided
                    if done:
                        return True, True
                hit = hit or inside
                if rule.quick and inside:
                    return True, True
                continue
            self._tag = rule.tag or self._tag
            if rule.action == "match":
                self._pipes = rule.pipes or self._pipes
                continue
            self._decided, self._numbers, hit = rule, (*above, number), True
            if rule.quick:
                return True, True
        return hit, False

    def _matches(self, rule: Rule, ruleset: Ruleset, packet: Packet, interface: Interface) -> bool:
        if rule.interface:
            named = rule.interface in (*self._names(interface.name), *interface.groups)
            if named == rule.outside:
                return False
        if rule.family and rule.family != ("inet" if packet.family == 4 else "inet6"):
            return False
        if rule.protocol and rule.protocol != packet.protocol:
            return False
        if rule.icmp or rule.owner or rule.chance:
            # Every icmp packet here is an echo, packets have no user, and rules with a probability never
            # match.
            return False
        if rule.flags and packet.protocol == "tcp" and packet.answer:
            return False
        if rule.tagged and (rule.tagged == self._tag) == rule.untagged:
            return False
        if rule.source_port is not None and packet.source_port not in rule.source_port:
            return False
        if rule.destination_port is not None and packet.destination_port not in rule.destination_port:
            return False
        return self._at(rule.source, ruleset, packet.source) and self._at(
            rule.destination, ruleset, packet.destination
        )

    def _at(self, host: Host, ruleset: Ruleset, text: str) -> bool:
        if host.kind == "any":
            return not host.negated
        if host.kind == "none":
            return host.negated
        address = ip_address(text)
        if host.kind == "prefix":
            found = address in ip_network(host.text)
        elif host.kind == "dynamic":
            found = any(address in network for network in self._dynamic(host.text))
        else:
            found = tables.inside(ruleset.tables.get(host.text, self._main.tables.get(host.text, [])), text)
        return found != host.negated

    def _names(self, name: str) -> tuple[str, ...]:
        """Return an interface's name, unless pf has lost the interface to another of the same name."""
        lost = self._world.state.get("pf-lost", name_key(name)) is not None
        return () if lost else (name,)

    def _known(self, name: str) -> list[Interface]:
        """Return the interfaces that pf knows by a name, or those of the group."""
        return [each for each in self._world.named(name) if each.name != name or self._names(name)]

    def _dynamic(self, text: str) -> list[IPv4Network | IPv6Network]:
        """Return the addresses of ``(em0)`` or the networks of ``(em0:network)``; a group includes all
        members."""
        name, *modifiers = text.split(":")
        found = [a for interface in self._known(name) for a in interface.addresses]
        if "network" in modifiers:
            return [address.network for address in found]
        if "0" in modifiers:
            # Modifier 0 omits aliases: only the first address of each family remains, ignoring link-local
            # ones.
            there = (a for a in found if not a.link_local)
            found = list({a.family: a for a in reversed([*there])}.values())
        return [ip_network(address.address) for address in found]

    def _target(self, path: str, rule: Rule, packet: Packet) -> str | None:
        """Return the address that a rule translates to; several addresses take turns."""
        assert rule.target is not None
        found = self._targets(rule.target, packet.family)
        if not found:
            return None
        if "sticky-address" in rule.pool:
            return found[int(ip_address(packet.source)) % len(found)]
        turn = load.counters(self._world, path, rule)[2] if "round-robin" in rule.pool else 0
        return found[turn % len(found)]

    def _targets(self, host: Host, family: int) -> list[str]:
        if host.kind != "dynamic":
            return host.text.split(", ")
        return [
            address.address
            for interface in self._known(host.text.partition(":")[0])
            for address in interface.addresses
            if address.family == family and not address.link_local
        ]


def _one_way(rule: Rule, kind: str) -> Rule:
    """Return a binat rule as a nat or rdr rule for one direction."""
    if kind == "nat":
        return replace(rule, action="nat")
    target = rule.target if rule.target is not None else Host()
    return replace(rule, action="rdr", source=rule.destination, destination=target, target=rule.source)


def _port(rule: Rule, packet: Packet) -> int:
    """Return the translated port; a range maps one to one."""
    if rule.target_port is None:
        return packet.destination_port
    span = rule.destination_port
    shift = packet.destination_port - span.low if span is not None else 0
    high = rule.target_port.high
    return (
        rule.target_port.low + shift
        if high is not None and high > rule.target_port.low
        else rule.target_port.low
    )
