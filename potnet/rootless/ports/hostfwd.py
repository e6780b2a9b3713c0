"""The three requests of slirp4netns(1) about ports, and their answers, exact to the byte.

One request is one JSON object of less than `LONGEST` bytes. slirp4netns 1.2 accepts some requests without
meaning (it wraps ports above 65535); they are bad requests here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from netaddr import INET_PTON, AddrFormatError, IPAddress

from potnet.model.ports import Transport
from potnet.runtime.fast_dataclass import dataclass

#: A request has fewer bytes than this.
LONGEST = 4096
_ANY = IPAddress("0.0.0.0")


class BadRequestError(Exception):
    """A malformed request; the text is part of the answer."""


@dataclass(frozen=True, slots=True)
class Add:
    """Redirect a port of the host to a port of a guest; guest_address: None for the usual guest."""

    protocol: Transport
    host_address: IPAddress
    host_port: int
    guest_address: IPAddress | None
    guest_port: int


@dataclass(frozen=True, slots=True)
class List:
    """List all redirected ports."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a redirected port by the ID in the answer to its `Add`."""

    id: int


Request = Add | List | Remove


@dataclass(frozen=True, slots=True)
class Entry:
    """One redirected port. The protocol defines the names and their order."""

    id: int
    proto: str
    host_addr: str
    host_port: int
    guest_addr: str
    guest_port: int


def parse(text: bytes) -> Request:
    """Parse a request. Raises BadRequestError."""
    if len(text) >= LONGEST:
        raise BadRequestError("too large message")
    match _object(text):
        case {"execute": "add_hostfwd", **rest}:
            return _add(_arguments(rest))
        case {"execute": "list_hostfwd"}:
            return List()
        case {"execute": "remove_hostfwd", **rest}:
            return Remove(_number(_arguments(rest).get("id")))
        case {"execute": str()}:
            raise BadRequestError("unknown execute")
    raise BadRequestError("no execute found")


def is_whole(text: bytes) -> bool:
    """Return whether a request is complete, whatever follows."""
    try:
        _object(text)
    except BadRequestError:
        return False
    return True


def added(number: int) -> bytes:
    """Return the answer to a completed `Add`."""
    return _compact({"return": {"id": number}})


def listed(entries: Iterable[Entry]) -> bytes:
    """Return the answer to a `List`, which has no ``return`` around it."""
    return _compact({"entries": [asdict(entry) for entry in entries]})


def removed() -> bytes:
    """Return the answer to a completed `Remove`."""
    return _compact({"return": {}})


def refused(error: BadRequestError) -> bytes:
    """Return the answer to a refused request."""
    return _compact({"error": {"desc": f"bad request: {error}"}})


def _compact(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


def _object(text: bytes) -> dict[str, Any]:
    try:
        # Text after the object is ignored.
        found, _ = json.JSONDecoder(object_pairs_hook=_once).raw_decode(text.decode().lstrip())
    except (ValueError, RecursionError) as error:
        raise BadRequestError("cannot parse JSON") from error
    if not isinstance(found, dict):
        raise BadRequestError("json_object() failed")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, and refuse a repeated name."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _arguments(request: dict[str, Any]) -> dict[str, Any]:
    found = request.get("arguments")
    return found if isinstance(found, dict) else {}


def _add(arguments: dict[str, Any]) -> Add:
    return Add(
        protocol=_protocol(arguments.get("proto")),
        host_address=_address(arguments, "host_addr") or _ANY,
        host_port=_port(arguments, "host_port"),
        guest_address=_address(arguments, "guest_addr"),
        guest_port=_port(arguments, "guest_port"),
    )


def _protocol(value: object) -> Transport:
    if value not in ("tcp", "udp"):
        raise BadRequestError("add_hostfwd: bad arguments.proto")
    return Transport(value)


def _address(arguments: dict[str, Any], name: str) -> IPAddress | None:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        return None
    try:
        return IPAddress(value, 4, flags=INET_PTON)
    except (AddrFormatError, ValueError) as error:
        raise BadRequestError(f"add_hostfwd: bad arguments.{name}") from error


def _port(arguments: dict[str, Any], name: str) -> int:
    port = _number(arguments.get(name))
    if not 0 < port < 65536:
        raise BadRequestError(f"add_hostfwd: bad arguments.{name}")
    return port


def _number(value: object) -> int:
    """Return a JSON number as an int of C; 0 for other values."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return int(value) if -(2**31) <= value < 2**31 else 0
