"""The plan of a stop: it removes everything that the start made and leaves everything else alone.

The same plan cleans up after a start that was cut off and after a reboot: it removes only what exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from potnet.config.configuration import Config
from potnet.host.actions import Plan, RemoveAddress, Step
from potnet.host.file_actions import Unmount
from potnet.host.filter_actions import FilterMembers, KillStates, LiftRate, LoadAnchor
from potnet.host.jail_actions import ForgetDhcp
from potnet.host.ruleset import NoRules, Redirections
from potnet.host.state import HostState
from potnet.model.bridges import Bridge
from potnet.model.pots import Run
from potnet.planning import resolver
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.policy import FilterChange, pipes_of
from potnet.planning.jail import jail_of, path_in
from potnet.planning.ownership import cut_off, owned
from potnet.planning.passed_interfaces import restore
from potnet.planning.vnet import Vnet, is_last_pot, plan_bridge_down
from potnet.planning.way_out import way_out
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class StopContext:
    """Facts that a stop needs in addition to the pot and the host.

    bridges: those of the pot's attachments, by name. filters: the changes for this pot and others that
    name it. idle: nothing runs in the jail, although it exists.
    """

    vnet: Vnet
    bridges: Mapping[str, Bridge] = field(default_factory=dict)
    filters: tuple[FilterChange, ...] = ()
    idle: bool = False


def plan_stop(run: Run, context: StopContext, config: Config, state: HostState) -> Plan:
    """Plan all steps from a running, or partly started, pot to a stopped one. run: its recorded start."""
    steps = [
        *_exports(run, context.bridges, config),
        *_way_out(run, state),
        *restore(run, state),
    ]
    if run.pot.by_dhcp and not state.traits.own_programs:
        steps.append(Step(ForgetDhcp(run.pot.name)))
    steps += [change.step for change in context.filters]
    pipes = pipes_of(run.pot)
    if pipes is not None:
        steps.append(Step(LiftRate(pipes)))
    stays = run.attached and owned(run, state.jails.get(run.pot.name))
    if context.idle or not stays:
        # potnet writes nothing into a root while a program may run in the jail.
        steps += resolver.give_back(run, state)
    steps += _bridges(run, context, config, state)
    steps += _members(run, context, state)
    return Plan(tuple(steps))


def _exports(run: Run, bridges: Mapping[str, Bridge], config: Config) -> list[Step]:
    gone = pf.redirections(replace(run.pot, exports=run.exported))
    if not gone or run.pot.home is None:
        return []
    bridge = bridges.get(run.pot.home.bridge)
    shared = run.pot.guards_shared
    held = Redirections(bridge.interface if bridge else "", config.network, (), gone, shared=shared)
    limits = pf.connection_limits(run.pot, gone, (), held.bridge)
    steps = [Step(LoadAnchor(pf.pot_anchor(config, run.pot.name), NoRules(), held))]
    if limits != NoRules():
        steps.append(Step(LoadAnchor(pf.limits_anchor(config, run.pot.name), NoRules(), limits)))
    kill = KillStates(gone, run.pot.leased)
    return [*steps, Step(kill, None, "a connection outlives the rule that let it in")]


def _way_out(run: Run, state: HostState) -> list[Step]:
    ends = [a.host_end for a in run.pot.attachments if a.host_end in state.own]
    found = state.jails.get(run.pot.name)
    if found is None or not owned(run, found):
        return [*way_out(run.pot, ends, (), None), *_left_by_jail(run, state)]
    # The owner of an attached jail removes it.
    jail = None if run.attached else jail_of(run.pot, run.devfs)
    return list(way_out(run.pot, ends, run.lent, jail, found.jid))


def _left_by_jail(run: Run, state: HostState) -> list[Step]:
    """Undo what jail(8) undoes only when it removes the jail itself: aliases and mounts."""
    if run.attached or not run.pot.is_jail:
        return []
    left = [
        Step(RemoveAddress(interface, address), None, "left by a jail that is gone")
        for interface, address in jail_of(run.pot, run.devfs).aliases
        if interface in state.interfaces and state.interfaces[interface].has_alone(address)
    ]
    devfs = path_in(run.pot.root, "dev")
    if run.devfs and devfs in state.mounts:
        left.append(Step(Unmount(devfs), None, "left by a jail that is gone"))
    return left


def _bridges(run: Run, context: StopContext, config: Config, state: HostState) -> list[Step]:
    vnet = context.vnet
    host_ends = {a.host_end for a in run.pot.attachments}
    steps: list[Step] = []
    for attachment in run.pot.attachments:
        bridge = context.bridges.get(attachment.bridge)
        if bridge is None:
            continue
        # A bridge that is gone may have left settings behind: a start or stop was cut off, or another program
        # destroyed the bridge. After a reboot it is gone as well, but then potnet has not set forwarding.
        absent = bridge.interface not in state.interfaces
        if absent or is_last_pot(bridge, host_ends, state):
            same_boot = not absent or state.nat_loaded or cut_off(run)
            known = vnet if same_boot else replace(vnet, forwarding_set=frozenset())
            steps += plan_bridge_down(bridge, known, config, state).steps
            # The plan for the next bridge assumes that this bridge is gone.
            state = replace(state, pot_bridges=state.pot_bridges - {bridge.interface})
    return steps


def _members(run: Run, context: StopContext, state: HostState) -> list[Step]:
    """Switch the filter on bridge members off with the last pot that needs it."""
    vnet = context.vnet
    others = {*vnet.guarded} - {run.pot.name}
    if not run.pot.antispoof or others or not vnet.members_set:
        return []
    # As with forwarding: after a reboot potnet has not set it.
    exists = any(bridge.interface in state.interfaces for bridge in context.bridges.values())
    if not (exists or state.nat_loaded or cut_off(run)):
        return []
    return [Step(FilterMembers(vnet.members_set, False), None, "potnet had switched it on")]
