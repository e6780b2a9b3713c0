"""Subnets: parts of a network that are networks themselves, and the IPv6 networks of bridges."""

from __future__ import annotations

import os
from collections.abc import Iterable

from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.model.ranges import Span, aligned, gaps, overlap, subnet_bits
from potnet.store import ranges
from potnet.store.leases import Allocator, Network

#: All of IPv6, the parent of each IPv6 network; nothing is leased from it. No bridge can have this name.
EVERYWHERE = "#IPv6"
#: Store key for the site's prefix.
_SITE = "site_prefix"
_SUBNET_SIZE = 1 << 64


class Subnets(Allocator):
    """The subnets of `potnet.store.ipam.Ipam`, which documents the methods."""

    def carve(self, parent: str, name: str, hosts: int, beside: Iterable[Span] = ()) -> IPNetwork:
        """The gateway is the first address. Errors: as `next_subnet`; a network `name` exists."""
        with self.transaction():
            if self._find(name) is not None:
                raise PotnetError(f"network {name} already exists", hint="choose another name")
            subnet = self._fit(self._get(parent), hosts, beside)
            ranges.take(self, parent, int(subnet.first), int(subnet.last))
            self._define(Network(name, subnet, parent), {int(subnet.first) + 1})
            return subnet

    def carve6(self, name: str, prefix: IPNetwork | None = None) -> IPNetwork:
        """The gateway is the first address. Errors: the prefix overlaps another network; the /48 is full."""
        with self.transaction():
            if self._find(name) is not None:
                raise PotnetError(f"network {name} already exists", hint="choose another name")
            self._define_everywhere()
            subnet = prefix.cidr if prefix is not None else self._lowest_64()
            if not ranges.take(self, EVERYWHERE, int(subnet.first), int(subnet.last)):
                raise self._overlapped(subnet)
            self._define(Network(name, subnet, EVERYWHERE), {int(subnet.first) + 1})
            return subnet

    def _define_everywhere(self) -> None:
        if self._find(EVERYWHERE) is None:
            self._define(Network(EVERYWHERE, IPNetwork("::/0"), None), set())

    def site_prefix(self) -> IPNetwork | None:
        """See `potnet.store.ipam.Ipam`."""
        found = self.row("SELECT value FROM remembered WHERE key = ?", _SITE)
        return IPNetwork(found[0]) if found else None

    def define_apart(self, name: str, network: IPNetwork, gateway: IPAddress | None) -> None:
        """Errors: a network `name` exists, or one that overlaps this network."""
        with self.transaction():
            if self._find(name) is not None:
                raise PotnetError(f"network {name} already exists", hint="choose another name")
            self._refuse_overlap(network)
            if network.version == 6:
                # Other IPv6 networks are taken from this one.
                self._define_everywhere()
                ranges.take(self, EVERYWHERE, int(network.first), int(network.last))
            parent = EVERYWHERE if network.version == 6 else None
            self._define(
                Network(name, network.cidr, parent), {int(gateway)} if gateway is not None else set()
            )

    def _refuse_overlap(self, network: IPNetwork) -> None:
        """Error: the network overlaps another one; the message names a part of that one if it can."""
        known = "SELECT name, cidr FROM network WHERE name <> ? ORDER BY parent IS NULL, first"
        for other, cidr in self.rows(known, EVERYWHERE):
            if overlap(network, IPNetwork(cidr)):
                raise PotnetError(
                    f"{network} overlaps network {other} ({cidr})", hint="choose another network"
                )

    def undefine_network(self, name: str) -> None:
        """Errors: the network has leases."""
        with self.transaction():
            net = self._find(name)
            if net is not None and net.parent is not None:
                self.uncarve(name)
            elif net is not None:
                self._refuse_used(net)
                self._forget(name)

    def carve_given(self, parent: str, name: str, subnet: IPNetwork, gateway: IPAddress) -> None:
        """Errors: `parent` is not found; a network `name` exists; part of the subnet is in use."""
        with self.transaction():
            if self._find(name) is not None:
                raise PotnetError(f"network {name} already exists", hint="choose another name")
            net = self._get(parent)
            first, last = int(subnet.first), int(subnet.last)
            if subnet not in net.cidr:
                raise PotnetError(f"{subnet} is not in network {net.name} ({net.cidr})")
            if not ranges.take(self, parent, first, last):
                raise PotnetError(
                    f"{subnet} {self._use_of(net, subnet)}", hint="`potnet show` lists what is taken"
                )
            self._define(Network(name, subnet.cidr, parent), {int(gateway)})

    def next_subnet(self, parent: str, hosts: int, beside: Iterable[Span] = ()) -> IPNetwork:
        """Errors: the network is not found, is not IPv4 or has no room; the number of pots is below 1."""
        with self.snapshot():
            return self._fit(self._get(parent), hosts, beside)

    def uncarve(self, name: str) -> None:
        """Errors: the network is not a subnet; it has leases or subnets."""
        with self.transaction():
            net = self._find(name)
            if net is None:
                return
            if net.parent is None:
                raise PotnetError(
                    f"network {name} is not a part of another network", hint="only a carved one is given back"
                )
            self._refuse_used(net)
            self._forget(name)
            ranges.give(self, net.parent, int(net.cidr.first), int(net.cidr.last))

    def _refuse_used(self, net: Network) -> None:
        users = self._users(net.name)
        if users:
            raise PotnetError(
                f"network {net.name} ({net.cidr}) is still used by {users}", hint="choose another name"
            )

    def _fit(self, net: Network, hosts: int, beside: Iterable[Span]) -> IPNetwork:
        """Return the lowest free aligned subnet for the pots, gateway, network and broadcast address."""
        if hosts < 1:
            raise PotnetError(f"invalid number of pots {hosts}", hint="request at least 1")
        if net.cidr.version != 4:
            raise PotnetError(f"network {net.name} is not IPv4", hint="an IPv6 network is always a /64")
        bits = subnet_bits(hosts)
        found = aligned(gaps(ranges.spans(self, net.name), beside), bits)
        if found is not None:
            return IPNetwork(f"{IPAddress(found[0], 4)}/{32 - bits}")
        raise PotnetError(
            f"network {net.name} ({net.cidr}) has no room for a subnet with {hosts} pots",
            hint="request fewer pots, or destroy an unused bridge",
        )

    def _lowest_64(self) -> IPNetwork:
        site = self._drawn_site()
        for first, last in ranges.spans_in(self, EVERYWHERE, int(site.first), int(site.last)):
            start = -(-first // _SUBNET_SIZE) * _SUBNET_SIZE
            if start + _SUBNET_SIZE - 1 <= last:
                return IPNetwork(f"{IPAddress(start, 6)}/64")
        raise PotnetError(
            f"the site's prefix {site} has no /64 left", hint="remove a bridge that is not needed any more"
        )

    def _drawn_site(self) -> IPNetwork:
        """Return the site's prefix: fd00::/8 and a random global ID of 40 bits (RFC 4193, 3.2)."""
        known = self.site_prefix()
        if known is not None:
            return known
        prefix = bytes((0xFD,)) + os.urandom(5)
        site = IPNetwork(f"{IPAddress(int.from_bytes(prefix.ljust(16, bytes(1)), 'big'), 6)}/48")
        self.change("INSERT INTO remembered (key, value) VALUES (?, ?)", _SITE, str(site))
        return site

    def _use_of(self, net: Network, subnet: IPNetwork) -> str:
        """Return the reason, in words, why a part of a network is not free."""
        part = self._part_over(net.name, subnet)
        if part is not None:
            return f"overlaps network {part}"
        ends = (ranges.key(int(subnet.first)), ranges.key(int(subnet.last)))
        lease = self.row(
            "SELECT address, pot FROM lease WHERE network = ? AND address BETWEEN ? AND ?"
            " ORDER BY address LIMIT 1",
            net.name,
            *ends,
        )
        if lease is not None:
            return f"includes {net.address(ranges.number(lease[0]))}, which is in use by pot {lease[1]}"
        kept = self.row(
            "SELECT address FROM excluded WHERE network = ? AND address BETWEEN ? AND ?"
            " ORDER BY address LIMIT 1",
            net.name,
            *ends,
        )
        if kept is not None:
            address = net.address(ranges.number(kept[0]))
            return f"includes {address}, which is kept for the gateway or the DNS server of {net.name}"
        return f"includes the network or broadcast address of network {net.name} ({net.cidr})"

    def _part_over(self, parent: str, subnet: IPNetwork) -> str | None:
        """Return name and network of the first part of a network that overlaps this one."""
        found = self.row(
            "SELECT name, cidr FROM network WHERE parent = ? AND first <= ? AND last >= ?"
            " ORDER BY first LIMIT 1",
            parent,
            ranges.key(int(subnet.last)),
            ranges.key(int(subnet.first)),
        )
        return f"{found[0]} ({found[1]})" if found else None

    def _overlapped(self, subnet: IPNetwork) -> PotnetError:
        """Return the reason why an IPv6 network is not available."""
        part = self._part_over(EVERYWHERE, subnet)
        whose = f"overlaps network {part}" if part is not None else "is not free"
        return PotnetError(f"{subnet} {whose}", hint="give another prefix, or auto for one of the site's own")
