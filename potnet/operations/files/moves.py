"""The files that have the name of a pot, and the steps that give them another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import apply_all
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.file_actions import MountDataset, RenameDataset, RenameEntry, SetMountPoint, Unmount
from potnet.host.query import Query
from potnet.host.state import FileKind, HostState
from potnet.model.pots import Pot
from potnet.operations.files.places import pot_directory
from potnet.operations.files.pot_logs import log_moves
from potnet.operations.journal import RENAME, end, unfinished
from potnet.planning.roots import refuse_mounts, refuse_redirected, ways_around

if TYPE_CHECKING:
    from potnet.app import App


def renamed(app: App, pot: Pot, name: str) -> Pot:
    """Return a pot with another name, and with the paths and the dataset that it then has."""
    directory = f"{pot_directory(app, pot).rpartition('/')[0]}/{name}"
    dataset = f"{pot.dataset.rpartition('/')[0]}/{name}" if pot.dataset is not None else None
    return replace(
        pot,
        name=name,
        hostname=name if pot.hostname == pot.name else pot.hostname,
        directory=directory if pot.directory is not None else None,
        root=f"{directory}/m" if pot.root_made else pot.root,
        dataset=dataset,
    )


def moves(app: App, before: Pot, after: Pot) -> tuple[Step, ...]:
    """Return the steps that give the files of a stopped pot the names of another record of it.

    Files that have these names already stay. Raises PotnetError if something else has one of them.
    """
    steps = list(_etc(app, before, after))
    directory = pot_directory(app, before)
    if after.directory is not None:
        datasets = tuple(dict.fromkeys(name for name in (before.dataset, after.dataset) if name))
        ways = ways_around(directory, app.driver.traits)
        files = (directory, after.directory)
        state = app.driver.observe(Query(mounts=True, files=files, mount_points=datasets, ways=ways))
        refuse_redirected(directory, ways, state.access)
        steps += _directory_and_dataset(replace(before, directory=directory), after, state)
    return (*steps, *log_moves(app, before.name, after.name)) if before.is_jail else tuple(steps)


def _etc(app: App, before: Pot, after: Pot) -> Iterator[Step]:
    """Return the step that moves the etc of a pot if it is outside the root."""
    etc = app.driver.traits.etc
    if etc is None or not before.is_jail:
        return
    own, moved = f"{etc}/{before.name}", f"{etc}/{after.name}"
    found = app.driver.observe(Query(files=(own, moved))).files
    if found[own] is not FileKind.ABSENT:
        _refuse_present(moved, found)
        yield _entry(own, moved)


def _directory_and_dataset(before: Pot, after: Pot, state: HostState) -> Iterator[Step]:
    directory, moved = str(before.directory), str(after.directory)
    there = state.files[directory] is not FileKind.ABSENT
    if there:
        _refuse_present(moved, state.files)
    known = state.mount_points
    if before.dataset in known and after.dataset in known:
        raise PotnetError(f"dataset {after.dataset} already exists", hint="choose another name for the pot")
    at = {point: name for name, point in state.datasets}
    own = {root for root in (before.root, after.root) if at.get(root) in (before.dataset, after.dataset)}
    refuse_mounts((directory, moved), state.mounts, own if before.dataset is not None else ())
    if before.dataset is None or after.dataset is None:
        if there:
            yield _entry(directory, moved)
        return
    mounted = after.root in own
    if before.root in own:
        yield Step(Unmount(before.root), MountDataset(before.dataset), "its dataset")
    if there:
        yield _entry(directory, moved)
    if before.dataset in known:
        rename = RenameDataset(before.dataset, after.dataset)
        yield Step(rename, RenameDataset(after.dataset, before.dataset))
    if before.root in known.values():
        back = SetMountPoint(after.dataset, before.root)
        yield Step(SetMountPoint(after.dataset, after.root), back)
    if not mounted:
        yield Step(MountDataset(after.dataset), Unmount(after.root))


def _refuse_present(path: str, found: Mapping[str, FileKind]) -> None:
    if found[path] is not FileKind.ABSENT:
        raise PotnetError(f"{path} already exists", hint="choose another name, or move that directory away")


def _entry(path: str, moved: str) -> Step:
    directory, _, old = path.rpartition("/")
    new = moved.rpartition("/")[2]
    return Step(RenameEntry(directory, old, new), RenameEntry(directory, new, old))


def take_back_rename(app: App, pot: Pot) -> None:
    """Give the files of a pot its own name again, after a rename that was cut off. Raises HostError."""
    for each in unfinished(app, pot.name):
        if each.verb != RENAME:
            continue
        back = moves(app, renamed(app, pot, each.text), pot)
        failures = apply_all(Plan(back), app.driver)
        if failures:
            raise HostError(
                f"the rename of {pot.name} to {each.text} is not taken back"
                + "".join(f"\n  left behind: {line}" for line in failures),
                hint=f"remove the cause, then run `potnet repair {pot.name}`",
            )
        end(app, RENAME, pot.name)
