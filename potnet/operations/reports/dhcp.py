"""dhcp: the addresses of the pots on bridges, for a DHCP server of the host that serves guests on taps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from netaddr import IPNetwork

from potnet.errors import PotnetError
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import Pot
from potnet.operations.common import require_bridge

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]

#: The output formats, with the family of those that have one.
FORMATS: dict[str, int | None] = {"dnsmasq": None, "kea": 4, "kea6": 6}
#: Names of hosts (RFC 1123) that dnsmasq(8) does not read as a word of its own or as the time of a lease.
_HOST = re.compile(r"(?!(?:ignore|infinite|[0-9]+[smhdw]?)$)[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


def networks(app: App, bridge: str | None = None) -> list[View]:
    """Return each bridge with its networks and the leases of its pots, or this bridge alone.

    Raises PotnetError for a bridge whose pots get no addresses from the store.
    """
    if bridge is None:
        bridges = [each for each in app.store.bridges() if _why_not(each) is None]
    else:
        bridges = [require_bridge(app, bridge)]
        why = _why_not(bridges[0])
        if why is not None:
            raise PotnetError(f"a DHCP server cannot serve bridge {bridges[0].name}: {why}")
    pots = app.store.pots()
    return [_network(each, pots) for each in bridges]


def _why_not(bridge: Bridge) -> str | None:
    """Return why no DHCP server of the host may answer on a bridge; None if one may."""
    if bridge.kind is BridgeKind.LAN:
        return "the LAN has a server of its own"
    return None if bridge.subnets else "its pots learn their addresses by SLAAC"


def _network(bridge: Bridge, pots: tuple[Pot, ...]) -> View:
    leases = [
        {"pot": pot.name, "mac": attachment.mac, "address": str(address), "family": address.version}
        for pot in pots
        for attachment in pot.attachments
        if attachment.bridge == bridge.name
        for address in attachment.addresses
    ]
    subnets = [
        {"family": each.network.version, "network": str(each.network), "gateway": str(each.gateway)}
        for each in bridge.subnets
    ]
    return {
        "bridge": bridge.name,
        "interface": bridge.interface,
        "unit": bridge.unit,
        "mtu": bridge.mtu,
        "networks": subnets,
        "leases": leases,
    }


def text(app: App, found: list[View], form: str) -> str:
    """Return the configuration of dnsmasq(8), or of a server of Kea, as the format says."""
    family = FORMATS[form]
    return _of_dnsmasq(app, found) if family is None else _of_kea(found, family)


def _of_dnsmasq(app: App, found: list[View]) -> str:
    from potnet.templates import render

    bridges = [
        view | {"networks": [*map(_with_parts, view["networks"])], "hosts": _hosts(view)} for view in found
    ]
    return render(app.config.templates, "dhcp-dnsmasq.j2", {"bridges": bridges}).removesuffix("\n")


def _with_parts(network: View) -> View:
    """Return a network with the words that dnsmasq(8) uses for it."""
    cidr = IPNetwork(network["network"])
    return network | {"first": str(cidr.network), "mask": str(cidr.netmask), "length": cidr.prefixlen}


def _hosts(view: View) -> list[str]:
    """Return a host for each interface: its MAC address, its addresses and its name."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for each in view["leases"]:
        address = each["address"] if each["family"] == 4 else f"[{each['address']}]"
        found.setdefault(each["mac"], []).append(address)
        names |= {each["mac"]: each["pot"]} if _named(each["pot"]) else {}
    return [",".join((mac, *addresses, *names.get(mac, "").split())) for mac, addresses in found.items()]


def _named(pot: str) -> bool:
    """Whether a server may give the name of a pot to its guest."""
    return _HOST.fullmatch(pot) is not None


def _of_kea(found: list[View], family: int) -> str:
    subnets = [
        _subnet(view, each, family) for view in found for each in view["networks"] if each["family"] == family
    ]
    server = {
        "interfaces-config": {"interfaces": [each["interface"] for each in subnets]},
        f"subnet{family}": subnets,
    }
    return json.dumps({f"Dhcp{family}": server}, indent=2)


def _subnet(view: View, network: View, family: int) -> View:
    """Return a subnet without a pool: the server answers pots alone."""
    options = []
    if family == 4:
        options.append({"name": "routers", "data": network["gateway"]})
        if view["mtu"] is not None:
            options.append({"name": "interface-mtu", "data": str(view["mtu"])})
    # The number of the bridge stays the same, and Kea keeps leases by this id.
    return {
        "id": view["unit"] + 1,
        "subnet": network["network"],
        "interface": view["interface"],
        "option-data": options,
        "reservations": [_reservation(each) for each in view["leases"] if each["family"] == family],
    }


def _reservation(lease: View) -> View:
    where = {"ip-address": lease["address"]} if lease["family"] == 4 else {"ip-addresses": [lease["address"]]}
    named = {"hostname": lease["pot"]} if _named(lease["pot"]) else {}
    return {"hw-address": lease["mac"], **where, **named}
