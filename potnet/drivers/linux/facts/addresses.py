"""Parse the host's own addresses from its routes (ip-route(8), TYPE local)."""

from __future__ import annotations

from netaddr import IPAddress

from potnet.drivers.linux.facts.parse import Documents, text_of
from potnet.drivers.reading import reads


@reads("ip")
def own_addresses(routes: Documents) -> frozenset[IPAddress]:
    """Parse the destinations of ``ip route get`` that are the host itself."""
    return frozenset(IPAddress(route["dst"]) for route in routes if route.get("type") == "local")


@reads("ip")
def local_addresses(found: Documents) -> frozenset[tuple[str, IPAddress]]:
    """Parse the local routes to single addresses that other hosts can reach, each with its interface."""
    local = (each for each in found if each.get("type") == "local" and "table" in each and "dev" in each)
    shown = ((text_of(each["dev"]), text_of(each["dst"])) for each in local)
    single = ((name, IPAddress(dst)) for name, dst in shown if dst != "default" and "/" not in dst)
    return frozenset((name, a) for name, a in single if not (a.is_loopback() or a.is_link_local()))
