"""A store with values that potnet never writes is damaged: commands say so, with what helps."""

from __future__ import annotations

import sqlite3

import pytest
from world import World

from potnet.errors import DamagedError
from potnet.operations.reports.info import list_pots
from potnet.operations.running.start import start
from potnet.store.store import Store

COLUMNS = ("remembered.value", "pot.command", "pot.hooks", "run.files", "run.saved", "run.lent", "run.record")
VALUES = ("", "x", "[", "{}", "[1]", "null", "[[]]", "a b c d", "pot-nat pot-rdr pot\u2028filter")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_malformed_value_is_damage(world: World, column: str) -> None:
    world.create("web", "public-bridge")
    world.do(start, ("web",))
    table, _, name = column.partition(".")
    path = world.directory / "state/potnet.db"
    for value in VALUES:
        with sqlite3.connect(path) as connection:
            where = "WHERE key = 'anchors'" if table == "remembered" else ""
            connection.execute(f"UPDATE {table} SET {name} = ? {where}", (value,))  # noqa: S608
        with pytest.raises(DamagedError, match="is damaged") as raised:
            read(world)
        assert raised.value.hint is not None
        with Store.open(path.parent, "sim") as store:
            assert store.damage() is not None


def read(world: World) -> None:
    """As every command does: what fails without being foreseen is looked up in the store."""
    with Store.open(world.directory / "state", "sim") as store, store.blamed(), world.app() as app:
        list_pots(app)
        app.store.runs()
