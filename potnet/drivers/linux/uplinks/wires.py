"""Check that the wires between external interfaces and bridges are complete (see `uplink`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from potnet.drivers.linux.facts.names import marked_uplink, uplink, uplink_table
from potnet.drivers.linux.facts.observe import Observer
from potnet.drivers.linux.uplinks.uplink import Uplink, external_link
from potnet.host.state import Interface

#: Loads the table of a wire in a network namespace with interfaces of these names, and lists it there.
_NORMAL = """ip link add "$1" type veth peer name "$2" && ip link add "$3" type veth peer name other0 &&
nft -f - && nft -t list table netdev "$4" """


class Wires:
    """Reads the tc(8) and nft(8) rules of wires."""

    def __init__(self, observer: Observer, uplinks: Uplink) -> None:
        self._observer = observer
        self._uplinks = uplinks

    def without_broken(self, interfaces: Mapping[str, Interface]) -> dict[str, Interface]:
        """Return the interfaces; bridges lose an external member whose wire is incomplete."""
        found = dict(interfaces)
        for name, bridge in interfaces.items():
            near = interfaces.get(uplink(name)[0]) if name.startswith("bridge") else None
            lead = marked_uplink(near.description or "") if near is not None else None
            if lead is not None and lead[0] in bridge.members and not self._is_whole(name, lead[0]):
                members = tuple(member for member in bridge.members if member != lead[0])
                found[name] = replace(bridge, members=members)
        return found

    def _is_whole(self, bridge: str, external: str) -> bool:
        link = self._observer.link(external)
        if link is None or "PROMISC" not in link["flags"]:
            return False
        wire, table = uplink(bridge), uplink_table(bridge)
        arriving = self._observer.run("tc", "filter", "show", "dev", wire[1], "ingress").out
        shown = self._observer.run("nft", "-t", "list", "table", "netdev", table)
        text = self._uplinks.table(bridge, external_link(link, external), wire)
        argv = ("unshare", "-n", "sh", "-c", _NORMAL, "sh", *wire, external, table)
        normal = self._observer.run(*argv, stdin=text)
        same = shown.code == 0 and shown.out == normal.out
        return same and f"Redirect to device {external})" in arriving
