"""Create and change private bridges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.config.values import Refusal, read_bridge_network, read_prefix6
from potnet.errors import HostError, PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.bridges import Bridge, BridgeKind, network6_of
from potnet.model.names import PUBLIC, PUBLIC6
from potnet.model.ranges import overlap
from potnet.operations.common import (
    NETWORK_LOCK,
    busy_units,
    check_name,
    define_public_network,
    refuse_same_anchor,
    require_bridge,
)
from potnet.operations.networks.addresses import AUTO
from potnet.operations.networks.interfaces import check_bridge_mtu, check_mtu, check_uplink
from potnet.operations.networks.leases import held
from potnet.operations.networks.units import vnet
from potnet.planning.vnet import refuse_overlap, refuse_small_mtu
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: `ext` is the anchor of the external interfaces, a sibling of the bridges' anchors.
RESERVED = (PUBLIC, PUBLIC6, "ext")
#: An upper limit for every bridge: if_bridge(4) learns 2000 addresses.
LARGEST = 65536
#: The prefix length of the network for so many pots.
SHORTEST = 15


@dataclass(frozen=True, slots=True)
class BridgeRequest:
    """The options of ``create-private-bridge``.

    size: number of pots that the network holds. network: the network, in place of a size. ipv6: a prefix, or
    ``auto`` for a site-local one (RFC 4193). routed: the IPv6 network is not translated (NAT). mtu: of the
    bridge and all interfaces on it, in bytes. isolate: pots on the bridge cannot reach one another. uplink:
    the VLAN that the bridge joins, as PARENT.TAG.
    """

    name: str
    size: int | None = None
    ipv6: str | None = None
    routed: bool = False
    mtu: int | None = None
    isolate: bool = False
    uplink: str | None = None
    network: str | None = None


def create_private_bridge(app: App, request: BridgeRequest) -> Bridge:
    """Reserve a network and record a bridge for it. The bridge comes up with its first pot.

    Raises PotnetError.
    """
    _check_request(app, request)
    given = _given_network(app, request.network) if request.network is not None else None
    ipv6 = request.ipv6
    prefix = read_option("-6", ipv6, read_prefix6) if ipv6 is not None and ipv6 != AUTO else None
    units = busy_units(app, "bridge")
    with app.store.transaction():
        begin_bridge(app, request.name)
        network = _reserve(app, request, given)
        network6 = None
        if request.ipv6 is not None:
            network6 = app.store.carve6(network6_of(request.name), prefix)
        bridge = Bridge(
            name=request.name,
            kind=BridgeKind.PRIVATE,
            unit=app.store.free_unit("bridge", units),
            network=network,
            gateway=IPAddress(network.first + 1, network.version),
            size=request.size or network.size - 3,
            network6=network6,
            routed6=request.routed,
            mtu=request.mtu,
            isolate=request.isolate,
            uplink=request.uplink,
        )
        app.store.add_bridge(bridge)
    return bridge


def begin_bridge(app: App, name: str) -> None:
    """Prepare the store for a new bridge, in the caller's transaction. Raises PotnetError for a used name."""
    known = app.store.bridge(name)
    if known is not None:
        raise PotnetError(f"bridge {known.name} already exists", hint="choose another name")
    refuse_same_anchor(app, "bridge", name)
    define_public_network(app)


def _reserve(app: App, request: BridgeRequest, given: IPNetwork | None) -> IPNetwork:
    """Reserve the network of a bridge: the given one, or the lowest free part of the public network."""
    name = request.name
    if given is None:
        return app.store.carve(PUBLIC, name, request.size or 0, beside=held(app, 4))
    gateway = IPAddress(given.first + 1, 4)
    if given in app.config.network:
        app.store.carve_given(PUBLIC, name, given, gateway)
    else:
        app.store.define_apart(name, given, gateway)
    return given


def _given_network(app: App, text: str) -> IPNetwork:
    """Read --net. Raises PotnetError for a network that the host or pot uses."""
    network = read_option("--net", text, read_bridge_network)
    if network.prefixlen < SHORTEST:
        raise UsageError(
            f"--net {text!r} is too large for a bridge", hint=f"use a prefix length of at least {SHORTEST}"
        )
    hint = "give another network"
    _refuse_of_pot(app, network, hint)
    state = app.driver.observe(Query(routes=True, pot_bridges=True, interfaces=None))
    refuse_overlap(network, vnet(app), app.config, state, hint)
    for found in state.interfaces.values():
        own = () if found.name in state.pot_bridges else found.addresses
        for each in own:
            if overlap(network, IPNetwork(f"{each.address}/{each.prefix}").cidr):
                raise HostError(
                    f"network {network} overlaps {each.address}/{each.prefix} of the host's {found.name}",
                    hint,
                )
    return network


def _refuse_of_pot(app: App, network: IPNetwork, hint: str) -> None:
    """Raises PotnetError for a network with addresses of an installation of pot."""
    found = app.installation
    if found is None:
        return
    first, last = network.first, network.last
    whole = IPNetwork(str(found.network))
    if whole != app.config.network and overlap(network, whole):
        raise PotnetError(f"network {network} overlaps {whole}, the network of {found.prefix}/bin/pot", hint)
    for bridge in found.bridges:
        if overlap(network, IPNetwork(str(bridge.network))):
            whose = f"bridge {bridge.name} ({bridge.network}) of {found.prefix}/bin/pot"
            raise PotnetError(f"network {network} overlaps {whose}", hint)
    for pot in found.pots:
        if pot.version == 4 and first <= pot.number <= last:
            address = IPAddress(pot.number, 4)
            whose = f"which pot {pot.name} of {found.prefix}/bin/pot holds"
            raise PotnetError(f"network {network} includes {address}, {whose}", hint)


def check_bridge_name(name: str) -> None:
    """Raises PotnetError unless a new bridge may have this name."""
    check_name("bridge", name)
    if name.lower() in RESERVED:
        raise PotnetError(f"the name {name} is reserved for potnet", hint="choose another name")


def _check_request(app: App, request: BridgeRequest) -> None:
    """Raises PotnetError if the requested bridge is impossible on the present host."""
    check_bridge_name(request.name)
    if request.size is not None and not 1 <= request.size <= LARGEST:
        raise UsageError(f"invalid size -S {request.size}: a bridge holds 1 to {LARGEST} pots")
    if request.routed and request.ipv6 is None:
        raise UsageError("--routed requires an IPv6 network", hint="add -6 auto or -6 PREFIX")
    if request.mtu is not None:
        refuse_small_mtu(check_mtu(request.mtu), 4 if request.ipv6 is None else 6)
    if request.uplink is not None:
        check_uplink(app, request.uplink, request.mtu)


def set_bridge(app: App, name: str, *, mtu: int | None = None, isolate: bool | None = None) -> bool:
    """Change the settings of a bridge for all its pots, and return whether the bridge is up.

    A bridge that is up keeps its former settings until a repair. mtu: in bytes. isolate: pots on the bridge
    cannot reach one another. Raises PotnetError.
    """
    with app.locks.hold(NETWORK_LOCK):
        bridge = require_bridge(app, name)
        if mtu is not None:
            check_bridge_mtu(app, bridge, mtu)
            bridge = replace(bridge, mtu=mtu)
        if isolate is not None:
            bridge = replace(bridge, isolate=isolate)
        app.store.update_bridge(bridge)
        return bridge.interface in app.driver.observe(Query(pot_bridges=True)).pot_bridges


def read_option(option: str, text: str, read: Callable[[str], IPNetwork]) -> IPNetwork:
    """Read the value of an option as the configuration does. Raises UsageError."""
    try:
        return read(text)
    except Refusal as refusal:
        raise UsageError(f"{option} {text!r} {refusal.what}", hint=refusal.hint) from None
