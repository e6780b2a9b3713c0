"""set, set-hook and copy-in: changing what exists."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from potnet.actions import Plan, Step
from potnet.apply import apply
from potnet.errors import PotnetError, UsageError
from potnet.file_actions import CopyLocal, MakeDirectory, UnpackLocal
from potnet.host_state import FileKind, Query
from potnet.model import HookKind, NetworkType, Pot, Subnet
from potnet.operations.addresses import (
    AUTO,
    aliases_of,
    check_aliases,
    check_resolver,
    given_addresses,
    lease,
)
from potnet.operations.common import (
    check_hostname,
    is_running,
    locked_pot,
    parse_address,
    parse_command,
    pot_directory,
    require_bridge,
)
from potnet.operations.hooks import hook_path
from potnet.operations.interfaces import check_macs, check_mtu, to_change, with_macs
from potnet.operations.network_options import UNCHANGED, NetworkOptions, with_options
from potnet.operations.resolvers import parse_resolver
from potnet.planning.jail import host_files, path_in

if TYPE_CHECKING:
    from netaddr import IPAddress

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
    macs: tuple[str, ...] = (),
    mtu: int | None = None,
    network: NetworkOptions = UNCHANGED,
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
        pot = with_options(pot, network)
        if addresses and pot.network_type is NetworkType.ALIAS:
            pot = replace(pot, aliases=aliases_of(app, addresses))
            check_aliases(app, pot)
        pot = with_macs(pot, check_macs(app, name, macs))
        active = is_running(app, before)
        with app.store.transaction():
            if addresses and pot.network_type is not NetworkType.ALIAS:
                pot = _with_address(app, pot, addresses, active)
                _release_unused(app, pot, active)
            app.store.update_pot(pot)
            bridges = to_change(app, pot, check_mtu(mtu)) if mtu is not None else ()
            for bridge in bridges:
                app.store.update_bridge(bridge)
        return active and (replace(pot, boot=before.boot) != before or bool(bridges))


def _with_address(app: App, pot: Pot, values: tuple[str, ...], active: bool) -> Pot:
    """The pot with another address on its bridge; the former one is kept while the jail uses it."""
    if not pot.leased:
        raise PotnetError(f"{pot.name} has no address to set", hint=f"its network type is {pot.network_type}")
    bridges = {a.bridge: require_bridge(app, a.bridge) for a in pot.attachments}
    given = given_addresses(values, pot, tuple(bridges.values()))
    changed = []
    for attachment in pot.attachments:
        for address in attachment.addresses:
            family = address.version
            subnet = bridges[attachment.bridge].subnet(family)
            if subnet is not None:
                value = given.get(subnet.name, AUTO if AUTO in values else str(address))
                found = _other_address(app, pot.name, subnet, address, value, active)
                attachment = (
                    replace(attachment, address=found) if family == 4 else replace(attachment, address6=found)
                )
        changed.append(attachment)
    return replace(pot, attachments=tuple(changed))


def _other_address(app: App, pot: str, subnet: Subnet, old: IPAddress, value: str, active: bool) -> IPAddress:
    if str(old) == value:
        return old
    held = [lease.address for lease in app.store.leases(subnet.name) if lease.pot == pot]
    if not active:
        # Given back first, so that auto may choose it again.
        app.store.release(subnet.name, old)
    if value != AUTO and parse_address(value) in held:
        return parse_address(value)
    return lease(app, pot, subnet, value)


def _release_unused(app: App, pot: Pot, active: bool) -> None:
    """Give back what the pot has neither now nor from its next start on."""
    run = app.store.run(pot.name) if active else None
    used = (*pot.attachments, *(run.pot.attachments if run else ()))
    app.store.release_pot(pot.name, keep=[pair for a in used for pair in a.leases])


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
