"""The addresses that running pots get by DHCP: look at them from outside, confirm and record them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.apply import apply, apply_all
from potnet.errors import PotnetError
from potnet.host.actions import Plan, Step
from potnet.host.jail_actions import AwaitLease
from potnet.host.query import Query
from potnet.host.state import HostState, JailNetwork
from potnet.model.bridges import LanNetwork
from potnet.model.pots import Pot, Run
from potnet.operations.common import NETWORK_LOCK
from potnet.operations.files.hosts_files import mark_due, neighbours_of, rewrite, update_hosts_files
from potnet.operations.networks.leases import refuse_held
from potnet.operations.networks.policy_filters import filters_moved
from potnet.planning.lan import Learned, learn, recorded, unfit_by_dhcp

if TYPE_CHECKING:
    from potnet.app import App


def await_leases(app: App, run: Run) -> Run:
    """Wait until a starting pot has its addresses by DHCP, and return its start with those confirmed.

    A pot that gets none runs without; potnet reports it.
    """
    pot = run.pot
    waits = (AwaitLease(own.jail_end, pot.name) for own in pot.by_dhcp)
    apply(Plan(tuple(Step(wait, None, "DHCP") for wait in waits)), app.driver)
    with app.locks.hold(NETWORK_LOCK):
        state = app.driver.observe(Query(interfaces=None, jail_networks=((pot.name, ()),)))
        found = learned(app, [run], state)
        run = adopt(app, run, found)
        for each in found:
            if each.wanted is None:
                app.notify(_missing(each))
    return run


def _missing(each: Learned) -> str:
    if each.seen is None:
        return (
            f"{each.pot} has no address on {each.interface} yet: no DHCP server answered within 30 seconds; "
            f"`potnet repair {each.pot}` confirms an address that comes later"
        )
    got = f"{each.pot} got {each.seen} on {each.interface} by DHCP"
    return f"{got}, which potnet does not confirm: {each.why}"


def learned(app: App, runs: Iterable[Run], state: HostState) -> tuple[Learned, ...]:
    """Return what running pots got by DHCP; their networks and the host's interfaces must be observed."""
    return tuple(
        each
        for run in runs
        if run.pot.by_dhcp and run.pot.name in state.jail_networks
        for each in _learned(app, run.pot, state.jail_networks[run.pot.name], state)
    )


def _learned(app: App, pot: Pot, inside: JailNetwork, state: HostState) -> list[Learned]:
    found = []
    for own in pot.by_dhcp:
        bridge, interface = app.store.bridge(own.bridge), inside.interfaces.get(own.jail_end)
        network = bridge.leasing(4) if bridge is not None else None
        if not isinstance(network, LanNetwork):
            continue
        seen = [a.address for a in interface.addresses if a.address.version == 4] if interface else []
        reasons = [(address, _why(app, pot.name, network, address, state)) for address in seen]
        found.append(learn(pot.name, own, reasons))
    return found


def _why(app: App, pot: str, network: LanNetwork, address: IPAddress, state: HostState) -> str | None:
    """Return why potnet does not confirm an address."""
    why = unfit_by_dhcp(network, address, state)
    if why is not None:
        return why
    holder = next((each.pot for each in app.store.leases(network.name) if each.address == address), pot)
    if holder != pot:
        return f"it is in use by pot {holder}"
    try:
        refuse_held(app, pot, address)
    except PotnetError as error:
        return error.message
    return None


def adopt(app: App, run: Run, found: Sequence[Learned]) -> Run:
    """Record the addresses that a pot got, and tell its neighbours; the caller holds the network's lock."""
    changed = [each for each in found if each.wanted != each.confirmed]
    if not changed:
        return run
    before, after = run.pot, recorded(run.pot, changed)
    filters = filters_moved(app, before, after)
    run = replace(run, pot=after)
    with app.store.transaction():
        for each in changed:
            if each.confirmed is not None:
                app.store.release(each.bridge, each.confirmed)
            if each.wanted is not None:
                app.store.reserve(each.bridge, each.pot, each.wanted)
        pot = app.store.pot(after.name)
        if pot is not None:
            app.store.update_pot(recorded(pot, changed))
        app.store.put_run(run)
        mark_due(app, before)
        mark_due(app, after)
    for failure in apply_all(Plan(tuple(each.step for each in filters)), app.driver):
        app.notify(f"the rules about {after.name} are out of date: {failure}")
    update_hosts_files(app, {**neighbours_of(app, before), **neighbours_of(app, after)})
    if run.jid is None and "hosts" in run.files:
        # The start is not complete, so the update has left this file out.
        rewrite(app, run)
    return run
