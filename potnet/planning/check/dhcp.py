"""Differences of addresses that pots get by DHCP."""

from __future__ import annotations

from collections.abc import Iterator

from potnet.host.findings import Finding, Kind
from potnet.planning.check.drift import Drift, Facts


def compare_learned(facts: Facts) -> Iterator[Drift]:
    """Report addresses by DHCP that are not confirmed, and those that have changed, which repair adopts."""
    for each in facts.learned:
        changed = each.wanted != each.confirmed
        if not changed and each.wanted is not None:
            continue
        found = str(each.seen) if each.seen is not None else "none"
        if each.why:
            found += f": {each.why}"
        if changed:
            kind, remedy = Kind.ADDRESS_CHANGED, f"repair records {each.wanted or 'that it has none'}"
        else:
            remedy = "make the DHCP server offer a free address of the network, outside the range"
            kind = Kind.ADDRESS_UNCONFIRMED
        finding = Finding(
            kind, str(each.confirmed or "an address by DHCP"), found, remedy,
            pot=each.pot, bridge=each.bridge, interface=each.interface, repairable=changed,
        )  # fmt: skip
        yield Drift(finding, learned=each if changed else None)
