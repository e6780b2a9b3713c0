"""Ask the machines of a LAN for an address: ping(8), then arp(8) or ndp(8), which a firewall cannot hide."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netaddr import IPAddress

from potnet.drivers.reading import Run, lines_of

#: In seconds.
_PATIENCE = "1"
_MAC = re.compile("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


def answering(run: Run, addresses: Iterable[IPAddress]) -> dict[IPAddress, str]:
    """Return the addresses that a machine has, with its MAC address; empty if only its answer came."""
    found = {address: _asked(run, address) for address in addresses}
    return {address: mac for address, mac in found.items() if mac is not None}


def _asked(run: Run, address: IPAddress) -> str | None:
    answered = _answers(run, address)
    mac = _entry(run, address)
    if mac is not None and not answered:
        # The entry may be older than the request: the kernel keeps one for twenty minutes.
        run(_tool(address), "-d", str(address))
        answered = _answers(run, address)
        mac = _entry(run, address)
    return mac if mac is not None else ("" if answered else None)


def _answers(run: Run, address: IPAddress) -> bool:
    return run("ping", "-c", "1", "-t", _PATIENCE, str(address)).code == 0


def _tool(address: IPAddress) -> str:
    return "arp" if address.version == 4 else "ndp"


def _entry(run: Run, address: IPAddress) -> str | None:
    """Return the MAC address that the kernel knows for an address; None if the entry is missing or empty."""
    shown = run(_tool(address), "-n", str(address))
    names = {str(address), f"({address})"}
    for line in lines_of(shown.out):
        words = line.split()
        if names.intersection(words[:2]):
            return next(filter(_MAC.fullmatch, words), None)
    return None
