"""Destroy pots and bridges; nothing of them stays in the store or on the host."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import apply_all
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.file_actions import (
    DestroyDataset,
    DropSnapshot,
    PromoteDataset,
    RemoveDirectory,
    RemoveFile,
    RemoveTree,
)
from potnet.host.query import Query
from potnet.host.state import FileKind, HostState
from potnet.model.names import PUBLIC, PUBLIC6, same_name
from potnet.model.pots import End, Pot, ResolverKind
from potnet.operations.common import (
    NETWORK_LOCK,
    first_names,
    locked_remains,
    look_for,
    pot_lock,
    require_bridge,
)
from potnet.operations.files.hooks import remove_unrecorded
from potnet.operations.files.hosts_files import hosts_key, is_due, mark_due, update_due_files
from potnet.operations.files.moves import take_back_rename
from potnet.operations.files.places import overlap
from potnet.operations.files.pot_logs import remove_log
from potnet.operations.journal import end, unfinished
from potnet.operations.networks.external import follow_external
from potnet.operations.networks.in_force import candidates, known_outlets
from potnet.operations.networks.policies import forget
from potnet.operations.networks.units import forget_switches
from potnet.operations.networks.vnet import take_off
from potnet.operations.running.cleanup import clear_up
from potnet.planning.jail import host_files
from potnet.planning.ownership import running
from potnet.planning.roots import refuse_mounts, refuse_redirected, ways_around
from potnet.planning.vnet import outside

if TYPE_CHECKING:
    from potnet.app import App


#: The beginning of the names of snapshots that clones are made from; the name of the new pot follows.
SNAPSHOT = "potnet-"


def destroy_pot(app: App, name: str) -> None:
    """Remove a stopped pot, with the root that create made for it. Raises PotnetError."""
    with locked_remains(app, name) as pot:
        name = pot.name
        _refuse_needed(app, name)
        take_back_rename(app, pot)
        run = app.store.run(name)
        if run is not None:
            state = look_for(app, pot, run)
            if running(run, state):
                raise PotnetError(f"{name} is running", hint=f"`potnet stop {name}` first")
            with app.locks.hold(NETWORK_LOCK):
                clear_up(app, run, state)
        if pot.whole:
            # The record comes first: if the destroy is cut off, the pot can only be destroyed or created
            # again.
            app.store.update_pot(replace(pot, whole=False))
        with app.locks.hold(NETWORK_LOCK):
            forget(app, End(name))
        remove_rest(app, pot)
        if is_due(app, pot):
            with app.locks.hold(NETWORK_LOCK):
                update_due_files(app, pot)
        app.locks.discard(pot_lock(name))
    users = [p.name for p in app.store.pots() if p.resolver.kind is ResolverKind.POT]
    if same_name(name, app.config.dns_name) and users:
        app.notify(f"{name} was the resolver of {', '.join(users)}, which will not start without it")


def _refuse_needed(app: App, name: str) -> None:
    users = app.store.users_of(name)
    if users:
        raise PotnetError(
            f"{name} is required by {first_names(users)}",
            hint=f"`potnet set -p {users[0]} --no-needs` removes what {users[0]} requires",
        )


def remove_rest(app: App, pot: Pot) -> None:
    """Remove the remains of an incomplete pot from host and store. Raises PotnetError."""
    if pot.base is not None and not pot.whole:
        part = RemoveFile(app.config.cache, part_name(pot.name, pot.base))
        apply_all(Plan((Step(part, None, "of an interrupted fetch"),)), app.driver)
    _remove_files(app, pot)
    if pot.is_jail:
        remove_log(app, pot.name)
    with app.store.transaction():
        mark_due(app, pot)
        app.store.remove_pot(pot.name)
        for each in unfinished(app, pot.name):
            end(app, each.verb, pot.name)


def part_name(pot: str, base: str) -> str:
    """Return the name of a release's archive in the cache while a pot's create fetches the archive."""
    return f".{base}-RELEASE_base.txz.{pot}"


def _refuse_roots(app: App, pot: Pot, directory: str) -> None:
    """Raises HostError if the pot's directory contains a root that the user supplied."""
    # A root of "/" contains everything, and potnet made the directory nevertheless.
    own = [(pot.name, pot.root)] if not pot.root_made and not host_files(pot.root) else []
    for name, root in (*own, *app.store.roots_around(directory, pot.name)):
        if overlap(root, directory):
            raise HostError(
                f"{directory} is not removed: it and {root}, the root of pot {name}, overlap",
                hint=f"`potnet info -p {name}` shows that pot",
            )


def _remove_files(app: App, pot: Pot) -> None:
    """Remove the directory that potnet made for the pot, with its root and its hooks, and nothing else."""
    if app.driver.traits.etc is not None and pot.is_jail:
        # Files that an administrator put there stay.
        apply_all(Plan((Step(RemoveDirectory(f"{app.driver.traits.etc}/{pot.name}")),)), app.driver)
    if pot.directory is None:
        remove_unrecorded(app, pot)
        return
    directory = pot.directory
    _refuse_roots(app, pot, directory)
    own = (pot.dataset,) if pot.dataset is not None else ()
    ways = ways_around(directory, app.driver.traits)
    state = app.driver.observe(Query(mounts=True, files=(directory,), mount_points=own, ways=ways))
    refuse_redirected(directory, ways, state.access)
    _refuse_other_dataset(pot, state)
    mounts = list(state.mounts)
    if (pot.dataset, pot.root) in state.datasets:
        mounts.remove(pot.root)
    refuse_mounts((directory,), mounts)
    if pot.dataset is not None and pot.dataset in state.mount_points:
        _remove_dataset(app, pot, pot.dataset)
    drop_snapshot(app, pot.name)
    if state.files[directory] is not FileKind.ABSENT:
        _remove(app, pot, directory, RemoveTree(directory))


def _refuse_other_dataset(pot: Pot, state: HostState) -> None:
    """Raises HostError if the recorded dataset is not the one that create made."""
    point = state.mount_points.get(pot.dataset or "", pot.root)
    if point != pot.root:
        raise HostError(
            f"dataset {pot.dataset} has the mount point {point}, not {pot.root}: it is not removed",
            hint=f"zfs set mountpoint={shlex.quote(pot.root)} {pot.dataset}",
        )


def _remove_dataset(app: App, pot: Pot, dataset: str) -> None:
    """Destroy the dataset of a root; if pots were cloned from it, the newest one keeps what they share."""
    destroy = DestroyDataset(dataset)
    clone = _newest_clone(app, dataset) if apply_all(Plan((Step(destroy),)), app.driver) else None
    if clone is not None:
        _remove(app, pot, f"dataset {dataset}", PromoteDataset(clone))
    if clone is not None or app.driver.observe(Query(mount_points=(dataset,))).mount_points:
        _remove(app, pot, f"dataset {dataset}", destroy)


def _newest_clone(app: App, dataset: str) -> str | None:
    """Return the clone of the newest snapshot, if only clones of pots depend on the dataset."""
    found = app.driver.observe(Query(snapshots=(dataset,))).snapshots[dataset]
    ours = all(name.startswith(f"{dataset}@{SNAPSHOT}") and clones for name, *clones in found)
    return found[-1][1] if found and ours else None


def snapshot_key(pot: str) -> str:
    """Return the store key for the snapshot from which a pot is being cloned."""
    return f"snapshot {pot}"


def drop_snapshot(app: App, pot: str) -> None:
    """Destroy the snapshot from which the pot was being cloned when that was cut off."""
    snapshot = app.store.remembered(snapshot_key(pot))
    if snapshot is not None:
        apply_all(Plan((Step(DropSnapshot(snapshot)),)), app.driver)
        app.store.forget(snapshot_key(pot))


def _remove(app: App, pot: Pot, what: str, action: DestroyDataset | PromoteDataset | RemoveTree) -> None:
    failures = apply_all(Plan((Step(action),)), app.driver)
    if failures:
        raise HostError(
            f"cannot remove {what}" + "".join(f"\n  left behind: {line}" for line in failures),
            hint=f"remove the cause, then destroy {pot.name} again",
        )


def destroy_bridge(app: App, name: str) -> None:
    """Remove a private bridge that no pot uses, and give its network back. Raises PotnetError."""
    if name in (PUBLIC, PUBLIC6):
        raise PotnetError(
            f"{name} is the public bridge, which cannot be destroyed",
            hint="take it down with `potnet vnet-stop`",
        )
    with app.locks.hold(NETWORK_LOCK):
        bridge = require_bridge(app, name)
        name = bridge.name
        pots = app.store.bridged_names(name)
        if pots:
            raise PotnetError(
                f"bridge {name} is in use by {first_names(pots)}",
                hint="only a bridge without pots can be destroyed",
            )
        _, plan = take_off(app, bridge)
        forget(app, End(name, bridge=True))
        with app.store.transaction():
            forget_switches(app, plan)
            for network in bridge.networks:
                app.store.undefine_network(network.name)
            app.store.remove_bridge(name)
            app.store.forget(hosts_key(name))
        if outside(bridge, app.config.network):
            _follow(app)


def _follow(app: App) -> None:
    """Load the rules of other bridges without the networks of a destroyed one."""
    state = app.driver.observe(
        Query(
            external=app.config.external_interface is None,
            candidates=candidates(app),
            interfaces=known_outlets(app),
            local_addresses=True,
            pot_bridges=True,
        )
    )
    if state.pot_bridges:
        follow_external(app, state)
