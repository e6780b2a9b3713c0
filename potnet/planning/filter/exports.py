"""Checks whether a host can offer a pot's exports, and the plan that changes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from potnet.config.configuration import Config
from potnet.errors import HostError
from potnet.host.actions import Plan, Step
from potnet.host.filter_actions import EndUntranslated, KillStates, LoadAnchor
from potnet.host.ruleset import NoRules, Redirection, Redirections, Ruleset, redirections_in, without
from potnet.host.state import HostState
from potnet.model.ports import Export
from potnet.model.pots import Pot
from potnet.planning.filter.packet_filter import INIT_HINT, offered_in

_FAMILIES = {4: "IPv4", 6: "IPv6"}


def absent_addresses(exports: Iterable[Export], own: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    """Return the addresses of exports that the host does not have. own: the host's addresses."""
    return tuple(address for address in _named(exports) if address not in own)


def taken_addresses(exports: Iterable[Export], jails: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    """Return the addresses of exports that belong to jails. jails: the addresses of jails."""
    return tuple(address for address in _named(exports) if address in jails)


def _named(exports: Iterable[Export]) -> Iterable[IPAddress]:
    """Return the addresses of the host that exports name, each once."""
    return dict.fromkeys(each.host_address for each in exports if each.host_address is not None)


def taken_notices(pot: Pot, exports: Iterable[Export], state: HostState) -> list[str]:
    """Return a notice for each address of exports that a jail has; the state must include them."""
    return [
        f"{pot.name} is exported on {address}, an address of the jail with JID "
        f"{state.jail_addresses[address]}, which loses these ports; change the export with "
        f"`potnet export-ports -p {pot.name}`"
        for address in taken_addresses(exports, state.jail_addresses)
    ]


def check_exports(pot: Pot, exports: Iterable[Export], config: Config, state: HostState) -> None:
    """Raises HostError for an export that the host, or the pot with leased addresses, cannot support.

    The state must include `own_addresses` if a host address is given, and the packet filter if connections
    are limited.
    """
    families = {address.version for address in (pot.home.addresses if pot.home is not None else ())}
    exports = tuple(exports)
    for export in exports:
        _check_families(pot, export, families)
        at = export.host_address
        if at is not None and at not in state.own_addresses:
            raise HostError(
                f"{pot.name} is exported on {at}, which this host does not have",
                hint="give the host that address, or omit it to export on the host's own",
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
    """Return the steps that let existing clients reach the new exports once the rules are in force."""
    found = [each for each in rules if isinstance(each, Redirections)]
    return [
        Step(EndUntranslated(each.items, each.outlets), None, "clients that go on reach the pot")
        for each in found
    ]


def plan_exports(
    held: Mapping[str, Ruleset],
    wanted: Mapping[str, Ruleset],
    exact: bool,
) -> Plan:
    """Load the rules of a running pot's exports, and end the connections of withdrawn exports.

    held, wanted: present and wanted content of the pot's anchors. exact: as of `LoadAnchor`.
    """
    loads = [
        Step(LoadAnchor(anchor, rules, held[anchor], exact), LoadAnchor(anchor, held[anchor], rules, exact))
        # A connection limit is loaded before the exports that need it, and removed after them.
        for anchor, rules in sorted(wanted.items(), key=lambda each: each[1] == NoRules())
        if NoRules() != rules or NoRules() != held[anchor]
    ]
    before = {anchor: redirections_in(rules) for anchor, rules in held.items()}
    gone = tuple(
        each for anchor, rules in wanted.items() for each in _ended(before[anchor], redirections_in(rules))
    )
    ended = end_untranslated(_new(rules, before[anchor]) for anchor, rules in wanted.items())
    return Plan((*loads, *((Step(KillStates(gone)),) if gone else ()), *ended))


def _ended(before: Iterable[Redirection], after: Sequence[Redirection]) -> Iterator[Redirection]:
    """Return the redirections whose connections do not continue."""
    left_out = without(before, after)
    kept: dict[tuple[object, ...], list[Redirection]] = {}
    for each in after if left_out else ():
        kept.setdefault(_ends(each), []).append(each)
    for each in left_out:
        if not any(_goes_on(each, other) for other in kept.get(_ends(each), ())):
            yield each


def _new(rules: Ruleset, before: Iterable[Redirection]) -> Ruleset:
    """Return the redirections that were not in force."""
    if not isinstance(rules, Redirections):
        return NoRules()
    items = without(rules.items, before)
    return replace(rules, items=items) if items else NoRules()


def _ends(item: Redirection) -> tuple[object, ...]:
    """Return the properties by which two redirections receive the same connections."""
    return item.protocol, item.host_port, item.address, item.pot_port, item.count, item.host


def _goes_on(before: Redirection, after: Redirection) -> bool:
    """Whether another redirection may have accepted all connections of this one."""
    same = replace(
        before, loopback=after.loopback, sources=after.sources, max_connections=after.max_connections
    )
    everybody = not after.sources
    wider = bool(before.sources) and all(_inside(each, after.sources) for each in before.sources)
    return same == after and (everybody or wider)


def _inside(network: IPNetwork, others: Iterable[IPNetwork]) -> bool:
    return any(network in other for other in others)
