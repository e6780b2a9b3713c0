"""Ask the machines of a LAN for an address, and read the state of duplicate address detection."""

from __future__ import annotations

from collections.abc import Iterable

from netaddr import IPAddress

from potnet.drivers.detection import DUPLICATED, TENTATIVE
from potnet.drivers.linux.facts.names import entering
from potnet.drivers.linux.facts.parse import Documents, documents, text_of
from potnet.drivers.reading import Run, reads

#: Lets the kernel look for the neighbour with an address, anew, for a second at most (ip-neighbour(8)).
_ASK = """dev=$(ip -o route get "$1" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
[ -n "$dev" ] || exit
ip neigh del "$1" dev "$dev" 2>&-
ip neigh add "$1" dev "$dev" nud none use || exit
looks=20
until ip neigh show to "$1" dev "$dev" | grep -q lladdr || [ $looks -eq 0 ]; do
  looks=$((looks - 1)); sleep 0.05
done
exec ip -j neigh show to "$1" dev "$dev\""""


def answering(run: Run, addresses: Iterable[IPAddress]) -> dict[IPAddress, str]:
    """Return the addresses that a machine has, with its MAC address."""
    found = {address: run("sh", "-c", _ASK, "sh", str(address)) for address in addresses}
    macs = {address: _neighbour(documents(shown.out)) for address, shown in found.items() if shown.code == 0}
    return {address: mac for address, mac in macs.items() if mac is not None}


def has_lease(run: Run, jail: str, interface: str) -> bool:
    """Return whether an interface of a pot has an IPv4 address, or is not there."""
    shown = run(*entering(jail), "ip", "-j", "addr", "show", "dev", interface)
    return shown.code != 0 or _has_ipv4(documents(shown.out))


@reads("ip")
def _has_ipv4(links: Documents) -> bool:
    return any(each.get("family") == "inet" for link in links for each in link.get("addr_info", []))


@reads("ip")
def _neighbour(entries: Documents) -> str | None:
    """Return the MAC address of a neighbour that has answered; None if none has."""
    return next((text_of(each["lladdr"]) for each in entries if "lladdr" in each), None)


@reads("ip")
def detection(links: Documents, wanted: IPAddress) -> str | None:
    """Return the state of an address, as `potnet.drivers.detection.detecting` needs it."""
    found = [a for link in links for a in link.get("addr_info", []) if a.get("local") == str(wanted)]
    if any(each.get("dadfailed") is True for each in found):
        return DUPLICATED
    return TENTATIVE if any(each.get("tentative") is True for each in found) else None
