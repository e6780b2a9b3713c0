"""Bridges and their networks, as plain immutable data."""

from __future__ import annotations

from enum import StrEnum

from netaddr import IPAddress, IPNetwork

from potnet.runtime.fast_dataclass import dataclass


class BridgeKind(StrEnum):
    """public: IPv4 with NAT; public6: the external interface is a member; private: a network of its own."""

    PUBLIC = "public"
    PUBLIC6 = "public6"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Subnet:
    """The network of a bridge in one family, with the name of its leases and its gateway."""

    name: str
    network: IPNetwork
    gateway: IPAddress


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge and its networks. unit: the number in bridgeN. size: the requested number of pots.

    network6: the IPv6 network for addresses from the store; routed6: the network is not translated (NAT).
    pinned: vnet-start made the bridge, so it stays without pots. mtu: of the bridge and its members, in
    bytes; None: the host's default. uplink: the VLAN that the bridge joins, as PARENT.TAG. isolate: pots
    on the bridge cannot reach one another. joined: a bridge of the host that pots join instead; it is the
    external interface, and potnet never changes its settings.
    """

    name: str
    kind: BridgeKind
    unit: int
    network: IPNetwork | None = None
    gateway: IPAddress | None = None
    size: int | None = None
    pinned: bool = False
    network6: IPNetwork | None = None
    routed6: bool = False
    mtu: int | None = None
    uplink: str | None = None
    isolate: bool = False
    joined: str | None = None

    @property
    def interface(self) -> str:
        return self.joined or f"bridge{self.unit}"

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """Return the networks of pots' addresses, IPv4 first; empty if pots learn them (RFC 4862).

        The IPv6 gateway is the first address after the subnet-router anycast address (RFC 4291, 2.6.1).
        """
        found = []
        if self.network is not None and self.gateway is not None:
            found.append(Subnet(self.name, self.network, self.gateway))
        if self.network6 is not None:
            gateway6 = IPAddress(self.network6.first + 1, 6)
            found.append(Subnet(network6_of(self.name), self.network6, gateway6))
        return tuple(found)

    def subnet(self, family: int) -> Subnet | None:
        """Return the network of one family."""
        return next((each for each in self.subnets if each.network.version == family), None)


def network6_of(bridge: str) -> str:
    """Return the store's name for the IPv6 network of a bridge; no bridge can have this name."""
    return f"{bridge} IPv6"
