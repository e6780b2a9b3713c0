"""Check that exports listen only on the host's own addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from netaddr import IPAddress

from potnet.host.findings import Finding, Kind
from potnet.host.own_addresses import in_order, listening
from potnet.host.ruleset import Outlet
from potnet.host.state import HostState
from potnet.planning.check.drift import Drift, Facts
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.exports import taken_addresses

_FAMILIES = {4: "IPv4", 6: "IPv6"}


def compare_first_addresses(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report addresses of alias pots and of other jails at which exports listen, or that NAT uses."""
    holders = _holders(facts, state)
    for outlet in pf.outlets(facts.config, facts.external) if facts.external is not None and holders else ():
        for family in (4, 6):
            for address in listening(outlet, family, state.interfaces, state.traits):
                if address in holders:
                    yield _first(outlet, family, address, holders[address])
    for run in facts.active if holders else ():
        for given in taken_addresses(run.pot.exports if run.pot.leased else (), holders):
            yield _exported(run.pot.name, given, holders[given])


def _holders(facts: Facts, state: HostState) -> Mapping[IPAddress, str]:
    """Return the addresses that are not the host's own, with their jails."""
    ours = {run.jid for run in facts.runs}
    names = {jail.jid: jail.name for jail in state.jails.values()}
    others = {address: jid for address, jid in state.jail_addresses.items() if jid not in ours}
    shared = _shared(others, state)
    found = {a: f"jail {names.get(jid, jid)}" for a, jid in others.items() if a not in shared}
    return found | {alias.address: f"pot {run.pot.name}" for run in facts.active for alias in run.pot.aliases}


def _shared(jails: Collection[IPAddress], state: HostState) -> set[IPAddress]:
    """Return the host's own addresses among those of jails: an interface has no other one of that family."""
    shown = [in_order(each, family, state.traits) for each in state.interfaces.values() for family in (4, 6)]
    return {a.address for own in shown if all(a.address in jails for a in own) for a in own}


def _first(outlet: Outlet, family: int, address: IPAddress, holder: str) -> Drift:
    given = address in outlet.addresses
    where = (
        "network.external_address"
        if given
        else f"the first {_FAMILIES[family]} address of {outlet.interface}"
    )
    finding = Finding(
        Kind.EXPORT_ADDRESS_TAKEN, f"{where} belongs to the host", f"{address} is an address of {holder}",
        "set network.external_address to an address of the host's own", interface=outlet.interface,
        repairable=False,
    )  # fmt: skip
    return Drift(finding)


def _exported(pot: str, address: IPAddress, holder: str) -> Drift:
    finding = Finding(
        Kind.EXPORT_ADDRESS_TAKEN, f"{address}, for exports of {pot}, belongs to the host",
        f"it is an address of {holder}", f"change the export with `potnet export-ports -p {pot}`", pot=pot,
        repairable=False,
    )  # fmt: skip
    return Drift(finding)
