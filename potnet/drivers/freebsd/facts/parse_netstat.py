"""What netstat(1) tells in JSON of interfaces and routes: no text of a jail's can pass for another fact.

libxo(3) escapes quotes, backslashes, newlines and carriage returns in names, and nothing else.
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
    """All interfaces of ``netstat -bin``, or one, in the kernel's order, which may have two of a name.

    Descriptions, groups and members of bridges are not told there.
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
    """The names of all interfaces of ``netstat -bin``, in the kernel's order."""
    return tuple(_string(entry, "name") for entry in _entries(text) if _is_link(entry))


def _entries(text: str) -> list[Mapping[str, Any]]:
    return list(json.loads(text, strict=False)["statistics"]["interface"])


def _is_link(entry: Mapping[str, Any]) -> bool:
    """Each interface begins with the entry of its link layer; entries of its addresses follow."""
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
    """The address of an entry, if it is one of IP; its network ends with the length of the prefix."""
    try:
        address = IPAddress(_string(entry, "address").partition("%")[0])
    except (AddrFormatError, ValueError):
        return
    yield InterfaceAddress(address, _prefix(_string(entry, "network"), 32 if address.version == 4 else 128))


def _prefix(network: str, longest: int) -> int:
    """A mask of 0 is left out, and one with holes printed as such (domask in netstat)."""
    _, ampersand, mask = network.partition("&0x")
    if ampersand:
        return int(mask, 16).bit_count()
    length = network.rpartition("/")[2] if "/" in network else "0"
    if not length.isdecimal() or int(length) > longest:
        raise ValueError(network)
    return int(length)


@reads("netstat")
def routes(text: str) -> tuple[Route, ...]:
    """The routes of ``netstat -rn`` but those within one link; host routes included."""
    found = ((family, entry, _string(entry, "destination")) for family, entry in _routes(text))
    return tuple(
        Route(_destination(family, destination), _string(entry, "interface-name"))
        for family, entry, destination in found
        if "%" not in destination and "&" not in destination
    )


def _routes(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each route with its family."""
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
    """The gateway of the first default route of each family; one of IPv6 may have its scope behind it."""
    found: dict[int, IPAddress] = {}
    for family, entry in _routes(text):
        gateway = _string(entry, "gateway").partition("%")[0]
        if _string(entry, "destination") == "default" and not gateway.startswith("link#"):
            found.setdefault(family, IPAddress(gateway))
    return found


@reads("netstat")
def traffic(text: str) -> dict[str, Traffic]:
    """The counters of each interface, the first of a name; those of addresses count only some of it."""
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
