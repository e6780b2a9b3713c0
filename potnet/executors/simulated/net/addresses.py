"""Putting addresses on interfaces and taking them off, with what the kernel does along the way.

Sources: ifconfig(8), inet(4), inet6(4), RFC 4862; and the recorded sessions.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from potnet.executors.simulated.world.entities import Address, Interface, Route
from potnet.executors.simulated.world.world import World


def add_inet(world: World, interface: Interface, address: Address, alias: bool) -> None:
    """Without alias the interface's first IPv4 address is replaced; one that is there already moves on."""
    if not alias and interface.inet:
        _forget(world, interface, interface.inet[0], keep=address)
    for same in [a for a in interface.inet if a.address == address.address]:
        _forget(world, interface, same, keep=address)
    interface.inet.append(address)
    interface.up = True
    if interface.kind == "loop":
        _loopback6(interface)


def _loopback6(interface: Interface) -> None:
    """lo0 gets its IPv6 addresses once it is up."""
    for text, prefix in (("::1", 128), ("fe80::1", 64)):
        if all(a.address != text for a in interface.inet6):
            interface.inet6.append(Address(text, prefix))


def add_inet6(world: World, interface: Interface, address: Address, enabled: bool = False) -> None:
    """The first one of an interface ends IFDISABLED, and with that comes the link-local address.

    enabled: the same call has ended it before, so that duplicates of the address are looked for.
    """
    if enabled or "IFDISABLED" not in interface.nd6:
        address.since = _since(world, interface)
    interface.inet6 = [a for a in interface.inet6 if a.address != address.address]
    interface.inet6.append(address)
    interface.up = True
    enable_inet6(world, interface)


def enable_inet6(world: World, interface: Interface) -> None:
    """-ifdisabled: with auto_linklocal an interface that is up has a link-local address from now on."""
    if "IFDISABLED" in interface.nd6:
        interface.nd6.remove("IFDISABLED")
    linklocal(world, interface)


def linklocal(world: World, interface: Interface) -> None:
    wanted = interface.up and "AUTO_LINKLOCAL" in interface.nd6 and "IFDISABLED" not in interface.nd6
    if not wanted or any(a.link_local for a in interface.inet6):
        return
    text = str(eui64("fe80::/64", interface.mac))
    interface.inet6.append(Address(text, 64, _since(world, interface)))


def _since(world: World, interface: Interface) -> float | None:
    """When duplicate address detection begins for what is added now; None where there is none."""
    return None if "NO_DAD" in interface.nd6 else world.now()


def eui64(prefix: str, mac: str) -> IPv6Address:
    """The address of an interface in a /64 (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    suffix = int.from_bytes(bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]]), "big")
    return IPv6Address(int(ip_network(prefix).network_address) + suffix)


def remove(world: World, interface: Interface, text: str) -> bool:
    """Take an address off. False when it is not there."""
    wanted = str(ip_address(text))
    found = next((a for a in interface.addresses if a.address == wanted), None)
    if found is not None:
        _forget(world, interface, found)
    return found is not None


def _forget(world: World, interface: Interface, address: Address, keep: Address | None = None) -> None:
    """Routes through a gateway that only this address's prefix reached go with it."""
    interface.inet = [a for a in interface.inet if a is not address]
    interface.inet6 = [a for a in interface.inet6 if a is not address]
    left = [*interface.addresses, *([keep] if keep else [])]
    for route in world.routes(interface.vnet):
        if route.interface == interface.name and not _reached(route, left):
            family = 6 if ":" in route.gateway else 4
            world.drop_route(route.destination, family, interface.vnet)


def _reached(route: Route, addresses: list[Address]) -> bool:
    gateway = ip_address(route.gateway.split("%")[0])
    return any(a.family == gateway.version and gateway in a.network for a in addresses)


def drop_routes_of(world: World, interface: Interface) -> None:
    """An interface that leaves its stack takes its routes along."""
    for route in world.routes(interface.vnet):
        if route.interface == interface.name:
            world.drop_route(route.destination, 6 if ":" in route.gateway else 4, interface.vnet)
