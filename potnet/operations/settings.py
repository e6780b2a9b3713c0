"""set, set-hook and copy-in: changing what exists."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from potnet.actions import CopyLocal, MakeDirectory, Plan, Step, UnpackLocal
from potnet.apply import apply
from potnet.errors import PotnetError, UsageError
from potnet.host_state import FileKind, Query
from potnet.model import Attachment, HookKind, NetworkType, Pot
from potnet.operations.addresses import aliases_of, check_aliases, check_resolver, lease
from potnet.operations.common import (
    check_hostname,
    is_running,
    locked_pot,
    parse_command,
    pot_directory,
    require_bridge,
)
from potnet.operations.hooks import hook_path
from potnet.operations.resolvers import parse_resolver
from potnet.planning.jail import host_files, path_in

if TYPE_CHECKING:
    from potnet.app import App


#: Bytes; a hook is a script.
LARGEST_HOOK = 1 << 20


def set_options(
    app: App,
    name: str,
    *,
    resolver: str | None,
    addresses: tuple[str, ...],
    hostname: str | None,
    command: str | None,
    boot: bool | None,
) -> bool:
    """Change what is given; True when some of it holds only from the next start. Raises PotnetError."""
    with locked_pot(app, name) as before:
        pot = before
        if resolver is not None:
            pot = replace(pot, resolver=parse_resolver(resolver))
            check_resolver(app, pot)
        if hostname is not None:
            check_hostname(hostname)
            pot = replace(pot, hostname=hostname)
        if command is not None:
            pot = replace(pot, command=parse_command(command))
        if boot is not None:
            pot = replace(pot, boot=boot)
        if addresses and pot.network_type is NetworkType.ALIAS:
            pot = replace(pot, aliases=aliases_of(app, addresses))
            check_aliases(app, pot)
        active = is_running(app, before)
        with app.store.transaction():
            if addresses and pot.network_type is not NetworkType.ALIAS:
                pot = _with_address(app, pot, addresses, active)
                _release_unused(app, pot, active)
            app.store.update_pot(pot)
        return active and replace(pot, boot=before.boot) != before


def _with_address(app: App, pot: Pot, values: tuple[str, ...], active: bool) -> Pot:
    """The pot with another address on its bridge; the former one is kept while the jail uses it."""
    routed = [a for a in pot.attachments if a.address is not None]
    if not routed:
        raise PotnetError(f"{pot.name} has no address to set", hint=f"its network type is {pot.network_type}")
    if len(values) > 1:
        raise UsageError(f"{pot.name} has one address: give one -i")
    old = routed[0]
    if str(old.address) == values[0]:
        return pot
    held = [lease.address for lease in app.store.leases(old.bridge) if lease.pot == pot.name]
    if not active and old.address is not None:
        # Given back first, so that auto may choose it again.
        app.store.release(old.bridge, old.address)
    if values[0] in [str(address) for address in held]:
        return _moved(pot, old, replace(old, address=next(a for a in held if str(a) == values[0])))
    bridge = require_bridge(app, old.bridge)
    return _moved(pot, old, replace(old, address=lease(app, pot.name, bridge, values[0])))


def _release_unused(app: App, pot: Pot, active: bool) -> None:
    """Give back what the pot has neither now nor from its next start on."""
    run = app.store.run(pot.name) if active else None
    used = (*pot.attachments, *(run.pot.attachments if run else ()))
    app.store.release_pot(pot.name, keep=[(a.bridge, a.address) for a in used if a.address is not None])


def _moved(pot: Pot, old: Attachment, new: Attachment) -> Pot:
    return replace(pot, attachments=tuple(new if a is old else a for a in pot.attachments))


def set_hook(app: App, name: str, hooks: Mapping[HookKind, Path]) -> None:
    """Copy executables to where start and stop run them. Raises PotnetError."""
    with locked_pot(app, name) as pot:
        for path in hooks.values():
            _check_script(path)
        steps = [
            Step(MakeDirectory(pot_directory(app, pot), "700")),
            Step(MakeDirectory(f"{pot_directory(app, pot)}/conf", "700")),
        ]
        steps += [Step(CopyLocal(str(hooks[k]), hook_path(app, pot, k), mode="700")) for k in hooks]
        apply(Plan(tuple(steps)), app.driver)
        kinds = tuple(kind for kind in HookKind if kind in pot.hooks or kind in hooks)
        app.store.update_pot(replace(pot, hooks=kinds))


def _check_script(path: Path) -> None:
    try:
        if not path.is_file():
            raise PotnetError(f"hook {path} is no file", hint="a hook is a script")
        with path.open("rb") as file:
            begins_well = file.read(2) == b"#!"
        size = path.stat().st_size
    except OSError as error:
        raise PotnetError(f"cannot read hook {path}: {error.strerror}") from error
    if not begins_well:
        raise PotnetError(f"hook {path} does not say what runs it", hint="begin it with #!/bin/sh")
    if size > LARGEST_HOOK:
        raise PotnetError(f"hook {path} is too large for a script: {size} bytes")


def copy_in(app: App, name: str, source: Path, destination: str) -> None:
    """Put a file or folder into a stopped pot's root, at `destination` below it. Raises PotnetError.

    It travels as an archive: tar(1) goes through no link that it finds in the root.
    """
    target = _inside(destination)
    if not source.exists():
        raise PotnetError(f"there is no {source}")
    if not source.is_file() and not source.is_dir():
        raise PotnetError(f"{source} is neither a file nor a directory")
    with locked_pot(app, name) as pot:
        if host_files(pot.root):
            raise PotnetError(f"the root of {name} is the host's own: nothing is copied there")
        if not app.driver.traits.own_programs:
            raise PotnetError(
                f"{name} runs the host's own programs, which see nothing of its root",
                hint="put the file where they look for it on the host",
            )
        if is_running(app, pot):
            raise PotnetError(
                f"{name} is running: what runs in it could lead the copy astray",
                hint=f"`potnet stop {name}` first",
            )
        place = path_in(pot.root, str(target))
        there = app.driver.observe(Query(files=(place,))).files[place]
        # As cp(1): into a folder that exists, else under the new name.
        if there is not FileKind.DIRECTORY and destination.endswith("/"):
            raise PotnetError(f"there is no directory {destination} in {name}")
        if there is FileKind.DIRECTORY:
            target = target / source.resolve().name
        elif source.is_dir() and there is not FileKind.ABSENT:
            raise PotnetError(f"{destination} in {name} is a {there}, which a directory does not replace")
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(source, arcname=str(target))
            file.flush()
            apply(Plan((Step(UnpackLocal(file.name, pot.root)),)), app.driver)


def _inside(destination: str) -> PurePosixPath:
    parts = [part for part in PurePosixPath(destination).parts if part != "/"]
    if not destination or ".." in parts or any(ord(c) < 32 for c in destination):
        raise UsageError(f"-d {destination!r}: a path below the pot's root is wanted")
    return PurePosixPath(*parts)
