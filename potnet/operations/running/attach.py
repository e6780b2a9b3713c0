"""attach, detach and jail-conf: the network of a pot for a jail that another program makes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import HostError, PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.jail_parameters import split
from potnet.model.pots import Pot
from potnet.operations.common import NETWORK_LOCK, Outcome, locked_pot, require_jail, require_pot
from potnet.operations.files.hosts_files import neighbours_of, update_hosts_files
from potnet.operations.networks.leases import refuse_taken
from potnet.operations.networks.units import restore_switches, switches
from potnet.operations.running.cleanup import clear_up
from potnet.operations.running.start import attach_new_jail, attach_running_jail, restore_record
from potnet.operations.running.stop import SHUTDOWN, detach_locked
from potnet.operations.selection import check_needs
from potnet.planning.jail import LOOKED_AT, boot_command, jail_of, path_in, wants_devfs
from potnet.planning.ownership import owned, running

if TYPE_CHECKING:
    from potnet.app import App


def attach(app: App, name: str, jail: str | None, created: bool) -> Outcome:
    """Give the network of a pot to the jail of the same name. Raises PotnetError, with nothing left.

    created: the jail runs nothing yet, so its resolver and hosts files are written too.
    """
    if jail is not None and jail != name:
        raise UsageError(
            f"invalid --jail {jail!r}: the jail must have the name of the pot",
            hint=f"name the jail {name}, or create a pot with the name of the jail",
        )
    with locked_pot(app, name) as pot:
        name = pot.name
        _refuse_shared(pot)
        run = app.store.run(name)
        state = app.driver.observe(Query(jails=(name,)))
        if run is not None and running(run, state):
            if run.attached and not run.stopping:
                return Outcome(name, False)
            if not run.attached:
                raise PotnetError(f"potnet started {name} itself", hint=f"`potnet stop {name}` first")
        _check_jail(app, pot)
        check_needs(app, pot)
        refuse_taken(app, pot)
        with app.locks.hold(NETWORK_LOCK):
            if run is not None:
                clear_up(app, run, state, idle=created)
            _attach(app, pot, created)
    return Outcome(name, True)


def _refuse_shared(pot: Pot) -> None:
    require_jail(pot, "there is nothing to attach")
    if not pot.network_type.bridged:
        raise PotnetError(
            f"{pot.name} is {pot.network_type}: there is nothing to attach, as it shares the host's network",
            hint=f"`potnet jail-conf {pot.name}` prints the parameters that its jail needs",
        )
    if pot.by_dhcp:
        raise PotnetError(
            f"{pot.name} gets an address by DHCP, for which potnet must start the jail itself",
            hint=f"`potnet set -p {pot.name} -i ADDRESS` gives it one that can be attached",
        )


def _check_jail(app: App, pot: Pot) -> None:
    found = app.driver.observe(Query(jails=(pot.name,))).jails.get(pot.name)
    if found is None or found.dying:
        raise HostError(
            f"jail {pot.name} not found", hint=f"`potnet jail-conf {pot.name}` prints a jail.conf(5) for it"
        )
    if found.path not in (None, pot.root):
        raise HostError(
            f"the jail {pot.name} has the root {found.path}, the pot has {pot.root}",
            hint="`potnet create --path ROOT` makes a pot for a root that is there",
        )


def _attach(app: App, pot: Pot, created: bool) -> None:
    before, neighbours, remembered = pot, neighbours_of(app, pot), switches(app)
    try:
        if created:
            applied, run, _ = attach_new_jail(app, pot, neighbours)
        else:
            applied, run, _ = attach_running_jail(app, pot, neighbours)
    except BaseException as error:
        restore_record(app, before, error)
        raise
    try:
        update_hosts_files(app, neighbours, current=(pot.name,))
        found = app.driver.observe(Query(jails=(pot.name,))).jails.get(pot.name)
        app.store.put_run(replace(run, jid=found.jid if found is not None else None))
    except BaseException as error:
        applied.take_back(error)
        if not getattr(error, "left_behind", ()):
            with app.store.transaction():
                restore_switches(app, remembered)
                app.store.remove_run(pot.name)
        restore_record(app, before, error)
        raise


def detach(app: App, names: Sequence[str], ending: bool = False) -> tuple[Outcome, ...]:
    """Take the networks of pots away from jails that potnet did not make. Running it again is harmless.

    ending: the jails are about to end; the rest of each pot's start goes with a detach after that.
    """
    outcomes = []
    for name in names:
        with locked_pot(app, name) as pot:
            name = pot.name
            require_jail(pot, "there is nothing to detach")
            run = app.store.run(name)
            state = app.driver.observe(Query(jails=(name,)))
            if run is None:
                outcomes.append(Outcome(name, False))
            elif run.attached:
                outcomes.append(detach_locked(app, run, state, ending))
            elif owned(run, state.jails.get(name)):
                raise PotnetError(f"potnet started {name} itself", hint=f"`potnet stop {name}`")
            else:
                # These belong to a start whose jail is gone.
                with app.locks.hold(NETWORK_LOCK):
                    outcomes.append(Outcome(name, clear_up(app, run, state)))
    return tuple(outcomes)


def jail_conf(app: App, name: str, program: Sequence[str]) -> str:
    """Return the pot as a fragment of jail.conf(5). program: potnet with its options, for the hooks."""
    from potnet.templates import render

    pot = require_pot(app, name)
    name = pot.name
    require_jail(pot, "there is nothing to put into jail.conf(5)")
    state = app.driver.observe(Query(files=tuple(path_in(pot.root, each) for each in LOOKED_AT)))
    if not app.driver.traits.own_programs:
        raise PotnetError("jail.conf(5) is not used on this kind of host", hint="add --host freebsd")
    jail = jail_of(pot, wants_devfs(pot, state))
    command = boot_command(pot, state)
    # The hook that ends the jail's programs runs on the host if they need the network until then. A clean
    # environment may lack /usr/sbin in PATH (jail(8), exec.clean).
    inside = ("/usr/sbin/jexec", "-l", jail.name) if pot.network_type.bridged else ()
    values = {
        "name": jail.name,
        "hostname": jail.hostname,
        "root": jail.root,
        "vnet": pot.network_type.bridged,
        "aliases": {
            family: [
                f"{interface}|{address}" for interface, address in jail.aliases if address.version == family
            ]
            for family in (4, 6)
        },
        "inherit": jail.inherit,
        "devfs": jail.devfs,
        "parameters": dict(map(split, jail.parameters)),
        "start": shlex.join(command),
        "stop": shlex.join((*inside, *SHUTDOWN)) if command and not pot.command else "",
        "attach": shlex.join((*program, "attach", name, "--created")),
        "detach": shlex.join((*program, "detach", name)),
        "leave": shlex.join((*program, "detach", "--ending", name)),
    }
    return render(app.config.templates, "jail-conf.j2", values).rstrip("\n")
