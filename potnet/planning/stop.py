"""Stopping a pot: what its start made goes, and what else is there stays.

The same plan clears up after a start that was cut off, or a host that was rebooted: it takes away what it
finds, and nothing that it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from potnet.config.configuration import Config
from potnet.host.actions import Plan, RemoveAddress, Step
from potnet.host.file_actions import Unmount
from potnet.host.filter_actions import FilterMembers, KillStates, LiftRate, LoadAnchor
from potnet.host.ruleset import NoRules, Redirections, Ruleset
from potnet.host.state import HostState
from potnet.model.pots import Bridge, Run
from potnet.planning import resolver
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.policy import FilterChange, pipes_of
from potnet.planning.jail import jail_of, path_in
from potnet.planning.ownership import cut_off, owned
from potnet.planning.passed_interfaces import restore
from potnet.planning.vnet import Vnet, is_last_pot, plan_bridge_down
from potnet.planning.way_out import way_out


def plan_stop(
    run: Run,
    bridges: Mapping[str, Bridge],
    vnet: Vnet,
    config: Config,
    state: HostState,
    idle: bool = False,
    filters: Sequence[FilterChange] = (),
) -> Plan:
    """All steps from a running, or half started, pot to a stopped one. `run`: as it was started.

    idle: nothing runs in its jail, though that is there. filters: of this pot, and of others that
    were told of it.
    """
    steps = [
        *_exports(run, bridges, config),
        *_way_out(run, state),
        *restore(run, state),
    ]
    steps += [change.step for change in filters]
    pipes = pipes_of(run.pot)
    steps += [Step(LiftRate(pipes))] if pipes is not None else []
    if idle or not (run.attached and owned(run, state.jails.get(run.pot.name))):
        # Nothing is written into a root while something may run in it.
        steps += resolver.give_back(run, state)
    steps += _bridges(run, bridges, vnet, config, state)
    steps += _members(run, bridges, vnet, state)
    return Plan(tuple(steps))


def _exports(run: Run, bridges: Mapping[str, Bridge], config: Config) -> list[Step]:
    gone = pf.redirections(replace(run.pot, exports=run.exported))
    if not gone or run.pot.home is None:
        return []
    bridge = bridges.get(run.pot.home.bridge)
    held = Redirections(bridge.interface if bridge else "", config.network, (), gone)
    limits = pf.connection_limits(run.pot, gone, (), held.bridge)
    return [
        Step(LoadAnchor(pf.pot_anchor(config, run.pot.name), NoRules(), held)),
        *_emptied(pf.limits_anchor(config, run.pot.name), limits),
        Step(KillStates(gone, run.pot.leased), None, "a connection outlives the rule that let it in"),
    ]


def _emptied(anchor: str, held: Ruleset) -> list[Step]:
    return [Step(LoadAnchor(anchor, NoRules(), held))] if held != NoRules() else []


def _way_out(run: Run, state: HostState) -> list[Step]:
    ends = [a.host_end for a in run.pot.attachments if a.host_end in state.own]
    found = state.jails.get(run.pot.name)
    if found is None or not owned(run, found):
        return [*way_out(run.pot, ends, (), None), *_left_by_jail(run, state)]
    # An attached jail is somebody else's, who takes it away.
    jail = None if run.attached else jail_of(run.pot, run.devfs)
    return list(way_out(run.pot, ends, run.lent, jail, found.jid))


def _left_by_jail(run: Run, state: HostState) -> list[Step]:
    """Takes away what jail(8) does only if it removes the jail itself: aliases and mounts."""
    if run.attached or not run.pot.is_jail:
        return []
    left = [
        Step(RemoveAddress(interface, address), None, "left by a jail that is gone")
        for interface, address in jail_of(run.pot, run.devfs).aliases
        if interface in state.interfaces and state.interfaces[interface].has_alone(address)
    ]
    devfs = path_in(run.pot.root, "dev")
    mounted = run.devfs and devfs in state.mounts
    return [*left, *([Step(Unmount(devfs), None, "left by a jail that is gone")] if mounted else [])]


def _bridges(
    run: Run,
    bridges: Mapping[str, Bridge],
    vnet: Vnet,
    config: Config,
    state: HostState,
) -> list[Step]:
    host_ends = {a.host_end for a in run.pot.attachments}
    steps: list[Step] = []
    for attachment in run.pot.attachments:
        bridge = bridges.get(attachment.bridge)
        if bridge is None:
            continue
        # Without its bridge the host may still be prepared for it: a start or stop was cut off, or other
        # hands took the bridge. After a reboot, too, it is gone, but then forwarding is not potnet's doing.
        absent = bridge.interface not in state.interfaces
        if absent or is_last_pot(bridge, host_ends, state):
            same_boot = not absent or state.nat_loaded or cut_off(run)
            known = vnet if same_boot else replace(vnet, forwarding_set=frozenset())
            steps += plan_bridge_down(bridge, known, config, state).steps
            # What is planned to go is gone for the plan of the next one.
            state = replace(state, pot_bridges=state.pot_bridges - {bridge.interface})
    return steps


def _members(run: Run, bridges: Mapping[str, Bridge], vnet: Vnet, state: HostState) -> list[Step]:
    """Lets the filter overlook members of bridges again, with the last pot for which it did not."""
    others = {*vnet.guarded} - {run.pot.name}
    if not run.pot.antispoof or others or not vnet.members_set:
        return []
    # As with forwarding: after a reboot it is not potnet's doing.
    there = any(bridge.interface in state.interfaces for bridge in bridges.values())
    same_boot = there or state.nat_loaded or cut_off(run)
    return [Step(FilterMembers(vnet.members_set, False), None, "potnet had switched it on")] * same_boot
