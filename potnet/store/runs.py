"""Starts of pots in the store: what a pot was started with, which `set` may have changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from potnet.errors import PotnetError
from potnet.model.ports import Exchange, Export
from potnet.model.pots import Alias, Lent, Run
from potnet.store.exports import Exports, Former
from potnet.store.file.database import Row
from potnet.store.pot_json import (
    exports_from_json,
    exports_to_json,
    objects,
    pot_from_json,
    pot_to_json,
    strings,
)

_GUARDED = "SELECT pot FROM run WHERE antispoof LIMIT ?"
_UNGUARDED = "SELECT pot FROM run WHERE NOT antispoof"
_RUNS = (
    "SELECT record, jid, files, saved, devfs, booted, stopping, attached, lent, changing, leaving FROM run"
)


class Runs(Exports):
    """Recorded starts; a pot has at most one, which its stop deletes."""

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

    def run_without_exports(self, name: str) -> Run | None:
        """Return the recorded start of a pot; it has exports only if an older version recorded it."""
        found = self.row(f"{_RUNS} WHERE pot = ?", name)
        return _run(found, {}) if found else None

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

    def exchange_run_exports(self, run: Run, exchanges: Sequence[Exchange]) -> Former:
        """Change some exports in force of a start; `put_back_run_exports` takes the result.

        run: of `run_without_exports`. An export that the start does not have counts as removed already.
        """
        if run.pot.exports:
            self.put_run(run)
        return self.exchange_exports_in_force(run.pot.name, exchanges)

    def mark_changing(self, name: str, leaving: Sequence[Export]) -> None:
        """Record that a change of a pot's exports in force has begun. leaving: as of `Run`."""
        with self.transaction():
            sql = "UPDATE run SET changing = 1, leaving = ? WHERE pot = ?"
            self.change(sql, exports_to_json(leaving), name)

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


def _run(row: Row, exports: Mapping[str, tuple[Export, ...]]) -> Run:
    record, jid, files, saved, devfs, booted, stopping, attached, lent, changing, leaving = row
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
