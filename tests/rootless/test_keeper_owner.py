"""Whose keeper a command obeys: its user's own, or root's."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from potnet.errors import HostError
from potnet.rootless.host.client import connect
from potnet.rootless.wire import CONTROL, PID_FILE

ALICE = 1001

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="rootless hosts are of Linux"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can listen as somebody else"),
]


@contextmanager
def listening(directory: Path, user: int) -> Iterator[None]:
    """A process of a user's that holds the lock on the PID file and listens, as a keeper does."""
    ready, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(user)
        lock = os.open(directory / PID_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.chdir(directory)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(CONTROL)
        listener.listen()
        os.write(said, b".")
        signal.pause()
    try:
        os.read(ready, 1)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(said)


@pytest.mark.parametrize("user", [0, ALICE])
def test_a_keeper_of_somebody_elses_is_not_obeyed(user: int) -> None:
    # Others get into none of pytest's own directories.
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        directory.chmod(0o755)
        os.chown(directory, user, -1)
        with listening(directory, user):
            if user == 0:
                assert connect(directory) is not None
                return
            with pytest.raises(HostError, match=f"belongs to user {ALICE}"):
                connect(directory)
