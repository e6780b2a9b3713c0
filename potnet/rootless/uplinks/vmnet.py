"""vpnkit's protocol for Ethernet on a Unix socket, version 22 (its docs/ethernet.md, go/pkg/vmnet).

Both sides say hello; the client requests an interface by a UUID of its own, and receives its MAC address.
After that each frame follows its length, in two bytes; all numbers are little-endian.
"""

from __future__ import annotations

import socket
import struct
from uuid import uuid4

from potnet.errors import HostError
from potnet.runtime.fast_dataclass import dataclass

_MAGIC, _VERSION = b"VMN3T", 22
#: Magic, version, and the commit of a side's build, which is ignored.
_HELLO = struct.Struct("<5sI40s")
#: The kind of request, a UUID, and an address for requests with one.
_REQUEST = struct.Struct("<B36sI")
_ETHERNET = 1
#: Every answer is as long as the longest refusal: its kind, its length, its text.
_ANSWER = 1 + 1 + 256
_INTERFACE = struct.Struct("<HH6s")
_GIVEN = 1


@dataclass(frozen=True, slots=True)
class Interface:
    """The interface that vpnkit assigned to a client. mtu: in bytes, of a frame's payload."""

    mac: str
    mtu: int


def connect(wire: socket.socket) -> Interface:
    """Request an interface on a new connection. Raises HostError for a refusal or another protocol."""
    try:
        wire.sendall(_HELLO.pack(_MAGIC, _VERSION, b"0" * 40))
        magic, version, _ = _HELLO.unpack(_exactly(wire, _HELLO.size))
        if (magic, version) != (_MAGIC, _VERSION):
            raise HostError(
                f"vpnkit speaks {magic!r}, version {version}; potnet knows {_MAGIC!r}, version {_VERSION}",
                hint="install vpnkit 0.2.0 or later",
            )
        wire.sendall(_REQUEST.pack(_ETHERNET, str(uuid4()).encode(), 0))
        return _interface(_exactly(wire, _ANSWER))
    except OSError as error:
        raise HostError(f"vpnkit does not answer: {error}") from error


def _interface(answer: bytes) -> Interface:
    kind, text = answer[0], answer[2 : 2 + answer[1]]
    if kind != _GIVEN:
        raise HostError(f"vpnkit gives no interface: {text.decode('utf-8', 'replace')}")
    mtu, _, mac = _INTERFACE.unpack_from(answer, 1)
    return Interface(mac.hex(":"), mtu)


def _exactly(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = wire.recv(count - len(data))
        if not more:
            raise ConnectionError("it has closed the connection")
        data += more
    return data
