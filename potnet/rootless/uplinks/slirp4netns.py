"""slirp4netns(1): a tap, carried by sockets of the machine; ports change at run time."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from potnet.errors import HostError
from potnet.rootless.ports.carried import Port
from potnet.rootless.uplinks.inside import tap
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Facts, Process, Target, installed, no_tun, refuse
from potnet.rootless.uplinks.versions import version_of
from potnet.rootless.wire import connect

_API = "slirp4netns.sock"
#: The longest request that slirp4netns reads.
_LONGEST = 4095
_INTERFACE = "tap0"


class Slirp4netns:
    """See `potnet.rootless.uplinks.uplink.Uplink`."""

    name = "slirp4netns"
    package = "slirp4netns"
    needs_tun = True
    largest_mtu: int | None = 65521
    inward: tuple[int, ...] = (4,)
    port_interface = "API"
    version_words: tuple[str, ...] = ("slirp4netns", "--version")
    lacks: Mapping[str, str] = {"bridge": "joins no bridge"}

    def __init__(self, options: Options, directory: Path) -> None:
        refuse(self, options)
        self._options = options
        self._directory = directory
        self._process: Process | None = None
        self._exit = -1

    @classmethod
    def missing(cls, options: Options) -> str | None:
        """See `Uplink`."""
        return installed("slirp4netns", cls.package) or no_tun()

    @property
    def nameserver(self) -> str | None:
        """See `Uplink`."""
        return str(self._options.nameserver) if self._options.dns else None

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """See `Uplink`."""
        return ((*self._options_given(), target, _INTERFACE),)

    def _options_given(self) -> tuple[str, ...]:
        given = self._options
        switches = {
            "--disable-host-loopback": not given.host_loopback,
            "--enable-ipv6": given.ipv6,
            "--disable-dns": not given.dns,
            "--enable-sandbox": given.sandbox,
            "--enable-seccomp": given.seccomp,
        }
        values = {
            "--outbound-addr": given.outbound,
            "--outbound-addr6": given.outbound6,
            "--macaddress": given.mac,
        }
        return (
            "slirp4netns",
            "--configure",
            f"--mtu={given.mtu}",
            f"--cidr={given.cidr}",
            *(name for name, on in switches.items() if on),
            *(f"{name}={value}" for name, value in values.items() if value is not None),
            f"--api-socket={_API}",
        )

    def start(self, target: Target) -> None:
        """See `Uplink`."""
        with tap(target, _INTERFACE):
            self._begin(target)

    def _begin(self, target: Target) -> None:
        if target.user is not None and self._options.sandbox:
            # Issue 317 of slirp4netns: it ends with "setegid(0)".
            raise HostError(
                "slirp4netns has no sandbox for a user namespace that is given by its path",
                hint="set rootless.sandbox = false",
            )
        self._forget_api()
        ready, say_ready = os.pipe()
        let_exit, self._exit = os.pipe()
        argv = (
            *self._options_given(),
            f"--ready-fd={say_ready}",
            f"--exit-fd={let_exit}",
            *_where(target),
            _INTERFACE,
        )
        self._process = Process(argv, self._directory, (say_ready, let_exit), guarded=False)
        try:
            self._process.start()
            os.close(say_ready)
            os.close(let_exit)
            self._process.wait_ready(ready)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(ready)

    def stop(self) -> None:
        """See `Uplink`."""
        if self._process is not None:
            os.close(self._exit)
            self._process.end()
            self._process = None
            self._forget_api()

    def _forget_api(self) -> None:
        """Remove the socket, which the driver leaves behind."""
        with suppress(FileNotFoundError):
            (self._directory / _API).unlink()

    def ended(self) -> int | None:
        """See `Uplink`."""
        return self._process.pidfd if self._process is not None else None

    def add_port(self, *ports: Port) -> None:
        """See `Uplink`."""
        there, added = self._numbers(), []
        try:
            for port in ports:
                if port not in there:
                    self._add(port)
                    added.append(port)
        except BaseException:
            self.remove_port(*added)
            raise

    def _add(self, port: Port) -> None:
        if ":" in port.address:
            raise HostError(
                f"{port}: slirp4netns carries no IPv6 inwards", hint='rootless.uplink = "pasta" does'
            )
        number = port.number
        self._request(
            "add_hostfwd", proto=port.protocol, host_addr=port.address, host_port=number, guest_port=number
        )

    def remove_port(self, *ports: Port) -> None:
        """See `Uplink`."""
        there = self._numbers()
        for port in ports:
            if port in there:
                self._request("remove_hostfwd", id=there[port])

    def list_ports(self) -> tuple[Port, ...]:
        """See `Uplink`."""
        return tuple(self._numbers())

    def _numbers(self) -> dict[Port, int]:
        """Return the number that the driver has given each port."""
        entries = self._request("list_hostfwd")["entries"]
        return {Port(each["proto"], each["host_port"], each["host_addr"]): each["id"] for each in entries}

    def _request(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Return the driver's answer; one connection carries one request. A list has no "return" around
        it."""
        request = json.dumps({"execute": verb, **({"arguments": arguments} if arguments else {})}).encode()
        assert len(request) <= _LONGEST
        try:
            with socket.socket(socket.AF_UNIX) as api:
                api.settimeout(10)
                connect(api, self._directory, _API)
                api.sendall(request)
                api.shutdown(socket.SHUT_WR)
                said = b""
                while more := api.recv(1 << 16):
                    said += more
            answer: dict[str, Any] = json.loads(said)
        except (OSError, ValueError) as error:
            hint = "`potnet rootless status` shows more"
            raise HostError(f"slirp4netns does not answer: {error}", hint) from error
        if "error" in answer:
            raise HostError(f"slirp4netns: {answer['error'].get('desc', answer['error'])}")
        return answer

    def facts(self) -> Facts:
        """See `Uplink`."""
        return Facts(
            self.name,
            "slirp4netns",
            version_of(self.version_words),
            _INTERFACE,
            str(self._options.address),
            self._options.mtu,
            pid=self._process.pid if self._process is not None else None,
        )


def _where(target: Target) -> tuple[str, ...]:
    if target.pid is not None:
        return (str(target.pid),)
    user = (f"--userns-path={target.user}",) if target.user else ()
    return "--netns-type=path", *user, str(target.network)
