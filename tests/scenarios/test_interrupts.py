"""A start that is told to end, at every command that it runs, once and more than once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from unittest import mock

import pytest
from crash import Bench, in_child
from test_life import prepare
from world import FAILURE, World

from potnet.cli.main import main
from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import SimulatedHost
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def used(world: World) -> None:
    prepare(world, "public-bridge", "dual", base="12.2")
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])


def told_to_end(
    bench: Bench, numbers: tuple[int, ...], after: bool, failing: str | None = None
) -> tuple[int, int]:
    """Exit code and number of commands of a start in whose commands of these numbers a signal comes.

    failing: what the command begins with that fails.
    """

    def child() -> tuple[int, int]:
        count, run = 0, SimulatedHost.run

        def signalled(host: SimulatedHost, command: Command) -> CommandResult:
            nonlocal count
            count += 1
            here = count - 1 in numbers
            if here and not after:
                os.kill(os.getpid(), signal.SIGTERM)
            fails = failing is not None and " ".join(command.argv).startswith(failing)
            result = FAILURE if fails else run(host, command)
            if here and after:
                os.kill(os.getpid(), signal.SIGINT if count % 2 else signal.SIGHUP)
            return result

        os.environ["POTNET_STATE_DIR"] = str(bench.place / "state")
        (bench.place / "state/sim").symlink_to(bench.place / "sim")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        with mock.patch.object(SimulatedHost, "run", signalled):
            try:
                main(["--host", "sim", "start", "casserole"])
            except SystemExit as end:
                (bench.place / "state/sim").unlink()
                return int(end.code or 0), count

    code, count = in_child(child)
    return code, count


@pytest.mark.parametrize(
    "every", [7, pytest.param(1, marks=pytest.mark.slow)], ids=["some commands", "every command"]
)
def test_a_start_that_is_told_to_end_is_taken_back(
    bench: Bench, every: int, figure: Callable[..., None]
) -> None:
    assert bench.run(used).error is None
    bench.save("before")
    before = bench.state()
    code, count = told_to_end(bench, (), False)
    assert code == 0
    for number in range(0, count, every):
        for after in (False, True):
            # The second and third come while the first is obeyed.
            for more in ((), (number + 1, number + 3)):
                bench.restore("before")
                code, _ = told_to_end(bench, (number, *more), after)
                if code == 0:
                    # Too late: behind the last command.
                    assert number == count - 1
                    continue
                assert code == 130
                assert bench.state() == before, f"signal at command {number}, {after}, {more}"
    figure("signals", points=len(range(0, count, every)), starts=4 * len(range(0, count, every)), failures=0)


@pytest.mark.parametrize("failing", ["route -j casserole add default", "ifconfig -j casserole epair"])
def test_a_signal_while_a_failed_start_is_taken_back_does_not_cut_that_off(
    bench: Bench, failing: str
) -> None:
    assert bench.run(used).error is None
    bench.save("before")
    before = bench.state()
    code, count = told_to_end(bench, (), False, failing)
    assert code == 1 and bench.state() == before
    for number in range(count - 12, count):
        for after in (False, True):
            bench.restore("before")
            code, _ = told_to_end(bench, (number,), after, failing)
            assert code in (1, 130)
            assert bench.state() == before, f"signal at command {number}, {after}"
