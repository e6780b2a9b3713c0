"""Routing tables, and route(8)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net.ifconfig import jail_view
from potnet.executors.simulated.net.slaac import advertise
from potnet.executors.simulated.world.entities import Interface, Route
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
    lines.sort(key=lambda line: line.order)
    default = world.route("default", family, view.vnet)
    if default is not None:
        flags = "UGS" if default.static else "UG"
        lines.insert(0, Line("default", default.gateway, flags, default.interface))
    return lines


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
            lines.append(Line(own.destination, f"link#{loopback.index}", "UHS", "lo0", number, 129, scope))
        subnet = address.prefix < network.max_prefixlen and (interface.kind != "loop" or scope)
        if subnet:
            text = f"fe80::%{interface.name}/{address.prefix}" if scope else str(network)
            start = int(network.network_address)
            lines.append(Line(text, link, "U", interface.name, start, address.prefix, scope))
    return lines


def lookup(world: World, text: str, vnet: str) -> tuple[Interface | None, Route | None, bool]:
    """Look up an address: (interface, route if through a gateway, whether the address is its own)."""
    target = ip_address(text)
    best: tuple[int, Interface] | None = None
    for interface in world.interfaces(vnet):
        for address in interface.addresses:
            if address.family != target.version:
                continue
            if address.address == text:
                return world.interface("lo0", vnet), None, True
            if interface.up and target in address.network and (best is None or address.prefix > best[0]):
                best = (address.prefix, interface)
    if best is not None:
        return best[1], None, False
    route = world.route("default", target.version, vnet)
    return (None if route is None else world.interface(route.interface, vnet)), route, False


def route(world: World, argv: list[str], view: View) -> CommandResult:
    """route [-j jail] [-nq] add|delete|get [-inet|-inet6] DESTINATION [GATEWAY]."""
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
    verb, rest = (args[0], args[1:]) if args else ("", [])
    family = 6 if "-inet6" in rest else 4
    rest = [arg for arg in rest if arg not in ("-inet", "-inet6")]
    match verb, rest:
        case "get", [destination]:
            return _get(world, destination, family, view)
        case "add", ["default", gateway]:
            result = _add(world, gateway, family, view)
        case (("delete" | "del"), ["default"]):
            result = _delete(world, family, view)
        case _:
            raise unknown(f"route {' '.join(args)}")
    return CommandResult(result.code, "", result.err) if quiet else result


def _gateway(text: str, family: int) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(text.split("%")[0])
    except ValueError:
        raise ToolError(f"route: bad address: {text}", 68) from None
    if found.version != family:
        raise ToolError(f"route: bad address: {text}", 68)
    return found


def _add(world: World, gateway: str, family: int, view: View) -> CommandResult:
    world.state.changing()
    head = f"add net default: gateway {gateway}"
    wanted = _gateway(gateway, family)
    if world.route("default", family, view.vnet) is not None:
        return CommandResult(1, f"{head} fib 0: route already in table\n")
    for interface in world.interfaces(view.vnet):
        if interface.up and any(a.family == family and wanted in a.network for a in interface.addresses):
            world.save_route(Route("default", gateway, interface.name), family, view.vnet)
            return CommandResult(0, f"{head}\n")
    return CommandResult(1, f"{head} fib 0: Invalid argument\n")


def _delete(world: World, family: int, view: View) -> CommandResult:
    world.state.changing()
    if world.route("default", family, view.vnet) is None:
        return CommandResult(1, "delete net default fib 0: not in table\n")
    world.drop_route("default", family, view.vnet)
    return CommandResult(0, "delete net default\n")


def _get(world: World, destination: str, family: int, view: View) -> CommandResult:
    zero = "0.0.0.0" if family == 4 else "::"
    if destination == "default":
        default = world.route("default", family, view.vnet)
        if default is None:
            advertise(world, view.vnet)
            return CommandResult(0, "", "route: route has not been found: No error: 0\n")
        found, own = world.interface(default.interface, view.vnet), False
        via: Route | None = default
        destination = zero
    else:
        found, via, own = lookup(world, str(_gateway(destination, 6 if ":" in destination else 4)), view.vnet)
    if found is None:
        return CommandResult(0, "", "route: route has not been found: No error: 0\n")
    lines = [f"   route to: {destination}"]
    if via is not None:
        zero = "::" if ":" in via.gateway else "0.0.0.0"
        lines += [f"destination: {zero}", f"       mask: {zero}", f"    gateway: {via.gateway}"]
        flags = "UP,GATEWAY,DONE,STATIC" if via.static else "UP,GATEWAY,DONE"
    elif own:
        lines.append(f"destination: {destination}")
        flags = "UP,HOST,DONE,STATIC,PINNED"
    else:
        address = next(a for a in found.addresses if ip_address(destination) in a.network)
        net = ip_network(address.network)
        lines += [f"destination: {net.network_address}", f"       mask: {net.netmask}"]
        flags = "UP,DONE,PINNED"
    lines += ["        fib: 0", f"  interface: {found.name}", f"      flags: <{flags}>"]
    return CommandResult(0, "\n".join(lines) + "\n" + _METRICS.format(mtu=found.mtu))
