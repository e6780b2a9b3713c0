"""The options of a rootless host; an option means the same for every uplink that supports it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network

#: The order of `auto`: ports at run time, then speed, then uplinks that need root's help.
UPLINKS = ("slirp4netns", "pasta", "lxc-user-nic", "vpnkit", "host")
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Options:
    """mtu: in bytes. cidr: the network behind the uplink. host_loopback: it leads to the machine's 127.0.0.1.

    outbound, outbound6: the machine's source addresses of connections. dns: names are resolved through the
    driver. mac: of the external interface. sandbox, seccomp: of slirp4netns. copy_up: further directories,
    beside /etc and /run, that pots may change without effect outside. bridge: the one that lxc-user-nic
    joins.
    """

    uplink: str = AUTO
    mtu: int = 65520
    cidr: str = "10.0.2.0/24"
    ipv6: bool = False
    host_loopback: bool = False
    outbound: str | None = None
    outbound6: str | None = None
    dns: bool = True
    mac: str | None = None
    sandbox: bool = True
    seccomp: bool = True
    copy_up: tuple[str, ...] = ()
    bridge: str = "lxcbr0"

    @property
    def network(self) -> IPv4Network:
        from ipaddress import IPv4Network  # here, because other commands do not need it

        return IPv4Network(self.cidr)

    @property
    def address(self) -> IPv4Address:
        """Return the address of the rootless host as slirp4netns assigns it: number 100 of the network."""
        return self.network[100]

    @property
    def gateway(self) -> IPv4Address:
        return self.network[2]

    @property
    def address6(self) -> str:
        return "fd00::100"

    @property
    def gateway6(self) -> str:
        return "fd00::2"

    @property
    def nameserver(self) -> IPv4Address:
        """Return the address where the driver answers for the machine's resolver."""
        return self.network[3]

    def changed(self) -> tuple[str, ...]:
        """Return the names of the options that differ from their defaults."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != each.default)
