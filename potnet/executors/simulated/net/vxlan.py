"""The links of vxlan(4), which carry frames to a bridge of another host by UDP.

Sources: ifconfig(8), vxlan(4), if_vxlan.c, and record 62.
"""

from __future__ import annotations

from ipaddress import ip_address

from potnet.executors.simulated.world.entities import Interface
from potnet.executors.simulated.world.world import ToolError, World, unknown

#: The port of both ends (RFC 7348).
PORT = 4789
_NUMBERS = 1 << 24
#: The commands of the driver that set the ends, as ifconfig(8) names them.
_COMMANDS = {
    "number": "VXLAN_CMD_SET_VNI",
    "local": "VXLAN_CMD_SET_LOCAL_ADDR",
    "remote": "VXLAN_CMD_SET_REMOTE_ADDR",
}
#: The headers of Ethernet, UDP and VXLAN, and those of IP by its version, in octets.
_HEADERS, _IP_HEADERS = 30, {4: 20, 6: 40}


def number(text: str) -> str:
    """Check the number of a link."""
    if not text.isdigit() or int(text) >= _NUMBERS:
        raise ToolError(f"ifconfig: invalid network identifier: {text}")
    return str(int(text))


def end(text: str) -> str:
    """Check the address of an end."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise unknown(f"the end {text} of a vxlan") from None


def change(world: World, interface: Interface, what: str, value: str) -> None:
    """Set the number, the local or the remote address of a link that does not run."""
    _only(interface)
    if interface.running:
        raise ToolError(f"ifconfig: {_COMMANDS[what]}: Device busy")
    before = _row(world, interface)
    after = {**before, what: value}
    world.state.put("vxlan", f"{interface.index:06}", after)
    if interface.mtu == _mtu(before):
        interface.mtu = _mtu(after)


def flush(world: World, interface: Interface) -> None:
    """Forget what is behind the link; its only remote end stays."""
    _only(interface)


def dress(interface: Interface) -> None:
    """Give a new link the MTU that its headers leave."""
    interface.mtu = _mtu({})


def forget(world: World, interface: Interface) -> None:
    world.state.delete("vxlan", f"{interface.index:06}")


def start(world: World, interface: Interface) -> None:
    """Let a link run if it has both ends, the local one is the host's, and no other link has its number."""
    ends = _row(world, interface)
    own = [a.address for each in world.interfaces(interface.vnet) for a in each.addresses]
    same = [
        each
        for each in world.interfaces(interface.vnet)
        if each.kind == "vxlan" and each.running and each.index != interface.index
    ]
    shared = ("number", "local")
    taken = any(all(_row(world, each)[key] == ends.get(key) for key in shared) for each in same)
    interface.running = {*_COMMANDS} <= {*ends} and ends["local"] in own and not taken


def ends_of(world: World, interface: Interface) -> tuple[str, str] | None:
    """Return the local and the remote address of a link that has both."""
    row = _row(world, interface)
    return (row["local"], row["remote"]) if {*_COMMANDS} <= {*row} else None


def shown(world: World, interface: Interface) -> list[str]:
    ends = ends_of(world, interface)
    if ends is None:
        return []
    local, remote = (f"[{each}]:{PORT}" if ":" in each else f"{each}:{PORT}" for each in ends)
    return [f"\tvxlan vni {_row(world, interface)['number']} local {local} remote {remote}"]


def _row(world: World, interface: Interface) -> dict[str, str]:
    return world.state.get("vxlan", f"{interface.index:06}") or {}


def _mtu(row: dict[str, str]) -> int:
    known = row.get("local") or row.get("remote")
    return 1500 - _HEADERS - (_IP_HEADERS[ip_address(known).version] if known else 0)


def _only(interface: Interface) -> None:
    if interface.kind != "vxlan":
        raise unknown(f"the words of vxlan(4) for {interface.name}")
