"""Leases: the free addresses of a network, and the pots that hold the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.model.pots import Lease
from potnet.model.ranges import Span, gaps, overlap
from potnet.runtime.fast_dataclass import dataclass
from potnet.store import ranges
from potnet.store.file.database import Database

_LEASE = "INSERT INTO lease (network, address, pot) VALUES (?, ?, ?)"


#: Reading it again took 10 of the 90 µs of a reservation and its release, apart from the disk.
_parsed = lru_cache(IPNetwork)


@dataclass(frozen=True, slots=True)
class Network:
    """A row of table network."""

    name: str
    cidr: IPNetwork
    parent: str | None

    @property
    def span(self) -> tuple[int, int]:
        """Return the first and last number that a pot could have if nothing is excluded.

        IPv4 reserves the network and the broadcast address, except in a /31 (RFC 3021) and a /32. IPv6
        reserves the subnet-router anycast address (RFC 4291, 2.6.1), except in a /127 (RFC 6164) and a
        /128.
        """
        first, last = int(self.cidr.first), int(self.cidr.last)
        if last - first < 2:
            return first, last
        return first + 1, last - 1 if self.cidr.version == 4 else last

    def address(self, number: int) -> IPAddress:
        return IPAddress(number, self.cidr.version)


class Allocator(Database):
    """The leases of `potnet.store.ipam.Ipam`, which documents the methods."""

    def define_network(self, name: str, network: IPNetwork, excluded: Iterable[IPAddress]) -> None:
        """Excluded addresses outside the network are ignored.

        Errors: the network exists with another definition and has leases or subnets; it is a subnet of
        another.
        """
        new = Network(name, network.cidr, None)
        numbers = _excluded_numbers(new, excluded)
        with self.transaction():
            old = self._find(name)
            if old is not None:
                if old.cidr == new.cidr and self._excluded(name) == numbers:
                    return
                self._refuse_change(old, new, numbers)
                self._forget(name)
            self._refuse_apart(new)
            self._define(new, numbers)

    def network(self, name: str) -> IPNetwork | None:
        """Returns None if the network is not defined."""
        found = self._find(name)
        return found.cidr if found else None

    def reserve(
        self, network: str, pot: str, address: IPAddress | None = None, beside: Iterable[Span] = ()
    ) -> IPAddress:
        """Errors: the network is not found or full; the address is outside, in use or not for pots."""
        with self.transaction():
            net = self._get(network)
            number = self._lowest(net, beside) if address is None else self._inside(net, address)
            if not ranges.take(self, network, number, number):
                raise self._why_not(net, number)
            self._lease(network, number, pot)
            return net.address(number)

    def reserve_each(self, network: str, pots: Sequence[str]) -> None:
        """Errors: the network is not found or full. A million addresses take a few seconds."""
        done = 0
        with self.transaction():
            net = self._get(network)
            while done < len(pots):
                first, last = self._gap(net, ())
                part = pots[done : done + last - first + 1]
                ranges.take(self, network, first, first + len(part) - 1)
                rows = ((network, ranges.key(first + n), pot) for n, pot in enumerate(part))
                self.change_each(_LEASE, rows)
                done += len(part)

    def reserve_excluded(self, network: str, pot: str, address: IPAddress) -> IPAddress:
        """Errors: the network is not found; the address is outside, not excluded or in use."""
        with self.transaction():
            net = self._get(network)
            number = self._inside(net, address)
            holder = self._holder(network, number)
            if holder is not None:
                raise _taken(address, holder)
            if not self._is_excluded(network, number):
                raise PotnetError(
                    f"{address} is an ordinary address of network {network}",
                    hint="only the DNS pot has one that is kept back: dns.address in the configuration",
                )
            self._lease(network, number, pot)
            return net.address(number)

    def release(self, network: str, address: IPAddress) -> None:
        """An unknown network, or one of the other family, has no such lease; that is not an error."""
        with self.transaction():
            net = self._find(network)
            if net is not None and net.cidr.version == address.version:
                self._release(network, ranges.key(int(address)))

    def release_pot(self, pot: str, keep: Collection[tuple[str, IPAddress]] = ()) -> None:
        """Leases of `keep` that the pot does not have are not changed."""
        self.release_pots({pot: keep})

    def release_pots(self, keep: Mapping[str, Collection[tuple[str, IPAddress]]]) -> None:
        """Like `release_pot` for several pots, each with the leases that it keeps."""
        kept = {
            (pot, network, ranges.key(int(address)))
            for pot, pairs in keep.items()
            for network, address in pairs
        }
        with self.transaction():
            for lease in self.rows_of("SELECT pot, network, address FROM lease WHERE pot IN", [*keep]):
                if lease not in kept:
                    self._release(*lease[1:])

    def next_free(self, network: str, beside: Iterable[Span] = ()) -> IPAddress:
        """Errors: the network is not found or full."""
        with self.snapshot():
            net = self._get(network)
            return net.address(self._lowest(net, beside))

    def free(self, network: str) -> Iterator[Span]:
        """Return the spans of free addresses, lowest first; empty for an unknown network."""
        return ranges.spans(self, network)

    def check_free(self, network: str, address: IPAddress) -> None:
        """Errors: as `reserve`."""
        with self.snapshot():
            net = self._get(network)
            number = self._inside(net, address)
            if not ranges.is_free(self, network, number):
                raise self._why_not(net, number)

    def leases(self, network: str, within: Span | None = None) -> tuple[Lease, ...]:
        """Returns nothing for an unknown network."""
        with self.snapshot():
            net = self._find(network)
            if net is None:
                return ()
            first, last = within or (net.cidr.first, net.cidr.last)
            found = self.rows(
                "SELECT address, pot FROM lease WHERE network = ? AND address BETWEEN ? AND ?"
                " ORDER BY address",
                network,
                ranges.key(first),
                ranges.key(last),
            )
        return tuple(Lease(network, net.address(ranges.number(stored)), pot) for stored, pot in found)

    def holder(self, address: IPAddress) -> str | None:
        """Return the pot that has an address in any network; None if the address is free."""
        found = self.rows(
            "SELECT network.cidr, lease.pot FROM network JOIN lease ON lease.network = network.name"
            " WHERE lease.address = ?",
            ranges.key(int(address)),
        )
        return next((pot for cidr, pot in found if address in IPNetwork(cidr)), None)

    def counts(self, network: str) -> tuple[int, int]:
        """Errors: the network is not found. The method counts rows, so its cost grows with the leases."""
        with self.snapshot():
            return self._counts(self._get(network))

    def _find(self, name: str) -> Network | None:
        found = self.row("SELECT cidr, parent FROM network WHERE name = ?", name)
        return Network(name, _parsed(found[0]), found[1]) if found else None

    def _get(self, name: str) -> Network:
        net = self._find(name)
        if net is None:
            raise PotnetError(f"network {name} not found", hint=f"`potnet vnet-start -B {name}` creates it")
        return net

    def _define(self, net: Network, excluded: set[int]) -> None:
        self.change(
            "INSERT INTO network (name, cidr, first, last, parent) VALUES (?, ?, ?, ?, ?)",
            net.name,
            str(net.cidr),
            ranges.key(int(net.cidr.first)),
            ranges.key(int(net.cidr.last)),
            net.parent,
        )
        ranges.add(self, net.name, *net.span)
        for number in excluded:
            ranges.take(self, net.name, number, number)
            self.change("INSERT INTO excluded (network, address) VALUES (?, ?)", net.name, ranges.key(number))

    def _forget(self, name: str) -> None:
        ranges.drop(self, name)
        self.change("DELETE FROM excluded WHERE network = ?", name)
        self.change("DELETE FROM network WHERE name = ?", name)

    def _refuse_change(self, old: Network, new: Network, excluded: set[int]) -> None:
        """Raises if a network cannot be replaced by another definition."""
        if old.parent is not None:
            raise PotnetError(
                f"network {old.name} is a part of network {old.parent}", hint="choose another name"
            )
        users = self._users(old.name)
        if users:
            raise PotnetError(
                f"network {old.name} is {self._described(old, self._excluded(old.name))}; it cannot become "
                f"{self._described(new, excluded)} while {users} use it",
                hint="set the network in the configuration back",
            )

    @staticmethod
    def _described(net: Network, excluded: set[int]) -> str:
        without = ", ".join(str(net.address(number)) for number in sorted(excluded))
        return f"{net.cidr} without {without}" if without else str(net.cidr)

    def _users(self, name: str) -> str:
        """Return the users of a network, in words; empty if there are none."""
        pots = self.rows("SELECT DISTINCT pot FROM lease WHERE network = ? ORDER BY pot", name)
        parts = self.rows("SELECT name FROM network WHERE parent = ? ORDER BY name", name)
        words = [_named("pot", [pot for (pot,) in pots]), _named("bridge", [part for (part,) in parts])]
        return " and ".join(word for word in words if word)

    def _refuse_apart(self, new: Network) -> None:
        """Raises if a network outside the others overlaps this one."""
        for name, cidr in self.rows("SELECT name, cidr FROM network WHERE parent IS NULL ORDER BY name"):
            if overlap(new.cidr, IPNetwork(cidr)) and (name, cidr) != ("#IPv6", "::/0"):
                raise PotnetError(
                    f"network {new.name} ({new.cidr}) overlaps network {name} ({cidr})",
                    hint=f"set network.{new.name} in the configuration to another network",
                )

    def _excluded(self, name: str) -> set[int]:
        found = self.rows("SELECT address FROM excluded WHERE network = ?", name)
        return {ranges.number(stored) for (stored,) in found}

    def _is_excluded(self, name: str, number: int) -> bool:
        sql = "SELECT 1 FROM excluded WHERE network = ? AND address = ?"
        return self.row(sql, name, ranges.key(number)) is not None

    def _holder(self, name: str, number: int) -> str | None:
        sql = "SELECT pot FROM lease WHERE network = ? AND address = ?"
        found = self.row(sql, name, ranges.key(number))
        return found[0] if found else None

    def _lease(self, name: str, number: int, pot: str) -> None:
        self.change(_LEASE, name, ranges.key(number), pot)

    def _release(self, name: str, stored: bytes) -> None:
        number = ranges.number(stored)
        gone = self.change("DELETE FROM lease WHERE network = ? AND address = ?", name, stored)
        if gone and not self._is_excluded(name, number):
            ranges.give(self, name, number, number)

    def _lowest(self, net: Network, beside: Iterable[Span]) -> int:
        return self._gap(net, beside)[0]

    def _gap(self, net: Network, beside: Iterable[Span]) -> Span:
        """Return the lowest free span outside the spans `beside`."""
        free = next(gaps(ranges.spans(self, net.name), beside), None)
        if free is None:
            leased, usable = self._counts(net)
            raise PotnetError(
                f"network {net.name} is full ({leased} of {usable} addresses are leased)",
                hint="use a larger network (network.public)",
            )
        return free

    def _counts(self, net: Network) -> tuple[int, int]:
        first, last = net.span
        usable = last - first + 1 - len(self._excluded(net.name))
        for start, end in self.rows("SELECT first, last FROM network WHERE parent = ?", net.name):
            usable -= ranges.number(end) - ranges.number(start) + 1
        leased = self.rows("SELECT count(*) FROM lease WHERE network = ?", net.name)[0][0]
        special = self.rows(
            "SELECT count(*) FROM excluded JOIN lease USING (network, address) WHERE excluded.network = ?",
            net.name,
        )[0][0]
        return leased - special, usable

    @staticmethod
    def _inside(net: Network, address: IPAddress) -> int:
        """Return the address as a number. Error: the address is outside the network."""
        number = int(address)
        if address.version != net.cidr.version or not net.cidr.first <= number <= net.cidr.last:
            first, last = net.span
            raise PotnetError(
                f"{address} is outside network {net.name} ({net.cidr})",
                hint=f"its addresses are {net.address(first)} to {net.address(last)}; auto takes a free one",
            )
        return number

    def _why_not(self, net: Network, number: int) -> PotnetError:
        """Return the reason why an address inside the network is not free."""
        address = net.address(number)
        holder = self._holder(net.name, number)
        if holder is not None:
            return _taken(address, holder)
        part = self._part_with(net.name, number)
        if part is not None:
            return PotnetError(
                f"{address} is inside the private bridge {part[0]} ({part[1]})",
                hint=f"give the pot to that bridge (-N private-bridge -B {part[0]}), or choose auto",
            )
        if self._is_excluded(net.name, number):
            what = f"is kept for the gateway or the DNS server of network {net.name}"
        elif number == net.cidr.first:
            what = f"is the network address of {net.cidr}"
        else:
            what = f"is the broadcast address of {net.cidr}"
        return PotnetError(
            f"{address} {what}", hint="choose another address, or auto for the lowest free one"
        )

    def _part_with(self, name: str, number: int) -> tuple[str, str] | None:
        """Return name and network of the subnet that contains an address."""
        found = self.row(
            "SELECT name, cidr, last FROM network WHERE parent = ? AND first <= ?"
            " ORDER BY first DESC LIMIT 1",
            name,
            ranges.key(number),
        )
        return (found[0], found[1]) if found and ranges.number(found[2]) >= number else None


def _excluded_numbers(net: Network, excluded: Iterable[IPAddress]) -> set[int]:
    first, last = net.span
    inside = {int(address) for address in excluded if address.version == net.cidr.version}
    return {number for number in inside if first <= number <= last}


def _taken(address: IPAddress, holder: str) -> PotnetError:
    return PotnetError(
        f"{address} is in use by pot {holder}", hint="choose another address, or auto for the lowest free one"
    )


def _named(noun: str, names: list[str], most: int = 3) -> str:
    """Return ``pot a``, ``pots a, b``, ``pots a, b, c and 4 more``; empty for none."""
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names[:most])}{more}"
