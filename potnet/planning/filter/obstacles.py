"""Rules in pf's main ruleset that keep packets of pots from potnet's anchors, or from their destination.

pf gives no warning: it loads rules into an anchor that packets never reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, product

from netaddr import IPAddress, IPNetwork

from potnet.config.configuration import Config
from potnet.errors import HostError
from potnet.host.findings import Kind
from potnet.host.own_addresses import listening
from potnet.host.ruleset import MainRule, Redirection
from potnet.host.state import HostState, PacketFilter
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import BRIDGE_GROUP, GROUP, Pot
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.main_ruleset import Flow, Match, before, blocked, calls, entered, match, reach
from potnet.runtime.fast_dataclass import dataclass

#: An IPv4 address as pfctl(8) prints it.
_IPV4 = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}", re.ASCII)
#: The groups of every bridge of pots: the interface cloner's, and potnet's.
_BRIDGES = frozenset({"all", "bridge", BRIDGE_GROUP, GROUP})
#: The groups of the host's end of a pot's epair.
_MEMBERS = frozenset({"all", "epair", GROUP})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One obstacle. wanted, found: as of a `Finding`. effect: the function that fails. remedy: the fix."""

    kind: Kind
    wanted: str
    found: str
    effect: str
    remedy: str
    pot: str | None = None
    bridge: str | None = None

    @property
    def notice(self) -> str:
        """Return the obstacle as one line, for the start of a pot."""
        return f"{self.found}: {self.effect}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Side:
    """A bridge as pf sees it. networks: one for each family. private: isolated from other bridges."""

    name: str
    interfaces: frozenset[str]
    networks: tuple[IPNetwork, ...]
    private: bool = False

    @property
    def interface(self) -> str:
        return next(iter(self.interfaces - _BRIDGES), f"the group {BRIDGE_GROUP}")

    @property
    def pots(self) -> str:
        return f"pots on {self.name}" if self.name else "pots on bridges"


def side_of(bridge: Bridge) -> Side:
    networks = tuple(subnet.network for subnet in bridge.subnets)
    private = bridge.kind is BridgeKind.PRIVATE
    return Side(bridge.name, _BRIDGES | {bridge.interface}, networks, private)


def _networks4(config: Config, sides: Iterable[Side]) -> tuple[IPNetwork, ...]:
    """Return the IPv4 networks of pots: the public one, and those of bridges outside it."""
    own = (pf.around(config, each) for side in sides for each in side.networks if each.version == 4)
    return tuple(dict.fromkeys((config.network, *own)))


def any_side(config: Config) -> Side:
    """Return a side for a bridge that does not exist yet."""
    return Side("", _BRIDGES, (config.network,), True)


@dataclass(frozen=True, slots=True)
class Outer:
    """The external interface as pf sees it. interfaces: empty if there is none; with its cloner's group.

    addresses: of the host, if all were observed. exporting: those at which exports listen.
    """

    interfaces: frozenset[str] = frozenset()
    addresses: tuple[IPAddress, ...] = ()
    exporting: tuple[IPAddress, ...] = ()

    def targets(self, item: Redirection) -> list[IPNetwork | None]:
        """Return the addresses of an export on the host; None: unknown."""
        own = [each for each in self.exporting if each.version == item.address.version]
        return [IPNetwork(f"{each}") for each in (own if item.host is None else [item.host])] or [None]


def outer_of(config: Config, state: HostState, external: str | None) -> Outer:
    if external is None:
        return Outer()
    names = frozenset({external, external.rstrip("0123456789"), "all"})
    known = state.interfaces.values() if external in state.interfaces else ()
    main = pf.outlets(config, external)[0]
    exporting = tuple(
        each for family in (4, 6) for each in listening(main, family, state.interfaces, state.traits)
    )
    return Outer(names, tuple(a.address for each in known for a in each.addresses), exporting)


def obstacles(
    config: Config, state: HostState, sides: Iterable[Side], external: str | None, pots: Iterable[Pot] = ()
) -> tuple[Obstacle, ...]:
    """Return all obstacles for bridges with leased addresses. pots: those to check."""
    found = state.packet_filter
    if found.self_contained:
        return tuple(_dropped(config, found, tuple(sides)))
    if not found.enabled:
        return ()
    sides, pots = tuple(side for side in sides if side.networks), tuple(pots)
    outer = outer_of(config, state, external)
    skipped = (*_lost(state), *_skipped(found, sides, external), *_skipped_members(found, pots))
    if external is not None and external in found.skipped:
        return skipped
    each = (
        skipped, _uncalled(config, found, sides, outer.interfaces),
        _bypassed(config, found, sides, outer.interfaces), _misnamed(config, found, outer, sides),
        _kept_in(found, sides, outer.interfaces), _exports(config, found, sides, outer, pots),
    )  # fmt: skip
    # A rule is reported once, even if it has several effects.
    told = {(o.kind, o.wanted, o.found, o.pot): o for group in reversed(each) for o in (*group,)[::-1]}
    return tuple(told.values())[::-1]


def check_members(config: Config, found: PacketFilter, pot: Pot) -> None:
    """Raises HostError if rules for a pot's epair ends would have no effect; pf would not report it."""
    if found.self_contained:
        return
    name = f"{config.filter_anchor}/*"
    lack = None if found.enabled else "pf is off"
    if found.enabled and not calls(found.filters, "anchor", name):
        lack = f'the main ruleset of pf does not name anchor "{name}"'
    for attachment in pot.attachments if lack is None else ():
        flow = Flow("in", _MEMBERS | {attachment.host_end}, 4)
        if reach(found.filters, "anchor", name, flow) < Match.ALWAYS:
            shown = " and ".join(f"`{rule.text}`" for rule in calls(found.filters, "anchor", name))
            lack = f"the main ruleset of pf has a condition on the anchor: {shown}"
    if lack is not None:
        raise HostError(f"network.antispoof would have no effect: {lack}", hint=pf.INIT_HINT)


def _dropped(config: Config, found: PacketFilter, sides: tuple[Side, ...]) -> Iterator[Obstacle]:
    """Return foreign chains that drop packets of pots, unless they name the bridge or its network."""
    for chain, side in product(found.others, sides):
        known = {str(config.network), *map(str, side.networks), *(side.interfaces - {"all", "bridge"})}
        words = {word.strip("\"',{}*") for word in chain.text.split()}
        families = {"ip": {4}, "ip6": {6}}.get(chain.name.split()[0], {4, 6})
        if known & words or families.isdisjoint(network.version for network in side.networks):
            continue
        yield Obstacle(
            Kind.TRAFFIC_BLOCKED, f"the chain {chain.name} accepts packets of {side.pots}",
            f"the chain {chain.name} drops what it does not accept",
            f"{side.pots} reach nothing outside and get no exports",
            f"accept there what comes in and goes out by {side.interface}", bridge=side.name or None,
        )  # fmt: skip


def _lost(state: HostState) -> Iterator[Obstacle]:
    """Return the interfaces that pf lost when another interface of the same name went."""
    for name in sorted(state.lost):
        yield Obstacle(
            Kind.INTERFACE_LOST, f"pf knows {name}", f"pf has lost {name}",
            f"rules with the name {name} have no effect",
            "unload pf, load it and its rules, then run `potnet repair`",
        )  # fmt: skip


def _skipped(found: PacketFilter, sides: Iterable[Side], external: str | None) -> Iterator[Obstacle]:
    if external is not None and external in found.skipped:
        effect = "no NAT, no exports, and machines outside can address pots directly"
        yield _skip(external, external, effect)
    for side in sides:
        for mark in sorted(found.skipped & side.interfaces)[:1]:
            effect = f"{side.pots} are not isolated and reach no exports"
            yield _skip(mark, side.interface, effect, side.name)


def _skipped_members(found: PacketFilter, pots: Iterable[Pot]) -> Iterator[Obstacle]:
    for pot in pots:
        ends = {attachment.host_end for attachment in pot.attachments} if pot.antispoof else set()
        marks = sorted(found.skipped & {*ends, *(_MEMBERS if ends else ())})
        for mark in marks[:1]:
            yield _skip(mark, ", ".join(sorted(ends)), "antispoof has no effect", pot=pot.name)


def _skip(mark: str, interface: str, effect: str, bridge: str = "", pot: str | None = None) -> Obstacle:
    remedy = (
        f"take {mark} out of `set skip` in the rules that pf loads; pf forgets the mark at the next boot, "
        "or when it is restarted"
    )
    return Obstacle(
        Kind.INTERFACE_SKIPPED, f"pf filters {interface}", f"pf skips {mark} (set skip)", effect, remedy,
        pot=pot, bridge=bridge or None,
    )  # fmt: skip


def _isolating(config: Config, sides: tuple[Side, ...], outer: frozenset[str]) -> Iterator[Flow]:
    """Return the flows that the filter anchor must block."""
    for side in sides:
        for network in side.networks if side.private else ():
            family = network.version
            for others in _networks4(config, sides) if family == 4 else (None,):
                yield Flow("in", side.interfaces, family, network, others)
                yield Flow("out", side.interfaces, family, others, network)
        for network in side.networks if outer else ():
            yield Flow("in", outer, network.version, None, pf.around(config, network))


def _translating(
    config: Config, sides: Iterable[Side], outer: frozenset[str]
) -> Iterator[tuple[str, str, str, Flow]]:
    """Return the translated flows, each with the keyword, the anchor and its purpose."""
    nested = f"{config.rdr_anchor}/*"
    for side in sides:
        for network in side.networks:
            family, source = network.version, pf.around(config, network)
            if outer and family == 4:
                yield "nat-anchor", config.nat_anchor, "NAT", Flow("out", outer, 4, source)
            if outer:
                yield "rdr-anchor", nested, "exports", Flow("in", outer, family)
            yield "rdr-anchor", nested, "exports for pots", Flow("in", side.interfaces, family)
            hairpin = Flow("out", side.interfaces, family, None, network)
            yield "nat-anchor", nested, "exports for pots", hairpin


def _uncalled(
    config: Config, found: PacketFilter, sides: tuple[Side, ...], outer: frozenset[str]
) -> Iterator[Obstacle]:
    """Return the conditional anchor calls that skip packets of pots."""
    for word, name, what, flow in _translating(config, sides, outer):
        if reach(found.translation, word, name, flow) < Match.ALWAYS:
            effect = f"some packets get no {what}"
            yield from _limited(calls(found.translation, word, name), word, name, effect)
    name = f"{config.filter_anchor}/*"
    for flow in _isolating(config, sides, outer):
        if reach(found.filters, "anchor", name, flow) < Match.ALWAYS:
            effect = "a network of pots is not isolated from other pots or from the outside"
            yield from _limited(calls(found.filters, "anchor", name), "anchor", name, effect)


def _limited(calling: list[MainRule], word: str, name: str, effect: str) -> Iterator[Obstacle]:
    if calling:
        wanted = f'{word} "{name}"'
        shown = " and ".join(f"`{rule.text}`" for rule in calling)
        remedy = f"write it as `{wanted}`, without a condition"
        yield Obstacle(Kind.ANCHOR_LIMITED, wanted, f"pf has {shown}", effect, remedy)


def _bypassed(
    config: Config, found: PacketFilter, sides: tuple[Side, ...], outer: frozenset[str]
) -> Iterator[Obstacle]:
    """Return the rules before potnet's anchors that decide on packets of pots."""
    name = f"{config.filter_anchor}/*"
    for flow in _isolating(config, sides, outer):
        for rule in before(found.filters, "anchor", name, flow):
            if rule.action == "pass" and rule.quick:
                yield _bypass(rule, "anchor", name, "the packets that it passes are not isolated")
    for word, name, what, flow in _translating(config, sides, outer):
        kind = word.removesuffix("-anchor")
        for rule in before(found.translation, word, name, flow):
            # A rule without a port affects all exports; a rule with a port affects only exports of that port.
            if rule.no and rule.action == kind and not rule.port:
                yield _bypass(rule, word, name, f"the packets that it matches get no {what}")


def _misnamed(config: Config, found: PacketFilter, outer: Outer, sides: Iterable[Side]) -> Iterator[Obstacle]:
    """Return the translations of others that give packets of pots an address that the host does not have."""
    networks = _networks4(config, sides) if outer.addresses else ()
    flows = (Flow("out", outer.interfaces, 4, each) for each in networks)
    rules = [before(found.translation, "nat-anchor", config.nat_anchor, flow) for flow in flows]
    for rule in dict.fromkeys(rule for found in rules for rule in found):
        if rule.action != "nat" or rule.no or not _IPV4.fullmatch(rule.target):
            continue
        if IPAddress(rule.target) not in outer.addresses:
            effect = f"pots leave with the source {rule.target}, which no interface of the host has"
            yield _bypass(rule, "nat-anchor", config.nat_anchor, effect)


def _bypass(rule: MainRule, word: str, name: str, effect: str) -> Obstacle:
    call = f'{word} "{name}"'
    place = f"the line that calls the anchor {rule.within}" if rule.within else "that rule"
    return Obstacle(
        Kind.ANCHOR_BYPASSED, f"`{call}` comes first", f"{rule.shown} comes before `{call}`", effect,
        f"move the line `{call}` before {place}",
    )  # fmt: skip


def _kept_in(found: PacketFilter, sides: Iterable[Side], outer: frozenset[str]) -> Iterator[Obstacle]:
    """Return the rules that block pots' connections to the outside."""
    for side in sides:
        for network in side.networks:
            family = network.version
            rule = blocked(found.filters, Flow("in", side.interfaces, family, network))
            if rule is not None:
                what, passing = f"packets that come in on {side.interface}", f"pass in on {BRIDGE_GROUP}"
                yield _blocks(rule, what, passing, side.name)
            rule = blocked(found.filters, Flow("out", outer, family)) if outer else None
            if rule is not None:
                yield _blocks(rule, "packets that leave the host", "pass out", side.name)


def _blocks(rule: MainRule, what: str, passing: str, bridge: str = "", pot: str | None = None) -> Obstacle:
    """Return the obstacle of a rule that blocks. passing: a rule that passes such packets."""
    effect = f"no packets reach {pot}" if pot is not None else "pots reach nothing outside"
    place = f"the line that calls the anchor {rule.within}" if rule.within else "that rule"
    remedy = f"add a rule such as `{passing}` behind {place}"
    if rule.quick:
        action, direction, *rest = passing.split()
        passing = " ".join((action, direction, "quick", *rest))
        remedy = f"add a rule such as `{passing}` behind potnet's anchors, and move {place} behind both"
    return Obstacle(
        Kind.TRAFFIC_BLOCKED, f"pf passes {what}", f"pf blocks {what} with {rule.shown}", effect, remedy,
        pot=pot, bridge=bridge or None,
    )  # fmt: skip


def _exports(
    config: Config, found: PacketFilter, sides: Iterable[Side], outer: Outer, pots: Iterable[Pot]
) -> Iterator[Obstacle]:
    """Return obstacles to connections to exported ports, one of each kind for a pot."""
    known = {side.name: side for side in sides}
    for pot in pots:
        side = known.get(pot.home.bridge) if pot.home is not None else None
        items = pf.redirections(pot) if side is not None else ()
        if side is not None and items:
            yield from islice(_shut(found, side, pot, items), 1)
            for names in (outer.interfaces, side.interfaces) if outer.interfaces else ():
                rules = _before_exports(config, found, names, items)
                yield from islice(_shadowed(rules, names, outer, pot, items), 1)


def _shut(found: PacketFilter, side: Side, pot: Pot, items: tuple[Redirection, ...]) -> Iterator[Obstacle]:
    """Return the rules that block redirected packets from leaving towards the pot."""
    for family in {item.address.version for item in items}:
        mine = [item for item in items if item.address.version == family]
        to = IPNetwork(f"{mine[0].address}")
        wide = Flow("out", side.interfaces, family, None, to)
        rules = [rule for rule in found.filters if match(rule, wide) > Match.NEVER]
        for item in mine if any(rule.action == "block" for rule, _ in entered(rules, wide)) else ():
            flow = replace(wide, protocol=item.protocol.value, port=item.pot_port)
            rule = blocked(rules, flow)
            if rule is not None:
                what = f"{item.protocol} port {item.pot_port} of {pot.name} on {side.interface}"
                yield _blocks(rule, what, f"pass out on {BRIDGE_GROUP}", side.name, pot.name)


def _before_exports(
    config: Config, found: PacketFilter, names: frozenset[str], items: Iterable[Redirection]
) -> dict[int, list[MainRule]]:
    """Return the redirections of others that pf evaluates first on an interface, by family."""
    call = f"{config.rdr_anchor}/*"
    return {
        family: [
            rule
            for rule in before(found.translation, "rdr-anchor", call, Flow("in", names, family))
            if rule.action == "rdr" and (rule.port or not rule.no)
        ]
        for family in {item.address.version for item in items}
    }


def _shadowed(
    rules: Mapping[int, list[MainRule]],
    names: frozenset[str],
    outer: Outer,
    pot: Pot,
    items: tuple[Redirection, ...],
) -> Iterator[Obstacle]:
    """Return the redirections of others that take exported ports at an interface. rules: by family."""
    for item in items if any(rules.values()) else ():
        for rule, to in product(rules[item.address.version], outer.targets(item)):
            for port in range(item.host_port, item.host_port + item.count):
                flow = Flow("in", names, item.address.version, None, to, item.protocol.value, port, True)
                if match(rule, flow) > Match.NEVER:
                    yield _takes(rule, f"{item.protocol} port {port}", pot)


def _takes(rule: MainRule, port: str, pot: Pot) -> Obstacle:
    return Obstacle(
        Kind.EXPORT_SHADOWED, f"{port} of the host leads to {pot.name}", f"{rule.shown} takes {port}",
        f"it does not reach {pot.name}",
        f"remove that rule, or export another port with `potnet export-ports -p {pot.name}`", pot=pot.name,
    )  # fmt: skip
