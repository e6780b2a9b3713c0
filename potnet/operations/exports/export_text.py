"""Exports as users write them, ``192.0.2.1@tcp+udp:80-89:30080-30089``, and as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netaddr import IPAddress, IPNetwork, cidr_merge

from potnet.errors import UsageError
from potnet.model.ports import Ends, Export, Transport, endpoint
from potnet.operations.common import parse_address

_EXPORT = re.compile(
    r"(?:(?P<address>[^@]*)@)?(?:(?P<protocol>tcp|udp|tcp\+udp):)?"
    r"(?P<pot>[0-9]{1,9})(?:-(?P<pot_last>[0-9]{1,9}))?"
    r"(?::(?P<host>[0-9]{1,9})(?:-(?P<host_last>[0-9]{1,9}))?)?"
)
_HINT = "[HOST_ADDR@][tcp:|udp:|tcp+udp:]POT_PORT[-END][:HOST_PORT[-END]], such as 80:30080"
#: A packet filter counts fewer connections than this.
_MOST = 65535


def parse_exports(
    values: Sequence[str],
    loopback: bool = False,
    sources: Sequence[str] = (),
    max_connections: int | None = None,
) -> tuple[Export, ...]:
    """Parse -e values as exports that share the same options.

    sources: networks in CIDR notation, or addresses. Raises UsageError on a value that is malformed, repeated
    or impossible.
    """
    if max_connections is not None and not 1 <= max_connections <= _MOST:
        raise UsageError(f"invalid --max-connections {max_connections}", hint=f"use 1 to {_MOST}")
    networks = parse_sources(sources)
    exports = tuple(
        replace(_parse(value), loopback=loopback, sources=networks, max_connections=max_connections)
        for value in values
    )
    ends = Ends()
    for export in exports:
        clash = ends.clash(export)
        if clash:
            at = endpoint(*clash[1], clash[0].host_address)
            raise UsageError(f"host port {at} is given twice", hint="each needs its own")
        ends.add(export)
    if len(set(exports)) < len(exports):
        raise UsageError("an export is given twice", hint="once is enough")
    return exports


def parse_sources(values: Sequence[str]) -> tuple[IPNetwork, ...]:
    """Parse --from values as networks; raises UsageError if two are equal or one contains another."""
    return tuple(cidr_merge([_network(value) for value in values]))


def _network(value: str) -> IPNetwork:
    address, slash, length = value.partition("/")
    try:
        found = parse_address(address)
    except UsageError as error:
        raise UsageError(
            f"invalid network --from {value!r}", hint="write one such as 192.0.2.0/25 or 2001:db8::/32"
        ) from error
    if found.is_ipv4_mapped():
        # Hosts put no such address into a packet (RFC 4291, 2.5.5.2).
        raise UsageError(
            f"invalid network --from {value!r}: IPv4 addresses in the form of IPv6",
            hint="write the IPv4 network itself, such as 192.0.2.0/25",
        )
    bits = 32 if found.version == 4 else 128
    if not slash:
        return IPNetwork(f"{found}/{bits}")
    if not (length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= bits):
        raise UsageError(
            f"invalid network --from {value!r}: prefix length out of range",
            hint=f"use a prefix length from 0 to {bits}",
        )
    network = IPNetwork(f"{found}/{int(length)}")
    if network.network != found:
        raise UsageError(
            f"invalid network --from {value!r}: an address inside a network",
            hint=f"write the network itself: {network.cidr}",
        )
    return network


def _parse(value: str) -> Export:
    match = _EXPORT.fullmatch(value)
    if not match:
        raise UsageError(f"invalid export {value!r}", hint=_HINT)
    pot = _ports(value, match["pot"], match["pot_last"])
    host = _ports(value, match["host"], match["host_last"]) if match["host"] else None
    if host is not None and len(host) != len(pot):
        raise UsageError(
            f"invalid export {value!r}: {_counted(pot)} of the pot and {_counted(host)} of the host",
            hint="give two ranges of the same length, or omit HOST_PORT",
        )
    return Export(
        Transport(match["protocol"] or "tcp"),
        pot[0],
        host[0] if host is not None else None,
        count=len(pot),
        host_address=_host_address(value, match["address"]) if match["address"] is not None else None,
    )


def _ports(value: str, first: str, last: str | None) -> range:
    ends = [int(first), int(last or first)]
    for port in ends:
        if not 1 <= port <= 65535:
            raise UsageError(
                f"invalid export {value!r}: ports are 1 to 65535",
                hint="write POT_PORT:HOST_PORT, such as 80:30080",
            )
    if ends[0] > ends[1]:
        raise UsageError(
            f"invalid export {value!r}: the range runs backwards", hint=f"write {ends[1]}-{ends[0]}"
        )
    return range(ends[0], ends[1] + 1)


def _counted(ports: range) -> str:
    return f"{len(ports)} port{'s' if len(ports) > 1 else ''}"


def _host_address(value: str, text: str) -> IPAddress:
    found = parse_address(text)
    if found.is_loopback():
        raise UsageError(
            f"invalid export {value!r}: only the host itself can reach {found}",
            hint="omit the address and add --loopback",
        )
    if int(found) == 0 or found.is_multicast() or found.is_link_local():
        raise UsageError(
            f"invalid export {value!r}: ports cannot be exported on {found}",
            hint="give an address of the host, or omit it to use all",
        )
    return found


def export_view(export: Export) -> dict[str, Any]:
    """Return an export as JSON; rare settings appear only if they are set."""
    at = export.host_address
    return {
        "protocol": str(export.protocol),
        "pot_port": export.pot_port,
        "host_port": export.host_port,
        **({"host_address": str(at), "own_address": True} if at is not None else {}),
        **({"count": export.count} if export.count > 1 else {}),
        **({"loopback": True} if export.loopback else {}),
        **({"sources": [str(each) for each in export.sources]} if export.sources else {}),
        **({"max_connections": export.max_connections} if export.max_connections is not None else {}),
    }
