"""Whether a pot's exports can be put in force on a host."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from potnet.config.configuration import Config
from potnet.errors import HostError
from potnet.host.actions import Plan, Step
from potnet.host.filter_actions import EndUntranslated, KillStates, LoadAnchor
from potnet.host.ruleset import NoRules, Redirection, Redirections, Ruleset, without
from potnet.host.state import HostState
from potnet.model.ports import Export
from potnet.model.pots import Pot
from potnet.planning.filter.packet_filter import INIT_HINT, offered_in

_FAMILIES = {4: "IPv4", 6: "IPv6"}


def absent_addresses(exports: Iterable[Export], own: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    """The addresses of exports that the host does not have. own: those that it has."""
    asked = dict.fromkeys(each.host_address for each in exports)
    return tuple(address for address in asked if address is not None and address not in own)


def check_exports(pot: Pot, exports: Iterable[Export], config: Config, state: HostState) -> None:
    """Raises HostError for an export that the host, or the pot, which has leased addresses, has no place for.

    Asked for have to be: `own_addresses` where a host address is given, and the packet filter where
    connections are limited.
    """
    families = {address.version for address in (pot.home.addresses if pot.home is not None else ())}
    exports = tuple(exports)
    for export in exports:
        _check_families(pot, export, families)
        at = export.host_address
        if at is not None and at not in state.own_addresses:
            raise HostError(
                f"{pot.name} is exported on {at}, which this host does not have",
                hint="give the host that address, or leave it out to export on all that the host has",
            )
        reached = families & offered_in(export) & {*state.traits.loopback_families}
        if export.loopback and not reached:
            raise HostError(
                f"{pot.name} is exported by IPv6 only, by which this host cannot reach an export itself",
                hint="leave --loopback out",
            )
    if any(export.max_connections is not None for export in exports):
        _check_limits(pot, config, state)


def _check_families(pot: Pot, export: Export, families: Collection[int]) -> None:
    if not offered_in(export).isdisjoint(families):
        return
    if export.host_address is not None and export.host_address.version not in families:
        what = f"{pot.name} is exported on {export.host_address}"
        raise HostError(
            f"{what}, and has no {_FAMILIES[export.host_address.version]} address",
            hint="give an address of the host in the pot's own family",
        )
    raise HostError(
        f"{pot.name} is exported to {', '.join(map(str, export.sources))}, none of which can reach it: "
        f"it has addresses of {' and '.join(_FAMILIES[each] for each in sorted(families))}",
        hint="give --from in the pot's own family",
    )


def _check_limits(pot: Pot, config: Config, state: HostState) -> None:
    found, wanted = state.packet_filter, f"{config.filter_anchor}/*"
    if not found.self_contained and wanted not in found.filter_anchors:
        raise HostError(
            f'the main ruleset of pf lacks anchor "{wanted}", and without it nothing limits the connections '
            f"to {pot.name}",
            hint=INIT_HINT,
        )


def end_untranslated(rules: Iterable[Ruleset]) -> list[Step]:
    """What has to be done once rules are in force, so that clients that go on reach what is exported now."""
    found = [each for each in rules if isinstance(each, Redirections)]
    return [
        Step(EndUntranslated(each.items, each.outlets), None, "clients that go on reach the pot")
        for each in found
    ]


def plan_exports(
    held: Mapping[str, Ruleset],
    wanted: Mapping[str, Ruleset],
) -> Plan:
    """Put the rules of a running pot's exports in force and end the connections of what is exported no more.

    held, wanted: what the pot's anchors hold, and are to hold.
    """
    loads = [
        Step(LoadAnchor(anchor, rules, held[anchor]), LoadAnchor(anchor, held[anchor], rules))
        # What limits connections is there before what needs it, and goes after it.
        for anchor, rules in sorted(wanted.items(), key=lambda each: each[1] == NoRules())
        if NoRules() != rules or NoRules() != held[anchor]
    ]
    before = {anchor: _redirections(rules) for anchor, rules in held.items()}
    gone = tuple(
        each for anchor, rules in wanted.items() for each in _ended(before[anchor], _redirections(rules))
    )
    ended = end_untranslated(_new(rules, before[anchor]) for anchor, rules in wanted.items())
    return Plan((*loads, *((Step(KillStates(gone)),) if gone else ()), *ended))


def _redirections(rules: Ruleset) -> tuple[Redirection, ...]:
    return rules.items if isinstance(rules, Redirections) else ()


def _ended(before: Iterable[Redirection], after: Sequence[Redirection]) -> Iterator[Redirection]:
    """The redirections that nothing goes on by."""
    left_out = without(before, after)
    kept: dict[tuple[object, ...], list[Redirection]] = {}
    for each in after if left_out else ():
        kept.setdefault(_ends(each), []).append(each)
    for each in left_out:
        if not any(_goes_on(each, other) for other in kept.get(_ends(each), ())):
            yield each


def _new(rules: Ruleset, before: Iterable[Redirection]) -> Ruleset:
    """Those of the redirections that were not in force."""
    if not isinstance(rules, Redirections):
        return NoRules()
    items = without(rules.items, before)
    return replace(rules, items=items) if items else NoRules()


def _ends(item: Redirection) -> tuple[object, ...]:
    """What two redirections have in common by which the same connections come."""
    return item.protocol, item.host_port, item.address, item.pot_port, item.count, item.host


def _goes_on(before: Redirection, after: Redirection) -> bool:
    """Whether all connections that came by one redirection may have come by another."""
    same = replace(
        before, loopback=after.loopback, sources=after.sources, max_connections=after.max_connections
    )
    everybody = not after.sources
    wider = bool(before.sources) and all(_inside(each, after.sources) for each in before.sources)
    return same == after and (everybody or wider)


def _inside(network: IPNetwork, others: Iterable[IPNetwork]) -> bool:
    return any(network in other for other in others)
