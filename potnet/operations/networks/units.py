"""Interface units that are free in the store and on the host, and the record of forwarding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from potnet.apply import apply
from potnet.drivers.base import CommandError
from potnet.errors import PotnetError
from potnet.host.actions import DestroyInterface, KeepRouter, Plan, SetForwarding, Step
from potnet.host.filter_actions import FilterMembers
from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import Attachment, Pot
from potnet.operations.common import FORWARDING, MEMBERS, ROUTER, busy_units, external_interface, wire_kind
from potnet.operations.networks.in_force import known_outlets, recorded_further
from potnet.planning import start as planning
from potnet.planning import uplink
from potnet.planning.vnet import Vnet, description
from potnet.store.store import ANCHORS

if TYPE_CHECKING:
    from potnet.app import App


#: Number of hidden names in use on the host that a command works around.
_HIDDEN_UNITS = 32

_T = TypeVar("_T")


def around_hidden(work: Callable[[frozenset[str]], _T]) -> _T:
    """Run work that makes interfaces, and retry it with other units while the host hides some.

    The unit of a cloned interface stays in use when the interface is renamed or moved into a jail. work:
    receives the names that are in use but not shown.
    """
    hidden: frozenset[str] = frozenset()
    while True:
        try:
            return work(hidden)
        except CommandError as error:
            if not found_hidden([error], hidden):
                raise
            hidden |= error.in_use


def found_hidden(errors: Iterable[PotnetError], hidden: frozenset[str]) -> frozenset[str]:
    """Return the names in use that caused these failures, if a retry may help. hidden: those found before."""
    found = [error.in_use for error in errors if isinstance(error, CommandError)]
    names = frozenset().union(*found) - hidden
    return names if len(hidden) <= _HIDDEN_UNITS else frozenset()


def vnet(app: App) -> Vnet:
    """Return what the store records of all bridges."""
    return Vnet(
        bridges=app.store.bridges(),
        forwarding_set=frozenset(f for f, key in FORWARDING.items() if app.store.remembered(key)),
        site6=app.store.site_prefix(),
        router_kept=app.store.remembered(ROUTER),
        permitting=app.store.permitting(),
        members_set=tuple((app.store.remembered(MEMBERS) or "").split()),
        guarded=app.store.guarded(most=2),
        further=recorded_further(app),
        public=app.config.network,
    )


def with_stranded(app: App, known: Vnet, missing: Sequence[Bridge]) -> Vnet:
    """Add to `known` the epairs of recorded starts that these bridges must add again as members."""
    names = {bridge.name for bridge in missing}
    stranded: dict[str, list[tuple[Pot, Attachment]]] = {}
    for run in app.store.runs() if names else ():
        for attachment in run.pot.attachments:
            if attachment.bridge in names:
                stranded.setdefault(attachment.bridge, []).append((run.pot, attachment))
    return replace(known, stranded={name: tuple(pots) for name, pots in stranded.items()})


def free_wires(app: App, pot: Pot, names: Collection[str], hidden: Collection[str]) -> Pot:
    """Give the pot units of epairs or taps that are free on the host, and record changed units.

    An interface whose description names this pot was left by an unrecorded start; potnet destroys it. hidden:
    names in use on the host but not shown.
    """
    taken = [a for a in pot.attachments if {a.host_end, a.jail_end} & {*names, *hidden}]
    if not taken:
        return pot
    shown = app.driver.observe(Query(interfaces=tuple(a.host_end for a in taken))).interfaces
    changed = {}
    for attachment in taken:
        found = shown.get(attachment.host_end)
        if found is not None and found.description == planning.description(pot):
            apply(Plan((Step(DestroyInterface(attachment.host_end)),)), app.driver)
        else:
            changed[attachment.unit] = attachment
    if not changed:
        return pot
    busy = busy_units(app, wire_kind(pot), hidden)
    with app.store.transaction():
        pot = _renumbered(app, pot, set(changed), busy)
        app.store.update_pot(pot)
    return pot


def _renumbered(app: App, pot: Pot, taken: Collection[int], busy: Iterable[int]) -> Pot:
    """Return the pot with free units in place of the taken ones; the caller records it in a transaction."""
    kind, used = wire_kind(pot), set(busy)
    attachments = []
    for attachment in pot.attachments:
        if attachment.unit in taken:
            attachment = replace(attachment, unit=app.store.free_unit(kind, used))
            used.add(attachment.unit)
        attachments.append(attachment)
    return replace(pot, attachments=tuple(attachments))


def renumber(app: App, pot: str, hidden: frozenset[str]) -> None:
    """Give the wires of a running pot other units if the present ones are in use on the host but hidden."""
    run = app.store.run(pot)
    if run is None:
        return
    taken = {a.unit for a in run.pot.attachments if {a.host_end, a.jail_end} & hidden}
    busy = busy_units(app, wire_kind(run.pot), hidden) if taken else ()
    with app.store.transaction():
        now = app.store.pot(pot)
        started = _renumbered(app, run.pot, taken, busy)
        units = dict(zip(*([a.unit for a in each.attachments] for each in (run.pot, started)), strict=True))
        app.store.put_run(replace(run, pot=started))
        if now is not None:
            # `set` may have changed the pot's record since the start.
            changed = (replace(a, unit=units.get(a.unit, a.unit)) for a in now.attachments)
            app.store.update_pot(replace(now, attachments=tuple(changed)))


def free_bridge(app: App, bridge: Bridge, state: HostState, hidden: Collection[str] = ()) -> Bridge:
    """Give the bridge a unit that is free on the host, and record a changed unit.

    hidden: names in use on the host but not shown.
    """
    if bridge.joined is not None:
        return bridge
    found = state.interfaces.get(bridge.interface)
    free = found is None or found.description == description(bridge)
    if free and bridge.interface not in hidden:
        return bridge
    with app.store.transaction():
        bridge = replace(bridge, unit=app.store.free_unit("bridge", busy_units(app, "bridge", hidden)))
        app.store.update_bridge(bridge)
    return bridge


def look_for_bridges(app: App, missing: Sequence[Bridge], state: HostState) -> HostState:
    """Add to `state` the facts required before these bridges are made."""
    routed = any(b.subnets for b in missing)
    routed6 = any(b.subnet(6) is not None for b in missing)
    more = app.driver.observe(
        Query(
            names=True,
            interfaces=known_outlets(app, state.external),
            local_addresses=True,
            own=True,
            external=state.external is None and app.config.external_interface is None,
            routes=routed,
            routes6=routed6,
            forwarding=routed,
            pot_bridges=routed,
            bridge_rules=any(not b.subnets for b in missing),
            loaded_anchor=app.config.nat_anchor if routed and any(switches(app).values()) else None,
        )
    )
    state = replace(state, interfaces={**state.interfaces, **more.interfaces})
    external = app.config.external_interface or state.external or more.external
    beneath = [external for b in missing if b.kind is BridgeKind.PUBLIC6 and external]
    beneath += [b.member for b in missing if b.member is not None]
    beneath += [name for b in missing for name in uplink.looked_at(b)]
    if beneath:
        lan = any(b.lan is not None for b in missing)
        look = Query(interfaces=tuple(dict.fromkeys(beneath)), wireless=lan)
        found = app.driver.observe(look).interfaces
        state = replace(state, interfaces={**state.interfaces, **found})
    if routed6 and external is not None and not more.forwarding[6]:
        # Once it forwards, the host ignores the routers that it has learnt there.
        learns = app.driver.observe(Query(learns_router=external)).learns_router
        state = replace(state, learns_router=learns)
    return replace(
        state,
        names=more.names,
        own=more.own,
        external=state.external or more.external,
        external_beside=state.external_beside or more.external_beside,
        routes=more.routes,
        local_addresses=more.local_addresses,
        forwarding=more.forwarding,
        pot_bridges=more.pot_bridges,
        members_keep_addresses=more.members_keep_addresses,
        nat_loaded=more.nat_loaded,
    )


def settled(app: App, bridge: Bridge, state: HostState) -> Bridge:
    """Choose the bridge for public IPv6 when it is about to come up: the host's own bridge, if there is one.

    If the external interface, already observed, is a bridge, pots join that bridge. The choice is recorded.
    """
    if bridge.kind is not BridgeKind.PUBLIC6:
        return bridge
    external = state.interfaces.get(external_interface(app, state) or "")
    joined = external.name if external is not None and external.bridge else None
    if joined != bridge.joined:
        bridge = replace(bridge, joined=joined)
        app.store.update_bridge(bridge)
    return bridge


def left_behind(app: App, bridge: Bridge, state: HostState) -> bool:
    """Whether a bridge of the host that pots had joined is no longer external and has no pots."""
    if bridge.joined in (None, external_interface(app, state)):
        return False
    return not any(app.store.run(name) for name in app.store.bridged_names(bridge.name))


def with_joined(app: App, state: HostState, bridges: Sequence[Bridge]) -> HostState:
    """Return the state in which joined bridges of the host count as up, like the bridges of pots."""
    joined = tuple(bridge.joined for bridge in bridges if bridge.joined is not None)
    found = app.driver.observe(Query(interfaces=joined)).interfaces if joined else {}
    up = {name for name, each in found.items() if each.up}
    return replace(state, pot_bridges=state.pot_bridges | up)


def switches(app: App) -> dict[str, str | None]:
    """Return the host settings that potnet has changed, by their store keys."""
    return {key: app.store.remembered(key) for key in (*FORWARDING.values(), ROUTER, MEMBERS)}


def remember_switches(app: App, plan: Plan, state: HostState) -> None:
    """Record the switches that potnet turns on; forget those that the host has turned on since.

    After a reboot the earlier record is void; an empty NAT anchor, which is loaded first, shows the reboot.
    The record also holds the anchors' names, for a stop under another configuration.
    """
    config = app.config
    app.store.remember(ANCHORS, f"{config.nat_anchor} {config.rdr_anchor} {config.filter_anchor}")
    changed = switched(plan)
    for key in switches(app):
        if key in changed:
            app.store.remember(key, changed[key])
        elif state.forwarding and not state.nat_loaded and not (key == MEMBERS and state.pot_bridges):
            app.store.forget(key)


def restore_switches(app: App, recorded: Mapping[str, str | None]) -> None:
    """Restore the record that `switches` returned."""
    for key, value in recorded.items():
        if value is None:
            app.store.forget(key)
        else:
            app.store.remember(key, value)


def forget_switches(app: App, plan: Plan) -> None:
    """Delete the record of the switches that a plan has restored."""
    for key in switched(plan):
        app.store.forget(key)


def switched(plan: Plan) -> dict[str, str]:
    """Return the settings that a plan changes, with the recorded value of each."""
    found = {}
    for step in plan.steps:
        match step.action:
            case SetForwarding(family):
                found[FORWARDING[family]] = "0"
            case KeepRouter(interface):
                found[ROUTER] = interface
            case FilterMembers(switches):
                found[MEMBERS] = " ".join(switches)
    return found
