"""Connections to try, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Sign(StrEnum):
    """How the client notices that a connection fails (errno(2)); TIMEOUT: no answer arrives."""

    TIMEOUT = "timeout"
    REFUSED = "Connection refused"
    UNREACHABLE = "Network is unreachable"
    NO_ADDRESS = "Can't assign requested address"
    DOWN = "Network is down"
    DENIED = "Permission denied"
    NO_KEY = "Capabilities insufficient"


class NoConnectionError(Exception):
    """The reason why a packet stops, and how its sender notices."""

    def __init__(self, reason: str, sign: Sign = Sign.TIMEOUT) -> None:
        super().__init__(reason)
        self.sign = sign


@dataclass(frozen=True, slots=True)
class Connection:
    """A successful connection. server: "host", "outside" or a jail; client: the address that the server
    saw. rates: of the narrowest pipes there and back, in bit/s; 0 without a limit."""

    server: str
    address: str
    port: int
    client: str
    hops: int = 0
    ok: bool = True
    rates: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failed connection, with the reason in a few words, and how the client notices."""

    reason: str
    sign: Sign = Sign.TIMEOUT
    ok: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A connection to try. source: "outside", "host", a jail or the machine that has opened a tap.

    client: the outside machine's address. own_port: the port of a client that sends on, whose states apply.
    wire: where a machine outside sends, if another wire than that of its address.
    """

    source: str
    destination: str
    port: int
    protocol: str = "tcp"
    client: str = ""
    own_port: int | None = None
    wire: str = ""
