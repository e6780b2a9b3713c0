"""Parse the host's own addresses from its routes (ip-route(8), TYPE local)."""

from __future__ import annotations

from netaddr import IPAddress, IPNetwork

from potnet.drivers.linux.facts.parse import Documents, text_of
from potnet.drivers.reading import reads

#: Rules name this network. IPv4 has such addresses that others use as any other one (RFC 3927).
_LINK_LOCAL6 = IPNetwork("fe80::/10")


@reads("ip")
def own_addresses(routes: Documents) -> frozenset[IPAddress]:
    """Parse the destinations of ``ip route get`` that are the host itself."""
    return frozenset(IPAddress(route["dst"]) for route in routes if route.get("type") == "local")


@reads("ip")
def local_addresses(found: Documents) -> frozenset[tuple[str, IPNetwork]]:
    """Parse the local routes to addresses that other hosts can reach, each with its interface.

    A route may lead a whole network to the host. A route to everything serves a transparent proxy.
    """
    local = (each for each in found if each.get("type") == "local" and "table" in each and "dev" in each)
    shown = ((text_of(each["dev"]), text_of(each["dst"])) for each in local)
    known = ((name, IPNetwork(dst)) for name, dst in shown if dst != "default")
    return frozenset((name, n) for name, n in known if not (n.is_loopback() or n in _LINK_LOCAL6))
