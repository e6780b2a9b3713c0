"""Hooks: an administrator's executables, which the host runs around start and stop.

potnet writes new hooks beside the existing ones, records them, then moves them into place. A command that
is cut off before the record changes nothing; after the record, repair can complete it at any time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from potnet.apply import apply, apply_all
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, RunHook, Step
from potnet.host.file_actions import CopyLocal, MakeDirectory, RemoveDirectory, RemoveFile, RestoreFile
from potnet.host.query import Query
from potnet.host.state import FileKind
from potnet.model.pots import HookKind, Pot
from potnet.operations.common import environment_of, locked_pot
from potnet.operations.files.places import look_for_binds, pot_directory, refuse_directory, refuse_replaceable
from potnet.operations.journal import begin, end, unfinished
from potnet.runtime.trust import UntrustedError, open_file

if TYPE_CHECKING:
    from potnet.app import App

SET_HOOK = "set-hook"
#: In bytes; a hook is a script.
LARGEST_HOOK = 1 << 20
_WRITING, _PLACING = "writing", "placing"


def hook_path(app: App, pot: Pot, kind: HookKind) -> str:
    """Return the path of a pot's hook on the host."""
    return f"{_directory(app, pot)}/{kind}"


def hook_steps(app: App, pot: Pot, kind: HookKind, jid: int | None) -> tuple[Step, ...]:
    """Return the step that runs a hook, if the pot has a hook of this kind; errors as of `check_hook`."""
    if kind not in pot.hooks:
        return ()
    check_hook(app, pot, kind)
    return (Step(RunHook(hook_path(app, pot, kind), environment_of(pot, jid)), None, f"{kind} hook"),)


def check_hook(app: App, pot: Pot, kind: HookKind) -> None:
    """Raises PotnetError if a jail or a user other than root could change a hook of a pot."""
    if kind in pot.hooks:
        refuse_directory(app, pot, pot_directory(app, pot))
        refuse_replaceable(app, f"the {kind} hook of {pot.name}", hook_path(app, pot, kind))


def set_hook(app: App, name: str, hooks: Mapping[HookKind, Path]) -> None:
    """Copy executables to the directory from which start and stop run them. Raises PotnetError."""
    with locked_pot(app, name) as pot:
        name = pot.name
        for path in hooks.values():
            _check_script(path)
        before = finish_hooks(app, pot)
        pot = _with_directory(app, before)
        with app.store.transaction():
            app.store.update_pot(pot)
            begin(app, SET_HOOK, name, " ".join((_WRITING, *hooks)))
        try:
            apply(Plan(_writing(app, pot, hooks)), app.driver)
        except BaseException as error:
            if not getattr(error, "left_behind", ()):
                with app.store.transaction():
                    app.store.update_pot(before)
                    end(app, SET_HOOK, name)
            raise
        begin(app, SET_HOOK, name, " ".join((_PLACING, *hooks)))
        _place(app, pot, hooks)


def _with_directory(app: App, pot: Pot) -> Pot:
    """Return the pot with a directory for its hooks that no jail can change; raises PotnetError."""
    directory = pot_directory(app, pot)
    if pot.directory is None and not pot.hooks:
        if app.driver.observe(Query(files=(directory,))).files[directory] is not FileKind.ABSENT:
            raise PotnetError(
                f"directory {directory} for the hooks of {pot.name} already exists",
                hint="move that directory away",
            )
        pot = replace(pot, directory=directory)
    refuse_directory(app, pot, directory, look_for_binds(app))
    refuse_replaceable(app, f"{directory}, where the hooks of {pot.name} are kept,", directory)
    return pot


def remove_unrecorded(app: App, pot: Pot) -> None:
    """Remove hooks set before the store recorded their directory, and no other file. Raises HostError."""
    if pot.hooks:
        _remove_hooks(app, pot, pot.hooks)


def finish_hooks(app: App, pot: Pot) -> Pot:
    """Install or remove the hooks of a set-hook that was cut off; return the pot with its hooks."""
    for each in unfinished(app, pot.name):
        phase, *words = each.text.split() if each.verb == SET_HOOK else ("",)
        kinds = [HookKind(word) for word in words]
        if phase == _PLACING:
            pot = _place(app, pot, kinds)
        elif phase == _WRITING:
            pot = _put_away(app, pot, kinds)
    return pot


def _directory(app: App, pot: Pot) -> str:
    return f"{pot_directory(app, pot)}/conf"


def _fresh(kind: HookKind) -> str:
    return f"{kind}.potnet-new"


def _writing(app: App, pot: Pot, hooks: Mapping[HookKind, Path]) -> tuple[Step, ...]:
    """Return the steps that write hooks beside those in force."""
    directory = _directory(app, pot)
    return (
        *(
            Step(MakeDirectory(path, "700"), RemoveDirectory(path))
            for path in (pot_directory(app, pot), directory)
        ),
        *(
            Step(
                CopyLocal(str(hooks[kind]), f"{directory}/{_fresh(kind)}", mode="700"),
                RemoveFile(directory, _fresh(kind)),
            )
            for kind in hooks
        ),
    )


def _place(app: App, pot: Pot, kinds: Iterable[HookKind]) -> Pot:
    """Move written hooks into place, unless they are there already, and record them."""
    directory = _directory(app, pot)
    steps = [Step(RestoreFile(directory, kind, _fresh(kind))) for kind in kinds]
    failures = apply_all(Plan(tuple(steps)), app.driver)
    if failures:
        raise HostError(
            f"not all hooks of {pot.name} are in place"
            + "".join(f"\n  left behind: {line}" for line in failures),
            hint=f"remove the cause, then run `potnet repair {pot.name}`",
        )
    pot = replace(pot, hooks=tuple(kind for kind in HookKind if kind in {*pot.hooks, *kinds}))
    with app.store.transaction():
        app.store.update_pot(pot)
        end(app, SET_HOOK, pot.name)
    return pot


def _put_away(app: App, pot: Pot, kinds: Iterable[HookKind]) -> Pot:
    """Remove written hooks that are not in force; the directory goes with the last hook."""
    _remove_hooks(app, pot, map(_fresh, kinds))
    if not pot.hooks and not pot.root_made:
        pot = replace(pot, directory=None)
    with app.store.transaction():
        app.store.update_pot(pot)
        end(app, SET_HOOK, pot.name)
    return pot


def _remove_hooks(app: App, pot: Pot, names: Iterable[str]) -> None:
    directory = _directory(app, pot)
    steps = [
        *(Step(RemoveFile(directory, name)) for name in names),
        *(Step(RemoveDirectory(path)) for path in (directory, pot_directory(app, pot))),
    ]
    failures = apply_all(Plan(tuple(steps)), app.driver)
    if failures:
        raise HostError(
            f"hooks of {pot.name} remain" + "".join(f"\n  left behind: {line}" for line in failures),
            hint="remove the cause, then repeat the command",
        )


def _check_script(path: Path) -> None:
    try:
        with os.fdopen(open_file(path), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise PotnetError(f"hook {path} is not a file", hint="name a script")
            begins_well = file.read(2) == b"#!"
    except UntrustedError as error:
        raise PotnetError(f"hook {path} is refused: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise PotnetError(f"cannot read hook {path}: {error.strerror}") from error
    if not begins_well:
        raise PotnetError(f"hook {path} has no #! line", hint="begin it with #!/bin/sh")
    if found.st_size > LARGEST_HOOK:
        raise PotnetError(f"hook {path} is too large for a script: {found.st_size} bytes")
