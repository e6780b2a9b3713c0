"""What may be chosen about a rootless host; all of it means the same for every uplink that has it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network

#: In the order in which `auto` tries them: ports at run time, then speed, then what needs root's help.
UPLINKS = ("slirp4netns", "pasta", "lxc-user-nic", "vpnkit", "host")
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Options:
    """mtu: in bytes. cidr: the network behind the uplink. host_loopback: it leads to the machine's 127.0.0.1.

    outbound, outbound6: addresses of the machine that connections leave from. dns: names are asked by way of
    the driver. mac: of the external interface. sandbox, seccomp: of slirp4netns. copy_up: directories that
    pots may write to beside /etc and /run, without a trace outside. bridge: the one that lxc-user-nic joins.
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
        from ipaddress import IPv4Network  # which no other command pays for

        return IPv4Network(self.cidr)

    @property
    def address(self) -> IPv4Address:
        """Of the rootless host, as slirp4netns gives it: the hundredth of the network."""
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
        """Where the driver answers for the machine's resolver."""
        return self.network[3]

    def changed(self) -> tuple[str, ...]:
        """The names of those that are not as they are by default."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != each.default)
