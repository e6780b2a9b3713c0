"""Bridges and their networks, as plain immutable data."""

from __future__ import annotations

from enum import StrEnum

from netaddr import IPAddress, IPNetwork

from potnet.runtime.fast_dataclass import dataclass


class BridgeKind(StrEnum):
    """The kinds of bridges.

    public: IPv4 with NAT; public6: the external interface is a member; private: a network of its own; lan: a
    network around the host, such as that of its main interface.
    """

    PUBLIC = "public"
    PUBLIC6 = "public6"
    PRIVATE = "private"
    LAN = "lan"


@dataclass(frozen=True, slots=True)
class Subnet:
    """The network of a bridge in one family, with the name of its leases and its gateway."""

    name: str
    network: IPNetwork
    gateway: IPAddress


@dataclass(frozen=True, slots=True)
class LanNetwork:
    """The network of a LAN in one family, with the name of its leases.

    gateway: None: pots get no default route, or learn it. range: the first and the last address that potnet
    may choose; None: it chooses none.
    """

    name: str
    network: IPNetwork
    gateway: IPAddress | None = None
    range: tuple[IPAddress, IPAddress] | None = None


@dataclass(frozen=True, slots=True)
class Lan:
    """The LAN that a bridge joins.

    member: the interface of the host that potnet adds to the bridge; None: pots join a bridge of the host.
    gateway6: the IPv6 router. ranges: the addresses that potnet may choose, at most one range in each family.
    dhcp, slaac: pots get IPv4 addresses by DHCP, and IPv6 addresses by SLAAC, unless -i says otherwise.
    """

    member: str | None = None
    gateway6: IPAddress | None = None
    ranges: tuple[tuple[IPAddress, IPAddress], ...] = ()
    dhcp: bool = False
    slaac: bool = False

    def range(self, family: int) -> tuple[IPAddress, IPAddress] | None:
        """Return the range of one family."""
        return next((each for each in self.ranges if each[0].version == family), None)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge and its networks. unit: the number in bridgeN. size: the requested number of pots.

    network6: the IPv6 network for addresses from the store; routed6: the network is not translated (NAT).
    pinned: vnet-start made the bridge, so it stays without pots. mtu: of the bridge and its members, in
    bytes; None: the host's default. uplink: the VLAN that the bridge joins, as PARENT.TAG. isolate: pots
    on the bridge cannot reach one another. joined: a bridge of the host that pots join instead; potnet never
    changes its settings. lan: of the kind `lan`, which has the networks of the LAN.
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
    lan: Lan | None = None

    @property
    def interface(self) -> str:
        return self.joined or f"bridge{self.unit}"

    @property
    def member(self) -> str | None:
        """Return the interface of the host that potnet adds to a bridge of a LAN."""
        return self.lan.member if self.lan is not None else None

    @property
    def joins(self) -> str | None:
        """Return the interface or the bridge of the host by which a bridge is part of a LAN."""
        return (self.member or self.joined) if self.lan is not None else None

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """Return the networks that the host routes, IPv4 first; the bridge has their gateways.

        Empty for a LAN, and if pots learn their addresses (RFC 4862). The IPv6 gateway is the first address
        after the subnet-router anycast address (RFC 4291, 2.6.1).
        """
        found: list[Subnet] = []
        if self.lan is not None:
            return ()
        if self.network is not None and self.gateway is not None:
            found.append(Subnet(self.name, self.network, self.gateway))
        if self.network6 is not None:
            gateway6 = IPAddress(self.network6.first + 1, 6)
            found.append(Subnet(network6_of(self.name), self.network6, gateway6))
        return tuple(found)

    def subnet(self, family: int) -> Subnet | None:
        """Return the routed network of one family."""
        return next((each for each in self.subnets if each.network.version == family), None)

    @property
    def networks(self) -> tuple[Subnet | LanNetwork, ...]:
        """Return the networks that pots lease addresses from, IPv4 first."""
        lan = self.lan
        if lan is None:
            return self.subnets
        known = (
            (self.name, self.network, self.gateway),
            (network6_of(self.name), self.network6, lan.gateway6),
        )
        return tuple(
            LanNetwork(name, network, gateway, lan.range(network.version))
            for name, network, gateway in known
            if network is not None
        )

    def leasing(self, family: int) -> Subnet | LanNetwork | None:
        """Return the network of one family that pots lease addresses from."""
        return next((each for each in self.networks if each.network.version == family), None)


def network6_of(bridge: str) -> str:
    """Return the store's name for the IPv6 network of a bridge; no bridge can have this name."""
    return f"{bridge} IPv6"
