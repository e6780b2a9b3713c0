"""Create and change private bridges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.config.values import Refusal, read_prefix6
from potnet.errors import PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.bridges import Bridge, BridgeKind, network6_of
from potnet.model.names import PUBLIC, PUBLIC6
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
from potnet.planning.vnet import refuse_small_mtu
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: `ext` is the anchor of the external interfaces, a sibling of the bridges' anchors.
RESERVED = (PUBLIC, PUBLIC6, "ext")
#: An upper limit for every bridge: if_bridge(4) learns 2000 addresses.
LARGEST = 65536


@dataclass(frozen=True, slots=True)
class BridgeRequest:
    """The options of ``create-private-bridge``.

    size: number of pots that the network holds. ipv6: a prefix, or ``auto`` for a site-local one (RFC 4193).
    routed: the IPv6 network is not translated (NAT). mtu: of the bridge and all interfaces on it, in bytes.
    isolate: pots on the bridge cannot reach one another. uplink: the VLAN that the bridge joins, as
    PARENT.TAG.
    """

    name: str
    size: int
    ipv6: str | None = None
    routed: bool = False
    mtu: int | None = None
    isolate: bool = False
    uplink: str | None = None


def create_private_bridge(app: App, request: BridgeRequest) -> Bridge:
    """Reserve a network and record a bridge for it. The bridge comes up with its first pot.

    Raises PotnetError.
    """
    _check_request(app, request)
    prefix = None if request.ipv6 in (None, AUTO) else _prefix6(request.ipv6)
    units = busy_units(app, "bridge")
    with app.store.transaction():
        known = app.store.bridge(request.name)
        if known is not None:
            raise PotnetError(f"bridge {known.name} already exists", hint="choose another name")
        refuse_same_anchor(app, "bridge", request.name)
        define_public_network(app)
        network = app.store.carve(PUBLIC, request.name, request.size, beside=held(app, 4))
        network6 = None
        if request.ipv6 is not None:
            network6 = app.store.carve6(network6_of(request.name), prefix)
        bridge = Bridge(
            name=request.name,
            kind=BridgeKind.PRIVATE,
            unit=app.store.free_unit("bridge", units),
            network=network,
            gateway=IPAddress(network.first + 1, network.version),
            size=request.size,
            network6=network6,
            routed6=request.routed,
            mtu=request.mtu,
            isolate=request.isolate,
            uplink=request.uplink,
        )
        app.store.add_bridge(bridge)
    return bridge


def check_bridge_name(name: str) -> None:
    """Raises PotnetError unless a new bridge may have this name."""
    check_name("bridge", name)
    if name.lower() in RESERVED:
        raise PotnetError(f"the name {name} is reserved for potnet", hint="choose another name")


def _check_request(app: App, request: BridgeRequest) -> None:
    """Raises PotnetError if the requested bridge is impossible on the present host."""
    check_bridge_name(request.name)
    if not 1 <= request.size <= LARGEST:
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


def _prefix6(text: str | None) -> IPNetwork:
    try:
        return read_prefix6(text)
    except Refusal as refusal:
        raise UsageError(f"-6 {text!r} {refusal.what}", hint=refusal.hint) from None
