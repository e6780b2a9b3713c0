"""rename: give a stopped pot another name, with all that has its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import Applied, apply
from potnet.errors import PotnetError
from potnet.host.actions import Plan
from potnet.model.names import PUBLIC, same_name
from potnet.model.pots import Pot, ResolverKind
from potnet.operations.common import (
    NETWORK_LOCK,
    check_name,
    first_names,
    locked_remains,
    look_for,
    pot_lock,
    refuse_incomplete,
    refuse_same_anchor,
    require_pot,
)
from potnet.operations.files.hooks import finish_hooks
from potnet.operations.files.hosts_files import mark_due, update_due_files
from potnet.operations.files.moves import moves, renamed, take_back_rename
from potnet.operations.files.places import pot_directory
from potnet.operations.journal import RENAME, begin, end, refuse_new_name, unfinished
from potnet.operations.networks.addresses import check_resolver
from potnet.operations.pots.make_root import refuse_places
from potnet.operations.running.cleanup import clear_up
from potnet.planning.ownership import refuse_foreign, running

if TYPE_CHECKING:
    from netaddr import IPAddress

    from potnet.app import App


def rename(app: App, name: str, new: str) -> Pot:
    """Rename a stopped pot and return it. Raises PotnetError, with everything as before."""
    with both_locked(app, name, new) as pot:
        former = pot.name
        take_back_rename(app, pot)
        _refuse_name(app, pot, new)
        clear_stopped(app, pot)
        pot = _with_directory(app, finish_hooks(app, pot))
        after = renamed(app, pot, new)
        refuse_places(app, after)
        with app.locks.hold(NETWORK_LOCK):
            _move(app, pot, after)
            update_due_files(app, after)
        app.locks.discard(pot_lock(former))
    return after


@contextmanager
def both_locked(app: App, name: str, new: str) -> Iterator[Pot]:
    """Lock and return a complete pot, and lock its new name, in the order of all commands.

    An unused lock of the new name is removed. Raises PotnetError.
    """
    check_name("pot", new)
    name = app.store.called("pot", name) or require_pot(app, name).name
    if name == new:
        raise PotnetError(f"{name} has that name already", hint="choose another name")
    with ExitStack() as held:
        if new < name:
            held.enter_context(app.locks.hold(pot_lock(new)))
        pot = held.enter_context(locked_remains(app, name))
        if new > name:
            held.enter_context(app.locks.hold(pot_lock(new)))
        try:
            refuse_incomplete(pot)
            yield pot
        finally:
            if not app.store.has_pot(new):
                app.locks.discard(pot_lock(new))


def _refuse_name(app: App, pot: Pot, new: str) -> None:
    """Raises PotnetError if the pot cannot have the new name."""
    other = app.store.called("pot", new)
    if other not in (None, pot.name):
        raise PotnetError(f"pot {other} already exists", hint="choose another name")
    refuse_new_name(app, new)
    refuse_same_anchor(app, "pot", new)
    server = app.config.dns_name
    if same_name(new, server):
        _refuse_server(app, replace(pot, name=new))
    elif same_name(pot.name, server):
        users = [each.name for each in app.store.pots() if each.resolver.kind is ResolverKind.POT]
        if users:
            raise PotnetError(
                f"{pot.name} is the resolver of {first_names(users)}",
                hint=f'set dns.name = "{new}" in the configuration first',
            )


def _refuse_server(app: App, pot: Pot) -> None:
    """Raises PotnetError for the name of the DNS server if the pot has another address than the server."""
    check_resolver(app, pot)
    address = app.config.dns_address
    own = [each for network, each in _leases(pot) if network == PUBLIC]
    if address in app.config.network and own and address not in own:
        raise PotnetError(
            f"{pot.name} is the name of the DNS server, which has the address {address}",
            hint="choose another name",
        )


def _leases(pot: Pot) -> list[tuple[str, IPAddress]]:
    return [pair for attachment in pot.attachments for pair in attachment.leases]


def clear_stopped(app: App, pot: Pot) -> None:
    """Remove what an earlier start left. Raises PotnetError for a pot that runs."""
    run = app.store.run(pot.name)
    state = look_for(app, pot, run)
    if running(run, state):
        raise PotnetError(f"{pot.name} is running", hint=f"`potnet stop {pot.name}` first")
    refuse_foreign(pot, run, state.jails.get(pot.name))
    if run is not None:
        with app.locks.hold(NETWORK_LOCK):
            clear_up(app, run, state)


def _with_directory(app: App, pot: Pot) -> Pot:
    """Record the directory of hooks that were set before the store recorded it."""
    if pot.directory is None and pot.hooks:
        pot = replace(pot, directory=pot_directory(app, pot))
        app.store.update_pot(pot)
    return pot


def _move(app: App, pot: Pot, after: Pot) -> None:
    """Move the files, then record the new name. On failure, host and store are as before."""
    steps = moves(app, pot, after)
    begin(app, RENAME, pot.name, after.name)
    applied = Applied(app.driver)
    try:
        applied = apply(Plan(steps), app.driver)
        _record(app, pot, after)
    except BaseException as error:
        applied.take_back(error)
        if not getattr(error, "left_behind", ()):
            end(app, RENAME, pot.name)
        raise


def _record(app: App, pot: Pot, after: Pot) -> None:
    with app.store.transaction():
        end(app, RENAME, pot.name)
        for each in unfinished(app, pot.name):
            end(app, each.verb, pot.name)
            begin(app, each.verb, after.name, each.text)
        app.store.rename_pot(pot.name, after.name)
        app.store.update_pot(after)
        mark_due(app, after)
