"""Answers to pot's scripts: the next free address or network, and whether an address is free."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.model.names import is_special
from potnet.model.ranges import Span, aligned, subnet_bits
from potnet.operations.networks.address_space import Asked, Part, Site, address_of

if TYPE_CHECKING:
    from potnet.pot_installation.settings import Address, Network

#: Largest number of pots in a network: pot's helper counts in 16 bits.
LARGEST = 65535
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def family_of(text: str) -> int | None:
    """Return 4 or 6 for an address in its usual form, None for any other text."""
    for family, constant in _FAMILIES.items():
        try:
            socket.inet_pton(constant, text)
        except (OSError, ValueError):
            continue
        return family
    return None


def next_address(asked: Asked, bridge: str | None) -> Address:
    """Return the lowest free address of the network, or of a bridge; raises PotnetError."""
    part = _part(Site(asked), bridge)
    found = next(part.gaps(), None)
    if found is None:
        raise PotnetError(
            f"{part.title} {part.network} is full: no address is free",
            hint="use a larger network",
        )
    return part.address(found[0])


def validate(asked: Asked, text: str, bridge: str | None) -> None:
    """Raises PotnetError unless the address is free and inside the network or bridge."""
    address = parse(text)
    part = _part(Site(asked), bridge)
    holder = part.held.get(int(address)) if address.version == part.network.version else None
    if holder is not None:
        raise PotnetError(f"{address} is in use by pot {holder}", hint=_HINT)
    if address not in part.network:
        raise PotnetError(f"{address} is outside {part.title} {part.network}", hint=_HINT)
    number = int(address)
    if number in part.kept:
        raise PotnetError(f"{address} {part.kept[number]}", hint=_HINT)
    for name, network in part.parts:
        if address in network:
            what = f"{address} belongs to the private bridge {name} ({network})"
            raise PotnetError(what, hint=f"give the pot to that bridge, or see `potnet validate -b {name}`")
    if asked.store is not None and part.own is not None:
        from netaddr import IPAddress

        asked.store.check_free(part.own, IPAddress(str(address)))


_HINT = "`potnet next` prints the lowest address that is free"


def parse(text: str) -> Address:
    """Return an address in its usual form; raises PotnetError."""
    if family_of(text) is None:
        raise PotnetError(f"invalid address {text!r}", hint="write one such as 10.192.0.10 or 2001:db8::10")
    return ip_address(text)


def new_network(asked: Asked, size: int) -> tuple[Network, Address]:
    """Return the lowest free subnet for so many pots and a gateway, and the gateway."""
    if not 2 <= size <= LARGEST:
        what = "small" if size < 2 else "large"
        raise PotnetError(f"a network with size {size} is too {what}", hint=f"sizes are 2 to {LARGEST}")
    part = Site(asked).public()
    bits = subnet_bits(size)
    found: Span | None = aligned(part.gaps(), bits)
    if found is None:
        raise PotnetError(
            f"the network {part.network} has no room for a network with {size} pots",
            hint="request fewer pots, or destroy an unused bridge",
        )
    network = ip_network(f"{part.address(found[0])}/{part.network.max_prefixlen - bits}")
    return network, part.address(found[0] + 1)


def check_configuration(asked: Asked) -> list[tuple[str, bool]]:
    """Return contradictions in the configuration, and whether they make it unusable."""
    if asked.installation is not None:
        return list(asked.installation.settings.complaints())
    # potnet's own configuration is already refused if gateway or DNS are outside the network.
    return []


def hosts(asked: Asked, bridge: str | None) -> list[tuple[Address, str]]:
    """Return address and name of the pots of a bridge, or of the public bridge, in address order."""
    site = Site(asked)
    bridge = site.called(bridge) if bridge is not None else None
    part = _part(site, bridge)
    found: dict[tuple[int, int], str] = {}
    if site.installation is not None:
        for pot in site.installation.pots:
            inside = pot.version == part.network.version and part.address(pot.number) in part.network
            meant = pot.public if bridge is None else not pot.public and inside
            if meant and not is_special(pot.name):
                found[pot.version, pot.number] = pot.name
    if site.store is not None:
        from potnet.operations.networks.neighbours import neighbours

        for lease in neighbours(site.store, bridge if bridge is not None else str(site.shared)):
            found[lease.address.version, int(lease.address)] = lease.pot
    return [(address_of(*key), found[key]) for key in sorted(found)]


def _part(site: Site, bridge: str | None) -> Part:
    return site.public() if bridge is None else site.bridge(bridge)
