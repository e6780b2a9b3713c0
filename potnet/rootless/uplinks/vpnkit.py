"""vpnkit: Ethernet over a Unix socket, carried by sockets of the machine (its docs/ethernet.md).

vpnkit creates no interface itself. `middle` is the other end of its socket. The wire leads from there to the
host, and the host's end has the MAC address that vpnkit assigned.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from potnet.rootless.ports.forwarding import Forwarded
from potnet.rootless.uplinks import vmnet
from potnet.rootless.uplinks.inside import run_inside
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import ENTERING, READY, Facts, Process, Target, installed, no_tun, refuse
from potnet.rootless.uplinks.versions import version_of
from potnet.rootless.wire import connect

_INTERFACE = "eth0"
_SOCKET = "vpnkit.sock"
_MIDDLE = str(Path(__file__).with_name("vpnkit_bridge.py"))
_PAUSE = 0.02
#: vpnkit's own default; larger values are known to cause trouble (RootlessKit's documentation).
_USUAL_MTU = 1500


class Vpnkit(Forwarded):
    """See `potnet.rootless.uplinks.uplink.Uplink`."""

    name = "vpnkit"
    package = ""
    needs_tun = True
    largest_mtu: int | None = 16424
    inward: tuple[int, ...] = (4,)
    version_words: tuple[str, ...] = ("vpnkit", "--version")
    lacks: Mapping[str, str] = {
        "ipv6": "carries IPv4 only",
        "outbound": "leaves it to the machine's routes",
        "outbound6": "carries IPv4 only",
        "mac": "chooses it itself",
        "sandbox": "has none",
        "seccomp": "has none",
        "bridge": "joins no bridge",
    }

    def __init__(self, options: Options, directory: Path) -> None:
        super().__init__()
        refuse(self, options)
        self._options = options
        self._directory = directory
        # The default is vpnkit's own.
        self._mtu = options.mtu if "mtu" in options.changed() else _USUAL_MTU
        self._driver: Process | None = None
        self._middle: Process | None = None

    @classmethod
    def missing(cls, options: Options) -> str | None:
        """See `Uplink`."""
        return installed("vpnkit", cls.package) or no_tun()

    @property
    def nameserver(self) -> str | None:
        """See `Uplink`: its gateway answers for the machine's resolver."""
        return str(self._options.gateway) if self._options.dns else None

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """See `Uplink`."""
        return (self._options_given(),)

    def _options_given(self) -> tuple[str, ...]:
        given = self._options
        loopback = given.nameserver if given.host_loopback else "0.0.0.0"
        values = {
            "--ethernet": _SOCKET,
            "--mtu": self._mtu,
            "--gateway-ip": given.gateway,
            "--host-ip": loopback,
            "--lowest-ip": given.address,
            "--highest-ip": given.address,
        }
        return "vpnkit", *(str(word) for pair in values.items() for word in pair)

    def start(self, target: Target) -> None:
        """See `Uplink`."""
        with suppress(FileNotFoundError):
            (self._directory / _SOCKET).unlink()
        self._driver = Process(self._options_given(), self._directory, host=target.pid)
        try:
            self._driver.start()
            with self._connect() as wire:
                self._lay(target, wire, vmnet.connect(wire))
        except BaseException:
            self.stop()
            raise

    def _connect(self) -> socket.socket:
        """Return a connection to the driver, as soon as it listens."""
        assert self._driver is not None
        give_up = time.monotonic() + READY
        while True:
            wire = socket.socket(socket.AF_UNIX)
            wire.settimeout(READY)
            try:
                connect(wire, self._directory, _SOCKET)
                return wire
            except (FileNotFoundError, ConnectionRefusedError):
                wire.close()
            if time.monotonic() > give_up or not self._driver.running:
                self._driver.fail("did not come up")
            time.sleep(_PAUSE)

    def _lay(self, target: Target, wire: socket.socket, given: vmnet.Interface) -> None:
        """Connect the host to the driver's socket, and its ports."""
        wire.setblocking(True)
        network = self._options.network
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with near, far:
            layout = (target.pid, _INTERFACE, given.mac, min(self._mtu, given.mtu), self._options.address)
            numbers = (wire.fileno(), far.fileno())
            words = (*numbers, *layout, f"{network[4]}/{network.prefixlen}")
            inside = (*ENTERING, "-U", "-t", str(target.pid), "unshare", "--net")
            argv = (sys.executable, "-I", "-S", _MIDDLE, *map(str, words))
            self._middle = Process((*inside, *argv), self._directory, numbers, guarded=False)
            self._middle.start()
            far.close()
            self._middle.wait_ready(near.fileno())
            self._forward_to(str(self._options.address), near)
        lines = (
            f"link set dev {_INTERFACE} up",
            f"addr add {self._options.address}/{network.prefixlen} dev {_INTERFACE}",
            f"route add default via {self._options.gateway}",
        )
        run_inside(target, "ip", "-batch", "-", stdin="\n".join(lines))

    def stop(self) -> None:
        """See `Uplink`. The host's interface goes with the middle process."""
        self._forward_no_more()
        for process in (self._middle, self._driver):
            if process is not None:
                process.end()
        self._middle = self._driver = None

    def ended(self) -> int | None:
        """See `Uplink`: the middle process ends with the driver, and with the forwarder."""
        return self._middle.pidfd if self._middle is not None else None

    def facts(self) -> Facts:
        """See `Uplink`."""
        return Facts(
            self.name,
            "vpnkit",
            version_of(self.version_words),
            _INTERFACE,
            str(self._options.address),
            self._mtu,
            pid=self._driver.pid if self._driver is not None else None,
        )
