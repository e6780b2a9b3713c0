"""Several processes on one store and one host."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
import time
from pathlib import Path

import pytest
from world import Faulty, World

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.operations.maintenance.check import check
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

POTS = 200


def create_many(directory: str, prefix: str) -> None:
    world = World(Path(directory))
    for number in range(POTS):
        world.create(f"{prefix}{number}", "public-bridge")


def start_and_stop(directory: str, name: str) -> None:
    world = World(Path(directory))
    for _ in range(5):
        world.do(start, [name])
        world.do(stop, [name])


def together(target: object, *arguments: tuple[str, ...]) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=args) for args in arguments]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


def test_two_processes_creating_200_pots_each_share_no_address_and_lose_none(tmp_path: Path) -> None:
    together(create_many, (str(tmp_path), "left"), (str(tmp_path), "right"))
    pots = World(tmp_path).records()["pots"]
    assert len(pots) == 2 * POTS
    attachments = [attachment for pot in pots for attachment in pot.attachments]
    for key in ("address", "unit", "mac"):
        assert len({getattr(a, key) for a in attachments}) == 2 * POTS


def test_the_last_to_stop_takes_the_bridge_and_the_first_to_start_makes_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    names = [f"pot{number}" for number in range(1, 5)]
    for name in names:
        world.create(name, "public-bridge")
    before = world.host.snapshot()
    together(start_and_stop, *((str(tmp_path), name) for name in names))
    assert World(tmp_path).host.snapshot() == before


def test_a_command_in_the_way_is_named_after_the_configured_wait(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure("[potnet]\nlock_wait = 1\n")
    world.create("casserole")
    begun = time.monotonic()
    with world.app() as app, app.locks.hold("pot-casserole"):
        command = shlex.join(("potnet", *sys.argv[1:]))[:200]
        with pytest.raises(PotnetError) as caught:
            world.do(start, ["casserole"])
    assert f"pot casserole is in use by another potnet (pid {os.getpid()}): {command}" in caught.value.message
    assert 1 <= time.monotonic() - begun < 30


def start_slowly(directory: str, name: str) -> None:
    """Start a pot whose own rc waits until another one's, too, has begun, for some seconds at most."""
    place = Path(directory)

    class Slow(Faulty):
        def run(self, command: Command) -> CommandResult:
            if command.argv[-1] == "/etc/rc":
                (place / f"{name}.begun").touch()
                give_up = time.monotonic() + 60
                while len(list(place.glob("*.begun"))) < 2:
                    assert time.monotonic() < give_up, "the other pot's start waits for this one's"
                    time.sleep(0.01)
            return super().run(command)

    world = World(place)
    world.executor = Slow(world.host)
    world.do(start, [name])


def test_different_pots_boot_at_the_same_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge", base="12.2")
    together(start_slowly, (str(tmp_path), "casserole"), (str(tmp_path), "ragout"))
    assert sorted(World(tmp_path).host.jails()) == ["casserole", "ragout"]
    assert World(tmp_path).do(check, (), None) == ()
