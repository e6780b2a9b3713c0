"""Many pots started and stopped at once: what one of them lacks is its own affair."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from world import HANG, Faulty, World, both_hosts

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.model.pots import NetworkType
from potnet.operations.common import pot_lock
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.runtime.locks import Locks

NAMES = ["casserole", "lid", "pan", "wok"]


def four(world: World) -> None:
    for number, name in enumerate(NAMES):
        world.create(name, "public-bridge")
        world.do(export_ports, name, ExportRequest([f"80:{30080 + number}"]))


def in_any_order(found: dict[str, Any]) -> dict[str, Any]:
    """Lines in the order of the alphabet: some of Linux are in that of the starts."""
    return {
        what: sorted(text.splitlines()) if isinstance(text, str) else text for what, text in found.items()
    }


def changes_of(world: World, operation: object) -> int:
    world.executor = Faulty(world.host)
    world.do(operation, NAMES)  # type: ignore[arg-type]
    return world.executor.changes


@both_hosts
def test_they_are_as_if_started_and_stopped_one_by_one(world: World) -> None:
    four(world)
    before = world.snapshot()
    for name in NAMES:
        world.do(start, [name])
    singly, records = world.lasting(), world.records()["leases"]
    outcomes = world.do(stop, NAMES)
    assert [(outcome.name, outcome.changed) for outcome in outcomes] == [(name, True) for name in NAMES]
    assert world.snapshot() == before
    outcomes = world.do(start, NAMES)
    assert [(outcome.name, outcome.changed) for outcome in outcomes] == [(name, True) for name in NAMES]
    # Of several at once, one or the other is up first.
    assert in_any_order(world.lasting()) == in_any_order(singly)
    assert world.records()["leases"] == records
    assert {outcome.changed for outcome in world.do(start, NAMES)} == {False}
    world.do(stop, NAMES[:3])
    assert world.jails() == ["wok"]
    assert [run.pot.name for run in world.records()["runs"]] == ["wok"]
    assert len(world.members("bridge0")) == 1
    world.do(stop, NAMES)
    assert world.snapshot() == before


@both_hosts
def test_all_of_a_bridge_that_stays_can_go_at_once(world: World) -> None:
    four(world)
    world.create("ragout", "public-bridge")
    world.do(start, ["ragout"])
    before = world.lasting()
    world.do(start, NAMES)
    world.do(stop, NAMES)
    assert world.lasting() == before
    assert world.jails() == ["ragout"]


def on_several_bridges(world: World) -> list[str]:
    """Pots on the public bridge and two private ones, of which some are on two."""
    for name in ("front", "back"):
        world.do(create_private_bridge, BridgeRequest(name, 4, None))
    private = NetworkType.PRIVATE_BRIDGE
    world.create("casserole", "public-bridge", more=((private, "front"),))
    world.create("lid", "private-bridge", bridge="front", more=((private, "back"),))
    world.create("pan", "private-bridge", bridge="back")
    world.create("wok", "public-bridge")
    world.do(export_ports, "wok", ExportRequest(["80:30080"]))
    return NAMES


@both_hosts
def test_several_bridges_go_with_the_last_pots_on_them(world: World) -> None:
    names = on_several_bridges(world)
    before, records = world.snapshot(), world.records()
    for order in (names, names[::-1]):
        world.do(start, names)
        world.do(stop, order)
        assert (world.snapshot(), world.records()) == (before, records)


@both_hosts
def test_a_bridge_stays_for_a_pot_that_is_not_stopped(world: World) -> None:
    on_several_bridges(world)
    world.do(start, ["pan"])
    before = world.lasting()
    world.do(start, NAMES)
    world.do(stop, ["casserole", "lid", "wok"])
    assert world.lasting() == before
    assert world.jails() == ["pan"]


@both_hosts
def test_one_that_cannot_start_keeps_no_other_from_it(world: World) -> None:
    four(world)
    world.listen(30082, "nginx")
    with pytest.raises(PotnetError, match="cannot start pan: host port tcp 30082 is in use by nginx"):
        world.do(start, NAMES)
    assert sorted(world.jails()) == ["casserole", "lid", "wok"]
    assert [run.pot.name for run in world.records()["runs"]] == ["casserole", "lid", "wok"]


@pytest.mark.parametrize(
    ("world", "after"),
    [
        pytest.param(kind, after, marks=[] if (kind, after) == ("freebsd", False) else pytest.mark.slow)
        for kind in ("freebsd", "linux")
        for after in (False, True)
    ],
    indirect=["world"],
)
def test_a_command_that_fails_once_fails_one_pot_at_most(world: World, after: bool) -> None:
    four(world)
    before = world.snapshot()
    world.do(start, NAMES)
    whole = in_any_order(world.lasting())
    world.do(stop, NAMES)
    failed = 0
    for number in range(changes_of(world, start)):
        world.executor = Faulty(world.host)
        world.do(stop, NAMES)
        assert world.snapshot() == before
        world.executor = Faulty(world.host, fail_at=number, after=after)
        try:
            world.do(start, NAMES)
        except PotnetError as error:
            # The one that comes alone, since it brings the bridge.
            failed += 1
            assert error.message.startswith("cannot start casserole: ")
            assert sorted(world.jails()) == NAMES[1:]
            world.executor = Faulty(world.host)
            world.do(start, NAMES)
        assert in_any_order(world.lasting()) == whole
    assert failed >= 3


@both_hosts
def test_a_failure_in_the_stop_of_many_is_told_or_mended(world: World) -> None:
    four(world)
    before = world.snapshot()
    world.do(start, NAMES)
    count = changes_of(world, stop)
    for number in range(count):
        world.executor = Faulty(world.host)
        world.do(start, NAMES)
        world.executor = Faulty(world.host, fail_at=number)
        try:
            outcomes = world.do(stop, NAMES)
        except PotnetError as error:
            assert "left behind: " in error.message
            world.executor = Faulty(world.host)
            world.do(stop, NAMES)
        else:
            assert {outcome.changed for outcome in outcomes} == {True}
        assert world.snapshot() == before


def test_there_are_as_many_at_once_as_files_may_be_open(world: World) -> None:
    """Each is held by a lock, which is an open file."""
    names = [f"pot{number}" for number in range(40)]
    for name in names:
        world.create(name, "public-bridge")
    before = world.snapshot()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    busy = len(list(Path("/dev/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * (busy + 10), limits[1]), limits[1]))
    try:
        world.do(start, names)
        assert len(world.jails()) == len(names)
        world.do(stop, names)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert world.snapshot() == before


@both_hosts
def test_an_interrupt_undoes_those_that_were_begun_together(world: World) -> None:
    four(world)
    before = world.snapshot()
    world.do(start, NAMES[:1])
    first = world.lasting()
    world.do(stop, NAMES)

    class Interrupted(Faulty):
        def run(self, command):  # type: ignore[no-untyped-def]
            result = super().run(command)
            if result.code == 71:
                raise KeyboardInterrupt
            return result

    last = changes_of(world, start) - 1
    world.do(stop, NAMES)
    world.executor = Interrupted(world.host, fail_at=last)
    with pytest.raises(KeyboardInterrupt):
        world.do(start, NAMES)
    assert world.lasting() == first
    world.executor = Faulty(world.host)
    world.do(stop, NAMES)
    assert world.snapshot() == before


def test_one_that_another_command_works_on_is_waited_for_alone(world: World) -> None:
    four(world)
    held = Event()

    def hold() -> None:
        with Locks(world.directory / "state" / "locks").hold(pot_lock("lid")):
            held.set()
            deadline = time.monotonic() + 60
            # Those that come after it in the list have not waited.
            while "wok" not in [run.pot.name for run in world.records()["runs"]]:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    other = Thread(target=hold)
    other.start()
    assert held.wait(10)
    world.do(start, NAMES)
    other.join()
    assert sorted(world.jails()) == NAMES


def test_what_a_killed_command_leaves_of_one_is_taken_away_with_the_others(world: World) -> None:
    for name in NAMES:
        world.create(name, "public-bridge")
        (world.host.tree / f"opt/potnet/jails/{name}/m/dev").mkdir()
    world.do(start, ["wok"])
    before, records = world.snapshot(), world.records()

    class Killed(Faulty):
        """jail(8) is killed when it has mounted what it had to, and takes nothing back."""

        def run(self, command: Command) -> CommandResult:
            if command.argv[0] != "jail" or command.argv[-2:] != ("-c", "pan"):
                return super().run(command)
            self.inner.mount("/opt/potnet/jails/pan/m/dev")  # type: ignore[attr-defined]
            return HANG

    world.executor = Killed(world.host)
    with pytest.raises(PotnetError, match=r"cannot start pan: .*no answer"):
        world.do(start, ["pan"])
    assert (world.snapshot(), world.records()) == (before, records)
    with pytest.raises(PotnetError, match=r"cannot start pan: .*no answer"):
        world.do(start, NAMES)
    assert "/opt/potnet/jails/pan/m/dev" not in world.host.mounts()
    world.executor = Faulty(world.host)
    world.do(stop, ["casserole", "lid"])
    assert world.snapshot() == before
