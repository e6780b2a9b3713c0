"""Checks that only the host's root user can redirect the path of a pot's root.

potnet writes into a root, and jail(8) mounts there, by path. Users who own a directory on the path, or may
write to it, could replace its content with a symbolic link. potnet refuses such a root at create and at
each start.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from potnet.errors import HostError
from potnet.host.state import Access
from potnet.host.traits import Traits
from potnet.model.pots import Pot
from potnet.planning.jail import host_files, path_in


def leading_to(path: str) -> tuple[str, ...]:
    """Return a path and the directories that contain it, the top first."""
    place = PurePosixPath(path)
    return (*(str(each) for each in reversed(place.parents)), str(place))


def ways_to(pot: Pot) -> tuple[str, ...]:
    """Return the paths that must be observed before potnet writes into a root.

    Only root can enter a directory that potnet made, so its content needs no check.
    """
    if not pot.is_jail or host_files(pot.root):
        return ()
    if pot.root_made:
        return leading_to(str(PurePosixPath(pot.root).parent))
    # The pot's hooks are in a separate directory.
    hooks = leading_to(pot.directory) if pot.hooks and pot.directory is not None else ()
    return tuple(dict.fromkeys((*hooks, *leading_to(pot.root), path_in(pot.root, "etc"))))


def is_mount_point(path: str, access: Mapping[str, Access]) -> bool:
    """Whether a directory is in another file system than the directory that contains it."""
    above = str(PurePosixPath(path).parent)
    return path in access and above in access and access[path].device != access[above].device


def refuse_unmounted(pot: Pot, mounted: Iterable[tuple[str, str]]) -> None:
    """Raises HostError if the root of a pot is a dataset that is not mounted there.

    mounted: datasets and places.
    """
    if pot.dataset is not None and (pot.dataset, pot.root) not in mounted:
        raise HostError(
            f"dataset {pot.dataset} is not mounted at {pot.root}, the root of {pot.name}",
            hint=f"zfs mount {pot.dataset}",
        )


def exposure(ways: Iterable[str], access: Mapping[str, Access], file: str | None = None) -> str | None:
    """Return who besides root can change what on the path, in words; None if nobody can.

    file: the path among the ways that leads to a file.
    """
    for way in ways:
        # In an etc potnet makes files itself, and a file has nothing sticky.
        judge = _who_writes if way.endswith("/etc") or way == file else _who_changes
        who = judge(access[way]) if way in access else None
        if who is not None:
            return f"{who} {way}"
    return None


def refuse_exposed(what: str, ways: Iterable[str], access: Mapping[str, Access]) -> None:
    """Raises HostError if users other than root can change a directory on the path."""
    found = exposure(ways, access)
    if found is not None:
        raise HostError(
            f"{what} is not safe: {found} and could redirect what root writes there",
            hint="use a place below directories that only root owns and can write to, such as /jails",
        )


def ways_around(directory: str, traits: Traits) -> tuple[str, ...]:
    """Return the paths that must be observed before potnet moves or removes a directory that it made."""
    return leading_to(str(PurePosixPath(directory).parent)) if traits.own_programs else ()


def refuse_redirected(directory: str, ways: Iterable[str], access: Mapping[str, Access]) -> None:
    """Raises HostError if users other than root could lead a removal or a move to another directory."""
    found = exposure(ways, access)
    if found is not None:
        raise HostError(
            f"{directory} is neither moved nor removed: {found} and could lead root to another place",
            hint="let only root own and write to the directories above it",
        )


def refuse_mounts(directories: tuple[str, ...], mounts: Iterable[str], own: Collection[str] = ()) -> None:
    """Raises HostError if something is mounted at or below one of these directories.

    own: mount points of the pot itself, which may be there.
    """
    inside = [
        point
        for point in mounts
        if point not in own and any(f"{point}/".startswith(f"{each}/") for each in directories)
    ]
    if inside:
        raise HostError(
            f"something is mounted in {directories[0]}: {', '.join(inside)}", hint="unmount it first"
        )


def refuse_replaceable(what: str, path: str, ways: Iterable[str], access: Mapping[str, Access]) -> None:
    """Raises HostError if users other than root can change or replace a file that root is about to obey.

    path: the real path of the file. ways: all paths that lead to it.
    """
    found = exposure(ways, access, path)
    if found is not None:
        raise HostError(
            f"{what} is not safe: {found} and could replace what root obeys there",
            hint=f"read {path}, and let only root own and write to that place",
        )


def _who_changes(access: Access) -> str | None:
    """Return who besides root can rename files of root in a directory (sticky(7)), in words."""
    return None if access.owner == 0 and access.mode & stat.S_ISVTX else _who_writes(access)


def _who_writes(access: Access) -> str | None:
    """Return who besides root can make files in a directory, in words."""
    if access.owner != 0:
        return f"user {access.owner} owns"
    if access.mode & stat.S_IWOTH:
        return "everybody can write to"
    if access.mode & stat.S_IWGRP and access.group != 0:
        return f"group {access.group} can write to"
    return None
