"""Choice of free interface units, MAC addresses and pot names; names as the store has them.

They are chosen before any command runs, because a plan names them exactly. They are in use once their pot
or bridge is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Literal

from potnet.errors import PotnetError
from potnet.store import ranges
from potnet.store.file.database import Database

_POT_NAME = re.compile(r"pot([1-9][0-9]{0,9})")


def pot_number(name: str) -> int | None:
    """Return 7 for ``pot7``; None for any other name, and for numbers that are too large."""
    found = _POT_NAME.fullmatch(name)
    number = int(found[1]) if found else None
    return number if number is not None and number < 1 << 31 else None


#: Epairs and taps share their numbers, because the numbers of a pot's dummynet pipes derive from them.
UnitKind = Literal["epair", "tap", "bridge"]

#: Finds a pot or bridge by its name, without case.
CALLED = {
    "pot": "SELECT name FROM pot WHERE name = ? COLLATE NOCASE",
    "bridge": "SELECT name FROM bridge WHERE name = ? COLLATE NOCASE",
}

#: Further columns with names of pots: tables, columns, and a condition for the rows.
_NAMED = (
    ("pot", "name", ""),
    ("lease", "pot", ""),
    ("policy", "source", " AND NOT source_bridge"),
    ("policy", "destination", " AND NOT destination_bridge"),
)


class Numbers(Database):
    """Chooses free numbers and names, without reserving them; finds names."""

    def called(self, what: Literal["pot", "bridge"], name: str) -> str | None:
        """Return the name in the store of a pot or bridge; names are compared without case (RFC 4343).

        Older stores may have two names that differ only in case; each is found by its exact name.
        """
        found = self.rows(CALLED[what], name)
        names = [each for (each,) in found]
        if name in names:
            return name
        return names[0] if len(names) == 1 else None

    def users_of(self, name: str) -> tuple[str, ...]:
        """Return the pots that require a pot, sorted."""
        found = self.rows("SELECT pot FROM need WHERE needed = ? ORDER BY pot", name)
        return tuple(pot for (pot,) in found)

    def priorities(self) -> dict[str, int]:
        """Return the priorities of the pots that have another one than 0."""
        return dict(self.rows("SELECT name, priority FROM pot WHERE priority <> 0"))

    def rename_pot(self, before: str, after: str) -> None:
        """Give a pot, with all that refers to it, another name. Error: another pot has that name."""
        with self.transaction():
            found = self.row(f"{CALLED['pot']} AND name <> ?", after, before)
            if found:
                raise PotnetError(f"pot {found[0]} already exists", hint="choose another name")
            # Rows of other tables refer to the former name until all have the new one.
            self.change("PRAGMA defer_foreign_keys = ON")
            for table, column, condition in (*self._columns_of_pots(), *_NAMED):
                self.change(
                    f"UPDATE {table} SET {column} = ? WHERE {column} = ?{condition}",  # noqa: S608 - of our schema
                    after,
                    before,
                )
            for take, name in ((ranges.give, before), (ranges.take, after)):
                number = pot_number(name)
                if number is not None:
                    take(self, ranges.POT, number, number)

    def _columns_of_pots(self) -> list[tuple[str, str, str]]:
        """Return the columns that refer to pots by their names, as foreign keys, with their tables."""
        return self.rows(
            "SELECT kept.name, key.\"from\", ''"
            " FROM sqlite_schema AS kept JOIN pragma_foreign_key_list(kept.name) AS key"
            " WHERE kept.type = 'table' AND key.\"table\" = 'pot'"
        )

    def free_unit(self, kind: UnitKind, busy: Collection[int]) -> int:
        """Return the lowest unit from 0 that neither the store nor the host (`busy`) uses."""
        pool = ranges.BRIDGE if kind == "bridge" else ranges.EPAIR
        unit = ranges.lowest_beside(self, pool, busy)
        if unit is None:
            raise PotnetError(f"no {kind} unit is free", hint="`potnet list` shows the pots that have one")
        return unit

    def new_mac(self) -> str:
        """Return a random unicast MAC address, locally administered (IEEE 802, bit 1 of the first octet)."""
        while True:
            mac = ":".join(f"{octet:02x}" for octet in b"\x02" + os.urandom(5))
            if self.row("SELECT 1 FROM attachment WHERE mac = ?", mac) is None:
                return mac

    def next_pot_name(self) -> str:
        """Return the lowest free name of pot1, pot2 and so on."""
        number = ranges.lowest(self, ranges.POT)
        if number is None:
            raise PotnetError("no pot name is free", hint="name the pot: -p NAME")
        return f"pot{number}"
