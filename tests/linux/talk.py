"""Both ends of a conversation: ``serve PORT`` tells each caller its address, ``ask PROTOCOL ADDRESS PORT``.

``hold ADDRESS PORT`` opens a connection and says for each line that it is given whether it still carries.
``sink PORT`` counts what comes, ``pour ADDRESS PORT BYTES`` sends it. ``ping ADDRESS`` waits for an echo.
``whole ADDRESS PORT BYTES`` sends one datagram, never in fragments, and says what is answered.
``watch INTERFACE PATH`` writes down frames that come in, ``frame INTERFACE HEX`` sends one.
"""

from __future__ import annotations

import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

PATIENCE = 0.5


def _tcp(port: int, named: str) -> socket.socket:
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    threading.Thread(target=_accept, args=(listener, named)).start()
    return listener


def _accept(listener: socket.socket, named: str) -> None:
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=_serve, args=(connection, named or _plain(peer[0]))).start()


def _serve(connection: socket.socket, said: str) -> None:
    with connection:
        while connection.recv(100):
            connection.sendall(said.encode())


def _udp(port: int, ready: Callable[[], object], named: str) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", port))
        ready()
        while True:
            _, peer = listener.recvfrom(100)
            listener.sendto((named or _plain(peer[0])).encode(), peer)


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")


def serve(port: int, ready: Callable[[], object], only_tcp: bool = False, named: str = "") -> None:
    """Answer callers for ever, with their addresses or a name; `ready` is called as soon as they can call."""
    _tcp(port, named)
    if not only_tcp:
        _udp(port, ready, named)
    ready()
    signal.pause()


def ask(protocol: str, address: str, port: int) -> str:
    """What a server answers."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as caller:
        caller.settimeout(PATIENCE)
        try:
            # Only getaddrinfo(3) takes a zone (RFC 4007).
            caller.connect(socket.getaddrinfo(address, port, family)[0][4])
            caller.sendall(b"?")
            return caller.recv(100).decode()
        except OSError:
            return "no answer"


def hold(protocol: str, address: str, port: int, path: str) -> None:
    """Talk each time that a line comes through the FIFO `path`, and answer into PATH.answer."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as caller:
        caller.settimeout(PATIENCE)
        caller.connect((address, port))
        caller.sendall(b"?")
        print(caller.recv(100).decode(), flush=True)
        while True:
            Path(path).read_text("ascii")
            try:
                caller.sendall(b"?")
                said = caller.recv(100).decode() or "closed"
            except OSError:
                said = "no answer"
            Path(f"{path}.answer").write_text(said, "ascii")


def ping(address: str) -> None:
    """An ICMPv6 echo (RFC 4443); the kernel fills in the checksum."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as caller:
        caller.settimeout(PATIENCE)
        # ICMP6_FILTER: nothing but echo replies, type 129.
        caller.setsockopt(socket.IPPROTO_ICMPV6, 1, bytes.fromhex("ff" * 16 + "fdffffff" + "ff" * 12))
        try:
            caller.sendto(struct.pack("!BBHHH", 128, 0, 0, 7, 7), (address, 0))
            print(caller.recvfrom(100)[1][0].partition("%")[0])
        except OSError:
            print("no answer")


def whole(address: str, port: int, count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        # IP_MTU_DISCOVER, IP_PMTUDISC_DO (ip(7)).
        caller.setsockopt(socket.IPPROTO_IP, 10, 2)
        caller.settimeout(PATIENCE)
        try:
            caller.sendto(b"?" * count, (address, port))
            print(caller.recv(100).decode())
        except OSError as error:
            print(error.strerror or "no answer")


def sink(port: int) -> None:
    """Tell each caller at its end how many bytes came."""
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                count = 0
                while data := connection.recv(1 << 20):
                    count += len(data)
                connection.sendall(str(count).encode())


def pour(address: str, port: int, count: int) -> None:
    with socket.create_connection((address, port), timeout=5) as caller:
        caller.sendall(b"\0" * count)
        caller.shutdown(socket.SHUT_WR)
        print(caller.recv(100).decode())


def watch(interface: str, path: str) -> None:
    """One line for each frame: its destination, source and the rest of it up to 60 bytes, in hexadecimal."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire,
        Path(path).open("w", encoding="ascii") as file,
    ):
        wire.bind((interface, 0))
        print("ready", flush=True)
        while True:
            data, (_, _, kind, _, _) = wire.recvfrom(2000)
            if kind != socket.PACKET_OUTGOING:
                print(data[:6].hex(), data[6:12].hex(), data[12:60].hex(), file=file, flush=True)


def frame(interface: str, text: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, 0))
        wire.send(bytes.fromhex(text).ljust(60, b"\0"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", port]:
            serve(int(port), lambda: print("ready", flush=True))
        case ["ask", protocol, address, port]:
            print(ask(protocol, address, int(port)))
        case ["hold", protocol, address, port, path]:
            hold(protocol, address, int(port), path)
        case ["ping", address]:
            ping(address)
        case ["sink", port]:
            sink(int(port))
        case ["pour", address, port, count]:
            pour(address, int(port), int(count))
        case ["whole", address, port, count]:
            whole(address, int(port), int(count))
        case ["watch", interface, path]:
            watch(interface, path)
        case ["frame", interface, text]:
            frame(interface, text)
