"""netstat(1) -rn and -bin, as text and in the JSON of libxo(3)."""

from __future__ import annotations

import json

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net.ifconfig import jail_view
from potnet.executors.simulated.net.ifconfig_listing import flag_bits
from potnet.executors.simulated.net.routes import Line, table
from potnet.executors.simulated.net.slaac import advertise
from potnet.executors.simulated.world.entities import Address, Interface
from potnet.executors.simulated.world.libxo import libxo
from potnet.executors.simulated.world.world import View, World, unknown

_PRETTY = {"U": "up", "G": "gateway", "H": "host", "S": "static"}
_NAMES = {4: "Internet", 6: "Internet6"}
_FAMILIES = {"inet": (4,), "inet6": (6,)}
#: A flag that ifconfig(8) shows, but getifaddrs(3) does not.
_LOWER_UP = 0x1000000


def netstat(world: World, argv: list[str], view: View) -> CommandResult:
    """netstat [-j JAIL] [--libxo json] -rn | -bin | -I IF -bn [-f inet|inet6]; interfaces only in JSON."""
    args, flags, as_json = argv[1:], "", False
    families: tuple[int, ...] = (4, 6)
    name: str | None = None
    while args:
        match args:
            case ["-j", jail, *args]:
                view = jail_view(world, jail, "netstat: Jail not found")
            case ["--libxo", "json", *args]:
                as_json = True
            case ["-f", ("inet" | "inet6") as family, *args]:
                families = _FAMILIES[family]
            case ["-I", str(only), *args]:
                name = only
            case [word, *args] if word.startswith("-") and set(word[1:]) <= set("binr"):
                flags += word[1:]
            case _:
                raise unknown(f"netstat {' '.join(argv[1:])}")
    if set(flags) == {"r", "n"} and name is None:
        tables = [(family, table(world, family, view)) for family in families]
        out = _as_json(tables) if as_json else _as_text(tables)
    elif as_json and set(flags) in ({"b", "i", "n"}, {"b", "n"}) and (name is not None or "i" in flags):
        out = _interfaces(world, view, name, families)
    else:
        raise unknown(f"netstat {' '.join(argv[1:])}")
    advertise(world, view.vnet)
    return CommandResult(0, out)


def _as_text(tables: list[tuple[int, list[Line]]]) -> str:
    return "Routing tables\n" + "".join(_table(family, lines) for family, lines in tables)


def _table(family: int, lines: list[Line]) -> str:
    to, via = (18, 18) if family == 4 else (33, 29)
    out = ["", f"{_NAMES[family]}:"]
    out.append(f"{'Destination':<{to}} {'Gateway':<{via}} {'Flags':<5}     Netif Expire")
    for line in lines:
        start = f"{line.destination:<{to}} {line.gateway:<{via}} {line.flags}"
        out.append(f"{start} {line.interface.rjust(to + via + 16 - len(start))}")
    return "\n".join(out) + "\n"


def _as_json(tables: list[tuple[int, list[Line]]]) -> str:
    """Write libxo's own spacing: spaces after the comma of a list and before an opening bracket only."""
    shown = ", ".join(_family(_NAMES[family], lines) for family, lines in tables if lines)
    return f'{{"statistics": {{"route-information": {{"route-table": {{"rt-family": [{shown}]}}}}}}}}\n'


def _family(name: str, lines: list[Line]) -> str:
    entries = ", ".join(_route(number, line) for number, line in enumerate(lines, 1))
    return f'{{"address-family":"{name}", "rt-entry": [{entries}]}}'


def _route(number: int, line: Line) -> str:
    pretty = ",".join(json.dumps(_PRETTY[flag]) for flag in line.flags)
    return (
        f'{{"destination":{libxo(line.destination)},"gateway":{libxo(line.gateway)},'
        f'"flags":"{line.flags}", "flags_pretty": [{pretty}],"weight":1,"nhop-kidx":{number},'
        f'"interface-name":{libxo(line.interface)}}}'
    )


def _interfaces(world: World, view: View, name: str | None, families: tuple[int, ...]) -> str:
    """List for each interface an entry for the link layer and one for each address, without traffic."""
    entries = []
    for each in world.interfaces(view.vnet):
        if name in (None, each.name):
            # With a family, netstat lists only its addresses.
            entries += [_link(world, each)] if len(families) > 1 else []
            own = [*each.inet6, *each.inet] if each.kind == "loop" else each.addresses
            seen = [a for a in own if a.family in families and view.sees(a.family, a.address)]
            entries += [_address(world, each, a) for a in seen]
    return f'{{"statistics": {{"interface": [{", ".join(entries)}]}}}}\n'


def _head(world: World, interface: Interface) -> str:
    return f'"name":{libxo(interface.name)},"flags":"{flag_bits(world, interface) & ~_LOWER_UP:#x}"'


def _link(world: World, interface: Interface) -> str:
    (packets_in, bytes_in), (packets_out, bytes_out) = interface.received, interface.sent
    return (
        f'{{{_head(world, interface)},"mtu":{interface.mtu},"network":"<Link#{interface.index}>",'
        f'"address":{libxo(interface.mac or interface.name)},'
        f'"received-packets":{packets_in},"received-errors":0,"dropped-packets":0,'
        f'"received-bytes":{bytes_in},"sent-packets":{packets_out},"send-errors":0,'
        f'"sent-bytes":{bytes_out},"collisions":0}}'
    )


def _address(world: World, interface: Interface, address: Address) -> str:
    scoped = f"%{interface.name}" if address.link_local else ""
    network = f"{address.network.network_address}{scoped}/{address.prefix}"
    return (
        f'{{{_head(world, interface)},"network":{libxo(network)},"address":{libxo(address.address + scoped)},'
        f'"received-packets":0,"received-bytes":0,"sent-packets":0,"sent-bytes":0}}'
    )
