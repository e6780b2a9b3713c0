"""One TCP connection at full speed: ``serve ADDRESS PORT``, ``send`` or ``receive ADDRESS PORT SECONDS``.

The caller says by one byte who is to send, and prints how many bits a second arrived.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import suppress

CHUNK = 1 << 20
#: The last byte of all; the others are zero. Not every uplink bears a flood that ends with half a close.
LAST = 255


def take(connection: socket.socket) -> int:
    """Read to the last byte; how many bytes that were."""
    room, count = memoryview(bytearray(CHUNK)), 0
    while taken := connection.recv_into(room):
        count += taken
        if room[taken - 1] == LAST:
            return count
    raise ConnectionError("it ended too early")


def give(connection: socket.socket, until: float) -> None:
    """Send until a moment of `time.monotonic`, and tell the other side that this was all."""
    data = bytes(CHUNK)
    while time.monotonic() < until:
        connection.sendall(data)
    connection.sendall(bytes((LAST,)))


def serve(address: str, port: str) -> None:
    """Answer for ever: a sender with how much came, a receiver with as much as goes in its seconds."""
    with socket.create_server((address, int(port))) as listener:
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        if connection.recv(1) == b"s":
            connection.sendall(str(take(connection)).encode())
        else:
            give(connection, time.monotonic() + float(connection.recv(20)))
            connection.recv(1)


def call(how: str, address: str, port: str, seconds: str) -> float:
    with socket.create_connection((address, int(port))) as connection:
        begin = time.monotonic()
        if how == "send":
            connection.sendall(b"s")
            give(connection, begin + float(seconds))
            count = int(connection.recv(20))
        else:
            connection.sendall(b"r" + seconds.encode())
            count = take(connection)
        return 8 * count / (time.monotonic() - begin)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        print(call(*sys.argv[1:]))
