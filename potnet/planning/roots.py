"""Roots that nobody but root of the host can lead elsewhere.

potnet writes into a root, and jail(8) mounts there, by path. Who owns a directory on the way, or may write to
it, could swap what is in it for a link at that moment: such a root is refused, at create and at each start.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from potnet.errors import HostError
from potnet.host.state import Access
from potnet.model.pots import Pot
from potnet.planning.jail import host_files, path_in


def leading_to(path: str) -> tuple[str, ...]:
    """A path and the directories that it lies in, the top first."""
    place = PurePosixPath(path)
    return (*(str(each) for each in reversed(place.parents)), str(place))


def ways_to(pot: Pot) -> tuple[str, ...]:
    """What has to be looked at before anything is written into a root.

    A directory that potnet has made is for root alone: nobody gets to what is in it.
    """
    if not pot.is_jail or host_files(pot.root):
        return ()
    if pot.root_made:
        return leading_to(str(PurePosixPath(pot.root).parent))
    # Its hooks are in a directory of their own.
    hooks = leading_to(pot.directory) if pot.hooks and pot.directory is not None else ()
    return tuple(dict.fromkeys((*hooks, *leading_to(pot.root), path_in(pot.root, "etc"))))


def exposure(ways: Iterable[str], access: Mapping[str, Access]) -> str | None:
    """Who else than root can change which directory on the way, in words; None for nobody."""
    for way in ways:
        who = _who_changes(access[way], within=way.endswith("/etc")) if way in access else None
        if who is not None:
            return f"{who} {way}"
    return None


def refuse_exposed(what: str, ways: Iterable[str], access: Mapping[str, Access]) -> None:
    """Raises HostError when somebody else than root can change a directory on the way."""
    found = exposure(ways, access)
    if found is not None:
        raise HostError(
            f"{what} is not safe: {found} and could lead what root writes there elsewhere",
            hint="use a place below directories that only root owns and can write to, such as /jails",
        )


def _who_changes(access: Access, within: bool) -> str | None:
    """within: files are made in that directory itself."""
    if access.owner != 0:
        return f"user {access.owner} owns"
    # What root owns in a sticky directory is renamed by nobody else (sticky(7)).
    if access.mode & stat.S_ISVTX and not within:
        return None
    if access.mode & stat.S_IWOTH:
        return "everybody can write to"
    if access.mode & stat.S_IWGRP and access.group != 0:
        return f"group {access.group} can write to"
    return None
