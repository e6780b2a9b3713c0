"""Write rulesets as pf.conf(5) text."""

from __future__ import annotations

from collections.abc import Callable

from netaddr import IPNetwork

from potnet.drivers.freebsd.pf.exports import Exact, limit_rules, redirection_rules
from potnet.drivers.freebsd.pf.pipes import pipe_numbers
from potnet.host.ruleset import (
    BridgeIsolation,
    ConnectionLimits,
    ExternalIsolation,
    Identity,
    NoRules,
    Outlet,
    PotFilter,
    Redirections,
    Ruleset,
    SourceNat,
)

#: Fills in a template by name with these values.
Render = Callable[[str, dict[str, object]], str]


def rules_text(template: Render, rules: Ruleset, exact: Exact) -> str:
    """Return the pf.conf(5) text of a ruleset. Raises HostError.

    template: fills in a template by name. exact: returns whether pf lets in as many states as a limit says.
    """
    values: dict[str, object]
    match rules:
        case NoRules():
            return ""
        case SourceNat(network, outlets, inside):
            values = {"networks": (network, *rules.others), "inside": inside}
            values["outlets"] = _outlets(outlets, network.version)
            return template("pf-nat.conf.j2", values)
        case ExternalIsolation(network, outlets, others):
            values = {"networks": (network, *others), "outlets": _outlets(outlets)}
            return template("pf-ext.conf.j2", values)
        case PotFilter():
            return template("pf-pot.conf.j2", _pot_filter(rules))
        case BridgeIsolation(bridge, own, others, hidden, outlets, permits):
            return template(
                "pf-bridge.conf.j2",
                {
                    "bridge": bridge,
                    "others": _others(own, others),
                    "hidden": hidden,
                    "outlets": _outlets(outlets),
                    "permits": permits,
                },
            )
        case Redirections(bridge):
            values = {"bridge": bridge, "items": redirection_rules(rules)}
            return template("pf-rdr.conf.j2", values)
        case ConnectionLimits():
            return template("pf-limits.conf.j2", {"items": limit_rules(rules, exact)})


def _others(own: tuple[IPNetwork, ...], others: tuple[IPNetwork, ...]) -> list[str]:
    """Return table entries for all pots except those of these networks, family by family."""
    entries: list[str] = []
    for mine in own:
        theirs = [str(each) for each in others if each.version == mine.version and each != mine]
        entries += [*theirs, *([f"!{mine}"] if theirs else [])]
    return entries


#: IPv6 neighbour discovery requires these networks (RFC 4861).
_NEIGHBOURS6 = ("fe80::/10", "ff02::/16")
#: The sources of neighbour solicitation and duplicate detection by ICMPv6 (RFC 4861, RFC 4862).
_ASKING = ("fe80::/10", "::")


def _pot_filter(rules: PotFilter) -> dict[str, object]:
    """Return the values of the template: a rule for each pair of places of one family."""
    pairs = (
        (verdict, source, place)
        for verdict in rules.verdicts
        for place in verdict.places
        for source in rules.sources
        if source.network.version == place.network.version
    )
    found = [
        {
            "allow": verdict.allow,
            "bridge": source.bridge,
            "behind": place.bridge,
            "family": _family(source.network),
            "protocol": verdict.protocol,
            "source": source.network.ip,
            "destination": network_text(place.network),
            "ports": _ports(verdict.ports),
        }
        for verdict, source, place in pairs
    ]
    own = [{"bridge": s.bridge, "family": _family(s.network), "address": s.network.ip} for s in rules.sources]
    neighbours = _NEIGHBOURS6 if any(s.network.version == 6 for s in rules.sources) else ()
    return {
        "rules": found,
        "sources": own,
        "inside": [*rules.inside, *(neighbours if rules.inside else ())],
        "pipes": pipe_numbers(rules.pipes) if rules.pipes is not None else (),
        "identities": [_identity(each) for each in rules.identities],
    }


def _identity(own: Identity) -> dict[str, object]:
    """Return the sources that pass at a member, by family: its own addresses, or any IPv6 address if it
    learns."""
    given6 = [each for each in own.addresses if each.version == 6]
    sources: list[tuple[str, object]] = [("inet", each) for each in own.of_family(4)]
    if own.learns:
        sources += [("inet6", "any")]
    else:
        sources += [("inet6", each) for each in (given6 if own.verdicts else own.of_family(6))]
    return {
        "member": own.member,
        "dhcp": own.dhcp,
        "sources": sources,
        "neighbours": () if own.learns else _ASKING,
        "rules": _near(own),
        "answers": _answers(own),
        "near": [
            (_family(IPNetwork(each)), each, [g for g in own.gateways if g.version == each.version])
            for each in (own.addresses if own.verdicts else ())
        ],
    }


def _near(own: Identity) -> list[dict[str, object]]:
    """Return the rules for packets to others on the bridge, one for each pair of places of one family."""
    return [
        {
            "allow": verdict.allow,
            "family": _family(place.network),
            "protocol": verdict.protocol,
            "source": source,
            "destination": network_text(place.network),
            "ports": _ports(verdict.ports),
        }
        for verdict, source, place in own.pairs()
    ]


def _answers(own: Identity) -> list[tuple[str, str, str]]:
    """Return the connections that a pot may answer but not open: family, opener, pot."""
    pairs = (
        (_family(place.network), network_text(place.network), str(source))
        for verdict, source, place in own.pairs()
        if not verdict.allow
    )
    return list(dict.fromkeys(pairs))


def _family(network: IPNetwork) -> str:
    return "inet" if network.version == 4 else "inet6"


def network_text(network: IPNetwork) -> str:
    """Return a network as text, or one address without a prefix length."""
    return str(network.ip if network.size == 1 else network)


def _ports(ports: tuple[int, int] | None) -> str:
    return ":".join(map(str, dict.fromkeys(ports))) if ports else ""


def _outlets(outlets: tuple[Outlet, ...], family: int = 4) -> list[dict[str, object]]:
    """Return outlets for the templates, with the translation address of the family."""
    return [
        {
            "interface": o.interface,
            "address": next(iter(o.of_family(family)), None),
            "destinations": o.destinations,
        }
        for o in outlets
    ]
