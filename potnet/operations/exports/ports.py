"""Host ports: the check for ports in use, and the choice of free ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.errors import PotnetError
from potnet.host.query import Query
from potnet.host.state import HostState, Listener
from potnet.model.ports import Exchange, Export, Transport, added_in, endpoint, same_host
from potnet.model.pots import Pot
from potnet.store.exports import Former, PortSearch

if TYPE_CHECKING:
    from potnet.app import App

#: Ports below this one belong to services (RFC 6335); potnet chooses them only if so configured.
LOWEST = 1024


def check_listeners(app: App, exports: Iterable[Export], state: HostState) -> None:
    """Raises PotnetError if the host itself listens on a given host port."""
    sockets: dict[tuple[Transport, int], list[Listener]] = {}
    for socket in state.listeners:
        sockets.setdefault((socket.protocol, socket.port), []).append(socket)
    for export in exports:
        ends = export.ends if sockets and not export.chosen else ()
        for socket in (each for end in ends for each in sockets.get(end, ())):
            if export.takes(socket.protocol, socket.port, socket.address):
                taken = endpoint(socket.protocol, socket.port, export.host_address)
                raise PotnetError(
                    f"host port {taken} is in use by {_owner(app, socket)}",
                    hint="choose another host port, or omit it",
                )


def _owner(app: App, wanted: Listener) -> str:
    """Return the owner of a listening port, for errors only; some hosts need long to find it."""
    shown = app.driver.observe(Query(listeners=True, owners=True)).listeners
    ends = (wanted.protocol, wanted.port, wanted.address)
    found = (each.owner for each in shown if (each.protocol, each.port, each.address) == ends)
    return next(found, wanted.owner)


def check_addresses(app: App, name: str, exports: Iterable[Export]) -> None:
    """Raises PotnetError for a port exported elsewhere, if the host cannot tell the addresses apart.

    exports: of the pot, at any address or at one; the store holds all of them.
    """
    if app.driver.traits.ports_by_address:
        return
    # The store refuses all other conflicts.
    for export in (each for each in exports if each.host_address is not None):
        for owner, other in app.store.exporters(export.protocol, export.host_ports):
            clash = replace(other, host_address=None).clash(export)
            if clash and (owner, _shift(other)) != (name, _shift(export)):
                where, pot_port = endpoint(*clash, other.host_address), clash[1] - _shift(other)
                raise PotnetError(
                    f"host port {where} leads to port {pot_port} of pot {owner}; on this host it leads "
                    "there at all addresses",
                    hint="choose another host port",
                )


def refuse_pots_addresses(app: App, exports: Iterable[Export]) -> None:
    """Raises PotnetError if an export uses the address of an alias pot."""
    for address in host_addresses(exports):
        pot = app.store.alias_of(address)
        if pot is not None:
            raise PotnetError(
                f"exports cannot use {address}, an address of pot {pot}",
                hint="choose an address of the host, or omit it",
            )


def with_ports(app: App, pot: Pot, state: HostState) -> Pot:
    """Give each export of a pot a host port and record it, within the caller's transaction.

    A chosen port is kept until its export changes, unless a program on the host has taken the port since.
    """
    unchanged = [Exchange(each, each) for each in pot.exports]
    exchanges, _ = record_with_ports(app, pot.name, unchanged, state)
    return replace(pot, exports=added_in(exchanges))


def record_with_ports(
    app: App, name: str, exchanges: Sequence[Exchange], state: HostState
) -> tuple[tuple[Exchange, ...], Former]:
    """Record a change of exports, each with a host port as `with_ports` does, in the caller's transaction.

    Exports that the change does not name keep their ports. Returns the change with the chosen ports, and what
    puts it back.
    """
    former = app.store.exchange_exports(name, exchanges)
    new = added_in(exchanges)
    check_listeners(app, new, state)
    check_addresses(app, name, new)
    choice = _Choice(app, state)
    chosen = {each: choice.with_port(each) for each in new}
    later = app.store.exchange_exports(name, [Exchange(*each) for each in chosen.items()])
    done = (replace(each, after=chosen.get(each.after) if each.after else None) for each in exchanges)
    return tuple(done), tuple({**dict(later), **dict(former)}.items())


class _Choice:
    """Chooses ports for the exports of a pot in turn; each search continues after the last port found."""

    def __init__(self, app: App, state: HostState) -> None:
        self._app = app
        self._state = state
        #: By protocol and address: ports that the host listens on, and ports chosen for this pot.
        self._taken: dict[tuple[Transport, IPAddress | None], set[int]] = {}
        self._busy: dict[tuple[Transport, IPAddress | None], frozenset[int]] = {}
        #: No port becomes free meanwhile, so the search need not return below the last port found.
        self._next: dict[tuple[Transport, IPAddress | None, int], int] = {}
        self._done: list[Export] = []

    def with_port(self, export: Export) -> Export:
        """Return the export with a host port of its own."""
        needed = export.host_port is None
        if needed or (export.chosen and not self._listening(export).isdisjoint(export.host_ports)):
            export = replace(export, host_port=self._choose(export), chosen=True)
        self._done.append(export)
        for (protocol, address), taken in self._taken.items():
            if same_host(address, export.host_address) and {*protocol.each} & {*export.protocol.each}:
                taken.update(export.host_ports)
        return export

    def _choose(self, export: Export) -> int:
        first, last = _range(self._app, self._state)
        where = (export.protocol, export.host_address)
        if where not in self._taken:
            beside = (each.host_ports for each in self._done if _side_by_side(each, export))
            self._taken[where] = {*self._listening(export)}.union(*beside)
        start = self._next.get((*where, export.count), first)
        at = export.host_address if self._app.driver.traits.ports_by_address else None
        search = PortSearch(export.protocol, first, last, self._taken[where], export.count, at, start)
        port = self._app.store.free_port(search)
        self._next[*where, export.count] = port
        return port

    def _listening(self, export: Export) -> frozenset[int]:
        """Return the ports that the host listens on at the export's address and protocol."""
        where = (export.protocol, export.host_address)
        if where not in self._busy:
            self._busy[where] = frozenset(
                socket.port
                for socket in self._state.listeners
                if socket.protocol in export.protocol.each and same_host(socket.address, export.host_address)
            )
        return self._busy[where]


def _side_by_side(one: Export, other: Export) -> bool:
    """Whether two exports conflict if they use the same port."""
    shared = {*one.protocol.each} & {*other.protocol.each}
    return bool(shared) and same_host(one.host_address, other.host_address)


def _shift(export: Export) -> int:
    """Return the difference between the host port and the port of the pot."""
    return (export.host_port or 0) - export.pot_port


def host_addresses(exports: Iterable[Export]) -> tuple[IPAddress, ...]:
    """Return the addresses that the host must have for these exports."""
    return tuple(dict.fromkeys(each.host_address for each in exports if each.host_address is not None))


def needs_range(app: App, exports: Sequence[Export]) -> bool:
    """Whether the host's port range must be queried."""
    fixed = app.config.first_port is not None and app.config.last_port is not None
    return not fixed and any(export.host_port is None or export.chosen for export in exports)


def _range(app: App, state: HostState) -> tuple[int, int]:
    """Return the first and last port to choose from; raises PotnetError if the range is empty."""
    config, host = app.config, state.port_range or (LOWEST, 9999)
    first, last = config.first_port or max(host[0], LOWEST), config.last_port or host[1]
    if first > last:
        begin, end = (
            f"{value} ({key if given else 'default'})"
            for value, key, given in (
                (first, "ports.first", config.first_port),
                (last, "ports.last", config.last_port),
            )
        )
        raise PotnetError(
            f"potnet cannot choose a host port: the range begins at {begin} and ends at {end}; "
            f"ports from {host[1] + 1} on are for the host's own connections",
            hint="set ports.first and ports.last in the configuration",
        )
    return first, last
