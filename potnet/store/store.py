"""The store: pots, bridges, leases and runs in one SQLite file.

The store records the configuration and what potnet made. Only the host shows whether a pot runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from potnet.errors import PotnetError
from potnet.model.ports import Export
from potnet.model.pots import Alias, Bridge, BridgeKind, Lent, Run
from potnet.store import ranges
from potnet.store.file import FILE_NAME, migrations
from potnet.store.file.database import RefusedError, Row, damaged
from potnet.store.file.files import open_file, open_memory
from potnet.store.pot_json import (
    address_or_none,
    exports_from_json,
    exports_to_json,
    network_or_none,
    objects,
    pot_from_json,
    pot_to_json,
    strings,
    text_or_none,
)
from potnet.store.pots import Pots

if TYPE_CHECKING:
    from potnet.store.ipam import Ipam


#: Store key for the names of the anchors in use for NAT, redirection and filter.
ANCHORS = "anchors"
_ANCHOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", re.ASCII)

_GUARDED = "SELECT pot FROM run WHERE antispoof LIMIT ?"
_UNGUARDED = "SELECT pot FROM run WHERE NOT antispoof"
_RUNS = (
    "SELECT record, jid, files, saved, devfs, booted, stopping, attached, lent, changing, leaving FROM run"
)

_BRIDGES = (
    "SELECT name, kind, unit, network, gateway, size, pinned, network6, routed6, mtu, uplink, isolate,"
    " joined"
    " FROM bridge"
)


class Store(Pots):
    """An open store. Every changing method is one transaction, or joins ``with store.transaction():``."""

    @classmethod
    def open(cls, directory: Path, host_kind: str) -> Self:
        """Open the store in `directory`; create it if it is missing.

        host_kind: ``freebsd``, ``simulated``, …; a store never changes its kind. Errors: StoreError if the
        store is damaged, newer, of another kind of host, or open to other users.
        """
        return cls(open_file(directory, host_kind), str(directory / FILE_NAME))

    @classmethod
    def open_copy(cls, directory: Path, host_kind: str) -> Self:
        """Open a private copy in memory, for a dry run; the disk is not changed. Errors as `open`."""
        return cls(open_memory(directory, host_kind), str(directory / FILE_NAME))

    @property
    def path(self) -> Path:
        """The store's file; it does not exist for a copy of a store that is not made yet."""
        return Path(self._place)

    def damage(self) -> str | None:
        """Return a description of damage; None for an intact store. Reads the whole store."""
        try:
            with self.snapshot():
                (first, *_) = self.rows("PRAGMA integrity_check(1)")[0]
                if first != "ok":
                    return str(first).replace("\n", " ")
                if self.row("PRAGMA foreign_key_check"):
                    return "a row refers to a missing row"
                if migrations.parts(self) != migrations.schema(migrations.version_of(self)):
                    return "its tables are not those of a store"
                self._read_all()
        except PotnetError as error:
            return error.message
        except Exception as error:
            return f"a row has an invalid value: {error}"
        return None

    def _read_all(self) -> None:
        self._anchors()
        self.pots()
        self.runs()
        self.policies()
        for bridge in self.bridges():
            self.leases(bridge.name)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turn unexpected errors in the block into `DamagedError` if the store is damaged."""
        try:
            yield
        except Exception as error:
            foreseen = isinstance(error, (PotnetError, OSError)) and not isinstance(error, RefusedError)
            damage = None if foreseen else self.damage()
            if damage is None:
                raise
            raise damaged(self._place, damage) from error

    def bridges(self) -> tuple[Bridge, ...]:
        """Return all bridges, sorted by name."""
        found = self.rows(f"{_BRIDGES} ORDER BY name")
        return tuple(_bridge(row) for row in found)

    def bridge(self, name: str) -> Bridge | None:
        """Return one bridge, None if the name is not found; see `called`."""
        found = self.row(f"{_BRIDGES} WHERE name = ?", self.called("bridge", name))
        return _bridge(found) if found else None

    def add_bridge(self, bridge: Bridge) -> None:
        """Errors: the name or the unit is in use by another bridge. `carve` makes its network separately."""
        with self.transaction():
            same = self.row("SELECT name FROM bridge WHERE name = ? COLLATE NOCASE", bridge.name)
            if same:
                raise PotnetError(f"bridge {same[0]} already exists", hint="choose another name")
            found = self.row("SELECT name FROM bridge WHERE uplink = ?", bridge.uplink)
            if found:
                raise PotnetError(
                    f"{bridge.uplink} is the uplink of bridge {found[0]}", hint="choose another"
                )
            self._write_bridge(bridge)

    def update_bridge(self, bridge: Bridge) -> None:
        """Replace the bridge of that name. Errors: it is not found; the unit is in use by another bridge."""
        with self.transaction():
            old = self.bridge(bridge.name)
            if old is None:
                raise PotnetError(
                    f"bridge {bridge.name} not found", hint="`potnet list --bridges` shows the bridges"
                )
            self.remove_bridge(bridge.name)
            self._write_bridge(bridge)

    def remove_bridge(self, name: str) -> None:
        """Delete a bridge; a missing one is not an error. The caller checks that no pot uses the bridge."""
        with self.transaction():
            old = self.bridge(name)
            if old is not None:
                self.change("DELETE FROM bridge WHERE name = ?", name)
                ranges.give(self, ranges.BRIDGE, old.unit, old.unit)

    def _write_bridge(self, bridge: Bridge) -> None:
        if not ranges.take(self, ranges.BRIDGE, bridge.unit, bridge.unit):
            found = self.row("SELECT name FROM bridge WHERE unit = ?", bridge.unit)
            whose = f"is used by bridge {found[0]}" if found else "is out of range"
            raise PotnetError(
                f"bridge unit {bridge.unit} {whose}", hint="repeat the command to choose another"
            )
        self.change(
            "INSERT INTO bridge"
            " (name, kind, unit, network, gateway, size, pinned, network6, routed6, mtu, uplink, isolate,"
            " joined) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            bridge.name,
            str(bridge.kind),
            bridge.unit,
            text_or_none(bridge.network),
            text_or_none(bridge.gateway),
            bridge.size,
            bridge.pinned,
            text_or_none(bridge.network6),
            bridge.routed6,
            bridge.mtu,
            bridge.uplink,
            bridge.isolate,
            bridge.joined,
        )

    def runs(self) -> tuple[Run, ...]:
        """Return all recorded starts, sorted by the pot's name."""
        found = self.rows(f"{_RUNS} ORDER BY pot")
        exports = self.run_exports()
        return tuple(_run(row, exports) for row in found)

    def runs_named(self, names: Sequence[str]) -> dict[str, Run]:
        """Return the recorded starts of the named pots, by name."""
        found, exports = self.rows_of(f"{_RUNS} WHERE pot IN", names), self.run_exports(names)
        return {run.pot.name: run for run in (_run(row, exports) for row in found)}

    def aliases_in_use(self) -> tuple[Alias, ...]:
        """Return the aliases of recorded starts, which `set` may have replaced since."""
        found = self.rows("SELECT record FROM run WHERE instr(record, '\"aliases\": []') = 0")
        return tuple(alias for (record,) in found for alias in pot_from_json(record).aliases)

    def run(self, name: str) -> Run | None:
        """Return the recorded start of a pot."""
        found = self.row(f"{_RUNS} WHERE pot = ?", name)
        return _run(found, self.run_exports((name,))) if found else None

    def put_run(self, run: Run) -> None:
        """Record a start and replace an earlier one. Error: the pot is not found in the store."""
        name = run.pot.name
        with self.transaction():
            if self.row("SELECT 1 FROM pot WHERE name = ?", name) is None:
                raise PotnetError(f"pot {name} not found", hint="`potnet list` shows the pots")
            self.change(
                "INSERT OR REPLACE INTO run"
                " (pot, record, jid, files, saved, devfs, booted, stopping, attached, lent, changing,"
                " leaving, antispoof) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                name,
                pot_to_json(replace(run.pot, exports=())),
                run.jid,
                json.dumps(run.files),
                json.dumps(run.saved),
                run.devfs,
                run.booted,
                run.stopping,
                run.attached,
                json.dumps([asdict(each) for each in run.lent]),
                run.changing,
                exports_to_json(run.leaving),
                # Antispoof applies only to pots on bridges.
                run.pot.antispoof if run.pot.attachments else None,
            )
            self.put_run_exports(name, run.pot.exports)

    def mark_changed(self, name: str) -> None:
        """Record that a pot's start has exactly its recorded exports in force."""
        with self.transaction():
            self.change("UPDATE run SET changing = 0, leaving = '[]' WHERE pot = ?", name)

    def mark_stopping(self, names: Iterable[str]) -> None:
        """Record that the stop of these pots has begun; a pot without a recorded start is not an error."""
        with self.transaction():
            self.change_each("UPDATE run SET stopping = 1 WHERE pot = ?", ((name,) for name in names))

    def guarded(self, most: int = -1) -> tuple[str, ...]:
        """Return `most` pots on bridges that were started with antispoof, or all if negative."""
        return tuple(name for (name,) in self.rows(_GUARDED, most))

    def unguarded(self) -> tuple[str, ...]:
        """Return the pots on bridges that were started without antispoof."""
        return tuple(name for (name,) in self.rows(_UNGUARDED))

    def remove_run(self, *names: str) -> None:
        """Delete the starts of pots; a missing one is not an error."""
        with self.transaction():
            for sql in ("DELETE FROM run WHERE pot = ?", "DELETE FROM run_export WHERE pot = ?"):
                self.change_each(sql, ((name,) for name in names))

    def size(self) -> int:
        """Return the size of the store in bytes, without its log."""
        found = self.row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return int(found[0]) if found else 0

    def anything_up(self) -> bool:
        """Whether the store records a start, or a bridge that vnet-start made."""
        return (
            self.row("SELECT 1 FROM run LIMIT 1") is not None
            or self.row("SELECT 1 FROM bridge WHERE pinned LIMIT 1") is not None
        )

    def remembered(self, key: str) -> str | None:
        """Return a value kept by `remember`: a host setting from before potnet changed it."""
        found = self.row("SELECT value FROM remembered WHERE key = ?", key)
        return found[0] if found else None

    def anchors(self) -> tuple[str, str, str] | None:
        """Return the anchors of NAT, redirections and filters that hold the rules in force, if known."""
        try:
            return self._anchors()
        except ValueError as error:
            raise damaged(self._place, str(error)) from error

    def _anchors(self) -> tuple[str, str, str] | None:
        recorded = self.remembered(ANCHORS)
        if recorded is None:
            return None
        words = recorded.split(" ")
        if len(words) != 3 or not all(map(_ANCHOR.fullmatch, words)):
            raise ValueError(f"{recorded!r} are not the names of three anchors")
        nat, rdr, filters = words
        return nat, rdr, filters

    def remember(self, key: str, value: str) -> None:
        """Keep a value and replace an earlier one."""
        with self.transaction():
            self.change("INSERT OR REPLACE INTO remembered (key, value) VALUES (?, ?)", key, value)

    def remembered_below(self, beginning: str) -> tuple[tuple[str, str], ...]:
        """Return the keys with a prefix, sorted, with their values."""
        sql = "SELECT key, value FROM remembered WHERE substr(key, 1, ?) = ? ORDER BY key"
        return tuple((key, value) for key, value in self.rows(sql, len(beginning), beginning))

    def forget(self, key: str) -> None:
        """Delete a value; a missing one is not an error."""
        with self.transaction():
            self.change("DELETE FROM remembered WHERE key = ?", key)


def _bridge(row: Row) -> Bridge:
    name, kind, unit, network, gateway, size, pinned, network6, routed6, *options = row
    mtu, uplink, isolate, joined = options
    return Bridge(
        name=name,
        kind=BridgeKind(kind),
        unit=unit,
        network=network_or_none(network),
        gateway=address_or_none(gateway),
        size=size,
        pinned=bool(pinned),
        network6=network_or_none(network6),
        routed6=bool(routed6),
        mtu=mtu,
        uplink=uplink,
        isolate=bool(isolate),
        joined=joined,
    )


def _run(row: Row, exports: Mapping[str, tuple[Export, ...]]) -> Run:
    record, jid, files, saved, devfs, booted, stopping, attached, lent, *exporting = row
    changing, leaving = exporting
    pot = pot_from_json(record)
    return Run(
        pot=replace(pot, exports=exports.get(pot.name, pot.exports)),
        jid=jid,
        files=strings(files),
        saved=strings(saved),
        devfs=bool(devfs),
        booted=bool(booted),
        stopping=bool(stopping),
        attached=bool(attached),
        lent=tuple(_lent(each) for each in objects(lent)),
        changing=bool(changing),
        leaving=exports_from_json(leaving),
    )


def _lent(found: dict[str, Any]) -> Lent:
    return Lent(**{**found, "altnames": tuple(found.get("altnames", ()))})


if TYPE_CHECKING:

    def _speaks_ipam(store: Store) -> Ipam:
        return store
