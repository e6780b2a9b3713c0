"""The hosts files of running pots, which follow as other pots of their bridges start and stop.

They name all pots of a bridge that have an address, running or not. What running pots have in common is
remembered for each bridge, so that a start looks no further when nothing has changed. While files are
written, and from when one has to be until then, `_DUE` stands in its place.
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

#: In the place of what running pots have been told: not all of them have.
_DUE = "due"
#: So many characters, of some forty pots, are remembered as they are: no digest has to be made of them.
SHORT = 1_000

#: Pots by the bridges that a pot has an address on.
Neighbours = Mapping[str, Sequence[Lease]]


def hosts_key(bridge: str) -> str:
    """Under this key the store remembers what the running pots of a bridge have in their hosts files."""
    return f"hosts {bridge}"


def neighbours_of(app: App, pot: Pot) -> Neighbours:
    """The pots that the hosts file of a pot names."""
    bridges = dict.fromkeys(a.bridge for a in pot.attachments if a.addresses)
    return {bridge: neighbours(app.store, bridge) for bridge in bridges}


def hosts_text(app: App, pot: Pot, known: Neighbours) -> str:
    """The hosts(5) of a pot, with the addresses of the families that it has itself."""
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
    """Bring the hosts files of the pots that run on these bridges up to date; the network's lock is held.

    told: pots whose files say `known` already. What goes wrong with one pot's file is told, and no more.
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
            _rewrite(app, run)
        heard[key] = digest
    if heard:
        with app.store.transaction():
            for key, digest in heard.items():
                app.store.remember(key, digest)


def mark_due(app: App, pot: Pot) -> None:
    """Record that a pot's neighbours have to hear of a change; in the transaction that makes it."""
    for bridge in {a.bridge for a in pot.attachments if a.addresses}:
        if any(run.pot.name != pot.name for run in _with_hosts(app, bridge)):
            app.store.remember(hosts_key(bridge), _DUE)


def update_due_files(app: App, pot: Pot) -> None:
    """Tell a pot's neighbours what `mark_due` was about; the network's lock is held."""
    due = {each: leases for each, leases in neighbours_of(app, pot).items() if _is_due(app, each)}
    update_hosts_files(app, due)


def is_due(app: App, pot: Pot) -> bool:
    """Whether `mark_due` found neighbours of a pot that have to hear of a change."""
    return any(_is_due(app, a.bridge) for a in pot.attachments)


def _is_due(app: App, bridge: str) -> bool:
    return app.store.remembered(hosts_key(bridge)) == _DUE


def record_updated(app: App, bridge: str) -> None:
    """Record that all running pots of a bridge have been told what `mark_due` was about."""
    if _is_due(app, bridge):
        app.store.remember(hosts_key(bridge), _digest(neighbours(app.store, bridge)))


def expected_texts(app: App, pots: Iterable[Pot]) -> dict[str, str]:
    """What the hosts files of running pots have to say, by pot, unless they are yet to be told of others."""
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
    """The starts of pots on a bridge that are done and have a hosts file."""
    runs = (app.store.run(name) for name in app.store.bridged_names(bridge))
    return [run for run in runs if run is not None and run.jid is not None and "hosts" in run.files]


def _digest(leases: Sequence[Lease]) -> str:
    """What stands for them in the store: of a few that is all they say."""
    lines = "".join(f"{lease.address} {lease.pot}\n" for lease in leases)
    if len(lines) <= SHORT:
        return lines
    import hashlib  # it loads OpenSSL: 9 ms

    return hashlib.sha256(lines.encode()).hexdigest()


def staging_directory(app: App, pot: Pot) -> str | None:
    """Where a file for a pot's etc is made first; None where a jail could change it."""
    if pot.root_made:
        return pot_directory(app, pot)
    return app.config.jails if is_out_of_reach(app, app.config.jails) else None


def _rewrite(app: App, run: Run) -> None:
    pot = run.pot
    text = hosts_text(app, pot, neighbours_of(app, pot))
    folder = staging_directory(app, pot)
    if folder is None:
        app.notify(f"{pot.name} does not know its neighbours of now: paths.jails is in the root of a pot")
        return
    plan = Plan(replace_file(pot, "hosts", text, folder, app.driver.traits))
    for failure in apply_all(plan, app.driver):
        app.notify(f"{pot.name} does not know its neighbours of now: {failure}")
