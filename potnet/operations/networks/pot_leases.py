"""Addresses in use by pots of pot itself; potnet leases none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.model.ranges import Span
from potnet.operations.networks.address_space import span_of

if TYPE_CHECKING:
    from netaddr import IPAddress

    from potnet.app import App


def held(app: App, family: int) -> list[Span]:
    """Return the addresses of pot's pots and bridges; empty if pot is not installed. Raises ConfigError."""
    found = app.installation
    if found is None:
        return []
    spans = [span_of(bridge.network) for bridge in found.bridges if bridge.network.version == family]
    return spans + [(pot.number, pot.number) for pot in found.pots if pot.version == family]


def refuse_held(app: App, name: str, address: IPAddress) -> None:
    """Raises PotnetError if an address is in use in pot. An imported pot may keep its address."""
    found = app.installation
    if found is None:
        return
    hint = "choose another address, or auto for the lowest free one"
    imported = app.store.pot(name) is not None
    for pot in found.pots:
        same = (pot.version, pot.number) == (address.version, int(address))
        if same and not (imported and pot.name == name):
            raise PotnetError(f"{address} is held by pot {pot.name} of {found.prefix}/bin/pot", hint=hint)
    for bridge in found.bridges:
        first, last = span_of(bridge.network)
        inside = bridge.network.version == address.version and first <= int(address) <= last
        if inside and app.store.bridge(bridge.name) is None:
            what = f"is inside the bridge {bridge.name} ({bridge.network}) of {found.prefix}/bin/pot"
            raise PotnetError(f"{address} {what}", hint=hint)
