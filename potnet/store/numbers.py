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
