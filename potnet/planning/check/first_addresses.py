"""Check that exports listen only on the host's own addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netaddr import IPAddress

from potnet.host.findings import Finding, Kind
from potnet.host.ruleset import Outlet
from potnet.host.state import HostState
from potnet.planning.check.drift import Drift, Facts
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.own_addresses import in_order

_FAMILIES = {4: "IPv4", 6: "IPv6"}


def compare_first_addresses(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report addresses of alias pots that NAT uses, and at which exports listen or would listen."""
    pots = {alias.address: run.pot.name for run in facts.active for alias in run.pot.aliases}
    for outlet in pf.outlets(facts.config, facts.external) if facts.external is not None and pots else ():
        for family in (4, 6):
            for address in _listening(outlet, family, state):
                if address in pots:
                    yield _finding(outlet, family, address, pots[address])


def _listening(outlet: Outlet, family: int, state: HostState) -> Sequence[IPAddress]:
    shown = in_order(state.interfaces.get(outlet.interface), family, state.traits)
    return outlet.of_family(family) or [each.address for each in shown[:1]]


def _finding(outlet: Outlet, family: int, address: IPAddress, pot: str) -> Drift:
    given = address in outlet.addresses
    where = (
        "network.external_address"
        if given
        else f"the first {_FAMILIES[family]} address of {outlet.interface}"
    )
    finding = Finding(
        Kind.EXPORT_ADDRESS_TAKEN, f"{where} belongs to the host", f"{address} is an address of pot {pot}",
        "set network.external_address to an address of the host's own", interface=outlet.interface,
        repairable=False,
    )  # fmt: skip
    return Drift(finding)
