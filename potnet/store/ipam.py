"""The protocol of address management: another engine can replace SQLite behind it.

Each network has a name: ``public``, or that of its private bridge; `potnet.model.pots.network6_of` names
IPv6 networks. Errors are `PotnetError` with a hint. Every changing call is one transaction, or joins the
open transaction.
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
        """Make a network; `excluded` (gateway, dns) is never leased. An equal definition changes nothing."""

    def network(self, name: str) -> IPNetwork | None:
        """Return the network of that name, if it exists."""

    def reserve(
        self, network: str, pot: str, address: IPAddress | None = None, beside: Iterable[Span] = ()
    ) -> IPAddress:
        """Lease `address` to a pot, or the lowest free address outside the spans `beside`."""

    def reserve_each(self, network: str, pots: Sequence[str]) -> None:
        """Lease the lowest free addresses, one to each of these pots in order: all of them or none."""

    def reserve_excluded(self, network: str, pot: str, address: IPAddress) -> IPAddress:
        """Lease an excluded address to the one pot that may have it (the DNS server)."""

    def release(self, network: str, address: IPAddress) -> None:
        """Release an address; an address that is not leased is not an error."""

    def release_pot(self, pot: str, keep: Collection[tuple[str, IPAddress]] = ()) -> None:
        """Release all addresses of a pot, except `keep`, pairs of network and address."""

    def next_free(self, network: str, beside: Iterable[Span] = ()) -> IPAddress:
        """Return the address that `reserve` would choose."""

    def free(self, network: str) -> Iterator[Span]:
        """Return the spans of free addresses, lowest first."""

    def check_free(self, network: str, address: IPAddress) -> None:
        """Raises the error that `reserve` would raise for this address."""

    def leases(self, network: str, within: Span | None = None) -> tuple[Lease, ...]:
        """Return all leases of a network, or those from a first to a last number, in address order."""

    def counts(self, network: str) -> tuple[int, int]:
        """Return the number of leased addresses and of all usable ones; neither counts excluded addresses."""

    def carve(self, parent: str, name: str, hosts: int, beside: Iterable[Span] = ()) -> IPNetwork:
        """Take the lowest free subnet for `hosts` pots out of `parent` and define it as network `name`.

        The subnet overlaps none of the spans `beside`.
        """

    def carve_given(self, parent: str, name: str, subnet: IPNetwork, gateway: IPAddress) -> None:
        """Define a given subnet with its gateway, as `carve` does."""

    def define_apart(self, name: str, network: IPNetwork, gateway: IPAddress | None) -> None:
        """Define a network outside all others; pots cannot have its gateway's address."""

    def undefine_network(self, name: str) -> None:
        """Remove the network of a bridge, and release it if it was carved; a missing one is not an error."""

    def next_subnet(self, parent: str, hosts: int, beside: Iterable[Span] = ()) -> IPNetwork:
        """Return the subnet that `carve` would take."""

    def carve6(self, name: str, prefix: IPNetwork | None = None) -> IPNetwork:
        """Define an IPv6 network: `prefix`, or the lowest free /64 of the site's own /48 (RFC 4193)."""

    def site_prefix(self) -> IPNetwork | None:
        """Return the site's /48; each store generates it once when it is first needed; None before."""

    def uncarve(self, name: str) -> None:
        """Release a carved subnet; a missing one is not an error."""
