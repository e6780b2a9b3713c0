"""Thousands of exports on one pot: each command's work grows no faster than their number."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from world import World, both_hosts

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


def steps(world: World, *changes: ExportRequest) -> tuple[int, list[tuple[int, int]]]:
    """How many steps the store takes for changes of a pot, and how many exports each answer has."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    with world.app() as app:
        app.store._connection.set_progress_handler(step, 1)
        answers = [export_ports(app, "web", request) for request in changes]
    return count, [(len(each.exports), len(each.withdrawn)) for each in answers]


GUARDED = {"sources": ("198.51.100.0/24",), "max_connections": 5}


@pytest.mark.parametrize("world", ["linux"], indirect=True)
@pytest.mark.parametrize(
    ("many", "others", "options"), [(2000, {}, {}), (2000, {}, GUARDED), (300, GUARDED, GUARDED)],
    ids=["open", "guarded among open", "guarded"],
)  # fmt: skip
def test_one_of_many_exports_costs_what_one_of_few_does(
    world: World, many: int, others: dict[str, Any], options: dict[str, Any]
) -> None:
    """Counted are commands and the text for them, steps of the store, and exports in the answers."""
    world.create("web", "public-bridge")
    world.do(start, ["web"])
    costs = []
    for count in (120, many):
        world.do(export_ports, "web", ExportRequest(texts(count), **others))
        world.do(export_ports, "web", ExportRequest(["8888:28888"], change=Change.ADD, **options))
        world.do(export_ports, "web", ExportRequest(["8888"], change=Change.REMOVE))
        world.executor.commands.clear()
        found = steps(
            world,
            ExportRequest(["9999:29999"], change=Change.ADD, **options),
            ExportRequest(["7:20007"], change=Change.REMOVE),
        )
        run = world.executor.commands
        costs.append((len(run), sum(len(command.stdin or "") for command in run), found))
        assert world.redirections("web") == sorted(
            ("tcp", 20000 + port) for port in (*range(1, count + 1), 9999) if port != 7
        )
    assert costs[0] == costs[1]
    assert costs[0][2][1] == [(1, 0), (0, 1)]
    assert world.do(check, [], None) == ()


def test_the_store_finds_one_export_among_many(tmp_path: Any) -> None:
    """The pot does not run, so that nothing is loaded: on FreeBSD, pf takes all rules of a pot at once."""
    changes = (
        ExportRequest(["9999:9999"], change=Change.ADD),
        ExportRequest(["8888"], change=Change.ADD),
        ExportRequest(["7:20007", "8888"], change=Change.REMOVE),
        ExportRequest(["8:20008"], max_connections=5, change=Change.ADD),
    )
    few, many = (steps(pot(tmp_path, count, running=False), *changes) for count in (120, MANY))
    assert few == many


@both_hosts
def test_an_answer_about_many_exports_names_those_of_the_change(world: World) -> None:
    world.create("web", "public-bridge")
    world.do(export_ports, "web", ExportRequest(texts(100)))
    request = ExportRequest(["9999:9999"], change=Change.ADD)
    with world.app() as app:
        answers = [export_ports(app, "web", each) for each in (request, replace(request, most=None))]
    assert [len(each.exports) for each in answers] == [1, 101]


@pytest.mark.parametrize("world", ["linux"], indirect=True)
def test_a_pot_that_an_older_potnet_started_keeps_its_shared_rules(world: World) -> None:
    world.create("web", "public-bridge")
    stopped = world.snapshot()
    world.do(start, ["web"])
    with world.app() as app:
        run = app.store.run("web")
        assert run is not None
        app.store.put_run(replace(run, pot=replace(run.pot, guards_shared=True)))
    world.do(export_ports, "web", ExportRequest(["80:30080"], max_connections=3))
    world.do(export_ports, "web", ExportRequest(["443:30443", "81:30081"], change=Change.ADD, **GUARDED))
    assert world.do(check, [], None) == ()
    assert "chain pot-rdr/web {" in world.snapshot()["rules"]
    world.do(export_ports, "web", ExportRequest(["443"], change=Change.REMOVE))
    assert world.do(check, [], None) == ()
    assert world.redirections("web") == [("tcp", 30080), ("tcp", 30081)]
    world.do(stop, ["web"])
    assert world.snapshot() == stopped
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()
    assert "chain pot-rdr/web {" not in world.snapshot()["rules"]
    world.do(stop, ["web"])
    assert world.snapshot() == stopped
