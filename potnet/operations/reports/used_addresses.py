"""The addresses in use in a network, with user and purpose, as `show` lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from potnet.model.names import PUBLIC
from potnet.operations.networks.address_space import Asked, Site, address_of, span_of

if TYPE_CHECKING:
    from potnet.model.bridges import Bridge
    from potnet.pot_installation.settings import Address, Network
    from potnet.store.store import Store

View = dict[str, Any]
_Key = tuple[int, int]
_Entries = dict[_Key, View]

#: A private bridge up to this size is listed address by address, as pot does. A larger one, which only IPv6
#: has, lists only the addresses in use.
LARGEST_LISTED = 1 << 24


def show_network(asked: Asked) -> View:
    """Return the network with all addresses in use, in order; private bridges appear as a whole."""
    site = Site(asked)
    entries = _public(site)
    for name, network, gateway in _bridges(site):
        entries |= _ends_of(name, network, gateway)
        if network.num_addresses <= LARGEST_LISTED:
            first, last = span_of(network)
            for number in range(first + 1, last):
                entries.setdefault((network.version, number), _entry(network.version, number, name, "bridge"))
    entries |= _other_family(site)
    return {
        "network": str(site.network),
        "gateway": str(site.gateway),
        "dns": str(site.dns) if site.dns is not None else None,
        "addresses": _listed(entries),
    }


def show_bridge(asked: Asked, name: str) -> View:
    """Return a bridge's network, its free addresses, and those in use; raises PotnetError."""
    site = Site(asked)
    name = site.called(name)
    own = asked.store.bridge(name) if asked.store is not None else None
    if own is not None and own.lan is not None and asked.store is not None:
        return _lan(asked.store, own)
    if own is not None and not own.subnets:
        return {
            "bridge": name, "network": None, "gateway": None, "network6": None, "size": None, "free": None,
            "addresses": [],
        }  # fmt: skip
    if name == PUBLIC:
        network, gateway, entries = site.network, site.gateway, _public(site)
        inner = [each for _, each, _ in _bridges(site)]
        entries = {key: entry for key, entry in entries.items() if not _lies_in(key, inner)}
    else:
        network, gateway = site.subnet(name)
        inner = []
        entries = _ends_of(name, network, gateway)
        # Few of ten thousand pots are on one bridge; calling `_lies_in` for each took 15 ms.
        version, (first, last) = network.version, span_of(network)
        held = [each for each in _pots(site, network) if first <= each[0][1] <= last]
        entries |= {key: _entry(*key, pot, "pot") for key, pot in held if key[0] == version}
    free = network.num_addresses - len(entries) - sum(each.num_addresses for each in inner)
    pots = sum(entry["kind"] == "pot" for entry in entries.values())
    entries |= _other_family(site, name)
    return {
        "bridge": name,
        "network": str(network),
        "gateway": str(gateway),
        "network6": str(own.network6) if own is not None and own.network6 is not None else None,
        "size": own.size if own is not None and own.size is not None else free + pots,
        "free": free,
        "addresses": _listed(entries),
    }


def _lan(store: Store, bridge: Bridge) -> View:
    """Return the networks of a LAN with the gateway and the addresses of pots; potnet knows no others."""
    entries: _Entries = {}
    for each in bridge.networks:
        version, gateway = each.network.version, each.gateway
        if gateway is not None:
            entries[version, int(gateway)] = _entry(version, int(gateway), bridge.name, "gateway")
        for lease in store.leases(each.name):
            entries[version, int(lease.address)] = _entry(version, int(lease.address), lease.pot, "pot")
    text = {name: str(value) if value is not None else None for name, value in (
        ("network", bridge.network), ("gateway", bridge.gateway), ("network6", bridge.network6)
    )}  # fmt: skip
    return {"bridge": bridge.name, **text, "size": None, "free": None, "addresses": _listed(entries)}


def _public(site: Site) -> _Entries:
    """Return the network of all pots without private bridges; the last use of an address counts."""
    entries = _both_ends(site.network, "")
    gateway = (site.gateway.version, int(site.gateway))
    entries[gateway] = _entry(*gateway, "", "gateway")
    dns = (site.dns.version, int(site.dns)) if site.dns is not None else None
    if dns is not None:
        entries[dns] = _entry(*dns, site.dns_name, "dns")
    entries |= {key: _entry(*key, pot, "dns" if key == dns else "pot") for key, pot in _pots(site)}
    return entries


def _other_family(site: Site, bridge: str | None = None) -> _Entries:
    """Return the addresses in use in bridges' networks of the other family; none is listed completely."""
    entries: _Entries = {}
    for name, subnet in site.other_family():
        if bridge in (None, name) and site.store is not None:
            owner, version = "" if name == PUBLIC else name, subnet.network.version
            for number, kind in ((subnet.network.first, "network"), (int(subnet.gateway), "gateway")):
                entries[version, number] = _entry(version, number, owner, kind)
            for lease in site.store.leases(subnet.name):
                entries[version, int(lease.address)] = _entry(version, int(lease.address), lease.pot, "pot")
    return entries


def _lies_in(key: _Key, networks: list[Network]) -> bool:
    version, number = key
    spans = (span_of(network) for network in networks if network.version == version)
    return any(first <= number <= last for first, last in spans)


def _pots(site: Site, within: Network | None = None) -> Iterator[tuple[_Key, str]]:
    """Return the pots with their addresses on bridges, pot's first.

    within: limits the search for potnet's own leases, which may be many.
    """
    span = span_of(within) if within is not None else None
    if site.installation is not None:
        for pot in site.installation.pots:
            yield (pot.version, pot.number), pot.name
    if site.store is not None:
        for name in (PUBLIC, *(name for name, _, _ in site.own_bridges())):
            for lease in site.store.leases(name, span):
                yield (lease.address.version, int(lease.address)), lease.pot


def _bridges(site: Site) -> Iterator[tuple[str, Network, Address]]:
    if site.installation is not None:
        yield from site.installation.bridges
    yield from site.own_bridges()


def _ends_of(name: str, network: Network, gateway: Address) -> _Entries:
    key = (gateway.version, int(gateway))
    return _both_ends(network, name) | {key: _entry(*key, name, "gateway")}


def _both_ends(network: Network, owner: str) -> _Entries:
    version = network.version
    first, last = span_of(network)
    return {
        (version, first): _entry(version, first, owner, "network"),
        (version, last): _entry(version, last, owner, "broadcast"),
    }


def _entry(version: int, number: int, owner: str, kind: str) -> View:
    return {"address": str(address_of(version, number)), "owner": owner, "kind": kind}


def _listed(entries: _Entries) -> list[View]:
    return [entries[key] for key in sorted(entries)]
