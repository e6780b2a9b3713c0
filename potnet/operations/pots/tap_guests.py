"""Settings of a machine behind a tap: its addresses, and the options that give it the tap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from potnet.host.query import Query
from potnet.model.bridges import Bridge
from potnet.model.pots import Attachment, Pot, ResolverKind
from potnet.operations.running.start_context import RESOLV_CONF, resolver_text, with_upstream
from potnet.planning.resolver import nameservers

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]

#: PCI slots of a bhyve(8) guest; disks often use the lower slots.
_FIRST_SLOT = 10


def taps_view(app: App, pot: Pot) -> View:
    """Return the addresses of a machine, and the lines that give it its taps."""
    bridges = {bridge.name: bridge for bridge in app.store.bridges()}
    known = [(a, bridges[a.bridge]) for a in pot.attachments if a.bridge in bridges]
    taps = [_tap(pot, number, own, bridge) for number, (own, bridge) in enumerate(known)]
    if not app.driver.traits.bhyve:
        taps = [{name: value for name, value in tap.items() if name != "bhyve"} for tap in taps]
    return {"taps": taps, "dns": _resolvers(app, pot)}


def _tap(pot: Pot, number: int, own: Attachment, bridge: Bridge) -> View:
    return {
        "name": own.host_end,
        "bridge": own.bridge,
        "mac": own.mac,
        "mtu": bridge.mtu,
        "addresses": [_address(pot, own, bridge, family) for family in sorted(own.families)],
        "qemu": _qemu(number, own, bridge.mtu),
        "bhyve": _bhyve(number, own, bridge.mtu),
    }


def _address(pot: Pot, own: Attachment, bridge: Bridge, family: int) -> View:
    """Return an address with its gateway; an address that the machine learns itself (RFC 4862) is None.

    gateway: the gateway of the default route, if the route leads through this interface.
    """
    network = bridge.leasing(family)
    address = next((each for each in own.addresses if each.version == family), None)
    if network is None or address is None:
        return {"family": family, "address": None, "gateway": None}
    leads = network.gateway is not None and pot.leads_out(own, family)
    gateway = str(network.gateway) if leads else None
    return {"family": family, "address": f"{address}/{network.network.prefixlen}", "gateway": gateway}


def _qemu(number: int, own: Attachment, mtu: int | None) -> str:
    """Return the options of qemu(1)."""
    name = f"net{number}"
    told = f",host_mtu={mtu}" if mtu is not None else ""
    return (
        f"-netdev tap,id={name},ifname={own.host_end},script=no,downscript=no "
        f"-device virtio-net-pci,netdev={name},mac={own.mac}{told}"
    )


def _bhyve(number: int, own: Attachment, mtu: int | None) -> str:
    """Return the option of bhyve(8)."""
    told = f",mtu={mtu}" if mtu is not None else ""
    return f"-s {_FIRST_SLOT + number}:0,virtio-net,{own.host_end},mac={own.mac}{told}"


def _resolvers(app: App, pot: Pot) -> Sequence[str]:
    inherits = pot.resolver.kind is ResolverKind.INHERIT
    state = app.driver.observe(Query(texts=(RESOLV_CONF,) if inherits else ()))
    return list(nameservers(resolver_text(app, pot, with_upstream(app, state)) or ""))
