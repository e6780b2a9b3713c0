"""Private bridges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.errors import PotnetError, UsageError
from potnet.model import PUBLIC, PUBLIC6, Bridge, BridgeKind
from potnet.operations.common import busy_units, check_name, define_public_network
from potnet.operations.foreign import held

if TYPE_CHECKING:
    from potnet.app import App

#: ``ext`` is the anchor of the external interfaces beside those of the bridges.
RESERVED = (PUBLIC, PUBLIC6, "ext")
#: Larger than any bridge: a member is a port, and if_bridge(4) learns 2000 addresses.
LARGEST = 65536


def create_private_bridge(app: App, name: str, size: int) -> Bridge:
    """Reserve a network that holds `size` pots, and a bridge for it; it comes up with its first pot."""
    check_name("bridge", name)
    if name in RESERVED:
        raise PotnetError(f"{name} is a name that potnet uses itself", hint="choose another name")
    if not 1 <= size <= LARGEST:
        raise UsageError(f"-S {size}: a bridge holds 1 to {LARGEST} pots")
    units = busy_units(app, "bridge")
    with app.store.transaction():
        if app.store.bridge(name) is not None:
            raise PotnetError(f"bridge {name} exists already", hint="choose another name")
        define_public_network(app)
        network = app.store.carve(PUBLIC, name, size, beside=held(app, 4))
        bridge = Bridge(
            name=name,
            kind=BridgeKind.PRIVATE,
            unit=app.store.free_unit("bridge", units),
            network=network,
            gateway=IPAddress(network.first + 1, network.version),
            size=size,
        )
        app.store.add_bridge(bridge)
    return bridge
