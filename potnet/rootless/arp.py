"""Print the first of some addresses that is free on a wire, by ARP probes (RFC 5227).

Arguments: the interface, which is up, and the addresses. The script runs by its path inside the host, and
imports only Python's own modules.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from pathlib import Path

_ARP, _REQUEST = 0x0806, 1
#: The number of probes of each address, and the seconds for a reply; a bridge of one machine is fast.
_PROBES, _PATIENCE = 3, 0.1


def probe(mac: bytes, address: bytes) -> bytes:
    """Return a frame that asks for the owner of an address, without a sender address."""
    head = b"\xff" * 6 + mac + struct.pack("!H", _ARP)
    return head + struct.pack("!HHBBH", 1, 0x0800, 6, 4, _REQUEST) + mac + bytes(10) + address


def tells_of(frame: bytes, mac: bytes, address: bytes) -> bool:
    """Return whether another machine has the address, or is about to take it."""
    sender, source, target = frame[22:28], frame[28:32], frame[38:42]
    return sender != mac and (source == address or (source == bytes(4) and target == address))


def taken(wire: socket.socket, mac: bytes, address: bytes) -> bool:
    for _ in range(_PROBES):
        wire.send(probe(mac, address))
        until = time.monotonic() + _PATIENCE
        while (left := until - time.monotonic()) > 0:
            if select.select([wire], [], [], left)[0] and tells_of(wire.recv(2000), mac, address):
                return True
    return False


def main(interface: str, *addresses: str) -> int:
    mac = bytes.fromhex(Path(f"/sys/class/net/{interface}/address").read_text("ascii").replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as wire:
        wire.bind((interface, _ARP))
        for address in addresses:
            if not taken(wire, mac, socket.inet_aton(address)):
                print(address)
                return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
