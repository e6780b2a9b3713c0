"""ping(8), ping6 and nc(1) -z, answered from the modelled network."""

from __future__ import annotations

import getopt
from ipaddress import ip_address

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net import routes
from potnet.executors.simulated.net.wires import OUTSIDE, wire_of
from potnet.executors.simulated.packets.calls import Call, Connection
from potnet.executors.simulated.packets.learnt import look_for
from potnet.executors.simulated.packets.network import connect
from potnet.executors.simulated.world.entities import DAD_SECONDS, HOST
from potnet.executors.simulated.world.world import ToolError, View, World, unknown

#: The octets that ping(8) sends, without its header.
_SIZE = 56
#: The headers of IPv4 and ICMP.
_HEADERS = 28


def _name(view: View) -> str:
    return "host" if view.jail is None else view.jail.name


def ping(world: World, argv: list[str], view: View) -> CommandResult:
    """ping|ping6 [-Dn] [-c COUNT] [-s SIZE] [-t SECONDS] [-W MILLISECONDS] ADDRESS; code 2 if no reply
    arrives.

    -D: the packets may not be cut into fragments, which a link to another host does all the same (record 62).
    """
    world.state.look()
    try:
        options, rest = getopt.getopt(argv[1:], "c:t:ns:DW:")
    except getopt.GetoptError as error:
        raise unknown(f"the {argv[0]} option: {error}") from None
    counts = [value for name, value in options if name == "-c"]
    sizes = [value for name, value in options if name == "-s"]
    if len(rest) != 1 or not all(value.isdigit() for value in (*counts, *sizes)):
        raise unknown(" ".join(argv))
    size = int(sizes[0]) if sizes else _SIZE
    whole = ("-D", "") in options
    try:
        address = str(ip_address(rest[0]))
    except ValueError:
        raise ToolError(f"{argv[0]}: cannot resolve {rest[0]}: Name does not resolve", 68) from None
    family = 6 if ":" in address else 4
    carried = routes.lookup(world, address, HOST)[0]
    if whole and carried is not None and size + _HEADERS > carried.mtu:
        raise unknown("the answer to a packet that is too big for a link")
    protocol = "icmp" if family == 4 else "ipv6-icmp"
    if view.vnet == HOST:
        look_for(world, address)
    answer = connect(world, Call(_name(view), address, 0, protocol))
    if not isinstance(answer, Connection) and family == 6 and counts not in ([], ["1"]):
        # A tentative address may have become usable meanwhile.
        world.wait(DAD_SECONDS)
        answer = connect(world, Call(_name(view), address, 0, protocol))
    sent = int(counts[0]) if counts else 1
    made = answer if isinstance(answer, Connection) else None
    life = _life(world, address, made) if made else 0
    replies = [_reply(address, number, life, size) for number in range(sent) if made]
    out = _opening(world, address, view, size) + "".join(replies)
    out += f"\n--- {address} ping statistics ---\n"
    got, lost = (sent, 0.0) if made else (0, 100.0)
    out += f"{sent} packets transmitted, {got} packets received, {lost:.1f}% packet loss\n"
    if made:
        out += "round-trip min/avg/max/stddev = 0.100/0.100/0.100/0.000 ms\n"
    return CommandResult(0 if made else 2, out)


def _opening(world: World, address: str, view: View, size: int) -> str:
    if ":" not in address:
        return f"PING {address} ({address}): {size} data bytes\n"
    if size != _SIZE:
        raise unknown("ping6 -s")
    interface, _, own = routes.lookup(world, address, view.vnet)
    mine = [a for a in interface.inet6 if not a.link_local] if interface and not own else []
    return f"PING(56=40+8+8 bytes) {mine[0].address if mine else address} --> {address}\n"


def _life(world: World, address: str, made: Connection) -> int:
    """Return the time to live of a reply: the router on the external wire begins with the highest."""
    router = made.server == OUTSIDE and ":" not in address and not wire_of(world, address)
    return (255 if router else 64) - made.hops


def _reply(address: str, number: int, life: int, size: int) -> str:
    if ":" in address:
        return f"16 bytes from {address}, icmp_seq={number} hlim={life} time=0.100 ms\n"
    return f"{size + 8} bytes from {address}: icmp_seq={number} ttl={life} time=0.100 ms\n"


def _check_port(text: str) -> None:
    """Check a port, with the error words of strtonum(3)."""
    if not (text.isascii() and text.isdigit()):
        wrong = "invalid"
    elif int(text) < 1:
        wrong = "too small"
    elif int(text) > 65535:
        wrong = "too large"
    else:
        return
    raise ToolError(f"nc: port number {wrong}: {text}")


def nc(world: World, argv: list[str], view: View) -> CommandResult:
    """nc -z [-u] [-w SECONDS] ADDRESS PORT."""
    world.state.look()
    try:
        options, rest = getopt.getopt(argv[1:], "zuvnw:46")
    except getopt.GetoptError as error:
        raise unknown(f"the nc option: {error}") from None
    names = {name for name, _ in options}
    if "-z" not in names or len(rest) != 2 or "-" in rest[1]:
        raise unknown(" ".join(argv))
    _check_port(rest[1])
    protocol = "udp" if "-u" in names else "tcp"
    try:
        answer = connect(world, Call(_name(view), rest[0], int(rest[1]), protocol))
    except ValueError:
        raise ToolError(
            f'nc: getaddrinfo for host "{rest[0]}" port {rest[1]}: Name does not resolve'
        ) from None
    if not isinstance(answer, Connection):
        note = f"nc: connect to {rest[0]} port {rest[1]} ({protocol}) failed\n" if "-v" in names else ""
        return CommandResult(1, "", note)
    return CommandResult(0, "", f"Connection to {rest[0]} {rest[1]} port [{protocol}/*] succeeded!\n")
