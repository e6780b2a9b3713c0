"""The hosts files of running pots; potnet updates them as other pots of their bridges start and stop.

A hosts file lists all pots of a bridge with an address, running or not. The store remembers the common
content for each bridge, so a start need not compare files if nothing changed. `_DUE` replaces that content
while an update is due or under way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from potnet.apply import apply_all
from potnet.host.actions import Plan
from potnet.model.names import is_special
from potnet.model.pots import Lease, Pot, Run
from potnet.operations.files.places import is_out_of_reach, pot_directory
from potnet.operations.networks.neighbours import neighbours
from potnet.planning.resolver import replace_file

if TYPE_CHECKING:
    from potnet.app import App

#: Replaces the remembered content while some running pots lack the latest entries.
_DUE = "due"
#: Content up to this length (about forty pots) is stored as it is; longer content is stored as a digest.
SHORT = 1_000

#: Pots by the bridges that a pot has an address on.
Neighbours = Mapping[str, Sequence[Lease]]


def hosts_key(bridge: str) -> str:
    """Return the store key for the hosts content that the running pots of a bridge share."""
    return f"hosts {bridge}"


def neighbours_of(app: App, pot: Pot) -> Neighbours:
    """Return the pots that the hosts file of a pot lists."""
    bridges = dict.fromkeys(a.bridge for a in pot.attachments if a.addresses)
    return {bridge: neighbours(app.store, bridge) for bridge in bridges}


def hosts_text(app: App, pot: Pot, known: Neighbours) -> str:
    """Return the hosts(5) text of a pot, with addresses of the families that the pot has itself."""
    from potnet.templates import render

    families = {address.version for address in pot.leased}
    others = [
        (lease.address, lease.pot)
        for leases in known.values()
        for lease in leases
        if lease.address.version in families
    ]
    own = next((name for name in (pot.hostname, pot.name) if name and not is_special(name)), "")
    values = {"name": own, "neighbours": others}
    return render(app.config.templates, "hosts.j2", values)


def update_hosts_files(app: App, known: Neighbours, current: Collection[str] = ()) -> None:
    """Update the hosts files of the running pots on these bridges; the caller holds the network's lock.

    current: pots whose files already contain `known`. A failure with one pot's file is only reported.
    """
    heard = {}
    for bridge, leases in known.items():
        key, digest = hosts_key(bridge), _digest(leases)
        if app.store.remembered(key) == digest:
            continue
        runs = [run for run in _with_hosts(app, bridge) if run.pot.name not in current]
        if runs:
            app.store.remember(key, _DUE)
        for run in runs:
            rewrite(app, run)
        heard[key] = digest
    if heard:
        with app.store.transaction():
            for key, digest in heard.items():
                app.store.remember(key, digest)


def mark_due(app: App, pot: Pot) -> None:
    """Record that a pot's neighbours need an update, in the transaction of the change."""
    for bridge in {a.bridge for a in pot.attachments if a.addresses}:
        if any(run.pot.name != pot.name for run in _with_hosts(app, bridge)):
            app.store.remember(hosts_key(bridge), _DUE)


def update_due_files(app: App, pot: Pot) -> None:
    """Update the neighbours that `mark_due` recorded; the caller holds the network's lock."""
    due = {each: leases for each, leases in neighbours_of(app, pot).items() if _is_due(app, each)}
    update_hosts_files(app, due)


def is_due(app: App, pot: Pot) -> bool:
    """Whether `mark_due` recorded neighbours of a pot that need an update."""
    return any(_is_due(app, a.bridge) for a in pot.attachments)


def _is_due(app: App, bridge: str) -> bool:
    return app.store.remembered(hosts_key(bridge)) == _DUE


def record_updated(app: App, bridge: str) -> None:
    """Record that all running pots of a bridge have the update that `mark_due` recorded."""
    if _is_due(app, bridge):
        app.store.remember(hosts_key(bridge), _digest(neighbours(app.store, bridge)))


def expected_texts(app: App, pots: Iterable[Pot]) -> dict[str, str]:
    """Return the expected hosts files of running pots, by pot, unless an update is due."""
    told: dict[str, Sequence[Lease] | None] = {}
    found = {}
    for pot in pots:
        own: dict[str, Sequence[Lease]] = {}
        for bridge in dict.fromkeys(a.bridge for a in pot.attachments if a.addresses):
            if bridge not in told:
                leases = neighbours(app.store, bridge)
                is_told = app.store.remembered(hosts_key(bridge)) in (_DUE, _digest(leases))
                told[bridge] = leases if is_told else None
            known = told[bridge]
            if known is None:
                break
            own[bridge] = known
        else:
            found[pot.name] = hosts_text(app, pot, own)
    return found


def _with_hosts(app: App, bridge: str) -> list[Run]:
    """Return the complete starts of pots on a bridge that have a hosts file."""
    runs = (app.store.run(name) for name in app.store.bridged_names(bridge))
    return [run for run in runs if run is not None and run.jid is not None and "hosts" in run.files]


def _digest(leases: Sequence[Lease]) -> str:
    """Return the stored form of a content: short content itself, else a digest."""
    lines = "".join(f"{lease.address} {lease.pot}\n" for lease in leases)
    if len(lines) <= SHORT:
        return lines
    import hashlib  # it loads OpenSSL: 9 ms

    return hashlib.sha256(lines.encode()).hexdigest()


def staging_directory(app: App, pot: Pot) -> str | None:
    """Return the directory where a file for a pot's etc is made first; None if a jail could change it."""
    if pot.root_made:
        return pot_directory(app, pot)
    return app.config.jails if is_out_of_reach(app, app.config.jails) else None


def rewrite(app: App, run: Run) -> None:
    """Replace the hosts file of a started pot. A failure is only reported."""
    pot = run.pot
    text = hosts_text(app, pot, neighbours_of(app, pot))
    folder = staging_directory(app, pot)
    if folder is None:
        app.notify(f"the hosts file of {pot.name} is out of date: paths.jails is in the root of a pot")
        return
    plan = Plan(replace_file(pot, "hosts", text, folder, app.driver.traits))
    for failure in apply_all(plan, app.driver):
        app.notify(f"the hosts file of {pot.name} is out of date: {failure}")
