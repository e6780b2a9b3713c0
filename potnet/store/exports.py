"""Exports in the store: the host ports of each pot."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.model.ports import Exchange, Export, Transport, endpoint, same_host
from potnet.runtime.fast_dataclass import dataclass
from potnet.store.file.database import Database, Row
from potnet.store.pot_json import address_or_none, text_or_none

#: Selects exports that begin within some ports, in order, and exports that begin before a port and include
#: it. The latter begin no more ports before it than the longest range has.
_INSIDE = "SELECT * FROM export WHERE protocol = ? AND host_port BETWEEN ? AND ? ORDER BY host_port"
_REACHING = (
    "SELECT * FROM export WHERE protocol = ? AND host_port < ? AND host_port + count > ? AND count > 1"
    " AND host_port > ? - (SELECT max(count) FROM export WHERE protocol = ? AND count > 1)"
)

_ALIKE = (
    "SELECT * FROM export INDEXED BY export_of_port"
    " WHERE pot = ? AND pot_port = ? AND protocol = ? AND count = ? ORDER BY position"
)
_SPANS = (
    "SELECT host_port, count FROM export WHERE protocol IN (?, ?, ?) AND host_port BETWEEN ? AND ?"
    " AND (host_address IS NULL OR ? IS NULL OR host_address = ?) ORDER BY host_port"
)


class _Table(NamedTuple):
    """The statements about one of the tables of exports."""

    rows: str
    select: str
    find: str
    last: str
    insert: str
    delete: str
    clear: str


_OF_POT = _Table(
    "SELECT * FROM export",
    "SELECT * FROM export WHERE pot = ? ORDER BY position",
    "SELECT position FROM export INDEXED BY export_of_port"
    " WHERE pot = ? AND protocol = ? AND pot_port = ? AND host_port IS ? AND chosen = ? AND loopback = ?"
    " AND count = ? AND host_address IS ? AND sources = ? AND max_connections IS ?",
    "SELECT max(position) FROM export WHERE pot = ?",
    "INSERT INTO export VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "DELETE FROM export WHERE pot = ? AND position = ?",
    "DELETE FROM export WHERE pot = ?",
)
_OF_RUN = _Table(*(sql.replace("export", "run_export") for sql in _OF_POT))

#: The former exports at some positions, which restores them; None: the position was free.
Former = tuple[tuple[int, Export | None], ...]

#: The rows in which a protocol is found.
_PROTOCOLS = {
    Transport.TCP: (Transport.TCP, Transport.BOTH),
    Transport.UDP: (Transport.UDP, Transport.BOTH),
    Transport.BOTH: tuple(Transport),
}


def export_of(row: Row) -> Export:
    """Return the export in a row of all columns."""
    _, _, protocol, pot_port, host_port, chosen, loopback, count, address, sources, limit = row
    return Export(
        Transport(protocol),
        pot_port,
        host_port,
        bool(chosen),
        bool(loopback),
        count,
        address_or_none(address),
        tuple(map(IPNetwork, json.loads(sources))) if sources != "[]" else (),
        limit,
    )


@dataclass(frozen=True, slots=True)
class PortSearch:
    """A search for `count` consecutive host ports from `first` to `last` that no pot exports.

    busy: other ports in use. address: of the host; None: all. begin: where the search starts, because no
    lower port is free.
    """

    protocol: Transport
    first: int
    last: int
    busy: Collection[int]
    count: int = 1
    address: IPAddress | None = None
    begin: int | None = None


class Exports(Database):
    """The exports of pots and of recorded starts."""

    def exports_anything(self) -> bool:
        """Whether any pot has a host port."""
        return self.row("SELECT 1 FROM export WHERE host_port IS NOT NULL LIMIT 1") is not None

    def exporter(
        self, protocol: Transport, host_port: int, address: IPAddress | None
    ) -> tuple[str, Export] | None:
        """Return the pot with a host port at an address, and the export; None: at any address."""
        taken = self._taken(protocol, host_port, host_port)
        return next(((pot, each) for pot, each in taken if each.takes(protocol, host_port, address)), None)

    def exporters(self, protocol: Transport, ports: range) -> tuple[tuple[str, Export], ...]:
        """Return the pots with one of these host ports at any address, each with the export."""
        return tuple(self._taken(protocol, ports[0], ports[-1])) if ports else ()

    def exporters_anywhere(self) -> tuple[str, ...]:
        """Return the pots with exports that are not limited to one host address."""
        found = self.rows("SELECT DISTINCT pot FROM export WHERE host_address IS NULL ORDER BY pot")
        return tuple(pot for (pot,) in found)

    def exporter_at(self, address: IPAddress) -> str | None:
        """Return a pot with an export on one address of the host."""
        found = self.row("SELECT pot FROM export WHERE host_address = ?", text_or_none(address))
        return found[0] if found else None

    def free_port(self, search: PortSearch) -> int:
        """Return the lowest host port that begins enough free ports. Error: no such port is found.

        The cost grows with the exported ports between `begin` and the result.
        """
        port = search.first if search.begin is None else search.begin
        for start, span in self._spans(search.protocol, port, search.last, search.address):
            if start - port >= search.count:
                found = _run(port, start, search.count, search.busy)
                if found is not None:
                    return found
            port = max(port, start + span)
        found = _run(port, search.last + 1, search.count, search.busy)
        if found is not None:
            return found
        ports = f"no {search.protocol} port is free"
        if search.count > 1:
            ports = f"no {search.count} {search.protocol} ports in a row are free"
        raise PotnetError(
            f"{ports} on the host from {search.first} to {search.last}",
            hint="set ports.first and ports.last in the configuration to a larger range",
        )

    def first_exports(self, pot: str, most: int | None) -> tuple[Export, ...]:
        """Return the first `most` exports of a pot; None: all."""
        return tuple(
            map(export_of, self.rows(f"{_OF_POT.select} LIMIT ?", pot, -1 if most is None else most))
        )

    def exports_alike(self, pot: str, export: Export) -> tuple[tuple[int, Export], ...]:
        """Return the exports of a pot with the protocol and the pot's ports of another, by position."""
        found = self.rows(_ALIKE, pot, export.pot_port, str(export.protocol), export.count)
        return tuple((row[1], export_of(row)) for row in found)

    def exchange_exports(self, pot: str, exchanges: Sequence[Exchange]) -> Former:
        """Change some exports of a pot; `put_back_exports` takes the result. Error: as `add_export`."""
        return self._exchange(_OF_POT, pot, exchanges)

    def exchange_exports_in_force(self, pot: str, exchanges: Sequence[Exchange]) -> Former:
        """Do the same for a recorded start, with any host ports; see `Runs.exchange_run_exports`."""
        return self._exchange(_OF_RUN, pot, exchanges)

    def put_back_exports(self, pot: str, former: Former) -> None:
        """Restore what `exchange_exports` changed. Error: as `add_export`."""
        self._put_back(_OF_POT, pot, former)

    def put_back_run_exports(self, pot: str, former: Former) -> None:
        """Restore what `exchange_run_exports` changed."""
        self._put_back(_OF_RUN, pot, former)

    def _exchange(self, table: _Table, pot: str, exchanges: Sequence[Exchange]) -> Former:
        """Delete first, so that no export keeps another from its host ports."""
        different = [each for each in exchanges if each.before != each.after]
        places = [self._position(table, pot, each.before) for each in different]
        found = [(place, each.before) for place, each in zip(places, different, strict=True)]
        former = {place: before for place, before in found if place is not None}
        self.change_each(table.delete, ((pot, place) for place in former))
        (last,) = self.row(table.last, pot) or (None,)
        free = max((*former, -1 if last is None else last)) + 1
        for place, each in zip(places, different, strict=True):
            if place is None:
                place, free = free, free + 1
                former[place] = None
            if each.after is not None:
                self._insert(table, pot, place, each.after)
        return tuple(former.items())

    def _position(self, table: _Table, pot: str, export: Export | None) -> int | None:
        found = self.row(table.find, pot, *_columns(export)) if export is not None else None
        return found[0] if found else None

    def _put_back(self, table: _Table, pot: str, former: Former) -> None:
        self.change_each(table.delete, ((pot, place) for place, _ in former))
        for place, export in former:
            if export is not None:
                self._insert(table, pot, place, export)

    def _insert(self, table: _Table, pot: str, position: int, export: Export) -> None:
        """Exports in force may conflict with those of other pots."""
        if table is _OF_POT:
            self._refuse_taken(export)
        self.change(table.insert, pot, position, *_columns(export))

    def drop_exports(self, pot: str) -> None:
        """Delete all exports of a pot."""
        self.change(_OF_POT.clear, pot)

    def put_exports(self, pot: str, exports: Sequence[Export]) -> None:
        """Replace the exports of a pot with these, in their order. Error: as `add_export`."""
        count, first = self._make_room(_OF_POT, pot, exports)
        for position, export in enumerate(exports[count:], first):
            self.add_export(pot, position, export)

    def put_run_exports(self, pot: str, exports: Sequence[Export]) -> None:
        """Replace the exports in force of a recorded start; conflicts with other pots are allowed."""
        count, first = self._make_room(_OF_RUN, pot, exports)
        for position, export in enumerate(exports[count:], first):
            self._insert(_OF_RUN, pot, position, export)

    def exports_by_pot(self, names: Sequence[str] | None = None) -> dict[str, tuple[Export, ...]]:
        """Return the exports of pots, by pot: of these names, or of all."""
        return self._by_pot(_OF_POT, names)

    def run_exports(self, names: Sequence[str] | None = None) -> dict[str, tuple[Export, ...]]:
        """Return the exports of recorded starts, by pot: of these names, or of all."""
        return self._by_pot(_OF_RUN, names)

    def _by_pot(self, table: _Table, names: Sequence[str] | None) -> dict[str, tuple[Export, ...]]:
        order = "ORDER BY pot, position"
        if names is None:
            rows = self.rows(f"{table.rows} {order}")
        else:
            rows = self.rows_of(f"{table.rows} WHERE pot IN", names, order)
        found: dict[str, list[Export]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(export_of(row))
        return {pot: tuple(exports) for pot, exports in found.items()}

    def _make_room(self, table: _Table, pot: str, exports: Sequence[Export]) -> tuple[int, int]:
        """Delete a pot's outdated rows; return how many first exports stay, and the next free position.

        If the other exports keep their order, only the rows of removed and new exports change.
        """
        wanted = list(map(_columns, exports))
        rows = self.rows(table.select, pot)
        known = set(wanted)
        staying = [row for row in rows if row[2:] in known]
        count, first = len(staying), staying[-1][1] + 1 if staying else 0
        if [row[2:] for row in staying] == wanted[:count]:
            gone = (row[:2] for row in rows if row[2:] not in known)
            self.change_each(table.delete, gone)
            return count, first
        self.change(table.clear, pot)
        return 0, 0

    def add_export(self, pot: str, position: int, export: Export) -> None:
        """Error: another pot has one of its host ports."""
        self._insert(_OF_POT, pot, position, export)

    def _refuse_taken(self, export: Export) -> None:
        ports = export.host_ports
        for owner, other in self._taken(export.protocol, ports[0], ports[-1]) if ports else ():
            clash = other.clash(export)
            if clash:
                raise PotnetError(
                    f"host port {endpoint(*clash, other.host_address)} is exported by pot {owner}",
                    hint="choose another host port, or omit it",
                )

    def _taken(self, protocol: Transport, first: int, last: int) -> Iterator[tuple[str, Export]]:
        """Return the exports with a port from `first` to `last`, at any address, with their pots."""
        for each in _PROTOCOLS[protocol]:
            reaching = self.rows(_REACHING, str(each), first, first, first, str(each))
            inside = self.rows(_INSIDE, str(each), first, last)
            yield from ((row[0], export_of(row)) for row in reaching + inside)

    def _spans(
        self, protocol: Transport, first: int, last: int, address: IPAddress | None
    ) -> Iterator[tuple[int, int]]:
        """Return the exported ports from `first` to `last` at an address, in order: first port and count."""
        reaching = (each for _, each in self._taken(protocol, first, first))
        before = [(r.host_ports[0], r.count) for r in reaching if same_host(address, r.host_address)]
        # The statement takes three protocols, so one or two are repeated.
        protocols = (*map(str, _PROTOCOLS[protocol]), *map(str, _PROTOCOLS[protocol]))[:3]
        at = text_or_none(address)
        yield from sorted(before)
        yield from self.each(_SPANS, *protocols, first + 1, last, at, at)


def _columns(export: Export) -> tuple[object, ...]:
    """Return the columns of an export, except pot and position, in reading order."""
    return (
        str(export.protocol),
        export.pot_port,
        export.host_port,
        int(export.chosen),
        int(export.loopback),
        export.count,
        text_or_none(export.host_address),
        json.dumps([str(each) for each in export.sources]) if export.sources else "[]",
        export.max_connections,
    )


def _run(first: int, end: int, count: int, busy: Collection[int]) -> int | None:
    """Return the start of the first `count` consecutive ports from `first` to `end` that are not busy."""
    begun = first
    for port in range(first, end):
        if port in busy:
            begun = port + 1
        elif port - begun + 1 == count:
            return begun
    return None
