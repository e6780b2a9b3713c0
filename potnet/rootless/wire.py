"""The protocol of command and keeper: the files in the host's directory, and lines of JSON."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PID_FILE, CONTROL = "pid", "control"
#: The log of the keeper and of its driver.
LOG = "log"


def connect(connection: socket.socket, directory: Path, name: str) -> None:
    """Connect to a socket in a directory with a path of any length (unix(7)). Raises OSError."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{name}")
    finally:
        os.close(folder)


def peer(connection: socket.socket) -> int:
    """Return the user at the other end (SO_PEERCRED, unix(7)); for a server, the user that listened."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder)


def listen(directory: Path) -> socket.socket:
    path = directory / CONTROL
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A socket's path has at most 107 bytes, and the directory's path may be longer.
        listener.bind(f"/proc/self/fd/{folder}/{CONTROL}")
        path.chmod(0o600)
        listener.listen(16)
    finally:
        os.close(folder)
    return listener


def send(connection: socket.socket, words: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one request or answer, with open files. Raises OSError."""
    data = json.dumps(words).encode() + b"\n"
    if fds:
        sent = socket.send_fds(connection, [data], fds)
        data = data[sent:]
    connection.sendall(data)
