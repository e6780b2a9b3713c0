"""Checks that files which root runs or reads lie outside the roots of jails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.host.query import Query
from potnet.planning import roots

if TYPE_CHECKING:
    from potnet.app import App
    from potnet.model.pots import Pot

#: A directory and another path where it is mounted.
Bind = tuple[str, str]
#: Number of paths that one path can have through mounts.
_MOST = 64


def pot_directory(app: App, pot: Pot) -> str:
    """Return the recorded directory of a pot, whatever the present configuration says."""
    return pot.directory or f"{app.config.jails}/{pot.name}"


def overlap(one: str, other: str) -> bool:
    """Whether two paths are equal, or one contains the other."""
    ends = (f"{one.rstrip('/')}/", f"{other.rstrip('/')}/")
    return ends[0].startswith(ends[1]) or ends[1].startswith(ends[0])


def refuse_root(app: App, pot: Pot, binds: tuple[Bind, ...]) -> None:
    """Raises PotnetError for a root that contains files which root runs or reads. "/" is allowed."""
    if pot.root == "/":
        return
    for path in seen_at(pot.root, binds):
        for name, directory in (*app.store.directories_around(path, pot.name), *_unrecorded(app, pot.name)):
            if overlap(path, directory):
                raise PotnetError(
                    f"the root {pot.root} and {directory}, where the hooks of pot {name} are kept, overlap",
                    hint="choose another directory for the root",
                )
        if pot.root_made:
            continue
        for place, what in _places(app):
            if f"{place}/".startswith(f"{path.rstrip('/')}/"):
                raise PotnetError(
                    f"{place} ({what}) is in the root {pot.root}, where the jail could change it",
                    hint="choose another directory for the root",
                )


def refuse_directory(app: App, pot: Pot, directory: str, binds: tuple[Bind, ...] = ()) -> None:
    """Raises PotnetError for a directory of a pot with hooks that a jail could change."""
    for path in seen_at(directory, binds):
        own = [(pot.name, pot.root)] if not pot.root_made and pot.root != "/" else []
        for name, root in (*own, *app.store.roots_around(path, pot.name)):
            if overlap(path, root):
                raise PotnetError(
                    f"{directory}, where the hooks of pot {pot.name} are kept, and {root}, the root of pot "
                    f"{name}, overlap",
                    hint="set paths.jails in the configuration to a directory outside every root",
                )


def refuse_replaceable(app: App, what: str, path: str) -> None:
    """Raises HostError if users other than root could change or replace a file that root is about to obey."""
    if app.rootless is not None:
        # There, commands run as the user whose host it is.
        return
    real = app.driver.real_path(path) or path
    ways = tuple(dict.fromkeys((*roots.leading_to(path), *roots.leading_to(real))))
    roots.refuse_replaceable(what, real, ways, app.driver.observe(Query(ways=ways)).access)


def is_out_of_reach(app: App, directory: str) -> bool:
    """Whether a directory is outside all roots of pots."""
    known = (root for _, root in app.store.roots_around(directory, ""))
    return not any(f"{directory}/".startswith(f"{root}/") for root in known)


def look_for_binds(app: App) -> tuple[Bind, ...]:
    """Return the directories that are mounted elsewhere too, if they are writable there."""
    return app.driver.observe(Query(mounts=True)).binds


def seen_at(path: str, binds: tuple[Bind, ...]) -> tuple[str, ...]:
    """Return a path, and all other paths at which its content is visible."""
    found = [path.rstrip("/")]
    pairs = [*binds, *((point, source) for source, point in binds)]
    for each in found:
        for here, there in pairs:
            if f"{each}/".startswith(f"{here.rstrip('/')}/"):
                other = there.rstrip("/") + each[len(here.rstrip("/")) :]
            elif here.startswith(f"{each}/"):
                other = there.rstrip("/")
            else:
                continue
            if other not in found and len(found) < _MOST:
                found.append(other)
    return tuple(found)


def _unrecorded(app: App, but: str) -> Iterator[tuple[str, str]]:
    """Return the directories of hooks that were set before the store recorded the directory."""
    for name in app.store.unrecorded_hooks():
        if name != but:
            yield name, f"{app.config.jails}/{name}"


def _places(app: App) -> Iterator[tuple[str, str]]:
    """Return files and directories that decide what root does, by their real paths, with their purpose."""
    config = app.config
    on_host = {"paths.jails": config.jails, "paths.cache": config.cache, "paths.logs": config.logs}
    for key, path in on_host.items():
        yield path, key
        yield app.driver.real_path(path) or path, key
    files = {each for each in config.origin.values() if each.startswith("/")}
    local = [(path, "the configuration") for path in files]
    if config.templates is not None:
        local.append((config.templates, "paths.templates"))
    if config.pot_prefix:
        local.append((f"{config.pot_prefix}/etc/pot", "pot's configuration"))
    for path, key in local:
        yield path, key
        yield os.path.realpath(path), key
