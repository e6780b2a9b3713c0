"""Many processes at once on one store and one host: nothing is shared, nothing is half done."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crash import Bench
from world import World

from potnet.errors import PotnetError
from potnet.operations.check import check
from potnet.operations.destroy import destroy_pot
from potnet.operations.export_ports import export_ports
from potnet.operations.start import start
from potnet.operations.stop import stop

#: What another command may have done meanwhile; anything else, a locked database above all, is a failure.
REFUSALS = (
    "exists already",
    "there is no pot",
    "is running",
    "is exported by pot",
    "is not whole",
)


def command(world: World, chance: random.Random) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Something to do with one of a few pots."""
    name = f"pan{chance.randrange(6)}"
    kind = chance.choice(("inherit", "public-bridge", "public-bridge"))
    ports = chance.choice((["80"], ["80:30080"], ["80", "udp:53"], []))
    return chance.choice(
        (
            (world.create, (name, kind)),
            (world.create, (name, kind)),
            (world.create, (None, "public-bridge")),
            (world.do, (start, [name])),
            (world.do, (start, [name])),
            (world.do, (stop, [name])),
            (world.do, (export_ports, name, ports, False)),
            (world.do, (destroy_pot, name)),
        )
    )


def work(directory: str, seed: int, runs: int, results: Any) -> None:
    world, chance, wrong, refused = World(Path(directory)), random.Random(seed), [], 0
    for _ in range(runs):
        operation, arguments = command(world, chance)
        try:
            operation(*arguments)
        except PotnetError as error:
            refused += 1
            if not any(words in error.message for words in REFUSALS):
                wrong.append(f"{arguments}: {error.message}")
    results.put((runs, refused, wrong))


@pytest.mark.parametrize(
    ("processes", "runs"), [(4, 12), pytest.param(16, 250, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_commands_side_by_side(
    bench: Bench, processes: int, runs: int, figure: Callable[..., None]
) -> None:
    bench.place.mkdir()
    World(bench.place)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    children = [
        context.Process(target=work, args=(str(bench.place), seed, runs, results))
        for seed in range(processes)
    ]
    for child in children:
        child.start()
    answers = [results.get(timeout=1800) for _ in children]
    for child in children:
        child.join(60)
    wrong = [line for answer in answers for line in answer[2]]
    refused = sum(answer[1] for answer in answers)
    figure("side by side", commands=processes * runs, refused=refused, failures=len(wrong))
    assert not wrong, "\n".join(wrong[:10])
    assert_sound(World(bench.place))


def assert_sound(world: World) -> None:
    """Nothing is shared, nothing is half done, store and host agree."""
    records = world.records()
    attachments = [a for pot in records["pots"] for a in pot.attachments]
    for values in (
        [a.unit for a in attachments],
        [a.mac for a in attachments],
        [a.address for a in attachments if a.address],
        [(e.protocol, e.host_port) for pot in records["pots"] for e in pot.exports if e.host_port],
    ):
        assert Counter(values).most_common(1)[0][1] == 1 if values else True
    leased = {lease.address for leases in records["leases"] for lease in leases}
    assert leased == {a.address for a in attachments if a.address}
    assert all(pot.whole for pot in records["pots"])
    assert {run.pot.name for run in records["runs"]} == set(world.host.jails())
    assert world.do(check, (), None) == ()
    names = [pot.name for pot in records["pots"]]
    world.do(stop, names)
    for name in names:
        world.do(destroy_pot, name)
    assert world.records()["pots"] == ()
    assert world.host.jails() == {}
    assert [name for name in world.host.interfaces() if name.startswith(("epair", "bridge"))] == []
