"""Contradictions in a store, between networks, leases, pots, bridges and free numbers.

SQLite checks single rows. Rows of several tables contradict each other only after a manual change, damage
to the disk, or a bug in potnet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from netaddr import IPAddress

from potnet.model.ports import Export, Transport, endpoint, same_host
from potnet.model.ranges import Span, gaps, merged
from potnet.store import ranges
from potnet.store.leases import Network
from potnet.store.numbers import pot_number
from potnet.store.store import Store

_UNITS = (0, 0x7FFFFFFF)
_PORTS = 65535


def contradictions(store: Store, lost: bool = True) -> tuple[str, ...]:
    """Return the contradictions, a line each. lost: report leases of missing pots as well."""
    with store.snapshot():
        networks = _networks(store)
        return (
            *_networks_apart(networks),
            *_leases(store, networks, lost),
            *_attachments(store),
            *_bridges(store, networks),
            *_exports(store),
            *_policies(store),
            *_free(store, networks),
        )


def _networks(store: Store) -> dict[str, Network]:
    found = {}
    for name, parent in store.rows("SELECT name, parent FROM network ORDER BY name"):
        cidr = store.network(name)
        assert cidr is not None
        found[name] = Network(name, cidr, parent)
    return found


def _ends(network: Network) -> Span:
    return int(network.cidr.first), int(network.cidr.last)


def _networks_apart(networks: dict[str, Network]) -> Iterator[str]:
    for parent, version in {(n.parent, n.cidr.version) for n in networks.values()}:
        beside = [n for n in networks.values() if (n.parent, n.cidr.version) == (parent, version)]
        beside.sort(key=_ends)
        for one, other in pairwise(beside):
            if _ends(other)[0] <= _ends(one)[1]:
                yield f"networks {one.name} ({one.cidr}) and {other.name} ({other.cidr}) overlap"
    for network in networks.values():
        above = networks.get(network.parent) if network.parent is not None else None
        if above is not None and network.cidr not in above.cidr:
            yield f"network {network.name} ({network.cidr}) is not in {above.name} ({above.cidr})"


def _leases(store: Store, networks: dict[str, Network], lost: bool) -> Iterator[str]:
    pots = set(store.pot_names())
    parts = [(network.parent, network, _ends(network)) for network in networks.values() if network.parent]
    for name, stored, pot in store.rows("SELECT network, address, pot FROM lease ORDER BY network, address"):
        network, number = networks[name], ranges.number(stored)
        first, last = network.span
        where = f"the lease of {_shown(number, network)} to pot {pot}"
        if not first <= number <= last:
            yield f"{where} is outside network {name} ({network.cidr})"
        for parent, part, (start, end) in parts:
            if parent == name and start <= number <= end:
                yield f"{where} in network {name} is inside network {part.name} ({part.cidr})"
        if lost and pot not in pots:
            yield f"{where} in network {name} belongs to no pot"


def _attachments(store: Store) -> Iterator[str]:
    leased = {
        (name, ranges.number(stored)): pot
        for name, stored, pot in store.rows("SELECT network, address, pot FROM lease")
    }
    bridges = {bridge.name for bridge in store.bridges()}
    for pot in store.pots():
        for attachment in pot.attachments:
            if attachment.bridge not in bridges:
                yield f"pot {pot.name} is on bridge {attachment.bridge}, which does not exist"
            for name, address in attachment.leases:
                if leased.get((name, int(address))) != pot.name:
                    yield f"pot {pot.name} has {address}, which is not leased to it in network {name}"


def _bridges(store: Store, networks: dict[str, Network]) -> Iterator[str]:
    for bridge in store.bridges():
        for subnet in bridge.networks:
            known = networks.get(subnet.name)
            if known is None:
                yield f"bridge {bridge.name} has {subnet.network}, but network {subnet.name} does not exist"
            elif known.cidr != subnet.network:
                yield f"bridge {bridge.name} has {subnet.network}, and network {subnet.name} is {known.cidr}"
            elif subnet.gateway is not None and subnet.gateway not in known.cidr:
                yield f"the gateway {subnet.gateway} of bridge {bridge.name} is outside {known.cidr}"


def _exports(store: Store) -> Iterator[str]:
    """Yield host ports that two exports share at one address, and invalid port numbers."""
    taken: dict[tuple[Transport, int], list[tuple[str, Export]]] = {}
    for pot in store.pots():
        for export in pot.exports:
            starts = [port for port in (export.pot_port, export.host_port) if port is not None]
            if min(starts) < 1 or max(starts) + export.count - 1 > _PORTS:
                yield f"pot {pot.name} exports {export}, and ports are 1 to {_PORTS}"
                continue
            for end in export.ends:
                others = taken.setdefault(end, [])
                same = [name for name, other in others if same_host(other.host_address, export.host_address)]
                if same:
                    yield f"host port {endpoint(*end)} is exported by pot {same[0]} and by pot {pot.name}"
                    break
                others.append((pot.name, export))


def _policies(store: Store) -> Iterator[str]:
    pots, bridges = set(store.pot_names()), {bridge.name for bridge in store.bridges()}
    for policy in store.policies():
        for end in (policy.source, policy.destination):
            if end.name not in (bridges if end.bridge else pots):
                what = "bridge" if end.bridge else "pot"
                yield f"a policy names {what} {end.name}, which does not exist"


def _free(store: Store, networks: dict[str, Network]) -> Iterator[str]:
    """Compare the ranges recorded as free with the numbers that nothing uses."""
    taken: dict[str, list[Span]] = {name: [] for name in networks}
    for table in ("lease", "excluded"):
        for name, stored in store.rows(f"SELECT network, address FROM {table}"):  # noqa: S608 - our own schema
            taken[name].append((ranges.number(stored), ranges.number(stored)))
    for network in networks.values():
        if network.parent is not None:
            taken[network.parent].append(_ends(network))
    pools = {name: (network.span, taken[name]) for name, network in networks.items()}
    pools[ranges.EPAIR] = (_UNITS, _numbers(store, "SELECT unit FROM attachment"))
    pools[ranges.BRIDGE] = (_UNITS, _numbers(store, "SELECT unit FROM bridge"))
    numbers = [number for name in store.pot_names() if (number := pot_number(name)) is not None]
    pools[ranges.POT] = ((1, _UNITS[1]), [(number, number) for number in numbers])
    for name, (span, busy) in pools.items():
        if list(ranges.spans(store, name)) != list(gaps((span,), busy)):
            yield f"the free numbers of {name.lstrip('#')} do not match the leases"
    for (name,) in store.rows("SELECT DISTINCT pool FROM free_range ORDER BY pool"):
        if name not in pools:
            yield f"free numbers are kept for {name}, which does not exist"


def _numbers(store: Store, sql: str) -> list[Span]:
    return merged((unit, unit) for (unit,) in store.rows(sql))


def _shown(number: int, network: Network) -> str:
    try:
        return str(IPAddress(number, network.cidr.version))
    except ValueError:
        return str(number)


def listed(found: Iterable[str], most: int = 5) -> str:
    """Join some lines into one, with the number of omitted lines."""
    lines = tuple(found)
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(lines[:most]) + more
