"""vpnkit's protocol: whatever the other side says, and frames however they are cut up."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potnet.errors import HostError
from potnet.rootless.uplinks import vmnet, vpnkit_bridge

HELLO = struct.pack("<5sI40s", b"VMN3T", 22, b"")
GIVEN = struct.pack("<BHH6s", 1, 1500, 1550, bytes.fromhex("025000000001")).ljust(258, b"\0")


def said(answer: bytes) -> tuple[vmnet.Interface, bytes]:
    """What becomes of an answer, and what was asked."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(answer)
        far.shutdown(socket.SHUT_WR)
        found = vmnet.connect(near)
        return found, far.recv(1000)


def test_an_interface_is_asked_for_and_given() -> None:
    found, asked = said(HELLO + GIVEN)
    assert found == vmnet.Interface("02:50:00:00:00:01", 1500)
    assert asked[:9] == b"VMN3T\x16\0\0\0"
    assert len(asked) == 49 + 41 and asked[49] == 1 and asked[50:86].count(b"-") == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HELLO + (b"\x02\x04full" + b"x" * 252), "no interface: full"),
        (b"VMN3T\x17\0\0\0" + bytes(40), "version 23"),
        (HELLO, "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_a_refusal_is_told(answer: bytes, words: str) -> None:
    with pytest.raises(HostError, match=words):
        said(answer)


@given(st.binary(max_size=400) | st.binary(min_size=258, max_size=258).map(lambda data: HELLO + data))
def test_any_answer_is_an_interface_or_a_refusal(answer: bytes) -> None:
    try:
        found, _ = said(answer)
    except HostError as error:
        assert error.message.startswith("vpnkit ")
    else:
        assert len(found.mac) == 17


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.integers(1, 50))
def test_frames_arrive_as_they_were_sent(frames: list[bytes], size: int) -> None:
    near, far = socket.socketpair()
    tap, host = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far, tap, host:
        carrying = threading.Thread(target=vpnkit_bridge.inwards, args=(near, tap.fileno()))
        carrying.start()
        data = b"".join(struct.pack("<H", len(frame)) + frame for frame in frames)
        for begin in range(0, len(data), size):
            far.sendall(data[begin : begin + size])
        assert [host.recv(1000) for _ in frames] == frames
        far.shutdown(socket.SHUT_WR)
        carrying.join()


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_frames_leave_with_their_length(frames: list[bytes]) -> None:
    near, far = socket.socketpair()
    tap, host = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far, host:
        for frame in frames:
            host.send(frame)
        number = tap.detach()
        carrying = threading.Thread(target=_until_it_ends, args=(number, near))
        carrying.start()
        for frame in frames:
            assert far.recv(2, socket.MSG_WAITALL) == struct.pack("<H", len(frame))
            assert far.recv(len(frame), socket.MSG_WAITALL) == frame
        far.shutdown(socket.SHUT_RD)
        host.send(b"one more")
        carrying.join()
        os.close(number)


def _until_it_ends(tap: int, wire: socket.socket) -> None:
    with pytest.raises(BrokenPipeError):
        vpnkit_bridge.outwards(tap, wire)
