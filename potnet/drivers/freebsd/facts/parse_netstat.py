"""Parse the JSON of netstat(1) about interfaces and routes, where text of a jail cannot forge a fact.

libxo(3) escapes quotes, backslashes, newlines and carriage returns in names, and no other character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from netaddr import AddrFormatError, IPAddress, IPNetwork

from potnet.drivers.reading import reads
from potnet.host.state import Interface, InterfaceAddress, Route, Traffic

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_UP, _PROMISC = 0x1, 0x100
_FAMILIES = {"Internet": 4, "Internet6": 6}


@reads("netstat")
def interfaces(text: str) -> tuple[Interface, ...]:
    """Parse all interfaces of ``netstat -bin``, or one, in the kernel's order; two may share a name.

    netstat(1) prints no descriptions, groups and members of bridges.
    """
    found: list[Interface] = []
    for entry in _entries(text):
        if _is_link(entry):
            found.append(_link(entry))
        else:
            last = found[-1]
            found[-1] = replace(last, addresses=(*last.addresses, *_addresses(entry)))
    return tuple(found)


@reads("netstat")
def names(text: str) -> tuple[str, ...]:
    """Parse the names of all interfaces of ``netstat -bin``, in the kernel's order."""
    return tuple(_string(entry, "name") for entry in _entries(text) if _is_link(entry))


def _entries(text: str) -> list[Mapping[str, Any]]:
    return list(json.loads(text, strict=False)["statistics"]["interface"])


def _is_link(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry is a link layer's; it starts an interface, and its addresses follow."""
    return _string(entry, "network").startswith("<Link#")


def _string(entry: Mapping[str, Any], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _link(entry: Mapping[str, Any]) -> Interface:
    flags, address = int(_string(entry, "flags"), 16), str(entry.get("address", ""))
    return Interface(
        name=_string(entry, "name"),
        up=bool(flags & _UP),
        mac=address if _MAC.fullmatch(address) else None,
        mtu=int(entry.get("mtu", 0)),
        index=int(_string(entry, "network").removeprefix("<Link#").removesuffix(">")),
        promiscuous=bool(flags & _PROMISC),
    )


def _addresses(entry: Mapping[str, Any]) -> Iterator[InterfaceAddress]:
    """Yield the address of an entry, if it is an IP address; the network ends with the prefix length."""
    try:
        address = IPAddress(_string(entry, "address").partition("%")[0])
    except (AddrFormatError, ValueError):
        return
    yield InterfaceAddress(address, _prefix(_string(entry, "network"), 32 if address.version == 4 else 128))


def _prefix(network: str, longest: int) -> int:
    """Return the prefix length; netstat omits a mask of 0 and prints a non-contiguous one (domask)."""
    _, ampersand, mask = network.partition("&0x")
    if ampersand:
        return int(mask, 16).bit_count()
    length = network.rpartition("/")[2] if "/" in network else "0"
    if not length.isdecimal() or int(length) > longest:
        raise ValueError(network)
    return int(length)


@reads("netstat")
def routes(text: str) -> tuple[Route, ...]:
    """Parse the routes of ``netstat -rn``, including host routes, but not routes within one link."""
    found = ((family, entry, _string(entry, "destination")) for family, entry in _routes(text))
    return tuple(
        Route(_destination(family, destination), _string(entry, "interface-name"))
        for family, entry, destination in found
        if "%" not in destination and "&" not in destination
    )


def _routes(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield each route with its family."""
    tables = json.loads(text, strict=False)["statistics"]["route-information"]["route-table"]["rt-family"]
    for table in tables:
        family = _FAMILIES.get(_string(table, "address-family"))
        for entry in table.get("rt-entry", ()) if family is not None else ():
            yield int(family or 0), entry


def _destination(family: int, text: str) -> IPNetwork:
    if text == "default":
        return IPNetwork("0.0.0.0/0" if family == 4 else "::/0")
    return IPNetwork(text)


@reads("netstat")
def gateways(text: str) -> dict[int, IPAddress]:
    """Parse the gateway of the first default route of each family; an IPv6 gateway may have a scope."""
    found: dict[int, IPAddress] = {}
    for family, entry in _routes(text):
        gateway = _string(entry, "gateway").partition("%")[0]
        if _string(entry, "destination") == "default" and not gateway.startswith("link#"):
            found.setdefault(family, IPAddress(gateway))
    return found


@reads("netstat")
def traffic(text: str) -> dict[str, Traffic]:
    """Parse the counters of the first interface of each name; entries of addresses count only a part."""
    return {_string(entry, "name"): _counters(entry) for entry in reversed(_entries(text)) if _is_link(entry)}


def _counters(entry: Mapping[str, Any]) -> Traffic:
    return Traffic(
        received_bytes=int(entry["received-bytes"]),
        received_packets=int(entry["received-packets"]),
        received_errors=int(entry["received-errors"]),
        sent_bytes=int(entry["sent-bytes"]),
        sent_packets=int(entry["sent-packets"]),
        sent_errors=int(entry["send-errors"]),
    )
