"""The command ndp(8), which sets neighbours of IPv6 by hand (usr.sbin/ndp/ndp_netlink.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net import neighbours, routes
from potnet.executors.simulated.world.entities import HOST, Interface
from potnet.executors.simulated.world.world import ToolError, World, unknown

_MAC = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}")
_HEAD = f"{'Neighbor':<36} {'Linklayer Address':<17} {'Netif':>6} {'Expire':<9} 1s 5s\n"
_USAGE = """\
usage: ndp [-nt] hostname
       ndp [-nt] -a | -c | -p | -r | -H | -P | -R
       ndp [-nt] -A wait
       ndp [-nt] -d hostname
       ndp [-nt] -f filename
       ndp [-nt] -i interface [flags...]
       ndp [-nt] -I [interface|delete]
       ndp [-nt] -s nodename etheraddr [temp] [proxy]
"""

#: Returns whether a neighbour on an interface's wire has an address.
Known = Callable[[Interface, str], bool]


def ndp(world: World, argv: list[str], known: Known) -> CommandResult:
    """ndp -an | -s ADDRESS MAC [proxy] | -d ADDRESS; the list omits what the host learns by itself."""
    match argv[1:]:
        case ["-an"]:
            lines = [line for each in world.interfaces() for line in _lines(world, each)]
            return CommandResult(0, _HEAD + "".join(lines))
        case ["-s", text, mac, *flags] if flags in ([], ["proxy"]) and _MAC.fullmatch(mac):
            return _set(world, _address(text), mac, bool(flags))
        case ["-d", text]:
            return _delete(world, text, known)
        case ["-i", _, "-s" | "-d", *_]:
            return CommandResult(1, _USAGE)
        case rest:
            raise unknown(f"ndp {' '.join(rest)}")


def _lines(world: World, interface: Interface) -> list[str]:
    if not interface.mac or "IFDISABLED" in interface.nd6:
        return []
    own = [
        (f"{each.address}{f'%{interface.name}' if each.link_local else ''}", interface.mac, "")
        for each in sorted(interface.inet6, key=lambda each: each.link_local)
    ]
    own += [(text, mac, "p" * proxy) for text, mac, proxy in neighbours.entries(world, interface)]
    return [f"{text:<36} {mac:<17} {interface.name:>6} permanent R {flag}\n" for text, mac, flag in own]


def _address(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise ToolError(f"ndp: {text}: Name does not resolve") from None


def _interface(world: World, address: str) -> Interface | None:
    """Return the interface whose network, or whose route without a gateway, has an address."""
    found, via, own = routes.lookup(world, address, HOST)
    return None if via is not None or own else found


def _set(world: World, address: str, mac: str, proxy: bool) -> CommandResult:
    world.state.changing()
    found = _interface(world, address)
    if found is None:
        # ndp(8) says so in these words, and ends with 0.
        return CommandResult(0, "", f"ndp: delete: cannot locate {address}\n")
    neighbours.put(world, found, address, mac, proxy)
    return CommandResult()


def _delete(world: World, text: str, known: Known) -> CommandResult:
    """Delete an entry, or what the host has learnt, on the interface that the routes lead to."""
    world.state.changing()
    address = _address(text)
    found = _interface(world, address)
    if found is None:
        return CommandResult(0, "", f"ndp: delete: cannot locate {text}\n")
    if not neighbours.remove(world, found, address) and not known(found, address):
        raise ToolError(f"ndp: delete {text}: No such file or directory")
    return CommandResult(0, f"{text} ({address}) deleted\n")
