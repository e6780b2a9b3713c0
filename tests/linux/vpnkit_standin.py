"""Stands in for vpnkit, which is packaged nowhere: its command line, and its protocol on the socket.

Behind that it is less: it answers ARP and echoes, and carries UDP. It is as strict as vpnkit is: frames that
are not from the address that it has given are dropped, and so are, here, those with wrong checksums.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import struct
from contextlib import suppress

SERVER, CLIENT = bytes.fromhex("f61636bcf9c6"), bytes.fromhex("025000000001")
HELLO = struct.pack("<5sI40s", b"VMN3T", 22, b"0123456789" * 4)
ANSWER = 258


def checksum(data: bytes) -> int:
    """RFC 1071; 0 over data that has its own right one in it."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def exactly(client: socket.socket, count: int) -> bytes:
    data = client.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise EOFError
    return data


class Vpnkit:
    """Serves one client after the other."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.mtu: int = asked.mtu
        self.gateway, self.lowest, self.host = (
            socket.inet_aton(each) for each in (asked.gateway_ip, asked.lowest_ip, asked.host_ip)
        )
        self.selector = selectors.DefaultSelector()
        self.flows: dict[tuple[int, bytes, int], socket.socket] = {}

    def serve(self, client: socket.socket) -> None:
        if exactly(client, len(HELLO))[:9] != HELLO[:9]:
            return
        client.sendall(HELLO)
        kind, uuid, _ = struct.unpack("<B36sI", exactly(client, 41))
        if kind != 1 or uuid.count(b"-") != 4:
            reason = b"what you ask for is not there"
            client.sendall((bytes((2, len(reason))) + reason).ljust(ANSWER, b"\0"))
            return
        client.sendall(struct.pack("<BHH6s", 1, self.mtu, self.mtu + 50, CLIENT).ljust(ANSWER, b"\0"))
        self.selector.register(client, selectors.EVENT_READ, lambda: self.read(client))
        while True:
            for key, _ in self.selector.select():
                key.data()

    def read(self, client: socket.socket) -> None:
        frame = exactly(client, *struct.unpack("<H", exactly(client, 2)))
        if frame[6:12] != CLIENT or len(frame) > self.mtu + 14:
            return
        if frame[12:14] == b"\x08\x06":
            self.resolve(client, frame[14:])
        elif frame[12:14] == b"\x08\x00":
            self.route(client, frame[14:])

    def send(self, client: socket.socket, kind: bytes, data: bytes) -> None:
        frame = CLIENT + SERVER + kind + data
        client.sendall(struct.pack("<H", len(frame)) + frame)

    def resolve(self, client: socket.socket, question: bytes) -> None:
        """ARP, from a table that has nothing but itself and the client (RFC 826)."""
        sender, target = question[8:18], question[24:28]
        if question[6:8] == b"\0\1" and target in {self.gateway, self.host} - {bytes(4)}:
            answer = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + SERVER + target + sender
            self.send(client, b"\x08\x06", answer)

    def route(self, client: socket.socket, packet: bytes) -> None:
        length = int.from_bytes(packet[2:4], "big")
        packet = packet[:length]
        protocol, source, target, rest = packet[9], packet[12:16], packet[16:20], packet[20:]
        if source != self.lowest or checksum(packet[:20]):
            return
        if protocol == 1 and rest[0] == 8 and not checksum(rest):
            echo = b"\0\0\0\0" + rest[4:]
            echo = echo[:2] + checksum(echo).to_bytes(2, "big") + echo[4:]
            self.reply(client, 1, target, echo)
        elif protocol == 17 and not checksum(source + target + b"\0\x11" + rest[4:6] + rest):
            self.datagram(client, target, rest)

    def reply(self, client: socket.socket, protocol: int, source: bytes, rest: bytes) -> None:
        head = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(rest), 0, 64, protocol, 0) + source + self.lowest
        head = head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
        self.send(client, b"\x08\x00", head + rest)

    def datagram(self, client: socket.socket, target: bytes, rest: bytes) -> None:
        """Send it by a socket of the machine's, whose answers come back from where it went."""
        near, far = struct.unpack_from("!HH", rest)
        if target == self.gateway:
            return
        key = near, target, far
        if key not in self.flows:
            way = self.flows[key] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.connect(("127.0.0.1" if target == self.host else socket.inet_ntoa(target), far))

            def back() -> None:
                with suppress(ConnectionRefusedError):
                    data = way.recv(65535)
                    self.reply(client, 17, target, struct.pack("!HHHH", far, near, 8 + len(data), 0) + data)

            self.selector.register(way, selectors.EVENT_READ, back)
        with suppress(OSError):
            self.flows[key].send(rest[8:])


def main() -> None:
    parser = argparse.ArgumentParser(prog="vpnkit", allow_abbrev=False)
    parser.add_argument("--version", action="version", version="v0.5.0")
    parser.add_argument("--ethernet", required=True)
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--gateway-ip", default="192.168.65.1")
    parser.add_argument("--host-ip", default="192.168.65.2")
    parser.add_argument("--lowest-ip", default="192.168.65.3")
    parser.add_argument("--highest-ip", default="192.168.65.254")
    asked = parser.parse_args()
    with suppress(FileNotFoundError):
        os.unlink(asked.ethernet)  # noqa: PTH108
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(asked.ethernet)
        listener.listen()
        while True:
            client, _ = listener.accept()
            with client, suppress(EOFError, OSError):
                Vpnkit(asked).serve(client)


if __name__ == "__main__":
    main()
