"""The namespace between vpnkit and a host: a bridge between vpnkit's tap and the wire to the host.

The script carries frames between the tap and vpnkit's socket. It also opens sockets for the forwarder of
ports, which thereby reaches the host at its external interface. It runs by its path in a network namespace of
its own, and imports only Python's own modules. It writes a byte to its control socket when the wire exists,
and ends with that socket or vpnkit's.

Arguments, in order: the file descriptors of vpnkit's socket and of the control socket, the PID of the host.
Then the name and the MAC address of the host's interface, the MTU, the address of the host. Last the address
of the bridge with its prefix length.
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

#: From linux/if_tun.h: an Ethernet interface whose frames have no header.
_SET_INTERFACE, _TAP, _NO_INFORMATION = 0x400454CA, 0x0002, 0x1000
#: The longest frame for a length of two bytes; the bytes of one read.
_LONGEST, _CHUNK = 65535, 1 << 18
_LENGTH = struct.Struct("<H")
_KINDS = {b"tcp": socket.SOCK_STREAM, b"udp": socket.SOCK_DGRAM}


def open_tap(name: str) -> int:
    """Create a tap, which goes with its file. Raises OSError."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(tap, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), _TAP | _NO_INFORMATION))
    return tap


class Layout(NamedTuple):
    """The properties of the bridge and the wire, as this program's arguments."""

    pid: str
    interface: str
    mac: str
    mtu: str
    host: str
    own: str


def lay(layout: Layout) -> None:
    """Create the bridge and the wire to the host."""
    pid, interface, mac, mtu, host, own = layout
    # This namespace must not send packets of its own.
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
    """Carry frames from the host."""
    while True:
        frame = os.read(tap, _LONGEST)
        wire.sendall(_LENGTH.pack(len(frame)) + frame)


def inwards(wire: socket.socket, tap: int) -> None:
    """Carry frames to the host, until vpnkit ends."""
    data = b""
    while more := wire.recv(_CHUNK):
        data += more
        begin = 0
        while (end := _frame_end(data, begin)) <= len(data):
            # The tap refuses invalid frames.
            with suppress(OSError):
                os.write(tap, data[begin + _LENGTH.size : end])
            begin = end
        data = data[begin:]


def _frame_end(data: bytes, begin: int) -> int:
    """Return the end of the frame whose length is at `begin`; beyond the data if the length is incomplete."""
    if len(data) - begin < _LENGTH.size:
        return len(data) + 1
    return begin + _LENGTH.size + int(_LENGTH.unpack_from(data, begin)[0])


def answer(control: socket.socket) -> None:
    """Open the requested sockets, until the other side is gone."""
    while kind := control.recv(16):
        with socket.socket(socket.AF_INET, _KINDS[kind]) as opened:
            socket.send_fds(control, [b"."], [opened.fileno()])


def _to_the_end(do: Callable[[], None]) -> None:
    """Run a function, and then end the whole process, even after an error."""
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
