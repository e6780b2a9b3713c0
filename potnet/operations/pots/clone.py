"""clone: make a pot with the settings and the root of another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import Applied, apply
from potnet.errors import PotnetError, UsageError
from potnet.host.actions import Plan, Step
from potnet.host.file_actions import (
    CloneDataset,
    CopyFile,
    CopyTree,
    CreateDataset,
    DestroyDataset,
    DropSnapshot,
    MakeDirectory,
    RemoveTree,
)
from potnet.host.query import Query
from potnet.model.names import PUBLIC, PUBLIC6
from potnet.model.ports import Export
from potnet.model.pots import End, NetworkType, Pot
from potnet.operations.common import define_public_network, refuse_same_anchor
from potnet.operations.files.hooks import check_hook, finish_hooks, hook_path
from potnet.operations.files.places import pot_directory
from potnet.operations.journal import refuse_new_name, refuse_renamed
from potnet.operations.networks.addresses import aliases_of, attach, check_aliases, check_resolver
from potnet.operations.networks.interfaces import refuse_small
from potnet.operations.networks.network_options import check_attachments
from potnet.operations.pots.create import completed
from potnet.operations.pots.destroy import SNAPSHOT, remove_rest, snapshot_key
from potnet.operations.pots.make_root import on_free_place, own_etc, refuse_exposed_root, refuse_places
from potnet.operations.pots.rename import both_locked, clear_stopped
from potnet.planning.jail import host_files
from potnet.planning.roots import refuse_mounts

if TYPE_CHECKING:
    from potnet.app import App


def clone(app: App, name: str, new: str, addresses: Sequence[str] = ()) -> Pot:
    """Make a pot like a stopped one, with a copy of its root. Raises PotnetError, with nothing left.

    addresses: the -i values of the new pot; without any, addresses are chosen.
    """
    with both_locked(app, name, new) as source:
        refuse_renamed(app, source.name)
        app.store.refuse_present(new)
        unfinished = app.store.pot(new)
        if unfinished is not None:
            remove_rest(app, unfinished)
        clear_stopped(app, source)
        source = finish_hooks(app, source)
        _refuse_source(app, source)
        draft = on_free_place(app, _draft(app, source, new, addresses))
        with app.store.transaction():
            pot = _reserve(app, source, draft, addresses)
            if _shares(source, pot):
                app.store.remember(snapshot_key(new), _snapshot(source, pot))
        applied = Applied(app.driver)
        try:
            refuse_places(app, pot)
            refuse_exposed_root(app, pot)
            applied = apply(Plan(tuple(_steps(app, source, pot))), app.driver)
            pot = completed(app, pot, None)
        except BaseException as error:
            applied.take_back(error)
            if not getattr(error, "left_behind", ()):
                with app.store.transaction():
                    app.store.remove_pot(new)
                    app.store.forget(snapshot_key(new))
            raise
        app.store.forget(snapshot_key(new))
    _tell_left(app, source)
    return pot


def _draft(app: App, source: Pot, new: str, addresses: Sequence[str]) -> Pot:
    """Return the new pot before anything is reserved."""
    if addresses and source.network_type is NetworkType.INHERIT:
        raise UsageError("-i cannot be used with -N inherit, which uses the addresses of the host")
    directory = f"{app.config.jails}/{new}"
    aliases = aliases_of(app, addresses) if source.network_type is NetworkType.ALIAS else ()
    draft = replace(
        source,
        name=new,
        hostname=new if source.hostname == source.name else source.hostname,
        root=f"{directory}/m",
        root_made=True,
        directory=directory if source.is_jail or source.hooks else None,
        dataset=None,
        attachments=(),
        aliases=aliases,
        exports=tuple(replace(each, host_port=None) for each in source.exports if _is_chosen(each)),
        passed=(),
        whole=False,
    )
    if aliases:
        check_aliases(app, draft)
    return draft


def _is_chosen(export: Export) -> bool:
    """Whether potnet chooses the port of the host, so that another pot can have such an export."""
    return export.chosen or export.host_port is None


def _refuse_source(app: App, source: Pot) -> None:
    """Raises PotnetError if the root of a pot cannot be copied safely."""
    if not source.is_jail:
        return
    if host_files(source.root):
        raise PotnetError(
            f"the root of {source.name} is the host's own: it is not copied",
            hint="create a pot with -b RELEASE or --path DIR",
        )
    for kind in source.hooks:
        check_hook(app, source, kind)
    refuse_exposed_root(app, source)
    refuse_mounts((source.root,), app.driver.observe(Query(mounts=True)).mounts, own=(source.root,))


def _reserve(app: App, source: Pot, draft: Pot, addresses: Sequence[str]) -> Pot:
    """Reserve what pots cannot share, and copy the policies, within the caller's transaction."""
    define_public_network(app)
    refuse_new_name(app, draft.name)
    refuse_same_anchor(app, "pot", draft.name)
    check_resolver(app, draft)
    pot = attach(app, draft, list(_networks(source)), addresses)
    check_attachments(pot, app.driver.traits)
    refuse_small(app, pot)
    app.store.add_pot(pot)
    ends = {End(source.name): End(pot.name)}
    for policy in (*app.store.policies_of(*ends), *app.store.policies_towards(*ends)):
        sides = {side: ends.get(getattr(policy, side), getattr(policy, side)) for side in _SIDES}
        app.store.add_policy(replace(policy, **sides))
    return pot


_SIDES = ("source", "destination")


def _networks(source: Pot) -> Iterator[tuple[NetworkType, str | None]]:
    """Return the networks of a pot, as create takes them."""
    kinds = {a.bridge: a.network_type for a in source.attachments}
    for bridge in source.bridges:
        yield kinds[bridge], None if bridge in (PUBLIC, PUBLIC6) else bridge


def _shares(source: Pot, pot: Pot) -> bool:
    """Whether the root can be a clone of the other dataset, which requires one pool for both."""
    pools = {str(each.dataset).partition("/")[0] for each in (source, pot)}
    return source.dataset is not None and pot.dataset is not None and len(pools) == 1


def _snapshot(source: Pot, pot: Pot) -> str:
    return f"{source.dataset}@{SNAPSHOT}{pot.name}"


def _steps(app: App, source: Pot, pot: Pot) -> Iterator[Step]:
    directory = pot.directory
    if directory is None:
        return
    if pot.is_jail:
        yield from own_etc(app, pot)
    yield Step(MakeDirectory(directory, "700"), RemoveTree(directory), "only root sees the jails' files")
    if pot.dataset is not None and _shares(source, pot):
        snapshot = _snapshot(source, pot)
        back = (Step(DestroyDataset(pot.dataset)), Step(DropSnapshot(snapshot)))
        yield Step(CloneDataset(snapshot, pot.dataset, pot.root), back, f"the root of {source.name}")
    elif pot.is_jail:
        if pot.dataset is not None:
            yield Step(CreateDataset(pot.dataset, pot.root), DestroyDataset(pot.dataset))
        yield Step(MakeDirectory(pot.root))
        yield Step(CopyTree(source.root, pot.root), None, f"the root of {source.name}")
    if source.hooks:
        yield Step(MakeDirectory(f"{directory}/conf", "700"))
    for kind in source.hooks:
        path = hook_path(app, source, kind)
        yield Step(CopyFile(path, f"{pot_directory(app, pot)}/conf/{kind}"), None, f"{kind} hook")


def _tell_left(app: App, source: Pot) -> None:
    """Report what only one pot can have."""
    given = [str(each) for each in source.exports if not _is_chosen(each)]
    if given:
        app.notify(f"exports with a port of the host stay with {source.name}: {', '.join(given)}")
    if source.passed:
        app.notify(f"interfaces of the host stay with {source.name}: {', '.join(source.passed)}")
