"""Make an external interface a member of a bridge for IPv6; it keeps its addresses and all IPv4 traffic.

A member of a Linux bridge loses its own IP traffic. The interface therefore stays outside, and a veth pair
(`names.uplink`) is the member instead. Its end on the bridge sends the packets of pots; nftables (family
netdev) carries frames between this end and the interface. Packets for the host leave the far end of the pair.
There tc(8) delivers them as if they had arrived at the interface, which only tc-mirred(8) can do. The far end
has the MAC address of the interface; otherwise the host would drop the frames.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from potnet.drivers.linux.commands.render import Ip, Piece, Render
from potnet.drivers.linux.facts.names import LINK_GROUP, marked_uplink, uplink, uplink_mark, uplink_table
from potnet.drivers.reading import reads
from potnet.executors.base import Command
from potnet.runtime.fast_dataclass import dataclass

_MAC = re.compile("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
#: "pot6" in ASCII; the mark of pots' packets on their way from the bridge, removed at the end.
_MARK = 0x706F7436


@dataclass(frozen=True, slots=True)
class External:
    """The properties of an external interface. mac: None if it is not an Ethernet interface."""

    name: str
    mac: str | None
    mtu: int
    promiscuous: bool


@reads("ip")
def external_link(link: Mapping[str, Any], name: str) -> External:
    """Parse an interface as ip(8) shows it. Raises UnreadableError."""
    mac = link["address"] if link["link_type"] == "ether" else None
    if mac is not None and not _MAC.fullmatch(mac):
        raise ValueError(mac)
    return External(name, mac, int(link["mtu"]), "PROMISC" in link["flags"])


class Uplink:
    """Connects and disconnects the wire; `template` fills in its template."""

    def __init__(self, template: Render) -> None:
        self._template = template

    def join(self, bridge: str, external: External) -> tuple[Piece, ...]:
        """Return the pieces that connect an existing bridge to the interface; the last piece lets frames
        pass."""
        near, far = uplink(bridge)
        mark = uplink_mark(external.name, not external.promiscuous)
        own = f"address {external.mac} mtu {external.mtu}"
        wire = (
            f"link add name {near} mtu {external.mtu} group {LINK_GROUP} type veth peer name {far} {own}",
            f'link set dev {near} alias "{mark}" addrgenmode none',
            f"link set dev {far} group {LINK_GROUP} addrgenmode none up",
            f"link set dev {near} master {bridge} up",
        )
        listen = () if external.promiscuous else (f"link set dev {external.name} promisc on",)
        return (
            Ip((*wire, *listen)),
            Command(("tc", "-batch", "-"), stdin=_text(arriving(far, external.name))),
            Command(("nft", "-f", "-"), stdin=self.table(bridge, external, (near, far))),
        )

    def table(self, bridge: str, external: External, wire: tuple[str, str]) -> str:
        """Return the table that carries frames; wire: the bridge's end, the other end."""
        values: dict[str, object] = {
            "table": uplink_table(bridge),
            "external": external.name,
            "mac": external.mac,
            "near": wire[0],
            "far": wire[1],
            "mark": _MARK,
        }
        return self._template("nft-uplink.j2", values)


def arriving(far: str, external: str) -> tuple[str, ...]:
    """Return the tc(8) lines that deliver packets from a wire's end as arriving at another interface."""
    every = "protocol ipv6 u32 match u32 0 0"
    return (
        f"qdisc add dev {far} clsact",
        f"filter add dev {far} ingress {every} action mirred ingress redirect dev {external}",
    )


def _text(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def part(bridge: str, near: Mapping[str, Any]) -> tuple[tuple[Command, ...], tuple[str, ...]]:
    """Return the commands before the removal of a bridge with a wire, and the lines for ip(8) after it.

    near: ip(8)'s description of the wire's end there; empty if there is none.
    """
    lead = marked_uplink(near.get("ifalias", ""))
    if lead is None:
        return (), ()
    external, listened = lead
    table = Command(("nft", "-f", "-"), stdin=f"delete table netdev {uplink_table(bridge)}\n")
    quiet = (f"link set dev {external} promisc off",) if listened else ()
    # The wire goes last, because its alias describes the rest; its tc rules go with it.
    return (table,), (*quiet, f"link del dev {uplink(bridge)[0]}")
