"""Thousands of exports on one pot: each command's work grows no faster than their number."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from world import World

from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.reports.info import info
from potnet.operations.reports.show import show_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

FEW, MANY = 150, 600


def texts(count: int, given: bool = True) -> list[str]:
    return [f"{port}:{20000 + port}" if given else str(port) for port in range(1, count + 1)]


def calls(work: Callable[[], Any]) -> int:
    """How many functions of the program are called: the host beside it has costs of its own."""
    count = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        name = frame.f_code.co_filename
        if event in ("call", "c_call") and "/potnet/" in name and "/simulated/" not in name:
            count += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def pot(tmp_path: Any, count: int, running: bool = True, given: bool = True) -> World:
    directory = tmp_path / f"{count}-{running}-{given}"
    directory.mkdir()
    world = World(directory)
    world.configure("[ports]\nfirst = 10000\nlast = 19999\n")
    world.create("web", "public-bridge")
    world.do(export_ports, "web", ExportRequest(texts(count, given)))
    if running:
        world.do(start, ["web"])
    return world


#: Each with whether the pot runs before, and whether host ports are given.
WORK: dict[str, tuple[Callable[[World, int], Any], bool, bool]] = {
    "add": (
        lambda w, n: w.do(export_ports, "web", ExportRequest(["9999:9999"], change=Change.ADD)), True, True,
    ),
    "add without a port": (
        lambda w, n: w.do(export_ports, "web", ExportRequest(["9999"], change=Change.ADD)), True, False,
    ),
    "remove": (
        lambda w, n: w.do(export_ports, "web", ExportRequest(["7:20007"], change=Change.REMOVE)), True, True,
    ),
    "remove all": (
        lambda w, n: w.do(export_ports, "web", ExportRequest(texts(n), change=Change.REMOVE)), True, True,
    ),
    "replace": (lambda w, n: w.do(export_ports, "web", ExportRequest(texts(n), False, (), 5)), False, True),
    "replace chosen ones": (
        lambda w, n: w.do(export_ports, "web", ExportRequest(texts(n, False))), True, False,
    ),
    "start": (lambda w, n: w.do(start, ["web"]), False, True),
    "start and choose": (lambda w, n: w.do(start, ["web"]), False, False),
    "stop": (lambda w, n: w.do(stop, ["web"]), True, True),
    "show": (lambda w, n: w.do(show_pot, "web"), True, True),
    "info": (lambda w, n: w.do(info, "web"), True, True),
    "check": (lambda w, n: w.do(check, [], None), True, True),
}  # fmt: skip


@pytest.mark.parametrize("name", WORK)
def test_work_grows_with_the_number_of_exports_and_no_faster(tmp_path: Any, name: str) -> None:
    work, running, given = WORK[name]
    cost = {}
    for count in (FEW, MANY):
        world = pot(tmp_path, count, running, given)
        cost[count] = calls(lambda world=world, count=count: work(world, count))
    assert cost[MANY] <= cost[FEW] * (MANY / FEW) * 1.1, cost


def test_the_store_writes_what_changes(tmp_path: Any) -> None:
    """Adding one to many takes as many statements as adding one to a few."""
    found = []
    for count in (10, MANY):
        world = pot(tmp_path, count)
        statements: list[str] = []
        with world.app() as app:
            app.store._connection.set_trace_callback(statements.append)
            export_ports(app, "web", ExportRequest(["9999:9999"], change=Change.ADD))
            export_ports(app, "web", ExportRequest(["7:20007"], change=Change.REMOVE))
        found.append(len(statements))
        assert [str(export) for export in world.records()["pots"][0].exports][-1] == "9999:9999"
    assert found[0] == found[1]


def test_rules_are_made_while_others_may_write(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from potnet.operations.exports import export_ports as module

    world = pot(tmp_path, 10)
    seen = []
    with world.app() as app:
        original = module.plan_exports
        monkeypatch.setattr(
            module,
            "plan_exports",
            lambda *args: seen.append(app.store._connection.in_transaction) or original(*args),
        )
        export_ports(app, "web", ExportRequest(["9999:9999"], change=Change.ADD))
    assert seen == [False]
