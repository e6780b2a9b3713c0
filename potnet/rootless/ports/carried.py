"""The ports that an uplink carries inwards, derived from exports."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from potnet.errors import UsageError
from potnet.host.ruleset import Redirections, Ruleset

_PORT = re.compile(r"(tcp|udp):(?:([0-9.]+):|\[([0-9A-Fa-f:.]+)\]:)?([0-9]{1,5})")
ANY = "0.0.0.0"


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of the machine that leads to the same port of the rootless host.

    address: the machine's, IPv4 or IPv6; 0.0.0.0 for all of IPv4, :: for all of IPv6.
    """

    protocol: str
    number: int
    address: str = ANY

    def __str__(self) -> str:
        if self.address == ANY:
            return f"{self.protocol}:{self.number}"
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol}:{shown}:{self.number}"

    def plain(self) -> dict[str, Any]:
        """Return the port for JSON."""
        return {"protocol": self.protocol, "address": self.address, "port": self.number}


def parse_port(text: str) -> Port:
    """Parse ``tcp:30080``, ``udp:127.0.0.1:53``, ``tcp:[::1]:80``. Raises UsageError for other texts.

    A driver may accept 70000 and listen on 4464, so numbers above 65535 are refused here.
    """
    match = _PORT.fullmatch(text)
    if match is None:
        raise UsageError(f"invalid port {text!r}", hint="write PROTOCOL:[ADDRESS:]PORT, such as tcp:30080")
    if not 1 <= int(match[4]) <= 65535:
        raise UsageError(f"invalid port {text!r}: {match[4]} is out of range", hint="ports are 1 to 65535")
    try:
        address = str(ipaddress.ip_address(match[2] or match[3] or ANY))
    except ValueError as error:
        raise UsageError(f"invalid address {text!r}", hint="write one such as tcp:127.0.0.1:30080") from error
    return Port(match[1], int(match[4]), address)


def mapped(rules: Ruleset) -> tuple[Port, ...]:
    """Return the machine's ports for the exports of a pot."""
    if not isinstance(rules, Redirections):
        return ()
    found = (
        Port(str(item.protocol), number, ANY if item.host is None else str(item.host))
        for item in rules.items
        for number in range(item.host_port, item.host_port + item.count)
    )
    return tuple(dict.fromkeys(found))


def inside(rules: Ruleset) -> Ruleset:
    """Return the rules inside the host, where the machine's address of a connection is invisible."""
    if not isinstance(rules, Redirections):
        return rules
    return replace(rules, items=tuple(replace(item, host=None) for item in rules.items))


def parse_ports(texts: Iterable[str]) -> tuple[Port, ...]:
    """Parse ports, each once. Raises UsageError."""
    return tuple(dict.fromkeys(map(parse_port, texts)))
