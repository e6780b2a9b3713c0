"""pasta(1) of passt: a tap in the namespace, and spliced sockets; the command line lists its ports."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from potnet.errors import HostError
from potnet.rootless.ports.carried import ANY, Port
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Facts, Process, Target, installed, no_tun, refuse
from potnet.rootless.uplinks.versions import version_of

_INTERFACE = "tap0"


class Pasta:
    """See `potnet.rootless.uplinks.uplink.Uplink`."""

    name = "pasta"
    package = "passt"
    needs_tun = True
    largest_mtu: int | None = 65520
    inward: tuple[int, ...] = (4, 6)
    port_interface = "restart"
    version_words: tuple[str, ...] = ("pasta", "--version")
    lacks: Mapping[str, str] = {
        "sandbox": "is always in its sandbox",
        "seccomp": "always gives up the system calls that it does not need",
        "bridge": "joins no bridge",
    }

    def __init__(self, options: Options, directory: Path) -> None:
        refuse(self, options)
        self._options = options
        self._directory = directory
        self._target = Target()
        self._ports: tuple[Port, ...] = ()
        self._process: Process | None = None

    @classmethod
    def missing(cls, options: Options) -> str | None:
        """See `Uplink`."""
        return installed("pasta", cls.package) or no_tun()

    @property
    def nameserver(self) -> str | None:
        """See `Uplink`."""
        return str(self._options.nameserver) if self._options.dns else None

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """See `Uplink`."""
        return ((*self._options_given(()), target),)

    def _options_given(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        given = self._options
        values = [
            ("-a", str(given.address)),
            ("-n", str(given.network.prefixlen)),
            ("-g", str(given.gateway)),
            ("-m", str(given.mtu)),
        ]
        if given.ipv6:
            values += [("-a", given.address6), ("-g", given.gateway6)]
        values += [("-o", each) for each in (given.outbound, given.outbound6) if each is not None]
        if given.mac is not None:
            values.append(("--ns-mac-addr", given.mac))
        if given.dns:
            values.append(("--dns-forward", str(given.nameserver)))
        for protocol, letter in (("tcp", "-t"), ("udp", "-u")):
            own = _ranges([port for port in ports if port.protocol == protocol])
            values += [(letter, each) for each in own or ["none"]]
        switches = {"-4": not given.ipv6, "--no-map-gw": not given.host_loopback}
        return (
            *("pasta", "-f", "-q", "--config-net", "-I", _INTERFACE),
            *(name for name, on in switches.items() if on),
            *(word for pair in values for word in pair),
            *("-T", "none", "-U", "none"),
        )

    def start(self, target: Target) -> None:
        """See `Uplink`."""
        self._target = target
        self._begin(())

    def _begin(self, ports: tuple[Port, ...]) -> None:
        """Start a driver with these ports. A driver that fails stays recorded, so that it is watched."""
        ready, say_ready = os.pipe()
        namespace = os.open(self._target.network_path, os.O_RDONLY | os.O_CLOEXEC)
        files = (say_ready, namespace)
        where = ("-P", f"/proc/self/fd/{say_ready}", *self._user(), "--netns", f"/proc/self/fd/{namespace}")
        argv = (*self._options_given(ports), *where)
        self._process = Process(argv, self._directory, files, host=self._target.pid)
        self._ports = ports
        try:
            # pasta creates its own tap: an existing one drops inbound IPv6 at times.
            self._process.start()
            os.close(say_ready)
            self._process.wait_ready(ready)
        finally:
            os.close(ready)
            os.close(namespace)

    def _user(self) -> tuple[str, ...]:
        """Return the options for the user namespace; with the init of a host, pasta is already in it."""
        target = self._target
        return ("--userns", target.user) if target.user and target.pid is None else ("--netns-only",)

    def stop(self) -> None:
        """See `Uplink`."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def ended(self) -> int | None:
        """See `Uplink`."""
        return self._process.pidfd if self._process is not None else None

    def _begin_again(self, ports: tuple[Port, ...]) -> None:
        """Restart with other ports, or with the earlier ones if this fails."""
        before = self._ports
        self.stop()
        try:
            self._begin(ports)
        except HostError:
            self.stop()
            self._begin(before)
            raise

    def add_port(self, *ports: Port) -> None:
        """See `Uplink`: one new driver replaces the old one, whatever the number of ports."""
        new = tuple(port for port in ports if port not in self._ports)
        for port in new:
            if ":" in port.address and not self._options.ipv6:
                raise HostError(
                    f"{port}: this host has no IPv6", hint="set rootless.ipv6, and restart the rootless host"
                )
        if new:
            self._begin_again((*self._ports, *new))

    def remove_port(self, *ports: Port) -> None:
        """See `Uplink`."""
        left = tuple(port for port in self._ports if port not in ports)
        if left != self._ports:
            self._begin_again(left)

    def list_ports(self) -> tuple[Port, ...]:
        """See `Uplink`: the ports of the running driver."""
        return self._ports if self._process is not None and self._process.running else ()

    def facts(self) -> Facts:
        """See `Uplink`."""
        return Facts(
            self.name,
            "pasta",
            version_of(self.version_words),
            _INTERFACE,
            str(self._options.address),
            self._options.mtu,
            families=self.inward if self._options.ipv6 else (4,),
            live_ports=False,
            pid=self._process.pid if self._process is not None else None,
        )


def _ranges(ports: Sequence[Port]) -> list[str]:
    """Ports as the command line has them: those that follow each other in one word."""
    runs: list[list[Port]] = []
    for port in sorted(ports, key=lambda each: (each.address, each.number)):
        last = runs[-1][-1] if runs else None
        if last is not None and (last.address, last.number + 1) == (port.address, port.number):
            runs[-1].append(port)
        else:
            runs.append([port])
    return [_shown(run[0], run[-1]) for run in runs]


def _shown(first: Port, last: Port) -> str:
    numbers = str(first.number) if first == last else f"{first.number}-{last.number}"
    return numbers if first.address == ANY else f"{first.address}/{numbers}"
