"""Carry ports of the machine to an address: for uplinks without ports of their own.

The script runs by its path. Standard input has one line of JSON for each request, and each gets one line as
answer; the script ends with its input. Arguments: the address, and an optional file descriptor. That is a
socket which returns sockets of another network namespace, if only that namespace reaches the address. The
script imports only Python's own modules.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

#: The bytes of one read; the callers of one UDP port; the seconds before a silent caller is dropped.
_CHUNK, _CALLERS, _SILENCE = 1 << 16, 1024, 60.0


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Carry one direction of a connection to its end; the other direction continues."""
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
        sink.write_eof()


class Ways:
    """The way to an address. opener: returns a socket for each word sent to it; None: sockets are opened
    here."""

    def __init__(self, target: str, opener: socket.socket | None) -> None:
        self._target = target
        self._opener = opener

    async def call(self, protocol: str, port: int) -> socket.socket:
        """Return a connected socket. Raises OSError."""
        way = self._socket(protocol)
        try:
            way.setblocking(False)
            await asyncio.get_running_loop().sock_connect(way, (self._target, port))
        except BaseException:
            way.close()
            raise
        return way

    def _socket(self, protocol: str) -> socket.socket:
        if self._opener is None:
            kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
            return socket.socket(socket.AF_INET, kind)
        self._opener.send(protocol.encode())
        _, (number,), _, _ = socket.recv_fds(self._opener, 1, 1)
        return socket.socket(fileno=number)


async def _carry(ways: Ways, port: int, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    try:
        far, there = await asyncio.open_connection(sock=await ways.call("tcp", port))
    except OSError:
        back.transport.abort()
        return
    await asyncio.gather(_pump(near, there), _pump(far, back))
    for each in (there, back):
        each.close()


class _Answers(asyncio.DatagramProtocol):
    """The answers of the host to one caller."""

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self._say = say

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._say(data)


class _Calls(asyncio.DatagramProtocol):
    """One UDP port: each caller has a socket to the host until it has been silent for a while."""

    def __init__(self, ways: Ways, port: int) -> None:
        self._ways = ways
        self._port = port
        self._callers: dict[Any, asyncio.DatagramTransport] = {}
        self._timers: dict[Any, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._near = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        for caller in list(self._callers):
            self._forget(caller)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        task = asyncio.ensure_future(self._pass(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, data: bytes, caller: Any) -> None:
        loop = asyncio.get_running_loop()
        if caller not in self._callers:
            if len(self._callers) >= _CALLERS:
                return
            answers = _Answers(lambda said: self._near.sendto(said, caller))
            far, _ = await loop.create_datagram_endpoint(
                lambda: answers, sock=await self._ways.call("udp", self._port)
            )
            if self._callers.setdefault(caller, far) is not far:
                far.close()
        if caller in self._timers:
            self._timers.pop(caller).cancel()
        self._timers[caller] = loop.call_later(_SILENCE, self._forget, caller)
        self._callers[caller].sendto(data)

    def _forget(self, caller: Any) -> None:
        self._callers.pop(caller).close()
        self._timers.pop(caller).cancel()


class Forwarder:
    """The ports of one host."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._open: dict[tuple[str, str, int], Callable[[], None]] = {}

    async def open(self, protocol: str, address: str, port: int) -> None:
        """Open a port. Raises OSError."""
        key = (protocol, address, port)
        if key in self._open:
            return
        if protocol == "tcp":
            server = await asyncio.start_server(
                lambda near, back: _carry(self._ways, port, near, back), address, port
            )
            self._open[key] = server.close
        else:
            near, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Calls(self._ways, port), local_addr=(address, port)
            )
            self._open[key] = near.close

    async def close(self, protocol: str, address: str, port: int) -> None:
        """Close a port; a closed port is ignored."""
        self._open.pop((protocol, address, port), lambda: None)()

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["verb"] == "list":
            return {"return": list(self._open)}
        try:
            await (self.open if request["verb"] == "open" else self.close)(*request["port"])
        except OSError as error:
            return {"error": error.strerror or str(error)}
        return {"return": None}


async def serve(target: str, opener: str = "") -> None:
    """Answer requests until the input ends."""
    forwarder = Forwarder(Ways(target, socket.socket(fileno=int(opener)) if opener else None))
    requests = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    while line := await requests.readline():
        print(json.dumps(await forwarder.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
