"""copy-in: copy files of the administrator into a stopped pot."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from potnet.apply import apply
from potnet.errors import PotnetError, UsageError
from potnet.host.actions import Plan, Step
from potnet.host.file_actions import UnpackLocal
from potnet.host.query import Query
from potnet.host.state import FileKind
from potnet.model.pots import Pot
from potnet.operations.common import check_characters, is_running, locked_pot, require_jail
from potnet.operations.journal import begin, end, unfinished
from potnet.planning.jail import host_files, path_in
from potnet.planning.roots import refuse_exposed, ways_to

if TYPE_CHECKING:
    from potnet.app import App


COPY_IN = "copy-in"


def copy_in(app: App, name: str, source: Path, destination: str) -> None:
    """Copy a file or directory to `destination` below a stopped pot's root. Raises PotnetError.

    The copy travels as an archive, since tar(1) follows no symbolic link that it finds in the root.
    """
    target = _inside(destination)
    if not source.exists():
        raise PotnetError(f"{source} not found")
    if not source.is_file() and not source.is_dir():
        raise PotnetError(f"{source} is neither a file nor a directory")
    with locked_pot(app, name) as pot:
        name = pot.name
        require_jail(pot, "nothing is copied into its machine")
        if host_files(pot.root):
            raise PotnetError(f"the root of {name} is the host's own: nothing is copied there")
        if not app.driver.traits.own_programs:
            raise PotnetError(
                f"{name} runs the host's own programs, which see nothing of its root",
                hint="put the file where they look for it on the host",
            )
        if is_running(app, pot):
            raise PotnetError(
                f"{name} is running, and its processes could redirect the copy",
                hint=f"`potnet stop {name}` first",
            )
        place = path_in(pot.root, str(target))
        ways = ways_to(pot)
        state = app.driver.observe(Query(files=(place,), ways=ways))
        refuse_exposed(f"the root of {name}, {pot.root},", ways, state.access)
        there = state.files[place]
        # As with cp(1), an existing directory receives the source; otherwise the copy gets the new name.
        if there is not FileKind.DIRECTORY and destination.endswith("/"):
            raise PotnetError(f"directory {destination} not found in {name}")
        if there is FileKind.DIRECTORY:
            target = target / source.resolve().name
        elif source.is_dir() and there is not FileKind.ABSENT:
            raise PotnetError(f"{destination} in {name} is a {there}, which a directory cannot replace")
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(source, arcname=str(target))
            file.flush()
            _unpack(app, pot, Path(file.name), f"/{target}")


def _unpack(app: App, pot: Pot, archive: Path, target: str) -> None:
    begun = (each.text.split("\n") for each in unfinished(app, pot.name) if each.verb == COPY_IN)
    others = {path for paths in begun for path in paths}
    begin(app, COPY_IN, pot.name, "\n".join(sorted({*others, target})))
    try:
        apply(Plan((Step(UnpackLocal(str(archive), pot.root)),)), app.driver)
    except PotnetError as error:
        error.message += f"\n  left behind: a partial copy at {path_in(pot.root, target[1:])}"
        raise
    left = sorted(others - {target})
    if left:
        begin(app, COPY_IN, pot.name, "\n".join(left))
    else:
        end(app, COPY_IN, pot.name)


def _inside(destination: str) -> PurePosixPath:
    parts = [part for part in PurePosixPath(destination).parts if part != "/"]
    check_characters("destination -d", destination)
    if not destination or ".." in parts:
        raise UsageError(f"invalid destination -d {destination!r}: not a path below the pot's root")
    return PurePosixPath(*parts)
