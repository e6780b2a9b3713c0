"""The built-in forwarder as an uplink uses it: one process for all ports of a host."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from potnet.errors import HostError
from potnet.rootless.ports.carried import Port

_PROGRAM = str(Path(__file__).with_name("forwarder.py"))


class Forwarding:
    """Runs the forwarder to an address of the host. Ports change at run time.

    opener: opens the sockets to the host, if the machine itself cannot reach the host.
    """

    def __init__(self, target: str, opener: socket.socket | None = None) -> None:
        passed = () if opener is None else (opener.fileno(),)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _PROGRAM, target, *map(str, passed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=passed,
        )
        self.pidfd = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> None:
        """End the forwarder, which would also end with its input."""
        self._process.kill()
        self._process.communicate()
        os.close(self.pidfd)

    def add(self, *ports: Port) -> None:
        """Open all of these ports or none. Raises HostError."""
        there = self.ports()
        added: list[Port] = []
        for port in ports:
            if port not in there:
                try:
                    self._ask("open", port)
                except HostError:
                    self.remove(*added)
                    raise
                added.append(port)

    def remove(self, *ports: Port) -> None:
        for port in ports:
            self._ask("close", port)

    def ports(self) -> tuple[Port, ...]:
        return tuple(Port(protocol, number, address) for protocol, address, number in self._ask("list"))

    def _ask(self, verb: str, port: Port | None = None) -> Any:
        request = {"verb": verb, "port": [port.protocol, port.address, port.number] if port else None}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise HostError("the forwarder of ports has ended") from error
        if "error" in answer:
            raise HostError(f"{port}: {answer['error']}")
        return answer["return"]


class Forwarded:
    """The ports of an `Uplink` without ports of its own."""

    port_interface = "forwarder"

    def __init__(self) -> None:
        self._forwarding: Forwarding | None = None

    def _forward_to(self, target: str, opener: socket.socket | None = None) -> None:
        self._forwarding = Forwarding(target, opener)

    def _forward_no_more(self) -> None:
        if self._forwarding is not None:
            self._forwarding.end()
            self._forwarding = None

    def add_port(self, *ports: Port) -> None:
        """See `Uplink`."""
        self._forwarder().add(*ports)

    def remove_port(self, *ports: Port) -> None:
        """See `Uplink`."""
        self._forwarder().remove(*ports)

    def list_ports(self) -> tuple[Port, ...]:
        """See `Uplink`."""
        return self._forwarder().ports()

    def _forwarder(self) -> Forwarding:
        if self._forwarding is None:
            raise HostError(
                "the forwarder of ports is not running", hint="`potnet rootless status` shows more"
            )
        return self._forwarding
