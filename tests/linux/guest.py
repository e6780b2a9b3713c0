"""A machine behind a tap, as an emulator has one: a process of a user that reads and writes frames.

``UID TAP MAC ADDRESS…`` opens the tap as that user, says ``ready`` or the name of the error, and from then on
answers: to ARP (RFC 826) and neighbour solicitations (RFC 4861), to echo requests, and to datagrams of UDP
with the address of who called. When the tap is taken away it says ``gone`` and ends.
``echo ADDRESS`` waits for the answer to an echo request of IPv4.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address

#: linux/if_tun.h.
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, UDP, ICMP6 = 1, 17, 58
PATIENCE = 0.5

Address = IPv4Address | IPv6Address


def open_tap(user: int, tap: str) -> int:
    """Open a tap as a user without any rights. Raises OSError."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI))
    return file


def checksum(data: bytes) -> int:
    """That of RFC 1071."""
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def answered(frame: bytes, mac: bytes, own: set[Address]) -> bytes | None:
    """The frame that answers a frame; None when it is for others, or nothing is to be said."""
    (kind,), packet = struct.unpack("!H", frame[12:14]), frame[14:]
    reply = {ARP: _arp, IPV4: _ipv4, IPV6: _ipv6}.get(kind, lambda *_: None)(packet, mac, own)
    return frame[6:12] + mac + frame[12:14] + reply if reply is not None else None


def _arp(packet: bytes, mac: bytes, own: set[Address]) -> bytes | None:
    if packet[6:8] != b"\0\1" or IPv4Address(packet[24:28]) not in own:
        return None
    return packet[:6] + b"\0\2" + mac + packet[24:28] + packet[8:18]


def _ipv4(packet: bytes, _: bytes, own: set[Address]) -> bytes | None:
    size = (packet[0] & 15) * 4
    source, destination = packet[12:16], packet[16:20]
    if IPv4Address(destination) not in own:
        return None
    body = packet[size : int.from_bytes(packet[2:4], "big")]
    if packet[9] == ICMP and body[0] == 8:
        body = b"\0\0" + bytes(2) + body[4:]
        body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    elif packet[9] == UDP:
        said = str(IPv4Address(source)).encode()
        body = body[2:4] + body[:2] + struct.pack("!HH", 8 + len(said), 0) + said
    else:
        return None
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, packet[9], 0) + destination + source
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def _ipv6(packet: bytes, mac: bytes, own: set[Address]) -> bytes | None:
    source, destination = packet[8:24], packet[24:40]
    body = packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
    if packet[6] == ICMP6 and body[0] == 135 and IPv6Address(body[8:24]) in own:
        # An advertisement: solicited, in the place of what was known.
        return _icmp6(body[8:24], source, b"\x88\0\0\0" + b"\x60\0\0\0" + body[8:24] + b"\2\1" + mac)
    if packet[6] == ICMP6 and body[0] == 128 and IPv6Address(destination) in own:
        return _icmp6(destination, source, b"\x81\0\0\0" + body[4:])
    return None


def _icmp6(source: bytes, destination: bytes, body: bytes) -> bytes:
    pseudo = source + destination + struct.pack("!II", len(body), ICMP6)
    body = body[:2] + checksum(pseudo + body).to_bytes(2, "big") + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), ICMP6, 255) + source + destination + body


def guest(user: int, tap: str, mac: str, addresses: list[str]) -> None:
    try:
        file = open_tap(user, tap)
    except OSError as error:
        print(errno.errorcode[error.errno or 0], flush=True)
        return
    print("ready", flush=True)
    own, hardware = {ip_address(each) for each in addresses}, bytes.fromhex(mac.replace(":", ""))
    while True:
        try:
            reply = answered(os.read(file, 70000), hardware, own)
            if reply is not None:
                os.write(file, reply)
        except OSError:
            print("gone", flush=True)
            return


def echo(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as caller:
        caller.settimeout(PATIENCE)
        request = struct.pack("!BBHHH", 8, 0, 0, 7, 7)
        try:
            caller.sendto(request[:2] + checksum(request).to_bytes(2, "big") + request[4:], (address, 0))
            while True:
                packet, sender = caller.recvfrom(200)
                if packet[20] == 0:
                    print(sender[0])
                    return
        except OSError:
            print("no answer")


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        echo(sys.argv[2])
    else:
        guest(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
