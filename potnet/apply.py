"""Carry out a plan, and undo it.

`apply` stops at the first failure and undoes all earlier steps. `apply_all` continues after failures: stops
and removals use it. Undoing is idempotent. A failed action is undone as well, because the tool may have done
half of its work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from potnet.drivers.base import CommandError, Driver
from potnet.errors import HostError, Interruption, PotnetError
from potnet.host.actions import Action, Plan, Step
from potnet.runtime.command_log import count_steps
from potnet.runtime.interrupts import deferred_signals


@dataclass(slots=True)
class Applied:
    """Steps that were carried out. outputs: what the commands of each step printed."""

    driver: Driver
    steps: list[Step] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def output(self, kind: type[Action]) -> str:
        """Return what the first action of a kind printed; empty without such an action."""
        pairs = zip(self.steps, self.outputs, strict=True)
        return next((out for step, out in pairs if isinstance(step.action, kind)), "")

    def roll_back(self) -> tuple[str, ...]:
        """Undo all steps in reverse order and return each failure as one line."""
        steps, self.steps, self.outputs = self.steps[::-1], [], []
        undoing: dict[Action, Step] = {}
        for each in (each for step in steps for each in step.undoing):
            undoing.setdefault(each.action, each)
        with deferred_signals():
            failures = _perform_all(self.driver, tuple(undoing.values()))
        return tuple(error.message for error in failures)

    def take_back(self, error: BaseException) -> None:
        """Undo all steps after an error, and add the failures to the error. Raises Interruption after a
        signal."""
        _add_left_over(error, self.roll_back())


def apply(plan: Plan, driver: Driver) -> Applied:
    """Carry out a plan. On failure all steps are undone, and the error lists what could not be undone."""
    count_steps(len(plan.steps))
    applied = Applied(driver)
    actions = [step.action for step in plan.steps]
    driver.check(actions)
    rest = plan.steps
    for batch in driver.batches(actions):
        steps, rest = rest[: len(batch)], rest[len(batch) :]
        try:
            outputs = driver.perform(batch)
        except BaseException as error:
            begun = _begun(steps, error)
            applied.steps += begun
            applied.outputs += [""] * len(begun)
            applied.take_back(error)
            raise
        applied.steps += steps
        applied.outputs += outputs
    return applied


def _begun(steps: tuple[Step, ...], error: BaseException) -> tuple[Step, ...]:
    """Return the steps of a failed batch that may have changed something: the begun or interrupted ones."""
    if isinstance(error, CommandError):
        return tuple(step for number, step in enumerate(steps) if number in error.begun)
    return () if isinstance(error, PotnetError) else steps


def apply_all(plan: Plan, driver: Driver) -> tuple[str, ...]:
    """Carry out every step, also after failures, and return the failures, a line each.

    Raises HostError, with nothing changed, when the host lacks a tool.
    """
    return tuple(error.message for error in try_all(plan, driver))


def try_all(plan: Plan, driver: Driver) -> tuple[PotnetError, ...]:
    """Carry out every step like `apply_all`, and return the errors themselves."""
    count_steps(len(plan.steps))
    driver.check([step.action for step in plan.steps])
    return _perform_all(driver, plan.steps)


def _perform_all(driver: Driver, steps: Sequence[Step]) -> tuple[PotnetError, ...]:
    """Carry out the steps, and skip a step if its precondition failed."""
    after = {step.action: step.after for step in steps}
    failed: dict[Action, PotnetError] = {}
    for batch in driver.batches(tuple(step.action for step in steps)):
        kept = [action for action in batch if not failed.keys().isdisjoint(after[action])]
        failed |= {action: _left_out(driver, action) for action in kept}
        failed |= _perform(driver, tuple(action for action in batch if action not in kept))
    return tuple(failed.values())


def _left_out(driver: Driver, action: Action) -> PotnetError:
    commands = "; ".join(each.partition(" <<")[0] for each in driver.describe(action))
    return HostError(f"not tried after that failure: {commands}")


def _perform(driver: Driver, batch: tuple[Action, ...]) -> dict[Action, PotnetError]:
    """Perform a batch, and return the failed actions with their errors."""
    try:
        if batch:
            driver.perform(batch)
    except PotnetError as error:
        if len(batch) == 1:
            return {batch[0]: error}
        # Each action is repeated alone, so that one failure does not stop the others.
        return {action: each for one in batch for action, each in _perform(driver, (one,)).items()}
    return {}


def _add_left_over(error: BaseException, left: tuple[str, ...]) -> None:
    if not left:
        return
    lines = "".join(f"\n  left behind: {line}" for line in left)
    if isinstance(error, PotnetError):
        error.message += lines
        error.left_behind = left
        return
    if isinstance(error, KeyboardInterrupt):
        raise Interruption(lines, left) from error
    raise RuntimeError(f"{type(error).__name__}: {error}{lines}") from error
