"""check: differences between the host and the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.host.findings import Finding, Kind
from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.jail_parameters import kept_names
from potnet.model.names import is_special
from potnet.model.pots import End, ResolverKind, Run, valid_name
from potnet.operations.common import NETWORK_LOCK, external_interface, pot_lock, require_bridge, require_pot
from potnet.operations.files.hosts_files import expected_texts, staging_directory
from potnet.operations.files.pot_logs import exposed_logs, ways_to_logs
from potnet.operations.journal import unfinished
from potnet.operations.lan.dhcp import learned
from potnet.operations.maintenance.init import INIT
from potnet.operations.networks.external import kept_off
from potnet.operations.networks.in_force import recorded_networks
from potnet.operations.networks.units import vnet
from potnet.operations.pots.virtual_machines import ROOT
from potnet.operations.running.start_context import (
    RESOLV_CONF,
    dhclient_text,
    resolver_text,
    with_upstream,
)
from potnet.planning.check.bridges import compare_bridges
from potnet.planning.check.drift import (
    Drift,
    Facts,
    Written,
    all_rules,
    bridge_anchors,
    pot_anchors,
    routed,
    shared_anchors,
)
from potnet.planning.check.first_addresses import compare_first_addresses
from potnet.planning.check.host import (
    compare_datasets,
    compare_left,
    compare_logs,
    compare_shared,
    compare_starts,
    compare_stored,
    left_anchors,
)
from potnet.planning.check.pots import compare_pots
from potnet.planning.filter.packet_filter import of_pot, own_anchors
from potnet.planning.filter.policy import pipes_of
from potnet.planning.jail import DHCLIENT, device_rules, etc_of, path_in, rulesets_of
from potnet.planning.resolver import DHCLIENT_CONF, replace_file
from potnet.planning.roots import ways_to
from potnet.runtime.fast_dataclass import dataclass
from potnet.store.consistency import contradictions

if TYPE_CHECKING:
    from potnet.app import App


@dataclass(frozen=True, slots=True)
class Scope:
    """The pots and bridges that a check covers, with what all share; everything if both are None.

    kinds: the kinds of findings that it covers; None: all.
    """

    pots: frozenset[str] | None = None
    bridges: frozenset[str] | None = None
    kinds: tuple[Kind, ...] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all pots and bridges are covered."""
        return self.pots is None and self.bridges is None

    def covers(self, run: Run) -> bool:
        return self.pots is None or run.pot.name in self.pots

    def has(self, finding: Finding) -> bool:
        """Whether a finding is within the scope."""
        if self.kinds is not None and finding.kind not in self.kinds:
            return False
        if self.pots is None or self.bridges is None:
            return True
        if finding.pot is not None:
            return finding.pot in self.pots
        return finding.bridge in self.bridges if finding.bridge is not None else finding.interface is None


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look at store and host. busy: the pots that another command is changing."""

    facts: Facts
    state: HostState
    drifts: tuple[Drift, ...]
    busy: tuple[str, ...] = ()


def check(app: App, pots: Sequence[str], bridge: str | None) -> tuple[Finding, ...]:
    """Return the differences within the scope; raises PotnetError when the host cannot be read."""
    # The lock keeps a restore from replacing the store meanwhile.
    with app.locks.share():
        found = look(app, scope_of(app, pots, bridge))
    for name in found.busy:
        app.notify(f"{name} is skipped: another potnet command is changing it")
    return tuple(drift.finding for drift in found.drifts)


def scope_of(
    app: App, pots: Sequence[str], bridge: str | None, kinds: tuple[Kind, ...] | None = None
) -> Scope:
    """Return the named pots with their bridges, or the named bridge with its pots."""
    if not pots and bridge is None:
        return Scope(kinds=kinds)
    if bridge is not None:
        bridge = require_bridge(app, bridge).name
        return Scope(frozenset(app.store.bridged_names(bridge)), frozenset({bridge}), kinds)
    records = [require_pot(app, name) for name in pots]
    bridges = (attachment.bridge for pot in records for attachment in pot.attachments)
    return Scope(frozenset(pot.name for pot in records), frozenset(bridges), kinds)


def look(app: App, scope: Scope) -> Look:
    """Compare store and host; compare again if another command changed something meanwhile."""
    busy = app.locks.held()
    facts = _facts(app)
    found = look_now(app, scope, facts)
    busy |= app.locks.held()
    if NETWORK_LOCK in busy or _facts(app) != facts:
        with app.locks.hold(NETWORK_LOCK):
            busy = app.locks.held()
            found = look_now(app, scope, _facts(app))
    if INIT in busy:
        found = replace(found, drifts=tuple(d for d in found.drifts if not _is_of_init(d.finding)))
    names = {run.pot.name for run in found.facts.runs if scope.covers(run)}
    names |= {drift.finding.pot for drift in found.drifts if drift.finding.pot is not None}
    at_work = tuple(sorted(name for name in names if pot_lock(name) in busy))
    drifts = tuple(drift for drift in found.drifts if drift.finding.pot not in at_work)
    return replace(found, drifts=drifts, busy=at_work)


def _is_of_init(finding: Finding) -> bool:
    return finding.kind is Kind.COMMAND_CUT_OFF and finding.pot is None


def _facts(app: App) -> Facts:
    known = vnet(app)
    return Facts(
        app.config, app.store.runs(), known.bridges, known.site6,
        forwarding_set=known.forwarding_set, router_kept=known.router_kept, permitting=known.permitting,
        policies=app.store.policies(), datasets=app.store.datasets(), members_set=known.members_set,
        loaded=recorded_networks(app),
    )  # fmt: skip


def look_now(app: App, scope: Scope, facts: Facts | None = None) -> Look:
    """Compare the present store and host."""
    facts = facts if facts is not None else _facts(app)
    state = _host(app, facts)
    external = external_interface(app, state)
    facts = replace(facts.seen(state, external), further=kept_off(app, state, external))
    facts = _with_store(app, facts, state)
    shown = replace(facts, active=tuple(filter(scope.covers, facts.active)))
    state = _inside(app, scope, shown, facts, state)
    got = learned(app, shown.active, state)
    shown = replace(shown, written=_written(app, shown.active, state), learned=got)
    drifts = (
        *compare_starts(facts, state),
        *compare_left(facts, state),
        *compare_shared(facts, state),
        *compare_first_addresses(facts, state),
        *compare_bridges(facts, state),
        *compare_pots(shown, state),
        *compare_stored(facts),
        *compare_logs(app.config.logs, exposed_logs(app, state.access)),
        *compare_datasets(facts, state),
    )
    return Look(facts, state, tuple(drift for drift in drifts if scope.has(drift.finding)))


def _host(app: App, facts: Facts) -> HostState:
    """Query the host with the same few commands, however much the host has."""
    ipv4 = routed(facts.accounted)
    exports = any(run.pot.exports for run in facts.runs) or app.store.exports_anything()
    return app.driver.observe(
        Query(
            jails=None,
            taps=tuple(tap for run in facts.runs for tap in run.pot.taps),
            tap_owners=tuple((tap, run.pot.owner or ROOT) for run in facts.runs for tap in run.pot.taps),
            interfaces=None,
            uplinks=True,
            local_addresses=True,
            external=app.config.external_interface is None,
            packet_filter=ipv4 or any(run.pot.antispoof for run in facts.runs),
            own_anchors=own_anchors(app.config),
            lost=ipv4,
            jail_addresses=ipv4,
            filter_local=ipv4,
            forwarding=ipv4 or bool(facts.forwarding_set),
            unfiltered=bool(facts.members_set) or any(run.pot.antispoof for run in facts.runs),
            listeners=exports,
            mounts=bool(facts.datasets),
            anchor_parents=(app.config.rdr_anchor, app.config.filter_anchor),
        )
    )


def _with_store(app: App, facts: Facts, state: HostState) -> Facts:
    """Add the store's records of the names and ports that were found on the host."""
    known = {run.pot.name for run in facts.runs}
    below = (name.rpartition("/") for name in state.anchor_names)
    parents = (app.config.rdr_anchor, app.config.filter_anchor)
    # The filters of a pot have a sign before the pot's name.
    names = {*state.jails, *(name.lstrip("-.") for parent, _, name in below if parent in parents)}
    held = []
    for listener in dict.fromkeys(state.listeners):
        exporter = app.store.exporter(listener.protocol, listener.port, listener.address)
        # A chosen port is replaced at the next start if a program of the host uses it.
        if exporter is not None and not (exporter[1].chosen and exporter[0] not in known):
            held.append((*exporter, listener))
    return replace(
        facts,
        others=frozenset(_others(app, names, state)) - known,
        pieces=app.store.pieces(),
        unfinished=unfinished(app),
        held=tuple(held),
        lost=app.store.lost_leases(),
        contradictions=contradictions(app.store, lost=False),
        doubled=(*app.store.doubled("pot"), *app.store.doubled("bridge")),
        special=_special(app),
        special_hosts=tuple(each for each in app.store.hostnames() if is_special(each[1])),
    )


def _inside(app: App, scope: Scope, shown: Facts, facts: Facts, state: HostState) -> HostState:
    """Add the contents of running pots and of anchors to the state."""
    anchors = (
        *shared_anchors(facts),
        *(each[:2] for each in bridge_anchors(facts)),
        *(each[:2] for each in pot_anchors(shown)),
    )
    traits = app.driver.traits
    paths = tuple(f"{etc_of(run.pot, traits)}/{name}" for run in shown.active for name in run.files)
    jails = [run for run in shown.active if run.pot.is_jail]
    devfs = {path_in(run.pot.root, "dev"): device_rules(run.pot) for run in jails if run.devfs}
    clients = (path_in(run.pot.root, DHCLIENT) for run in jails if run.pot.by_dhcp)
    unmounted = (each for run in jails for each in rulesets_of(run.pot, devfs=False))
    resolvers = {run.pot.resolver.kind for run in shown.active if "resolv.conf" in run.files}
    more = app.driver.observe(
        Query(
            anchors=anchors,
            all_rules=all_rules(facts) if scope.is_whole else (),
            jail_networks=tuple(
                (run.pot.name, tuple(sorted({a.version for a in run.pot.leased})))
                for run in shown.active
                if run.pot.attachments and run.pot.is_jail
            ),
            holding=left_anchors(facts, state),
            pipes=tuple(pipes for run in shown.active if (pipes := pipes_of(run.pot)) is not None),
            files=(*paths, *devfs, *clients),
            devfs=tuple(devfs.items()),
            rulesets=tuple(unmounted),
            jail_parameters=tuple((run.pot.name, kept_names(run.pot.parameters)) for run in jails),
            ways=(
                *ways_to_logs(app),
                *((way for run in jails for way in ways_to(run.pot)) if traits.own_programs else ()),
            ),
            digests=paths,
            texts=(RESOLV_CONF,) if ResolverKind.INHERIT in resolvers else (),
            hostname=ResolverKind.POT in resolvers,
        )
    )
    told = (
        "anchors", "stray", "limited", "jail_networks", "unreadable", "files", "digests", "texts", "hostname",
        "access", "open_rulesets",
        "holding", "jail_parameters",
    )  # fmt: skip
    return replace(state, **{name: getattr(more, name) for name in told})


def _written(app: App, runs: Sequence[Run], state: HostState) -> dict[str, Written]:
    """Return the expected files of running pots, as far as they are known."""
    found, traits = {}, app.driver.traits
    state = with_upstream(app, state)
    hosts = expected_texts(app, (run.pot for run in runs if "hosts" in run.files))
    for run in runs:
        pot = run.pot
        texts = {
            "resolv.conf": resolver_text(app, pot, state),
            "hosts": hosts.get(pot.name),
            DHCLIENT_CONF: dhclient_text(app, pot),
        }
        for name in run.files:
            text = texts.get(name)
            if text is not None:
                folder = staging_directory(app, pot)
                steps = replace_file(pot, name, text, folder, traits) if folder is not None else ()
                found[f"{etc_of(pot, traits)}/{name}"] = Written(text, steps)
    return found


def _others(app: App, names: set[str], state: HostState) -> list[str]:
    """Return the pots with jails or anchors on the host, whose names may be truncated."""
    found = [name for name in names if valid_name(name) and app.store.called("pot", name) == name]
    if any("." in name for name in names):
        found += [name for name in app.store.pot_names() if state.anchor_names & {*of_pot(app.config, name)}]
    return found


def _special(app: App) -> tuple[End, ...]:
    pots = (End(name) for name in app.store.pot_names() if is_special(name))
    bridges = (End(bridge.name, bridge=True) for bridge in app.store.bridges() if is_special(bridge.name))
    return (*pots, *bridges)
