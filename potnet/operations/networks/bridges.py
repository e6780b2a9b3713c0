"""Private bridges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.config.values import Refusal, read_prefix6
from potnet.errors import PotnetError, UsageError
from potnet.host.state import Query
from potnet.model.names import PUBLIC, PUBLIC6
from potnet.model.pots import Bridge, BridgeKind, network6_of
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
from potnet.operations.networks.pot_leases import held
from potnet.planning.vnet import refuse_small_mtu

if TYPE_CHECKING:
    from potnet.app import App

#: ``ext`` is the anchor of the external interfaces beside those of the bridges.
RESERVED = (PUBLIC, PUBLIC6, "ext")
#: Larger than any bridge: a member is a port, and if_bridge(4) learns 2000 addresses.
LARGEST = 65536


def create_private_bridge(
    app: App,
    name: str,
    size: int,
    ipv6: str | None = None,
    routed: bool = False,
    mtu: int | None = None,
    isolate: bool = False,
    uplink: str | None = None,
) -> Bridge:
    """Reserve a network that holds `size` pots, and a bridge for it; it comes up with its first pot.

    ipv6: a prefix, or ``auto`` for one of the site's own. routed: that is not translated (NAT). mtu: of all
    that is on it, in bytes. isolate: its pots do not see one another. uplink: the VLAN that it is part of, as
    PARENT.TAG.
    """
    check_name("bridge", name)
    if name.lower() in RESERVED:
        raise PotnetError(f"{name} is a name that potnet uses itself", hint="choose another name")
    if not 1 <= size <= LARGEST:
        raise UsageError(f"-S {size}: a bridge holds 1 to {LARGEST} pots")
    if routed and ipv6 is None:
        raise UsageError("--routed is about an IPv6 network", hint="-6 PREFIX, or -6 auto")
    if mtu is not None:
        refuse_small_mtu(check_mtu(mtu), 4 if ipv6 is None else 6)
    if uplink is not None:
        check_uplink(app, uplink, mtu)
    prefix = None if ipv6 in (None, AUTO) else _prefix6(ipv6)
    units = busy_units(app, "bridge")
    with app.store.transaction():
        known = app.store.bridge(name)
        if known is not None:
            raise PotnetError(f"bridge {known.name} exists already", hint="choose another name")
        refuse_same_anchor(app, "bridge", name)
        define_public_network(app)
        network = app.store.carve(PUBLIC, name, size, beside=held(app, 4))
        bridge = Bridge(
            name=name,
            kind=BridgeKind.PRIVATE,
            unit=app.store.free_unit("bridge", units),
            network=network,
            gateway=IPAddress(network.first + 1, network.version),
            size=size,
            network6=app.store.carve6(network6_of(name), prefix) if ipv6 is not None else None,
            routed6=routed,
            mtu=mtu,
            isolate=isolate,
            uplink=uplink,
        )
        app.store.add_bridge(bridge)
    return bridge


def set_bridge(app: App, name: str, *, mtu: int | None = None, isolate: bool | None = None) -> bool:
    """Change what is given of a bridge, for all pots on it; whether it is up, and has it only by a repair.

    mtu: in bytes. isolate: whether its pots see one another. Raises PotnetError.
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
