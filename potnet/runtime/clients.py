"""The clients of a listening socket: each has one request and one answer, and delays no other client."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from potnet.runtime.interrupts import waiting

#: The seconds that a client has for its whole request, and again for taking the answer.
PATIENCE = 5.0
#: The limit of clients. A further client replaces the oldest one.
MOST = 64


class _Client:
    """A connection, the part of its request that arrived, and the rest of the answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.text = b""
        self.answer = b""
        self.deadline = time.monotonic() + PATIENCE


class Clients:
    """The clients of one listener. whole: recognizes a complete request; longest: the limit of its bytes.

    reply: carries out a request; requests are carried out one after the other.
    """

    def __init__(
        self, listener: socket.socket, whole: Callable[[bytes], bool], longest: int,
        reply: Callable[[bytes], bytes],
    ) -> None:  # fmt: skip
        self._listener = listener
        self._whole = whole
        self._longest = longest
        self._reply = reply
        self._clients: list[_Client] = []
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer until a signal comes."""
        try:
            while self._wait():
                pass
        finally:
            for client in (*self._clients,):
                self._drop(client)
            self._selector.close()

    def _wait(self) -> bool:
        """Do the next possible step; False if a signal came meanwhile."""
        first = min((client.deadline for client in self._clients), default=None)
        try:
            with waiting():
                ready = self._selector.select(None if first is None else max(0.0, first - time.monotonic()))
        except KeyboardInterrupt:
            return False
        for key, _ in ready:
            if key.data is None:
                self._accept()
            elif key.data in self._clients:
                self._go_on(key.data)
        for client in [each for each in self._clients if each.deadline <= time.monotonic()]:
            self._drop(client)
        return True

    def _accept(self) -> None:
        if len(self._clients) == MOST:
            self._drop(self._clients[0])
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # The client has gone, or this process has no file left for it.
            for client in self._clients[:1]:
                self._drop(client)
            return
        connection.setblocking(False)
        client = _Client(connection)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _go_on(self, client: _Client) -> None:
        try:
            if client.answer:
                self._send(client)
            else:
                self._receive(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _receive(self, client: _Client) -> None:
        """Read until the client closes its side for writing, or the request is complete."""
        part = client.connection.recv(self._longest)
        client.text += part
        if part and len(client.text) < self._longest and not self._whole(client.text):
            return
        began = time.monotonic()
        client.answer = self._reply(client.text)
        # The other clients could not be served meanwhile.
        for each in self._clients:
            each.deadline += time.monotonic() - began
        client.deadline = time.monotonic() + PATIENCE
        self._selector.modify(client.connection, selectors.EVENT_WRITE, client)
        self._send(client)

    def _send(self, client: _Client) -> None:
        client.answer = client.answer[client.connection.send(client.answer) :]
        if not client.answer:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        with suppress(OSError):
            client.connection.close()
