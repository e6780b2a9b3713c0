"""Add addresses to interfaces and remove them, with the kernel's side effects.

Sources: ifconfig(8), inet(4), inet6(4), RFC 4862; and the recorded sessions.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from potnet.executors.simulated.world.entities import PAUSED, Address, Interface, Route
from potnet.executors.simulated.world.world import ToolError, World


def parse(text: str, family: str) -> tuple[Address, bool]:
    """Return an address, and whether its prefix length was given."""
    plain, _, length = text.partition("/")
    kind, width, default = (IPv4Address, 32, 24) if family == "inet" else (IPv6Address, 128, 64)
    try:
        value = str(kind(plain))
    except ValueError:
        raise ToolError(f"ifconfig: {plain}: bad value") from None
    if not length:
        return Address(value, default), False
    if not length.isdigit():
        raise ToolError(f"ifconfig: {text}: bad value")
    if int(length) > width:
        raise ToolError(f"ifconfig: {text}: bad value (width too large)")
    return Address(value, int(length)), True


def add_inet(world: World, interface: Interface, address: Address, alias: bool) -> None:
    """Add an address; without alias it replaces the first IPv4 address, and an existing one moves to the
    end."""
    if interface.kind == "wg" and any(
        address.address == a.address
        for each in world.interfaces(interface.vnet)
        for a in each.inet
        if each.index != interface.index
    ):
        raise ToolError("ifconfig: ioctl (SIOCAIFADDR): File exists")
    if not alias and interface.inet:
        _forget(world, interface, interface.inet[0], keep=address)
    for same in [a for a in interface.inet if a.address == address.address]:
        _forget(world, interface, same, keep=address)
    interface.inet.append(address)
    interface.up = True
    if interface.kind == "loop":
        _loopback6(interface)


def _loopback6(interface: Interface) -> None:
    """Give lo0 its IPv6 addresses when it comes up."""
    for text, prefix in (("::1", 128), ("fe80::1", 64)):
        if all(a.address != text for a in interface.inet6):
            interface.inet6.append(Address(text, prefix))


def add_inet6(world: World, interface: Interface, address: Address, enabled: bool = False) -> None:
    """Add an address; the first one clears IFDISABLED and thereby adds the link-local address.

    enabled: the same call has cleared IFDISABLED before, so duplicate detection runs, and an interface that
    is up has its link-local address already.
    """
    if enabled:
        enable_inet6(world, interface)
    if enabled or "IFDISABLED" not in interface.nd6:
        address.since = _since(world, interface)
    interface.inet6 = [a for a in interface.inet6 if a.address != address.address]
    interface.inet6.append(address)
    interface.up = True
    enable_inet6(world, interface)


def enable_inet6(world: World, interface: Interface) -> None:
    """Clear IFDISABLED; with auto_linklocal, an interface that is up then gets a link-local address."""
    if "IFDISABLED" in interface.nd6:
        interface.nd6.remove("IFDISABLED")
    linklocal(world, interface)


def linklocal(world: World, interface: Interface) -> None:
    wanted = interface.up and "AUTO_LINKLOCAL" in interface.nd6 and "IFDISABLED" not in interface.nd6
    if not wanted or any(a.link_local for a in interface.inet6):
        return
    # An interface without a MAC address takes a random one.
    text = str(eui64("fe80::/64", interface.mac or world.made_mac(interface.name)))
    interface.inet6.append(Address(text, 64, _since(world, interface)))


def pause(world: World, interface: Interface, off: bool) -> None:
    """Make all addresses tentative on an interface whose IPv6 is switched off, and detect duplicates when it
    is switched on again (nd6_ioctl in nd6.c)."""
    if "NO_DAD" in interface.nd6 or interface.kind == "loop":
        return
    for address in interface.inet6:
        if off:
            address.since = PAUSED
        elif address.since == PAUSED:
            address.since = world.now()


def _since(world: World, interface: Interface) -> float | None:
    """Return the start time of duplicate detection for a new address; None if detection is off."""
    return None if "NO_DAD" in interface.nd6 or interface.kind == "loop" else world.now()


def eui64(prefix: str, mac: str) -> IPv6Address:
    """Return the address of an interface in a /64 (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    suffix = int.from_bytes(bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]]), "big")
    return IPv6Address(int(ip_network(prefix).network_address) + suffix)


def remove(world: World, interface: Interface, text: str) -> bool:
    """Remove an address. False if the interface does not have it."""
    wanted = str(ip_address(text))
    found = next((a for a in interface.addresses if a.address == wanted), None)
    if found is not None:
        _forget(world, interface, found)
    return found is not None


def _forget(world: World, interface: Interface, address: Address, keep: Address | None = None) -> None:
    """Remove an address, and the routes whose gateway only its prefix reached.

    The first IPv4 address of a network has the route to it. If nothing replaces the address, all routes
    through the network go, even if another address stays (record 53).
    """
    owner = next((a for a in interface.inet if a.network == address.network), None)
    interface.inet = [a for a in interface.inet if a is not address]
    interface.inet6 = [a for a in interface.inet6 if a is not address]
    left = [*interface.addresses, *([keep] if keep else [])]
    if keep is None and address is owner:
        left = [a for a in left if a.network != address.network]
    for route in world.routes(interface.vnet):
        if route.interface == interface.name and not _reached(route, left):
            world.drop_route(route.destination, route.family, interface.vnet)


def _reached(route: Route, addresses: list[Address]) -> bool:
    """Return whether a route stays; one of IPv6 to a gateway does in any case (record 58)."""
    if route.gateway and route.family == 6:
        return True
    if not route.gateway:
        return any(a.family == route.family for a in addresses)
    gateway = ip_address(route.gateway.split("%")[0])
    return any(a.family == gateway.version and gateway in a.network for a in addresses)


def drop_routes_of(world: World, interface: Interface) -> None:
    """Remove the routes of an interface that leaves its stack; a twin has none, they are the first one's."""
    if interface.twin:
        return
    for route in world.routes(interface.vnet):
        if route.interface == interface.name:
            world.drop_route(route.destination, route.family, interface.vnet)
