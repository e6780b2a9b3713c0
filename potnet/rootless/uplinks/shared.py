"""No uplink: the host has the machine's own network, in which only root can create bridges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from potnet.errors import HostError
from potnet.rootless.ports.carried import Port
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Facts, Target, refuse

_OWN = "has the network of the machine"


class Shared:
    """See `potnet.rootless.uplinks.uplink.Uplink`."""

    name = "host"
    package = ""
    needs_tun = False
    largest_mtu: int | None = None
    inward: tuple[int, ...] = ()
    port_interface = "none"
    version_words: tuple[str, ...] = ()
    lacks: Mapping[str, str] = dict.fromkeys(
        (
            *("mtu", "cidr", "ipv6", "host_loopback", "outbound", "outbound6", "mac"),
            *("dns", "sandbox", "seccomp", "bridge"),
        ),
        _OWN,
    )

    def __init__(self, options: Options, directory: Path) -> None:
        refuse(self, options)

    @classmethod
    def missing(cls, options: Options) -> str | None:
        """See `Uplink`."""
        return None

    @property
    def nameserver(self) -> str | None:
        """See `Uplink`."""
        return None

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """See `Uplink`."""
        return ()

    def start(self, target: Target) -> None:
        """See `Uplink`."""

    def stop(self) -> None:
        """See `Uplink`."""

    def ended(self) -> int | None:
        """See `Uplink`."""
        return None

    def add_port(self, *ports: Port) -> None:
        """See `Uplink`."""
        if ports:
            raise HostError(
                f"{ports[0]}: the uplink host {_OWN}", hint="what listens there is reached as it is"
            )

    def remove_port(self, *ports: Port) -> None:
        """See `Uplink`."""

    def list_ports(self) -> tuple[Port, ...]:
        """See `Uplink`."""
        return ()

    def facts(self) -> Facts:
        """See `Uplink`."""
        return Facts(self.name, None, None, None, None, None, families=self.inward, live_ports=True)
