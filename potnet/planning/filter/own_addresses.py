"""Which addresses of an external interface are the host's own: exports are offered at no others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from netaddr import IPAddress

from potnet.host.ruleset import Outlet
from potnet.host.state import Interface, InterfaceAddress


def further_addresses(
    outlets: Iterable[Outlet], interfaces: Mapping[str, Interface], pots: Collection[IPAddress]
) -> tuple[IPAddress, ...]:
    """The addresses of these outlets at which no export is offered, and those of alias pots.

    An address that was given for a time is the host's own: the next one would be, too.
    """
    found = {*pots}
    for outlet in outlets:
        for family, shown in _families(interfaces.get(outlet.interface)):
            given = outlet.of_family(family)
            kept = given or [*first_addresses(shown, family, pots), *(a.address for a in shown if a.expires)]
            found |= {each.address for each in shown} - {*kept}
        found -= {*outlet.addresses}
    return tuple(sorted(found))


def first_addresses(
    shown: Iterable[InterfaceAddress], family: int, pots: Collection[IPAddress]
) -> list[IPAddress]:
    """The oldest address that is no pot's, if any. Linux lists it first of IPv4, and last of IPv6."""
    own = [each.address for each in shown if each.address not in pots]
    return own[:1] if family == 4 else own[-1:]


def _families(interface: Interface | None) -> Iterator[tuple[int, list[InterfaceAddress]]]:
    addresses = interface.addresses if interface is not None else ()
    yield 4, [each for each in addresses if each.address.version == 4]
    yield 6, [each for each in addresses if each.address.version == 6 and not each.address.is_link_local()]
