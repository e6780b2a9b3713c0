"""The neighbours of IPv6 that an administrator sets, and for whom the host answers (RFC 4861, 7.2.8)."""

from __future__ import annotations

from potnet.executors.simulated.world.entities import Interface
from potnet.executors.simulated.world.world import World


def put(world: World, interface: Interface, address: str, mac: str, proxy: bool) -> None:
    """Set the MAC address of a neighbour. proxy: the host answers for the neighbour on the interface."""
    row = {"mac": mac, "proxy": proxy, "order": world.state.next_number("ndp")}
    world.state.put("ndp", _key(interface, address), row)


def remove(world: World, interface: Interface, address: str) -> bool:
    """Remove an entry. False if there is none."""
    found = world.state.get("ndp", _key(interface, address)) is not None
    world.state.delete("ndp", _key(interface, address))
    return found


def entries(world: World, interface: Interface) -> list[tuple[str, str, bool]]:
    """Return the address and the MAC address of each entry in their order, and whether it is a proxy."""
    rows = world.state.scan("ndp", _key(interface, ""))
    ordered = sorted(rows, key=lambda row: int(row[1]["order"]))
    return [(key.partition("/")[2], str(row["mac"]), bool(row["proxy"])) for key, row in ordered]


def _key(interface: Interface, address: str) -> str:
    return f"{interface.index:06}/{address}"


def fixed(world: World, interface: Interface, address: str) -> str | None:
    """Return the MAC address that an entry gives to an address; None without an entry."""
    row = world.state.get("ndp", _key(interface, address))
    return None if row is None else str(row["mac"])


def answers_for(world: World, interface: Interface, address: str) -> bool:
    """Return whether the host answers on an interface for another's address."""
    row = world.state.get("ndp", _key(interface, address))
    return row is not None and bool(row["proxy"]) and row["mac"] == interface.mac


def forget(world: World, interface: Interface) -> None:
    """Remove the entries of an interface that goes."""
    for key in world.state.keys("ndp", _key(interface, "")):
        world.state.delete("ndp", key)
