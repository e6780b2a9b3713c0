"""The neighbours that the host has learnt, and arp(8).

An entry is made when the host looks for an address, and stays for twenty minutes, in IPv6 for a day.
"""

from __future__ import annotations

from typing import Any

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net import routes
from potnet.executors.simulated.net.wires import OUTSIDE, Place, owner
from potnet.executors.simulated.world.entities import HOST
from potnet.executors.simulated.world.world import ToolError, World, unknown

#: net.link.ether.inet.max_age and net.inet6.icmp6.nd6_gctimer, in seconds.
_AGE = {4: 1200, 6: 86400}
_HEAD = f"{'Neighbor':<36} {'Linklayer Address':<17} {'Netif':>6} {'Expire':<9} 1s 5s\n"


def look_for(world: World, address: str) -> None:
    """Let the host find the machine with an address on a wire; an entry that exists is used as it is."""
    family = 6 if ":" in address else 4
    interface, route, own = routes.lookup(world, address, HOST)
    if interface is None or route is not None or own or _entry(world, address) is not None:
        return
    found = owner(world, Place(HOST, interface.name), address)
    if found is None:
        return
    theirs = world.interface(found.interface, found.stack) if found.stack != OUTSIDE else None
    mac = theirs.mac if theirs is not None else world.made_mac(f"machine {address}")
    row = {"mac": mac, "interface": interface.name, "until": world.now() + _AGE[family]}
    world.state.put("learnt", address, row)


def _entry(world: World, address: str) -> dict[str, Any] | None:
    row = world.state.get("learnt", address)
    return row if row is not None and float(row["until"]) > world.now() else None


def forget(world: World, address: str) -> bool:
    """Remove an entry. False if there is none."""
    world.state.look()
    there = _entry(world, address) is not None
    world.state.delete("learnt", address)
    return there


def shown(world: World, address: str, family: int) -> CommandResult:
    """Show the entry of an address, as arp(8) and ndp(8) do."""
    entry = _entry(world, address)
    if entry is None:
        return CommandResult(1, f"{address} ({address}) -- no entry\n")
    left = int(float(entry["until"]) - world.now())
    mac, interface = entry["mac"], entry["interface"]
    if family == 6:
        return CommandResult(0, f"{_HEAD}{address:<36} {mac:<17} {interface:>6} {left:>8}s S R\n")
    return CommandResult(0, f"? ({address}) at {mac} on {interface} expires in {left} seconds [ethernet]\n")


def arp(world: World, argv: list[str]) -> CommandResult:
    """arp -n ADDRESS | -d ADDRESS."""
    match argv[1:]:
        case ["-n", address]:
            return shown(world, address, 4)
        case ["-d", address]:
            if not forget(world, address):
                raise ToolError(f"arp: delete {address}: No such file or directory")
            return CommandResult(0, f"{address} ({address}) deleted\n")
    raise unknown(" ".join(argv))
