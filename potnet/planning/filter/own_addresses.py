"""Which addresses of an external interface are the host's own: exports are offered at no others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from netaddr import IPAddress

from potnet.host.ruleset import Outlet
from potnet.host.state import Interface, InterfaceAddress
from potnet.host.traits import Traits


def further_addresses(
    outlets: Iterable[Outlet],
    interfaces: Mapping[str, Interface],
    pots: Collection[IPAddress],
    traits: Traits,
) -> tuple[IPAddress, ...]:
    """The addresses of these outlets at which no export is offered, and those of alias pots.

    An address that was given for a time is the host's own: the next one would be, too.
    """
    found = {*pots}
    for outlet in outlets:
        for family in (4, 6):
            shown = in_order(interfaces.get(outlet.interface), family, traits)
            own = [each for each in shown if each.address not in pots]
            kept = outlet.of_family(family) or [e.address for e in own if e.expires or e is own[0]]
            found |= {each.address for each in shown} - {*kept}
        found -= {*outlet.addresses}
    return tuple(sorted(found))


def in_order(interface: Interface | None, family: int, traits: Traits) -> list[InterfaceAddress]:
    """The addresses of a family that are reached from elsewhere, the first one first.

    Linux lists the oldest address of IPv4 first, and that of IPv6 last.
    """
    addresses = interface.addresses if interface is not None else ()
    shown = [each for each in addresses if each.address.version == family]
    usable = [each for each in shown if family == 4 or not each.address.is_link_local()]
    return usable if family == 4 or traits.first_address else usable[::-1]
