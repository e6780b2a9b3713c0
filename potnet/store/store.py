"""The store: pots, bridges, leases and starts in one SQLite file.

Each part has a module of its own, such as `pots`, `bridges` and `runs`; `Store` joins them. The store records
the configuration and what potnet made. Only the host shows whether a pot runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from potnet.errors import PotnetError
from potnet.store.bridges import Bridges
from potnet.store.file import FILE_NAME, migrations
from potnet.store.file.database import RefusedError, damaged
from potnet.store.file.files import open_file, open_memory
from potnet.store.pots import Pots
from potnet.store.runs import Runs

if TYPE_CHECKING:
    from potnet.store.ipam import Ipam


#: Store key for the names of the anchors in use for NAT, redirection and filter.
ANCHORS = "anchors"
_ANCHOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", re.ASCII)


class Store(Bridges, Runs, Pots):
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

    def datasets(self) -> tuple[tuple[str, str, str], ...]:
        """Return the complete pots whose root is a dataset, with the dataset and the root, sorted by name."""
        return tuple(
            (name, dataset, root)
            for name, dataset, root in self.rows(
                "SELECT name, dataset, root FROM pot WHERE dataset IS NOT NULL AND whole ORDER BY name"
            )
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


if TYPE_CHECKING:

    def _speaks_ipam(store: Store) -> Ipam:
        return store
