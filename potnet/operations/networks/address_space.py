"""The networks that addresses come from: those of an installation of pot, and potnet's own leases in them.

An address that is in use in pot or in potnet is never reported as free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Protocol

from potnet.errors import PotnetError
from potnet.model.names import PUBLIC, matching_name
from potnet.model.ranges import Span, gaps

if TYPE_CHECKING:
    from potnet.config.configuration import Config
    from potnet.model.bridges import Bridge, Subnet
    from potnet.pot_installation import Installation
    from potnet.pot_installation.settings import Address, Network
    from potnet.store.store import Store


class Asked(Protocol):
    """The source of the answers: the application, or the records alone."""

    @property
    def config(self) -> Config | None: ...

    @property
    def store(self) -> Store | None: ...

    @property
    def installation(self) -> Installation | None: ...


@dataclass(frozen=True)
class Part:
    """One network: the network that all pots share, or the network of a private bridge.

    own: its name in the store, if the store has it. kept: the addresses that no pot can have, with the
    reason.
    """

    title: str
    network: Network
    kept: dict[int, str]
    own: str | None = None
    held: dict[int, str] = field(default_factory=dict)
    parts: tuple[tuple[str, Network], ...] = ()
    free: Iterable[Span] = ()

    def busy(self) -> Iterator[Span]:
        """Yield the numbers in use that the store does not record."""
        yield from ((number, number) for number in self.kept)
        yield from ((number, number) for number in self.held)
        yield from (span_of(network) for _, network in self.parts)

    def gaps(self) -> Iterator[Span]:
        """Yield the free numbers, lowest first."""
        return gaps(self.free, self.busy())

    def address(self, number: int) -> Address:
        """Return a number as an address of the network's family."""
        return address_of(self.network.version, number)


def address_of(version: int, number: int) -> Address:
    """Return a number as an address of a family, 4 or 6."""
    return ip_address(number.to_bytes(4 if version == 4 else 16, "big"))


def span_of(network: Network) -> Span:
    """Return the first and last number of a network."""
    return int(network.network_address), int(network.broadcast_address)


class Site:
    """All networks; each is put together on request."""

    def __init__(self, asked: Asked) -> None:
        self.store = asked.store
        self.installation = asked.installation
        self._config = asked.config

    @cached_property
    def shared(self) -> str | None:
        """The name of the shared network in the store, if a store exists."""
        return PUBLIC if self.store is not None else None

    @cached_property
    def network(self) -> Network:
        """Return the network of all pots: pot's, if pot is installed."""
        if self.installation is not None:
            return self.installation.network
        assert self._config is not None
        return ip_network(str(self._config.network))

    @cached_property
    def gateway(self) -> Address:
        if self.installation is not None:
            return self.installation.settings.address("POT_GATEWAY")
        assert self._config is not None
        return ip_address(str(self._config.gateway))

    @cached_property
    def dns(self) -> Address | None:
        """Return the address that is kept for the DNS pot, if any."""
        if self.installation is not None:
            return self.installation.settings.dns
        assert self._config is not None
        return ip_address(str(self._config.dns_address))

    @property
    def dns_name(self) -> str:
        if self.installation is not None:
            return self.installation.settings.text("POT_DNS_NAME")
        assert self._config is not None
        return self._config.dns_name

    def public(self) -> Part:
        """Return the network of all pots, with the private bridges as parts of it."""
        own = self._own(self.shared, self.network) if self.shared is not None else None
        kept = _ends(self.network) | {int(self.gateway): "is the default gateway"}
        if self.dns is not None:
            kept[int(self.dns)] = f"is kept for the DNS server, the pot {self.dns_name}"
        theirs = self.installation.bridges if self.installation is not None else ()
        parts = [(bridge.name, bridge.network) for bridge in theirs]
        if own is None:
            inside = (each for each in self.own_bridges() if each[1].overlaps(self.network))
            parts += [(name, network) for name, network, _ in inside]
        return self._part("the network", self.network, kept, own, tuple(parts))

    def bridge(self, name: str) -> Part:
        """Return the network of a private bridge of pot or potnet. Raises PotnetError if it is not found."""
        name = self.called(name)
        network, gateway = self.subnet(name)
        kept = _ends(network) | {int(gateway): f"is the gateway of bridge {name}"}
        return self._part(f"bridge {name}", network, kept, self._own(name, network), ())

    def called(self, name: str) -> str:
        """Return the full name of a bridge of pot or potnet, or this name if no bridge matches."""
        theirs = self.installation.bridges if self.installation is not None else ()
        known = [each.name for each in theirs] + [each.name for each in self._bridges()]
        return matching_name(name, known) or name

    def subnet(self, name: str) -> tuple[Network, Address]:
        """Return network and gateway of a private bridge of pot or potnet; raises PotnetError."""
        found = self.installation.bridge(name) if self.installation is not None else None
        if found is not None:
            return found.network, found.gateway
        subnet = next((s for b in self._bridges() if b.name == name for s in b.subnets), None)
        if subnet is None:
            raise PotnetError(f"bridge {name!r} not found", hint=self._those())
        return ip_network(str(subnet.network)), ip_address(str(subnet.gateway))

    def own_bridges(self) -> Iterator[tuple[str, Network, Address]]:
        """Return potnet's private bridges that have a network of the shared network's family."""
        for bridge in self._bridges():
            subnet = bridge.subnet(self.network.version)
            if subnet is not None and bridge.name != self.shared:
                yield bridge.name, ip_network(str(subnet.network)), ip_address(str(subnet.gateway))

    def other_family(self) -> Iterator[tuple[str, Subnet]]:
        """Return potnet's networks of the other address family, by their bridges."""
        for bridge in self._bridges():
            subnet = bridge.subnet({4: 6, 6: 4}[self.network.version])
            if subnet is not None:
                yield bridge.name, subnet

    def _bridges(self) -> tuple[Bridge, ...]:
        return self.store.bridges() if self.store is not None else ()

    def _those(self) -> str:
        theirs = self.installation.bridges if self.installation is not None else ()
        names = sorted({each.name for each in theirs} | {each.name for each in self._bridges()})
        return f"bridges: {', '.join(names[:10])}" if names else "no bridges exist yet"

    def _own(self, name: str, network: Network) -> str | None:
        """Return the name of the store's network that is exactly this one."""
        known = self.store.network(name) if self.store is not None else None
        return name if known is not None and str(known) == str(network) else None

    def _part(
        self, title: str, network: Network, kept: dict[int, str], own: str | None,
        parts: tuple[tuple[str, Network], ...],
    ) -> Part:  # fmt: skip
        pots = self.installation.pots if self.installation is not None else ()
        held = {pot.number: pot.name for pot in pots if pot.version == network.version}
        free: Iterable[Span] = (span_of(network),)
        if self.store is not None and own is not None:
            free = self.store.free(own)
        elif self.store is not None:
            held |= {int(address): pot for address, pot in self._leased(network)}
        return Part(title, network, kept, own, held, parts, free)

    def _leased(self, network: Network) -> Iterator[tuple[Address, str]]:
        """Return potnet's leases in a network that the store does not manage itself."""
        assert self.store is not None
        names = (s.name for b in self._bridges() for s in b.subnets)
        for name in dict.fromkeys((str(self.shared), *names)):
            for lease in self.store.leases(name):
                address = ip_address(str(lease.address))
                if address in network:
                    yield address, lease.pot


def _ends(network: Network) -> dict[int, str]:
    first, last = span_of(network)
    # pot's own helper keeps the last address of IPv6 networks too.
    end = "broadcast" if network.version == 4 else "last"
    return {first: f"is the network address of {network}", last: f"is the {end} address of {network}"}
