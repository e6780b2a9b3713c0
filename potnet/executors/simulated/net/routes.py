"""Routing tables, and route(8)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net.ifconfig import jail_view
from potnet.executors.simulated.net.slaac import advertise
from potnet.executors.simulated.world.entities import Address, Interface, Route
from potnet.executors.simulated.world.world import ToolError, View, World, unknown

_METRICS = (
    " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n"
    "       0         0         0         0 {mtu:>9}         1         0 \n"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the routing table. scope: the index of a link-local address's interface, for the order."""

    destination: str
    gateway: str
    flags: str
    interface: str
    number: int = 0
    prefix: int = 0
    scope: int = 0

    @property
    def order(self) -> tuple[int, int]:
        return (self.number | self.scope << 96 if self.scope else self.number, self.prefix)


def table(world: World, family: int, view: View) -> list[Line]:
    """Return the routing table in the order of netstat(1): default first, then by address."""
    interfaces = world.interfaces(view.vnet)
    loopback = next((i for i in interfaces if i.name == "lo0"), None)
    lines = [line for i in interfaces for line in _connected(i, loopback, family)]
    lines += [_added(route, interfaces) for route in world.routes(view.vnet) if route.family == family]
    lines.sort(key=lambda line: line.order)
    return lines


def _added(route: Route, interfaces: list[Interface]) -> Line:
    """Return the line of a route that was added or learnt."""
    found = next((i for i in interfaces if i.name == route.interface), None)
    gateway = route.gateway or f"link#{found.index if found else 0}"
    host = "/" not in route.destination and route.destination != "default"
    flags = f"U{'G' if route.gateway else ''}{'H' if host else ''}{'S' if route.static else ''}"
    if route.destination == "default":
        return Line("default", gateway, flags, route.interface, -1)
    network = ip_network(route.destination)
    number, prefix = int(network.network_address), 129 if host else network.prefixlen
    return Line(route.destination, gateway, flags + "B" * route.blackhole, route.interface, number, prefix)


def _connected(interface: Interface, loopback: Interface | None, family: int) -> list[Line]:
    lines = []
    for address in interface.inet if family == 4 else interface.inet6:
        number, network = int(address.interface.ip), address.network
        scope = interface.index if address.link_local else 0
        link = f"link#{interface.index}"
        own = Line(address.address + ("%lo0" if scope else ""), link, "UHS", "lo0", number, 129, scope)
        if interface.kind == "loop":
            flags = "UHS" if family == 6 else "UH"
            lines.append(Line(own.destination, link, flags, "lo0", number, 129, scope))
        elif loopback is not None:
            # A network of a single address has no route beside that of the address.
            flags = "UH" if family == 4 and address.prefix == 32 else "UHS"
            lines.append(Line(own.destination, f"link#{loopback.index}", flags, "lo0", number, 129, scope))
        there = interface.kind != "wg" or interface.up
        subnet = there and address.prefix < network.max_prefixlen and (interface.kind != "loop" or scope)
        if subnet:
            text = f"fe80::%{interface.name}/{address.prefix}" if scope else str(network)
            start = int(network.network_address)
            line = Line(text, link, "U", interface.name, start, address.prefix, scope)
            lines += [line] if line not in lines else []
    return lines


def lookup(world: World, text: str, vnet: str) -> tuple[Interface | None, Route | None, bool]:
    """Look up an address: (interface, route if through a gateway, whether the address is its own)."""
    target = ip_address(text)
    best: tuple[int, Interface] | None = None
    via: Route | None = None
    for interface in world.interfaces(vnet):
        for address in interface.addresses:
            if address.family != target.version:
                continue
            if address.address == text:
                return world.interface("lo0", vnet), None, True
            if interface.up and target in address.network and (best is None or address.prefix > best[0]):
                best = (address.prefix, interface)
    for route in world.routes(vnet):
        network = _network(route)
        if network.version == target.version and target in network and not route.blackhole:
            found = world.interface(route.interface, vnet)
            if found is not None and found.up and (best is None or network.prefixlen > best[0]):
                best, via = (network.prefixlen, found), route
    if best is None:
        return None, None, False
    return best[1], via if via is not None and via.gateway else None, False


def _network(route: Route) -> IPv4Network | IPv6Network:
    if route.destination == "default":
        return ip_network("::/0" if route.family == 6 else "0.0.0.0/0")
    return ip_network(route.destination)


@dataclass(slots=True)
class _Request:
    """One call of route(8). shown: the destination in messages. link: the gateway is an interface."""

    verb: str
    destination: str
    shown: str
    gateway: str
    family: int
    link: bool = False
    blackhole: bool = False

    @property
    def head(self) -> str:
        host = "/" not in self.destination and self.destination != "default"
        via = f": gateway {self.gateway}" if self.gateway else ""
        return f"{self.verb} {'host' if host else 'net'} {self.shown}{via}"


def route(world: World, argv: list[str], view: View) -> CommandResult:
    """route [-j jail] [-nq] add|delete|change|get [-inet|-inet6] [-net|-host] DESTINATION [-interface]
    [GATEWAY] [-blackhole]."""
    args = argv[1:]
    quiet = False
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option == "-j" and args:
            view = jail_view(world, args.pop(0), "route: Jail not found")
        elif option in ("-n", "-q", "-nq", "-qn"):
            quiet = quiet or "q" in option
        else:
            raise unknown(f"the route option {option}")
    request = _request(args)
    if request.verb == "get":
        return _get(world, request, view)
    world.state.changing()
    if view.jail is not None and not view.jail.vnet:
        result = CommandResult(1, f"{request.head} fib 0: Operation not permitted\n")
    elif request.verb == "delete":
        result = _delete(world, request, view)
    else:
        result = _add(world, request, view)
    return CommandResult(result.code, "", result.err) if quiet else result


def _request(args: list[str]) -> _Request:
    """Read the words after the options of route(8)."""
    verb = {"del": "delete"}.get(args[0], args[0]) if args else ""
    words = [each for each in args[1:] if not each.startswith("-")]
    flags = {each for each in args[1:] if each.startswith("-")}
    known = {"-inet", "-inet6", "-net", "-host", "-interface", "-blackhole"}
    most = 1 if verb == "get" else 2
    if verb not in ("add", "delete", "change", "get") or flags - known or not 1 <= len(words) <= most:
        raise unknown(f"route {' '.join(args)}")
    family = 6 if "-inet6" in flags or ":" in words[0] else 4
    gateway = words[1] if len(words) > 1 else ""
    if words[0] == "default":
        shown = destination = "default"
    else:
        destination, shown = _destination(words[0], family)
    if gateway and "-interface" not in flags:
        _gateway(gateway, family)
    return _Request(verb, destination, shown, gateway, family, "-interface" in flags, "-blackhole" in flags)


def _destination(text: str, family: int) -> tuple[str, str]:
    """Return a destination, and how messages show it: an IPv4 network without its length."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ToolError(f"route: bad address: {text}", 68) from None
    if network.version != family:
        raise ToolError(f"route: bad address: {text}", 68)
    if "/" not in text:
        return str(network.network_address), text
    return str(network), str(network.network_address) if family == 4 else str(network)


def _gateway(text: str, family: int) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(text.split("%")[0])
    except ValueError:
        raise ToolError(f"route: bad address: {text}", 68) from None
    if found.version != family:
        raise ToolError(f"route: bad address: {text}", 68)
    return found


def _add(world: World, request: _Request, view: View) -> CommandResult:
    """Add or change a route; an interface, or one with the gateway's network, must have it."""
    there = world.route(request.destination, request.family, view.vnet) is not None
    connected = any(request.destination == str(a.network) for a in _addresses(world, view.vnet))
    if request.verb == "change" and not there:
        return CommandResult(1, f"{request.head} fib 0: not in table\n")
    if request.verb == "add" and (there or connected):
        return CommandResult(1, f"{request.head} fib 0: route already in table\n")
    if not request.gateway:
        raise unknown(f"route {request.verb} without a gateway")
    found = _interface(world, request, view)
    if found is None:
        return CommandResult(1, f"{request.head} fib 0: Invalid argument\n")
    gateway = "" if request.link else request.gateway
    made = Route(request.destination, gateway, found.name, blackhole=request.blackhole)
    world.save_route(made, request.family, view.vnet)
    return CommandResult(0, f"{request.head}\n")


def _addresses(world: World, vnet: str) -> list[Address]:
    return [address for interface in world.interfaces(vnet) for address in interface.addresses]


def _interface(world: World, request: _Request, view: View) -> Interface | None:
    """Return the interface of a new route; None if the gateway is out of reach."""
    if request.link:
        named = world.interface(request.gateway, view.vnet)
        if named is None:
            raise ToolError(f"route: bad value: {request.gateway}", 65)
        return named if any(a.family == request.family for a in named.addresses) else None
    wanted = ip_address(request.gateway.partition("%")[0]) if request.gateway else None
    scope = request.gateway.partition("%")[2]
    for interface in world.interfaces(view.vnet):
        reached = any(a.family == request.family and wanted in a.network for a in interface.addresses)
        if interface.up and scope in ("", interface.name) and reached:
            return interface
    return None


def _delete(world: World, request: _Request, view: View) -> CommandResult:
    found = world.route(request.destination, request.family, view.vnet)
    if found is None or request.gateway not in ("", found.gateway):
        return CommandResult(1, f"{request.head} fib 0: not in table\n")
    world.drop_route(request.destination, request.family, view.vnet)
    return CommandResult(0, f"{request.head}\n")


def _get(world: World, request: _Request, view: View) -> CommandResult:
    """route get: of a network only its own route, of an address the one that its packets take."""
    family, destination = request.family, request.destination
    via: Route | None = None
    if destination == "default" or "/" in destination:
        via, own = world.route(destination, family, view.vnet), False
        found = world.interface(via.interface, view.vnet) if via is not None else None
        if via is None:
            advertise(world, view.vnet)
    else:
        found, via, own = lookup(world, destination, view.vnet)
        via = via or _through(world, destination, view.vnet)
    if found is None:
        return CommandResult(0, "", "route: route has not been found: No error: 0\n")
    target = _network(Route(destination, "::" if family == 6 else "", "")).network_address
    lines = [f"   route to: {target}"]
    if via is not None:
        net = _network(via)
        lines += [f"destination: {net.network_address}", f"       mask: {net.netmask}"]
        lines += [f"    gateway: {via.gateway}"] if via.gateway else []
        flags = ",".join(["UP", *(["GATEWAY"] if via.gateway else []), "DONE", *(["STATIC"] * via.static)])
    elif own:
        lines.append(f"destination: {destination}")
        flags = "UP,HOST,DONE,STATIC,PINNED"
    else:
        address = next(a for a in found.addresses if ip_address(destination) in a.network)
        lines += [
            f"destination: {address.network.network_address}",
            f"       mask: {address.network.netmask}",
        ]
        flags = "UP,DONE,PINNED"
    lines += ["        fib: 0", f"  interface: {found.name}", f"      flags: <{flags}>"]
    return CommandResult(0, "\n".join(lines) + "\n" + _METRICS.format(mtu=found.mtu))


def _through(world: World, text: str, vnet: str) -> Route | None:
    """Return the longest route to an interface itself that an address takes."""
    target = ip_address(text)
    found = [r for r in world.routes(vnet) if not r.gateway and r.family == target.version]
    inside = [r for r in found if target in _network(r)]
    return max(inside, key=lambda r: _network(r).prefixlen, default=None)
