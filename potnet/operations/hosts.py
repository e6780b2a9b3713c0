"""The hosts files of running pots, which follow as other pots of their bridges start and stop.

They name all pots of a bridge that have an address, running or not. What running pots have in common is
remembered for each bridge, so that a start looks no further when nothing has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from potnet.actions import Plan
from potnet.apply import apply_all
from potnet.model import Lease, Pot, Run
from potnet.operations.common import pot_directory
from potnet.operations.neighbours import neighbours
from potnet.planning.resolver import replace_hosts

if TYPE_CHECKING:
    from potnet.app import App

#: Pots by the bridges that a pot has an address on.
Known = Mapping[str, Sequence[Lease]]


def told_key(bridge: str) -> str:
    """Under this key the store remembers what the running pots of a bridge have in their hosts files."""
    return f"hosts {bridge}"


def known_to(app: App, pot: Pot) -> Known:
    """The pots that the hosts file of a pot names."""
    bridges = dict.fromkeys(a.bridge for a in pot.attachments if a.addresses)
    return {bridge: neighbours(app.store, bridge) for bridge in bridges}


def hosts_text(app: App, pot: Pot, known: Known) -> str:
    """The hosts(5) of a pot, with the addresses of the families that it has itself."""
    from potnet.templates import render

    families = {address.version for address in pot.leased}
    others = [
        (lease.address, lease.pot)
        for leases in known.values()
        for lease in leases
        if lease.address.version in families
    ]
    values = {"name": pot.hostname or pot.name, "neighbours": others}
    return render(app.config.templates, "hosts.j2", values)


def follow(app: App, known: Known, told: Collection[str] = ()) -> None:
    """Bring the hosts files of the pots that run on these bridges up to date; the network's lock is held.

    told: pots whose files say `known` already. What goes wrong with one pot's file is told, and no more.
    """
    for bridge, leases in known.items():
        key, digest = told_key(bridge), _digest(leases)
        if app.store.remembered(key) == digest:
            continue
        for name in app.store.bridged_names(bridge):
            run = app.store.run(name)
            if name not in told and run is not None and run.jid is not None and "hosts" in run.files:
                _rewrite(app, run)
        app.store.remember(key, digest)


def _digest(leases: Sequence[Lease]) -> str:
    lines = "".join(f"{lease.address} {lease.pot}\n" for lease in leases)
    return hashlib.sha256(lines.encode()).hexdigest()


def _rewrite(app: App, run: Run) -> None:
    pot = run.pot
    directory = pot_directory(app, pot) if pot.root_made else app.config.jails
    text = hosts_text(app, pot, known_to(app, pot))
    plan = Plan(replace_hosts(pot, text, directory, app.driver.traits))
    for failure in apply_all(plan, app.driver):
        app.notify(f"{pot.name} does not know its neighbours of now: {failure}")
