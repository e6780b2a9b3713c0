"""Hooks: an administrator's executables, run on the host around start and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from potnet.actions import RunHook, Step
from potnet.model import HookKind, Pot
from potnet.operations.common import environment_of, pot_directory

if TYPE_CHECKING:
    from potnet.app import App


def hook_path(app: App, pot: Pot, kind: HookKind) -> str:
    """Where a hook of a pot lies on the host."""
    return f"{pot_directory(app, pot)}/conf/{kind}"


def hook_steps(app: App, pot: Pot, kind: HookKind, jid: int | None) -> tuple[Step, ...]:
    """The step that runs a hook, if the pot has one of this kind."""
    if kind not in pot.hooks:
        return ()
    return (Step(RunHook(hook_path(app, pot, kind), environment_of(pot, jid)), None, f"{kind} hook"),)
