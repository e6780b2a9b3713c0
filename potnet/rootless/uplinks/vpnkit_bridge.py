"""The namespace between vpnkit and a host: a bridge of vpnkit's tap and of the wire to the host.

It carries frames between the tap and vpnkit's socket, and opens sockets for the forwarder of ports, whose
calls so reach the host by its external interface. Run by its path in a network namespace of its own, it
imports nothing but what Python itself has, says a byte on its control socket as soon as the wire is there,
and ends with that socket or vpnkit's.

Arguments: the file descriptors of vpnkit's socket and of the control socket; the PID of the host, the name
and the MAC address of its interface, the MTU, the host's own address, that of the bridge with its prefix
length.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

#: linux/if_tun.h; an Ethernet interface whose frames have nothing before them.
_SET_INTERFACE, _TAP, _NO_INFORMATION = 0x400454CA, 0x0002, 0x1000
#: The longest frame that two bytes can tell the length of; bytes that are read at once.
_LONGEST, _CHUNK = 65535, 1 << 18
_LENGTH = struct.Struct("<H")
_KINDS = {b"tcp": socket.SOCK_STREAM, b"udp": socket.SOCK_DGRAM}


def open_tap(name: str) -> int:
    """A new tap, which goes with its file. Raises OSError."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(tap, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), _TAP | _NO_INFORMATION))
    return tap


class Layout(NamedTuple):
    """What the bridge and the wire are to be, as the arguments of this program name it."""

    pid: str
    interface: str
    mac: str
    mtu: str
    host: str
    own: str


def lay(layout: Layout) -> None:
    """Make the bridge and the wire to the host."""
    pid, interface, mac, mtu, host, own = layout
    # Nothing here is to talk on the wire.
    with suppress(OSError):
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", "ascii")
    lines = (
        f"link add name bridge0 mtu {mtu} type bridge mcast_snooping 0",
        f"link add name wire mtu {mtu} type veth peer name {interface} mtu {mtu} address {mac} netns {pid}",
        "link set dev wire master bridge0 up",
        f"link set dev tap mtu {mtu} master bridge0 up",
        f"addr add {own} dev bridge0",
        "link set dev bridge0 up",
        f"neigh add {host} lladdr {mac} dev bridge0 nud permanent",
    )
    subprocess.run(("ip", "-batch", "-"), input="\n".join(lines), text=True, check=True)


def outwards(tap: int, wire: socket.socket) -> None:
    """Carry what the host sends."""
    while True:
        frame = os.read(tap, _LONGEST)
        wire.sendall(_LENGTH.pack(len(frame)) + frame)


def inwards(wire: socket.socket, tap: int) -> None:
    """Carry what the host is sent, until vpnkit ends."""
    data = b""
    while more := wire.recv(_CHUNK):
        data += more
        begin = 0
        while (end := _frame_end(data, begin)) <= len(data):
            # What is no frame, the tap refuses.
            with suppress(OSError):
                os.write(tap, data[begin + _LENGTH.size : end])
            begin = end
        data = data[begin:]


def _frame_end(data: bytes, begin: int) -> int:
    """Where the frame ends whose length is at `begin`; beyond the data if not even that is all there."""
    if len(data) - begin < _LENGTH.size:
        return len(data) + 1
    return begin + _LENGTH.size + int(_LENGTH.unpack_from(data, begin)[0])


def answer(control: socket.socket) -> None:
    """Open the sockets that are asked for, until nobody is there to ask."""
    while kind := control.recv(16):
        with socket.socket(socket.AF_INET, _KINDS[kind]) as opened:
            socket.send_fds(control, [b"."], [opened.fileno()])


def _to_the_end(do: Callable[[], None]) -> None:
    """The whole process ends with it, however that ends."""
    try:
        with suppress(OSError):
            do()
    finally:
        os._exit(0)


def main(wire_number: str, control_number: str, *layout: str) -> None:
    wire, control = socket.socket(fileno=int(wire_number)), socket.socket(fileno=int(control_number))
    tap = open_tap("tap")
    lay(Layout(*layout))
    control.send(b".")
    for carry in (lambda: outwards(tap, wire), lambda: inwards(wire, tap)):
        threading.Thread(target=_to_the_end, args=(carry,), daemon=True).start()
    _to_the_end(lambda: answer(control))


if __name__ == "__main__":
    main(*sys.argv[1:])
