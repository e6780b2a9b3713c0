"""The protocol of address management: another engine can replace SQLite behind it.

A network is known by name: ``public``, or that of the private bridge it was carved for; an IPv6 network as
`potnet.model.pots.network6_of` says. Errors are
`PotnetError` with a hint; every changing call is one transaction, or joins the one that is open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from netaddr import IPAddress, IPNetwork

from potnet.model.pots import Lease
from potnet.model.ranges import Span


class Ipam(Protocol):
    """Networks, the addresses leased from them, and the subnets carved from them."""

    def define_network(self, name: str, network: IPNetwork, excluded: Iterable[IPAddress]) -> None:
        """Make a network; `excluded` (gateway, dns) is never handed out. Again the same: nothing happens."""

    def network(self, name: str) -> IPNetwork | None:
        """The network of that name, if there is one."""

    def reserve(
        self, network: str, pot: str, address: IPAddress | None = None, beside: Iterable[Span] = ()
    ) -> IPAddress:
        """Lease `address`, or the lowest free one that is in none of the spans `beside`, to a pot."""

    def reserve_each(self, network: str, pots: Sequence[str]) -> None:
        """Lease the lowest free addresses, one to each of these pots in their order: all of them or none."""

    def reserve_excluded(self, network: str, pot: str, address: IPAddress) -> IPAddress:
        """Lease an excluded address to the one pot that may have it (the DNS server)."""

    def release(self, network: str, address: IPAddress) -> None:
        """Give an address back; one that is not leased is no error."""

    def release_pot(self, pot: str, keep: Collection[tuple[str, IPAddress]] = ()) -> None:
        """Give all addresses of a pot back, save `keep`, pairs of network and address."""

    def next_free(self, network: str, beside: Iterable[Span] = ()) -> IPAddress:
        """The address that `reserve` would choose."""

    def free(self, network: str) -> Iterator[Span]:
        """The spans of free addresses, from the lowest up."""

    def check_free(self, network: str, address: IPAddress) -> None:
        """Raise what `reserve` would raise for this address."""

    def leases(self, network: str, within: Span | None = None) -> tuple[Lease, ...]:
        """All leases of a network, or those from a first to a last number, in the order of addresses."""

    def counts(self, network: str) -> tuple[int, int]:
        """How many addresses pots have, of how many they can have; excluded ones are in neither."""

    def carve(self, parent: str, name: str, hosts: int, beside: Iterable[Span] = ()) -> IPNetwork:
        """Take the lowest free subnet for `hosts` pots out of `parent` and define it as network `name`.

        It touches none of the spans `beside`.
        """

    def carve_given(self, parent: str, name: str, subnet: IPNetwork, gateway: IPAddress) -> None:
        """The same with a subnet and a gateway that were chosen elsewhere."""

    def next_subnet(self, parent: str, hosts: int, beside: Iterable[Span] = ()) -> IPNetwork:
        """The subnet that `carve` would take."""

    def carve6(self, name: str, prefix: IPNetwork | None = None) -> IPNetwork:
        """Define an IPv6 network: `prefix`, or the lowest free /64 of the site's own /48 (RFC 4193)."""

    def site_prefix(self) -> IPNetwork | None:
        """That /48, drawn once for each store when it is first needed; None until then."""

    def uncarve(self, name: str) -> None:
        """Give a carved subnet back; one that is not there is no error."""
