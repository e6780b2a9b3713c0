"""Write the packet filter's rules as text for ``nft -f -``: one table (inet), a chain for each anchor.

`exports` has the elements for exports. No change requires a listing. See nft(8), MAPS and CHAINS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netaddr import IPAddress, IPNetwork

from potnet.drivers.linux.commands.render import Render
from potnet.drivers.linux.facts.names import BRIDGE_LINK_GROUP
from potnet.drivers.linux.nft.exports import ChainOf, chain_of, elements, guards, guards_removed
from potnet.executors.base import Command
from potnet.host.filter_actions import LoadAnchor
from potnet.host.ruleset import (
    BridgeIsolation,
    ConnectionLimits,
    ExternalIsolation,
    Identity,
    NoRules,
    Outlet,
    Place,
    PotFilter,
    Redirection,
    Redirections,
    Ruleset,
    SourceNat,
    Verdict,
    redirections_in,
    without,
)
from potnet.model.pots import GROUP

#: All visible IPv6 networks of pots, and the translated ones.
POTS6, TRANSLATED6 = "pots6", "translated6"
#: The maps of pots with a chain of their own, by family.
SENDERS = {4: "senders", 6: "senders6"}
#: IPv6 neighbour discovery requires these networks (RFC 4861).
_NEIGHBOURS6 = (IPNetwork("fe80::/10"), IPNetwork("ff02::/16"))
_FAMILY = {4: "ip", 6: "ip6"}
#: The maps of pots' ends in the table for members of bridges: by sending end, and by receiving end.
MEMBERS, RECEIVERS = "members", "receivers"
LOADING = ("nft", "-f", "-")


class Filter:
    """Renders rulesets for nftables; `template` fills in its templates."""

    def __init__(self, template: Render) -> None:
        self._template = template

    def load(self, action: LoadAnchor, first: Sequence[str]) -> str:
        """Return the transaction that fills an anchor. first: the existing commands of `leaving`."""
        return "".join(map(_line, first)) + self._rest(action)

    def _rest(self, action: LoadAnchor) -> str:
        values: dict[str, object]
        match action.rules:
            case SourceNat(network) if network.version == 6:
                return _line(f"add element inet {GROUP} {TRANSLATED6} {{ {network} }}")
            case SourceNat():
                return self.table(action.anchor, action.rules)
            case ExternalIsolation(network, outlets, others):
                pots = _set((network, *others))
                values = {"chain": action.anchor, "pots": pots, "outlets": outlets}
                return self._template("nft-ext.j2", values)
            case PotFilter():
                return self._pot(action.anchor, action.rules)
            case BridgeIsolation(_, _, ()):
                # The set `TRANSLATED6` protects these networks from the outside.
                return ""
            case BridgeIsolation(bridge, own, others):
                values = {"chain": action.anchor, "bridge": bridge, "sides": _sides(own, others)}
                return self._template("nft-bridge.j2", values)
            case Redirections():
                before = redirections_in(action.replaced) if action.exact else ()
                return self._redirections(action.rules, before, _chain_of(action))
            case ConnectionLimits() | NoRules():
                return ""

    def _pot(self, anchor: str, rules: PotFilter) -> str:
        """Return the rules of a pot; those about its interfaces are separate."""
        text = self._template("nft-pot.j2", _pot_filter(anchor, rules)) if _is_routed(rules) else ""
        if not rules.identities:
            return text
        values: dict[str, object] = {"chain": anchor, "identities": list(map(_identity, rules.identities))}
        values["near"] = _is_near(rules)
        return text + self._template("nft-member.j2", values)

    def members(self) -> str:
        """Return the table for members of bridges, without any pots."""
        return self._template("nft-members.j2", {})

    def _redirections(self, rules: Redirections, before: Sequence[Redirection], chain: ChainOf) -> str:
        """Return what an anchor with some redirections lacks."""
        known = [
            f"add element inet {GROUP} {POTS6} {{ {each} }}" for each in rules.networks if each.version == 6
        ]
        held, wanted = guards(before, chain), guards(rules.items, chain)
        changed = {name: own for name, own in wanted.items() if own != held.get(name)}
        chains = (self._template("nft-exports.j2", {"chain": n, "guards": own}) for n, own in changed.items())
        added = (each.addition for each in elements(without(rules.items, before), chain))
        return "".join(chains) + "".join(map(_line, (*known, *added)))

    def table(self, chain: str, rules: SourceNat) -> str:
        """Return the whole table, without redirections; the first bridge creates it."""
        values: dict[str, object] = {
            "chain": chain,
            "pots": _set((rules.network, *rules.others)),
            "outlets": rules.outlets,
            "further": [(f"further{each.version}", each.ip) for each in rules.further if each.size == 1],
            "networks": [(_FAMILY[each.version], each) for each in rules.further if each.size > 1],
            "group": BRIDGE_LINK_GROUP,
        }
        return self._template("nft-table.j2", values)


def leaving(action: LoadAnchor) -> tuple[str, ...]:
    """Return the commands that remove the old contents of an anchor."""
    if isinstance(action.rules, Redirections):
        return _exported_no_more(action, action.rules.items)
    if isinstance(action.rules, PotFilter) and isinstance(action.replaced, PotFilter):
        gone = () if _is_routed(action.rules) else _routed_no_more(action.anchor, action.replaced)
        if not action.rules.identities:
            return (*gone, *_sent_no_more(action.anchor, action.replaced))
        return (*gone, *_near_no_more(action.anchor, action.replaced, action.rules))
    if isinstance(action.rules, ExternalIsolation) and isinstance(action.replaced, ExternalIsolation):
        return _no_more_outside(action.replaced, action.rules)
    if action.rules != NoRules():
        return ()
    match action.replaced:
        case Redirections():
            return _exported_no_more(action, ())
        case SourceNat(network) if network.version == 6:
            return (f"delete element inet {GROUP} {TRANSLATED6} {{ {network} }}",)
        case PotFilter():
            return (
                *_routed_no_more(action.anchor, action.replaced),
                *_sent_no_more(action.anchor, action.replaced),
            )
        case ConnectionLimits() | BridgeIsolation(_, _, ()):
            return ()
        case BridgeIsolation(bridge):
            return (
                f'delete element inet {GROUP} entering {{ "{bridge}" }}',
                f'delete element inet {GROUP} leaving {{ "{bridge}" }}',
                f"delete chain inet {GROUP} {action.anchor}",
            )
        case NoRules() if "/" in action.anchor:
            return (f"flush chain inet {GROUP} {action.anchor}",)
    # The NAT rules go with the last bridge, and the whole table goes with them.
    return (f"delete table inet {GROUP}",)


def _no_more_outside(held: ExternalIsolation, rules: ExternalIsolation) -> tuple[str, ...]:
    """Return the commands that remove the guards of former external interfaces."""
    kept = {each.interface for each in rules.outlets}
    gone = (each.interface for each in held.outlets if each.interface not in kept)
    return tuple(f'delete element inet {GROUP} entering {{ "{each}" }}' for each in gone)


def _is_routed(rules: PotFilter) -> bool:
    """Return whether the rules apply to routed packets."""
    return bool(rules.verdicts or rules.inside)


def _routed_no_more(anchor: str, held: PotFilter) -> tuple[str, ...]:
    if not _is_routed(held):
        return ()
    return (
        *(
            f"delete element inet {GROUP} {SENDERS[s.network.version]} {{ {s.network.ip} }}"
            for s in held.sources
        ),
        f"delete chain inet {GROUP} {anchor}",
    )


def _sent_no_more(anchor: str, held: PotFilter) -> tuple[str, ...]:
    if not held.identities:
        return ()
    ends = (f'delete element bridge {GROUP} {MEMBERS} {{ "{each.member}" }}' for each in held.identities)
    return (*ends, f"delete chain bridge {GROUP} {anchor}", *_near_no_more(anchor, held, PotFilter()))


def _is_near(rules: PotFilter) -> bool:
    """Return whether the rules apply to others on the pot's bridges."""
    return any(each.verdicts for each in rules.identities)


def _near_no_more(anchor: str, held: PotFilter, rules: PotFilter) -> tuple[str, ...]:
    """Return the removals of old rules for a bridge; the pot's chain refers to them until it is flushed."""
    kept = {each.member for each in rules.identities if each.verdicts}
    gone = [each.member for each in held.identities if each.verdicts and each.member not in kept]
    ends = (f'delete element bridge {GROUP} {RECEIVERS} {{ "{each}" }}' for each in gone)
    if kept or not gone:
        return tuple(ends)
    emptied = (f"flush chain bridge {GROUP} {anchor}",) if rules.identities else ()
    sets = (f"delete set bridge {GROUP} {anchor}.{version}" for version in (4, 6))
    return (*emptied, *ends, f"delete chain bridge {GROUP} {anchor}.in", *sets)


def _exported_no_more(action: LoadAnchor, items: Sequence[Redirection]) -> tuple[str, ...]:
    before, chain = redirections_in(action.replaced), _chain_of(action)
    left_out = without(before, items)
    ports = {(each.protocol, each.host_port) for each in left_out}
    # An element may belong to both families of an export.
    alike = (each for each in items if (each.protocol, each.host_port) in ports)
    kept = {*elements(alike, chain)} if ports else set()
    gone = dict.fromkeys(each.removal for each in elements(left_out, chain) if each not in kept)
    return (*gone, *guards_removed(guards(before, chain), guards(items, chain)))


def _chain_of(action: LoadAnchor) -> ChainOf:
    shared = any(isinstance(each, Redirections) and each.shared for each in (action.rules, action.replaced))
    return chain_of(action.anchor, shared)


def opened_bridge(rules: Ruleset) -> str | None:
    """Return the bridge for the host's connections to exports by 127.0.0.1; None if there are none."""
    if not isinstance(rules, Redirections):
        return None
    local = (item.loopback and item.address.version == 4 and item.host is None for item in rules.items)
    return rules.bridge if any(local) else None


def opening(loads: Iterable[LoadAnchor]) -> tuple[Command, ...]:
    """Return the command that lets the host reach exports by 127.0.0.1 over their bridges."""
    bridges = dict.fromkeys(bridge for load in loads if (bridge := opened_bridge(load.rules)))
    return (Command(("tee", *map(route_localnet, bridges)), stdin="1\n"),) if bridges else ()


def route_localnet(bridge: str) -> str:
    """Return the setting that lets packets of 127.0.0.0/8 pass a bridge (ip-sysctl)."""
    return f"/proc/sys/net/ipv4/conf/{bridge}/route_localnet"


def loading(text: str) -> Command:
    """Return the command that carries out a transaction."""
    return Command(LOADING, stdin=text)


def external_host(outlets: tuple[Outlet, ...]) -> tuple[tuple[str, str], ...]:
    """Return each outlet with each address of its redirections; ``(eth0)`` means all addresses of eth0."""
    return tuple((o.interface, str(each)) for o in outlets for each in o.addresses or (f"({o.interface})",))


def _sides(
    own: Sequence[IPNetwork], others: Sequence[IPNetwork]
) -> list[tuple[str, IPNetwork, list[IPNetwork]]]:
    """Return each family of a bridge as nft calls it, with its own network and the networks to isolate."""
    found = []
    for mine in own:
        theirs = [each for each in others if each.version == mine.version and each != mine]
        if theirs:
            found.append((_FAMILY[mine.version], mine, theirs))
    return found


def _pot_filter(chain: str, rules: PotFilter) -> dict[str, object]:
    """Return the values of the template: a rule for each pair of places of one family."""
    found = [
        {
            "allow": verdict.allow,
            "behind": place.bridge,
            "family": _FAMILY[place.network.version],
            "protocol": verdict.protocol,
            "source": source.network.ip,
            "destination": _shown(place.network),
            "ports": _ports(verdict.ports),
        }
        for verdict in rules.verdicts
        for place in verdict.places
        for source in rules.sources
        if source.network.version == place.network.version
    ]
    families = dict.fromkeys(s.network.version for s in rules.sources if rules.inside)
    near = (*rules.inside, *_NEIGHBOURS6)
    inside = [(_FAMILY[f], [each for each in near if each.version == f]) for f in families]
    own = [{"map": SENDERS[s.network.version], "address": s.network.ip} for s in rules.sources]
    return {"chain": chain, "rules": found, "inside": inside, "sources": own}


def _identity(own: Identity) -> dict[str, object]:
    """Return the values of the template; neighbour advertisements match by number (RFC 4861, 4.4)."""
    given6 = [each for each in own.addresses if each.version == 6]
    return {
        "member": own.member,
        "mac": own.mac,
        "ip": own.of_family(4),
        "ip6": given6 if own.verdicts else own.of_family(6),
        "own6": given6,
        "targets": [f"{int(each):#034x}" for each in given6],
        "learns": own.learns,
        "dhcp": own.dhcp,
        "gateways": [(_FAMILY[each.version], each) for each in own.gateways],
        "rules": [_near(*each) for each in own.pairs()],
        "answers": dict.fromkeys(
            (_FAMILY[source.version], _shown(place.network), source)
            for verdict, source, place in own.pairs()
            if not verdict.allow
        ),
    }


def _near(verdict: Verdict, source: IPAddress, place: Place) -> dict[str, object]:
    return {
        "allow": verdict.allow,
        "family": _FAMILY[source.version],
        "protocol": verdict.protocol,
        "source": source,
        "destination": _shown(place.network),
        "ports": _ports(verdict.ports),
    }


def _set(networks: Sequence[IPNetwork]) -> str:
    """Return one network, or several as a set."""
    return str(networks[0]) if len(networks) == 1 else f"{{ {', '.join(map(str, networks))} }}"


def _shown(network: IPNetwork) -> object:
    return network.ip if network.size == 1 else network


def _ports(ports: tuple[int, int] | None) -> str:
    return "-".join(map(str, dict.fromkeys(ports or ())))


def _line(command: str) -> str:
    return f"{command}\n"
