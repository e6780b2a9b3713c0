"""The host's own addresses on external interfaces; exports are offered only at these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from netaddr import IPAddress

from potnet.host.ruleset import Outlet
from potnet.host.state import HostState, Interface, InterfaceAddress
from potnet.host.traits import Traits


def further_addresses(
    outlets: Iterable[Outlet],
    interfaces: Mapping[str, Interface],
    pots: Collection[IPAddress],
    others: Collection[IPAddress],
    traits: Traits,
) -> tuple[IPAddress, ...]:
    """Return the addresses without exports: those of alias pots, the others, and some of these outlets.

    pots: of alias pots. others: of all interfaces except outlets. A temporary address of an outlet is the
    host's own, because its successor would be too.
    """
    found, kept = {*pots, *others}, set()
    for outlet in outlets:
        for family in (4, 6):
            shown = in_order(interfaces.get(outlet.interface), family, traits)
            own = [each for each in shown if each.address not in pots]
            found |= {each.address for each in shown}
            kept |= {*(outlet.of_family(family) or [e.address for e in own if e.expires or e is own[0]])}
    return tuple(sorted(found - kept))


def in_order(interface: Interface | None, family: int, traits: Traits) -> list[InterfaceAddress]:
    """Return the addresses of a family that other hosts can reach, the first one first.

    Linux lists the oldest IPv4 address first, and the oldest IPv6 address last.
    """
    addresses = interface.addresses if interface is not None else ()
    shown = [each for each in addresses if each.address.version == family]
    usable = [each for each in shown if family == 4 or not each.address.is_link_local()]
    return usable if family == 4 or traits.first_address else usable[::-1]


def listening(outlet: Outlet, family: int, state: HostState) -> Sequence[IPAddress]:
    """Return the addresses of a family at which exports listen on an external interface."""
    shown = in_order(state.interfaces.get(outlet.interface), family, state.traits)
    return outlet.of_family(family) or [each.address for each in shown[:1]]
