"""The root of a new pot: its permitted places, and the steps that fill it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import Applied, apply
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.file_actions import (
    CreateDataset,
    DestroyDataset,
    Fetch,
    MakeDirectory,
    MoveFile,
    RemoveDirectory,
    RemoveFile,
    RemoveTree,
    Unpack,
    VerifyDigest,
)
from potnet.host.query import Query
from potnet.host.state import FileKind
from potnet.model.pots import Pot
from potnet.operations.files.places import (
    look_for_binds,
    overlap,
    pot_directory,
    refuse_directory,
    refuse_root,
)
from potnet.operations.pots.destroy import part_name
from potnet.planning.roots import is_mount_point, leading_to, refuse_exposed, ways_to

if TYPE_CHECKING:
    from potnet.app import App


def on_free_place(app: App, pot: Pot) -> Pot:
    """Return the pot with a dataset for its root, if the directory of the pots is a dataset itself.

    Raises PotnetError if the pot's directory or the dataset already exists. This check precedes the record;
    once the pot is recorded, both count as its own.
    """
    if pot.directory is None:
        return pot
    jails = os.path.dirname(pot.directory)  # noqa: PTH120 - a path of the host
    ways = leading_to(jails) if app.driver.traits.own_programs else ()
    state = app.driver.observe(Query(files=(pot.directory,), ways=ways))
    if state.files[pot.directory] is not FileKind.ABSENT:
        raise PotnetError(
            f"{pot.directory} already exists", hint="choose another name, or move that directory away"
        )
    parent = _dataset_at(app, jails) if is_mount_point(jails, state.access) else None
    if parent is None:
        return pot
    dataset = f"{parent}/{pot.name}"
    if app.driver.observe(Query(mount_points=(dataset,))).mount_points:
        raise PotnetError(f"dataset {dataset} already exists", hint="choose another name for the pot")
    return replace(pot, dataset=dataset)


def _dataset_at(app: App, path: str) -> str | None:
    mounted = app.driver.observe(Query(mounts=True)).datasets
    return next((name for name, point in mounted if point == path), None)


def make_root(app: App, pot: Pot, base: str | None) -> Applied:
    if not pot.is_jail:
        return Applied(app.driver)
    directory = pot_directory(app, pot)
    refuse_places(app, pot)
    if not pot.root_made:
        _check_given_root(app, pot)
        return apply(Plan(tuple(own_etc(app, pot))), app.driver)
    refuse_exposed_root(app, pot)
    if base is not None:
        _refuse_exposed_cache(app)
    undo = RemoveTree(directory)
    steps = own_etc(app, pot)
    steps.append(Step(MakeDirectory(directory, "700"), undo, "only root sees the jails' files"))
    if pot.dataset is not None:
        made = CreateDataset(pot.dataset, pot.root)
        steps.append(Step(made, DestroyDataset(pot.dataset), "as its parent is one"))
    if base is None:
        steps.append(Step(MakeDirectory(f"{pot.root}/etc"), None, "a jail without programs"))
    else:
        steps += _fetch_base(app, pot.name, base)
        steps.append(Step(MakeDirectory(pot.root)))
        steps.append(Step(Unpack(_archive(app, base), pot.root), None, f"FreeBSD {base}"))
    return apply(Plan(tuple(steps)), app.driver)


def refuse_exposed_root(app: App, pot: Pot) -> None:
    """Raises HostError if other users could redirect writes into the root."""
    ways = ways_to(pot) if app.driver.traits.own_programs else ()
    if ways:
        refuse_exposed(f"the root {pot.root}", ways, app.driver.observe(Query(ways=ways)).access)


def _refuse_exposed_cache(app: App) -> None:
    """Raises HostError if other users could change the cache; archives there are not checked again."""
    ways = leading_to(app.config.cache)
    refuse_exposed(f"paths.cache = {app.config.cache}", ways, app.driver.observe(Query(ways=ways)).access)


def own_etc(app: App, pot: Pot) -> list[Step]:
    """Return the step that makes the pot's etc if it is outside the root."""
    if app.driver.traits.etc is None:
        return []
    etc = f"{app.driver.traits.etc}/{pot.name}"
    return [Step(MakeDirectory(etc), RemoveDirectory(etc), "for its resolver and hosts files")]


def _check_given_root(app: App, pot: Pot) -> None:
    found = app.driver.observe(Query(directories=(pot.root,))).files
    if found[pot.root] is not FileKind.DIRECTORY:
        raise PotnetError(
            f"--path {pot.root}: not a directory", hint="name an existing directory, or omit --path"
        )


def refuse_places(app: App, pot: Pot) -> None:
    """Raises PotnetError if a jail could change files that the host's root user runs or reads."""
    refuse_own_directory(app, pot)
    refuse_store(app, pot)
    binds = look_for_binds(app) if not pot.root_made or app.store.has_given_roots() else ()
    refuse_root(app, pot, binds)
    if pot.directory is not None:
        refuse_directory(app, pot, pot.directory, binds)


def refuse_own_directory(app: App, pot: Pot) -> None:
    """Raises if a given root overlaps potnet's own directory of the pot, which holds hooks that root runs."""
    kept = pot_directory(app, pot)
    if not pot.root_made and pot.root != "/" and overlap(pot.root, kept):
        raise PotnetError(
            f"--path {pot.root}: potnet keeps what belongs to {pot.name} in {kept}",
            hint="choose another name for the pot, or another directory",
        )


def refuse_store(app: App, pot: Pot) -> None:
    """Raises if a given root exposes the store to the jail; the host's own root directory is allowed."""
    state = os.path.realpath(app.store.path.parent)
    if pot.root != "/" and overlap(pot.root, state) and not pot.root.startswith(f"{state}/jails/"):
        raise PotnetError(
            f"the root {pot.root} and the state directory {state} overlap: the jail could read the store",
            hint="choose another directory" if not pot.root_made else "check paths.jails",
        )


def _archive(app: App, base: str) -> str:
    return f"{app.config.cache}/{base}-RELEASE_base.txz"


def _mirror(app: App, mirror: str) -> str:
    """Return the address of a mirror's releases for the architecture of the host, which may be far away."""
    mirror = mirror.rstrip("/")
    if "%m" not in mirror and "%p" not in mirror:
        return mirror
    found = app.driver.observe(Query(machine=True)).machine
    assert found is not None
    machine, processor = found
    return mirror.replace("%m", machine).replace("%p", processor)


def _fetch_base(app: App, name: str, base: str) -> list[Step]:
    """Return the steps that fetch and verify a release's archive; none if the cache holds it."""
    archive = _archive(app, base)
    if app.driver.observe(Query(files=(archive,))).files[archive] is FileKind.FILE:
        return []
    if not app.config.mirror:
        raise PotnetError(
            f"{archive} is not there, and no mirror to fetch it from is configured",
            hint="put it there, or set releases.mirror in the configuration",
        )
    release = f"{_mirror(app, app.config.mirror)}/{base}-RELEASE"
    try:
        digest = app.driver.observe(Query(release=release)).base_digest
    except HostError as error:
        error.hint = error.hint or f"look whether {release} exists, and at releases.mirror"
        raise
    if digest is None:
        raise PotnetError(f"{release}/MANIFEST names no SHA-256 for base.txz", hint="check releases.mirror")
    part = part_name(name, base)
    return [
        Step(MakeDirectory(app.config.cache)),
        Step(Fetch(f"{release}/base.txz", f"{app.config.cache}/{part}"), RemoveFile(app.config.cache, part)),
        Step(VerifyDigest(f"{app.config.cache}/{part}", digest), None, "as the release's MANIFEST says"),
        Step(MoveFile(f"{app.config.cache}/{part}", archive)),
    ]
