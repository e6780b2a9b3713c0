"""Addresses that potnet does not lease: those of pot's pots, of the host, and of machines of a LAN."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.errors import HostError, PotnetError
from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.bridges import LanNetwork
from potnet.model.pots import Pot
from potnet.model.ranges import Span, gaps
from potnet.operations.common import require_bridge
from potnet.operations.networks.address_space import span_of
from potnet.planning.lan import reaches, taken_by

if TYPE_CHECKING:
    from potnet.app import App

#: Number of addresses in use that potnet skips before it stops to choose one.
_ATTEMPTS = 64


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


def lease_on_lan(app: App, pot: str, network: LanNetwork, address: IPAddress | None) -> IPAddress:
    """Lease an address of a LAN for a pot. address: None: the lowest free one of the range.

    The host asks on the LAN whether a machine has the address. Raises PotnetError.
    """
    state = app.driver.observe(Query(interfaces=None))
    if address is None:
        return app.store.reserve(network.name, pot, _lowest(app, network, state))
    refuse_held(app, pot, address)
    who = taken_by(network, address, state)
    if who is None:
        # Another pot that has the address answers, too.
        app.store.check_free(network.name, address)
        who = taken_by(network, address, _asked(app, network, address, state))
    if who is not None:
        raise PotnetError(f"{address} is in use by {who}", hint="choose another address")
    return app.store.reserve(network.name, pot, address)


def _lowest(app: App, network: LanNetwork, state: HostState) -> IPAddress:
    """Return the lowest address of the range that neither a pot nor a machine has."""
    if network.range is None:
        raise PotnetError(
            f"network {network.name} ({network.network}) has no range to choose addresses from",
            hint="give -i ADDRESS, or create the bridge with --range",
        )
    first, last = network.range
    version = network.network.version
    busy: list[Span] = [*held(app, version), (0, int(first) - 1), (int(last) + 1, 1 << 128)]
    for _ in range(_ATTEMPTS):
        free = next(gaps(app.store.free(network.name), busy), None)
        if free is None:
            break
        address = IPAddress(free[0], version)
        who = _who_has(app, network, address, state)
        if who is None:
            return address
        app.notify(f"{address} is skipped: it is in use by {who}")
        busy.append((free[0], free[0]))
    raise PotnetError(
        f"the range {first}-{last} of network {network.name} has no free address", hint="give -i ADDRESS"
    )


def _who_has(
    app: App, network: LanNetwork, address: IPAddress, state: HostState, own_mac: str = ""
) -> str | None:
    """Return who has an address of a LAN, in words; the host asks only if that is not known already."""
    known = taken_by(network, address, state)
    return known or taken_by(network, address, _asked(app, network, address, state), own_mac)


def _asked(app: App, network: LanNetwork, address: IPAddress, state: HostState) -> HostState:
    """Return the state with the answer to a request for an address, if the host can ask."""
    if not reaches(network.network, state.interfaces.values()):
        app.notify(
            f"potnet could not ask whether {address} is free: the host has no address in {network.network}"
        )
        return state
    return replace(state, answering=app.driver.observe(Query(answering=(address,))).answering)


def refuse_taken(app: App, pot: Pot) -> None:
    """Raises HostError if the host or another machine of a LAN has an address of a stopped pot."""
    own = [(a, address) for a in pot.attachments if a.lan for address in a.given]
    if not own:
        return
    state = app.driver.observe(Query(interfaces=None))
    for attachment, address in own:
        network = require_bridge(app, attachment.bridge).leasing(address.version)
        if not isinstance(network, LanNetwork):
            continue
        who = _who_has(app, network, address, state, attachment.mac)
        if who is not None:
            raise HostError(
                f"{address} is in use by {who}",
                hint=f"`potnet set -p {pot.name} -i ADDRESS` gives the pot another one",
            )
