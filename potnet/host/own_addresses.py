"""The host's own addresses on external interfaces; exports are offered only at these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from netaddr import IPAddress, IPNetwork, cidr_exclude, cidr_merge

from potnet.host.ruleset import Outlet
from potnet.host.state import Interface, InterfaceAddress
from potnet.host.traits import Traits


def in_order(interface: Interface | None, family: int, traits: Traits) -> list[InterfaceAddress]:
    """Return the addresses of a family at which exports may listen, the first one first.

    pf skips link-local addresses of IPv6 only (pf_if.c). Linux lists the oldest IPv4 address first, and the
    oldest IPv6 address last; there an address that the host gave itself (RFC 3927) follows all others.
    """
    addresses = interface.addresses if interface is not None else ()
    shown = [each for each in addresses if each.address.version == family]
    usable = [each for each in shown if family == 4 or not each.address.is_link_local()]
    if traits.first_address:
        return usable
    return sorted(usable, key=lambda each: each.address.is_link_local()) if family == 4 else usable[::-1]


def listening(
    outlet: Outlet,
    family: int,
    interfaces: Mapping[str, Interface],
    traits: Traits,
    pots: Collection[IPAddress] = (),
) -> Sequence[IPAddress]:
    """Return the addresses of a family at which exports listen on an external interface.

    pots: addresses of alias pots. Where the filter does not know the first address, a temporary address is
    the host's own, too, because its successor would be.
    """
    shown = in_order(interfaces.get(outlet.interface), family, traits)
    own = [each for each in shown if each.address not in pots]
    kept = (each for each in own if each is own[0] or (each.expires and not traits.first_address))
    return outlet.of_family(family) or [each.address for each in kept]


def all_listening(
    outlets: Iterable[Outlet],
    interfaces: Mapping[str, Interface],
    traits: Traits,
    pots: Collection[IPAddress] = (),
) -> frozenset[IPAddress]:
    """Return all addresses at which exports listen on these external interfaces."""
    pairs = ((outlet, family) for outlet in outlets for family in (4, 6))
    return frozenset(a for each in pairs for a in listening(*each, interfaces, traits, pots))


def further_addresses(
    outlets: Sequence[Outlet],
    interfaces: Mapping[str, Interface],
    pots: Collection[IPAddress],
    others: Collection[IPNetwork],
    traits: Traits,
) -> tuple[IPNetwork, ...]:
    """Return the addresses without exports: those of alias pots, the others, and some of these outlets.

    pots: of alias pots. others: addresses and networks of all interfaces except outlets.
    """
    kept = all_listening(outlets, interfaces, traits, pots)
    there = [interfaces.get(each.interface) for each in outlets]
    shown = (each for interface in there for family in (4, 6) for each in in_order(interface, family, traits))
    found = {IPNetwork(each.address) for each in shown}
    found |= {*map(IPNetwork, pots), *others}
    networks = cidr_merge(each for each in found if each.size > 1)
    for address in kept:
        networks = [part for each in networks for part in cidr_exclude(each, address)]
    single = (each for each in found if each.size == 1 and each.ip not in kept)
    return tuple(sorted((*networks, *(each for each in single if not any(each in n for n in networks)))))
