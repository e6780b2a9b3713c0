"""Cutting commands off: each runs in a process of its own, which can be stopped dead at a counted point.

A point is the return of one call of the executor, or of one commit of the store. The world is always in the
same directory, since a simulated host keeps real paths; it is put there anew from a copy for each run.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from world import World

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult, Executor
from potnet.operations.maintenance.check import check
from potnet.store.file.database import Database

#: What a process that was stopped dead exits with, as one that was killed.
DEAD = 137

Work = Callable[[World], Any]


@dataclass(frozen=True)
class Ran:
    """What a run came to. points: what each was behind; error: the message of a refusal or failure.

    commands: those of the executor, and whether each is one that changes the host. state: all of host and
    store, None after a run that was cut off.
    """

    died: bool = False
    points: tuple[str, ...] = ()
    commands: tuple[tuple[str, bool], ...] = ()
    error: str | None = None
    state: dict[str, Any] | None = None


@dataclass(frozen=True)
class Fault:
    """One command, by its number, that fails with an answer. after: when it has done its work."""

    number: int
    answer: CommandResult
    after: bool = False


class Clock:
    """Counts points, and ends the process at one of them."""

    def __init__(self, stop_at: int | None) -> None:
        self.points: list[str] = []
        self._stop_at = stop_at

    def tick(self, point: str) -> None:
        self.points.append(point)
        if len(self.points) - 1 == self._stop_at:
            os._exit(DEAD)


class Ticking:
    """An executor whose calls are points, and one of which may fail."""

    def __init__(self, inner: Executor, clock: Clock, fault: Fault | None = None) -> None:
        self._inner = inner
        self._clock = clock
        self._fault = fault
        self.commands: list[tuple[str, bool]] = []

    def run(self, command: Command) -> CommandResult:
        line = " ".join(command.argv)
        self.commands.append((line, command.changes_host))
        fault = self._fault
        if fault is not None and len(self.commands) - 1 == fault.number:
            if fault.after:
                self._inner.run(command)
            return fault.answer
        result = self._inner.run(command)
        self._clock.tick(line)
        return result

    def attach(self, command: Command) -> int:
        raise AssertionError("not to be cut off")


class Bench:
    """A world in a directory, and copies of it."""

    def __init__(self, directory: Path) -> None:
        self._world = directory / "world"
        self._copies = directory / "copies"

    @property
    def place(self) -> Path:
        """The directory of the world."""
        return self._world

    def save(self, name: str) -> None:
        shutil.copytree(self._world, self._copies / name, symlinks=True)

    def restore(self, name: str) -> None:
        self.drop()
        shutil.copytree(self._copies / name, self._world, symlinks=True)

    def drop(self, name: str | None = None) -> None:
        shutil.rmtree(self._copies / name if name else self._world, ignore_errors=True)

    def run(
        self, work: Work, stop_at: int | None = None, bare: bool = False, fault: Fault | None = None
    ) -> Ran:
        """Do something in the world, up to a point, or with a fault, if one is given."""
        found = in_child(lambda: _counted(self._world, work, stop_at, bare, fault))
        return Ran(died=True) if found is None else found

    def findings(self) -> list[str]:
        """What check tells."""
        return in_child(lambda: [str(each.kind) for each in World(self._world).do(check, (), None)])

    def state(self) -> dict[str, Any]:
        """All of host and store."""
        return in_child(lambda: state_of(World(self._world)))


def in_child(work: Callable[[], Any]) -> Any:
    """What a function returns in a process of its own; None when that is stopped dead."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            answer = pickle.dumps(work())
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, DEAD), f"exit code {code}: see the traceback on standard error"
    return pickle.loads(answer) if code == 0 else None


def _counted(directory: Path, work: Work, stop_at: int | None, bare: bool, fault: Fault | None) -> Ran:
    directory.mkdir(exist_ok=True)
    world, clock, change, numbers = World(directory, bare), Clock(stop_at), Database.change, count(1)
    executor = world.executor = Ticking(world.host, clock, fault)  # type: ignore[assignment]

    def counted(store: Database, sql: str, *values: object) -> int:
        done = change(store, sql, *values)
        if sql == "COMMIT":
            clock.tick("commit")
        return done

    error = None
    # MAC addresses are chosen as the lowest free one, so that states can be compared.
    with (
        mock.patch.object(Database, "change", counted),
        mock.patch.object(os, "urandom", lambda size: next(numbers).to_bytes(size, "big")),
    ):
        try:
            work(world)
        except PotnetError as refused:
            error = refused.message
    commands = tuple(executor.commands)
    return Ran(points=tuple(clock.points), commands=commands, error=error, state=state_of(world))


def state_of(world: World) -> dict[str, Any]:
    """All of host and store; JIDs, which never come again, only as far as they are the right ones."""
    host = world.host.snapshot()
    jids = {name: jail[0] for name, jail in host["jails"].items()}
    host["jails"] = {name: jail[1:] for name, jail in host["jails"].items()}
    # A jail with a network of its own has its JID for the name of that.
    names = {str(jid): name for name, jid in jids.items()}
    host["routes"] = {names.get(stack, stack): routes for stack, routes in host["routes"].items()}
    host["interfaces"] = {_inside(key, names): view for key, view in host["interfaces"].items()}
    host["sysctls"] = {_inside(key, names): value for key, value in host["sysctls"].items()}
    return {"host": host, "store": _tables(world, jids), "kept": _kept(world)}


def _inside(key: str, names: dict[str, str]) -> str:
    stack, slash, rest = key.partition("/")
    return names.get(stack, stack) + slash + rest


def _tables(world: World, jids: dict[str, int]) -> dict[str, list[Any]]:
    """All rows of all tables of the store."""
    path = world.directory / "state/potnet.db"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as store:
        store.row_factory = sqlite3.Row
        names = [row["name"] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: [dict(row) for row in store.execute(f"SELECT * FROM {name}")] for name in names}  # noqa: S608
    for run in tables["run"]:
        run["record"] = json.loads(run["record"])
        run["jid"] = "right" if run["jid"] == jids.get(run["pot"], 0) else run["jid"]
    return {name: sorted(rows, key=repr) for name, rows in tables.items()}


def _kept(world: World) -> set[str]:
    """What lies beside the store, but for locks, SQLite's own files and the space kept for a full disk."""
    names = {str(path.relative_to(world.directory)) for path in (world.directory / "state").rglob("*")}
    return {name for name in names if "/locks" not in name and not name.endswith(("-wal", "-shm", "/spare"))}


def difference(one: Any, other: Any, where: str = "") -> list[str]:
    """What is different in two states, a line each, for messages."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for key in sorted({*one, *other}, key=str)
            for line in difference(one.get(key), other.get(key), f"{where}/{key}")
        ]
    return [] if one == other else [f"{where}: {one!r} is not {other!r}"]
