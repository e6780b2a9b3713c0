"""Makes an external interface a member of a bridge for IPv6, while it keeps its addresses and all of IPv4.

A member of a Linux bridge has no IP traffic of its own any more, so that the interface itself stays outside:
a veth pair (`names.uplink`) is the member in its place. Its end on the bridge sends what pots say; nftables
(family netdev) there and at the interface carry frames between the two. What is for the host comes out at the
far end of the pair, where tc(8) lets it arrive as if at the interface: tc-mirred(8) alone can do that. That
end has the MAC address of the interface, without which the host would not take the frames for its own.
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
#: "pot6" in ASCII; on packets of pots from the bridge to where they leave or arrive, and off again there.
_MARK = 0x706F7436


@dataclass(frozen=True, slots=True)
class External:
    """What has to be known of an external interface. mac: None when it is not of the Ethernet kind."""

    name: str
    mac: str | None
    mtu: int
    promiscuous: bool


@reads("ip")
def external_link(link: Mapping[str, Any], name: str) -> External:
    """An interface as ip(8) shows it; raises UnreadableError."""
    mac = link["address"] if link["link_type"] == "ether" else None
    if mac is not None and not _MAC.fullmatch(mac):
        raise ValueError(mac)
    return External(name, mac, int(link["mtu"]), "PROMISC" in link["flags"])


class Uplink:
    """The work of joining and parting; `template` fills in its template."""

    def __init__(self, template: Render) -> None:
        self._template = template

    def join(self, bridge: str, external: External) -> tuple[Piece, ...]:
        """What leads from a bridge that is there to the interface; the last piece lets frames pass."""
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
        """What carries frames; wire: the bridge's end, the other end."""
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
    """What tc(8) has to do for all that comes out at an end of a wire to arrive at another interface."""
    every = "protocol ipv6 u32 match u32 0 0"
    return (
        f"qdisc add dev {far} clsact",
        f"filter add dev {far} ingress {every} action mirred ingress redirect dev {external}",
    )


def _text(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def part(bridge: str, near: Mapping[str, Any]) -> tuple[tuple[Command, ...], tuple[str, ...]]:
    """What comes before a bridge with a wire to the outside is removed, and the lines for ip(8) after it.

    near: what ip(8) says of the wire's end there; empty when it has none.
    """
    lead = marked_uplink(near.get("ifalias", ""))
    if lead is None:
        return (), ()
    external, listened = lead
    table = Command(("nft", "-f", "-"), stdin=f"delete table netdev {uplink_table(bridge)}\n")
    quiet = (f"link set dev {external} promisc off",) if listened else ()
    # The wire goes last, since it says what else there is to do; tc's rules go with it.
    return (table,), (*quiet, f"link del dev {uplink(bridge)[0]}")
