"""vnet-start and vnet-stop: keep bridges up independently of their pots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.apply import apply
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.query import Query
from potnet.model.bridges import Bridge
from potnet.model.names import PUBLIC, PUBLIC6
from potnet.model.pots import Pot
from potnet.operations.common import (
    NETWORK_LOCK,
    define_public_network,
    drop_network6,
    external_interface,
    public_bridges,
    require_bridge,
)
from potnet.operations.networks.external import expect_first, follow_external, nothing_in_force, record
from potnet.operations.networks.in_force import known_outlets
from potnet.operations.networks.units import (
    around_hidden,
    forget_switches,
    free_bridge,
    left_behind,
    look_for_bridges,
    remember_switches,
    restore_switches,
    settled,
    switches,
    vnet,
    with_stranded,
)
from potnet.planning.external import bridge_anchors, plan_reload, pot_anchors
from potnet.planning.filter.obstacles import obstacles, side_of
from potnet.planning.filter.packet_filter import check_anchors, hides6, own_anchors
from potnet.planning.vnet import Vnet, has_own_addresses, is_up, plan_bridge_down, plan_bridge_up, users_of

if TYPE_CHECKING:
    from potnet.app import App


def vnet_start(app: App, bridge: str | None) -> bool:
    """Bring up a bridge, or the default stack's public bridges, to stay; return whether that changed."""
    with app.locks.hold(NETWORK_LOCK):
        return _each(app, _bring_up, _meant(app, bridge), "up")


def vnet_stop(app: App, bridge: str | None) -> bool:
    """Take down a bridge that no running pot uses; return whether that changed. Raises PotnetError."""
    with app.locks.hold(NETWORK_LOCK):
        return _each(app, _take_down, _meant(app, bridge), "down")


def _each(app: App, work: Callable[[App, Bridge], bool], bridges: Sequence[Bridge], word: str) -> bool:
    """Run work for one bridge after another; on a failure, report the bridges that were changed and stop."""
    changed: list[str] = []
    try:
        for bridge in bridges:
            changed += [bridge.name] if work(app, bridge) else []
    except PotnetError:
        for name in changed:
            app.notify(f"bridge {name} is {word}")
        raise
    return bool(changed)


def _meant(app: App, name: str | None) -> list[Bridge]:
    if name is None:
        return list(public_bridges(app, app.config.stack.families))
    drop_network6(app)
    if app.store.bridge(name) is None and name in (PUBLIC, PUBLIC6):
        made = public_bridges(app, (4,) if name == PUBLIC else (6,))
        return [bridge for bridge in made if bridge.name == name] or [require_bridge(app, name)]
    return [require_bridge(app, name)]


def _bring_up(app: App, bridge: Bridge) -> bool:
    return around_hidden(lambda hidden: _make(app, bridge, hidden))


def _make(app: App, bridge: Bridge, hidden: frozenset[str]) -> bool:
    query = Query(
        names=True,
        interfaces=(bridge.interface, *known_outlets(app)),
        members=bridge.lan is not None,
        local_addresses=True,
        external=app.config.external_interface is None,
        packet_filter=bool(bridge.subnets),
        own_anchors=own_anchors(app.config),
    )
    state = app.driver.observe(query)
    bridge = free_bridge(app, bridge, state, hidden)
    if bridge.subnets:
        define_public_network(app)
        for notice in check_anchors(
            app.config, state.packet_filter, bridge.subnets[0].network, hides6(bridge)
        ):
            app.notify(notice)
    if not is_up(bridge, state) or left_behind(app, bridge, state):
        state = look_for_bridges(app, [bridge], state)
        bridge = settled(app, bridge, state)
    up = is_up(bridge, state)
    if up or state.pot_bridges:
        state = follow_external(app, state)
    else:
        expect_first(app, state)
    external = external_interface(app, state)
    for obstacle in obstacles(app.config, state, [side_of(bridge)], external):
        app.notify(obstacle.notice)
    known = with_stranded(app, vnet(app), [] if up else [bridge])
    plan = plan_bridge_up(bridge, known, app.config, state, external)
    if external is not None:
        # The user expects a working bridge, but flushed anchors give no sign, so potnet loads them again.
        plan = Plan((*plan.steps, *_reload(app, bridge, known, external, up)), plan.notices)
    for notice in plan.notices:
        app.notify(notice)
    remembered = switches(app)
    with app.store.transaction():
        remember_switches(app, plan, state)
        record(app, external, alone=not up and nothing_in_force(state))
        app.store.update_bridge(replace(bridge, pinned=True))
    try:
        apply(plan, app.driver)
    except BaseException:
        with app.store.transaction():
            restore_switches(app, remembered)
            app.store.update_bridge(bridge)
        raise
    return not up or not bridge.pinned


def _reload(app: App, bridge: Bridge, known: Vnet, external: str, up: bool) -> tuple[Step, ...]:
    """Load the anchors of a bridge and of its pots. up: if false, the plan for the bridge loads its own."""
    own = bridge_anchors([bridge] if up else [], known, app.config, external)
    return plan_reload(own | pot_anchors(_pots_on(app, bridge), [bridge], known, app.config, external))


def _pots_on(app: App, bridge: Bridge) -> list[Pot]:
    """Return the pots on a bridge as they were started."""
    runs = (app.store.run(name) for name in app.store.bridged_names(bridge.name))
    return [run.pot for run in runs if run is not None]


def _take_down(app: App, bridge: Bridge) -> bool:
    """Take down a bridge and clear its pin; return whether it existed. Raises PotnetError."""
    there, plan = take_off(app, bridge)
    with app.store.transaction():
        app.store.update_bridge(replace(bridge, pinned=False))
        forget_switches(app, plan)
    return there or bridge.pinned


def take_off(app: App, bridge: Bridge) -> tuple[bool, Plan]:
    """Take down a bridge that no pot uses. Raises PotnetError.

    Returns whether the bridge existed, and the plan, whose switches the caller forgets.
    """
    query = Query(
        interfaces=(bridge.interface,),
        members=True,
        own=True,
        pot_bridges=True,
    )
    state = app.driver.observe(query)
    found = state.interfaces.get(bridge.interface)
    members = sorted(users_of(bridge, found.members, state)) if found else []
    if members:
        raise PotnetError(
            f"bridge {bridge.name} is in use: {', '.join(_owners(app, bridge, members))}",
            hint="stop the pots on it first",
        )
    if found is not None and has_own_addresses(bridge, found):
        raise PotnetError(
            f"bridge {bridge.name} has addresses of the host on {found.name}, which would be lost",
            hint="move them to another interface first",
        )
    there = found is not None or bridge.interface in state.severed
    known = vnet(app)
    plan = whole = plan_bridge_down(bridge, known, app.config, state) if there or bridge.pinned else Plan()
    if bridge.pinned and not there and not _same_boot(app):
        plan = plan_bridge_down(bridge, replace(known, forwarding_set=frozenset()), app.config, state)
    try:
        # potnet undoes nothing here: the bridge goes first, or stays with everything that it needs. The NAT
        # goes last; while it exists, `_same_boot` knows that potnet made the rest.
        apply(plan, app.driver)
    except PotnetError as error:
        raise HostError(
            f"bridge {bridge.name} is not down\n  left behind: {error.message}",
            hint="remove the cause, then repeat the command",
        ) from error
    return there, whole


def _same_boot(app: App) -> bool:
    """Whether potnet's forwarding is still on; false after a reboot, and after a complete vnet-stop."""
    return app.driver.observe(Query(loaded_anchor=app.config.nat_anchor)).nat_loaded


def _owners(app: App, bridge: Bridge, members: list[str]) -> list[str]:
    """Return the names of pots by their members of a bridge."""
    pots = (app.store.pot(name) for name in app.store.bridged_names(bridge.name))
    owner = {a.host_end: pot.name for pot in pots if pot for a in pot.attachments}
    return [owner.get(member, member) for member in members]
