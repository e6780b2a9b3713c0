"""Both ends of a conversation: ``serve PORT`` tells each caller its address, ``ask PROTOCOL ADDRESS PORT``.

``hold ADDRESS PORT`` opens a connection and says for each line that it is given whether it still carries.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

PATIENCE = 0.3


def _tcp(port: int) -> socket.socket:
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    threading.Thread(target=_accept, args=(listener,)).start()
    return listener


def _accept(listener: socket.socket) -> None:
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=_serve, args=(connection, _plain(peer[0]))).start()


def _serve(connection: socket.socket, peer: str) -> None:
    while connection.recv(100):
        connection.sendall(peer.encode())


def _udp(port: int) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", port))
        print("ready", flush=True)
        while True:
            _, peer = listener.recvfrom(100)
            listener.sendto(_plain(peer[0]).encode(), peer)


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")


def serve(port: int) -> None:
    _tcp(port)
    _udp(port)


def ask(protocol: str, address: str, port: int) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as caller:
        caller.settimeout(PATIENCE)
        try:
            caller.connect((address, port))
            caller.sendall(b"?")
            print(caller.recv(100).decode())
        except OSError:
            print("no answer")


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


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", port]:
            serve(int(port))
        case ["ask", protocol, address, port]:
            ask(protocol, address, int(port))
        case ["hold", protocol, address, port, path]:
            hold(protocol, address, int(port), path)
