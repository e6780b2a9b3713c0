"""Bringing bridges up and taking them away, with all that a bridge of its kind needs on the host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from netaddr import IPAddress, IPNetwork

from potnet.actions import (
    AddMember,
    CreateBridge,
    DestroyInterface,
    LoadAnchor,
    Plan,
    SetAddress,
    SetForwarding,
    Step,
)
from potnet.config import Config
from potnet.errors import HostError
from potnet.host_state import HostState
from potnet.model import GROUP, Bridge, BridgeKind, Pot
from potnet.planning import packet_filter as pf
from potnet.ruleset import NoRules, Ruleset

#: What the text beside each bridge of ours begins with.
DESCRIPTION = f"{GROUP} bridge "


@dataclass(frozen=True, slots=True)
class Vnet:
    """What potnet knows of its bridges beside the one in question.

    bridges: all of them. forwarding_set: potnet itself switched IPv4 forwarding on. stranded: by bridge,
    the epairs of running pots, which are on none when somebody has destroyed it under them.
    """

    bridges: tuple[Bridge, ...] = ()
    forwarding_set: bool = False
    stranded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def others_up(self, bridge: Bridge, state: HostState) -> bool:
        """Whether another bridge with IPv4 is on the host."""
        return any(
            b.interface in state.pot_bridges and b.name != bridge.name and b.kind is not BridgeKind.PUBLIC6
            for b in self.bridges
        )

    @property
    def gateways(self) -> frozenset[IPAddress]:
        return frozenset(b.gateway for b in self.bridges if b.gateway is not None)


def description(bridge: Bridge) -> str:
    """What ifconfig(8) shows beside a bridge of ours."""
    return f"{DESCRIPTION}{bridge.name}"


def is_up(bridge: Bridge, state: HostState) -> bool:
    """Whether the host has the bridge as it should be; `state` must have looked at its interface."""
    found = state.interfaces.get(bridge.interface)
    if found is None or not found.up:
        return False
    return bridge.gateway is None or found.has(bridge.gateway)


def plan_bridge_up(
    bridge: Bridge, vnet: Vnet, config: Config, state: HostState, external: str | None
) -> Plan:
    """What makes a bridge ready for pots; empty when it is. Raises HostError when it must not be made."""
    if is_up(bridge, state):
        return Plan()
    external = check_external(external, state)
    if bridge.kind is BridgeKind.PUBLIC6:
        return _public6_up(bridge, vnet, config, state, external)
    return _ipv4_up(bridge, vnet, config, state, external)


def check_external(external: str | None, state: HostState) -> str:
    """The external interface; raises HostError when there is none, or the host does not have it."""
    if external is None:
        raise HostError("the host has no default route", hint="set network.external_interface")
    if external not in state.names:
        raise HostError(
            f"the host has no interface {external}",
            hint="`ifconfig -l` lists them; look at network.external_interface in the configuration",
        )
    return external


def _ipv4_up(bridge: Bridge, vnet: Vnet, config: Config, state: HostState, external: str) -> Plan:
    if bridge.network is None or bridge.gateway is None:
        raise HostError(f"bridge {bridge.name} has no network")
    _refuse_overlap(bridge.network, vnet, config, state)
    steps: list[Step] = []
    if not vnet.others_up(bridge, state):
        steps += _host_wide(config, external, state)
    rules = pf.bridge_isolation(config, bridge)
    if rules != NoRules():
        anchor = pf.bridge_anchor(config, bridge.name)
        steps.append(
            Step(LoadAnchor(anchor, rules), LoadAnchor(anchor, NoRules(), rules), "keep the bridge private")
        )
    if bridge.interface not in state.interfaces:
        create = CreateBridge(bridge.interface, description(bridge))
        steps.append(Step(create, DestroyInterface(bridge.interface), f"the bridge {bridge.name}"))
    address = SetAddress(bridge.interface, bridge.gateway, bridge.network.prefixlen)
    steps.append(Step(address, None, "its address is the pots' gateway"))
    return Plan((*steps, *_rejoin(bridge, vnet, config, state)))


def _rejoin(bridge: Bridge, vnet: Vnet, config: Config, state: HostState) -> list[Step]:
    """Takes up the pots that still run after their bridge was destroyed under them."""
    if bridge.interface in state.interfaces:
        return []
    left = [end for end in vnet.stranded.get(bridge.name, ()) if end in state.own]
    hairpin = bridge.network is not None
    return [
        Step(AddMember(bridge.interface, end, config.isolate, hairpin), None, "a pot that runs")
        for end in left
    ]


def _host_wide(config: Config, external: str, state: HostState) -> list[Step]:
    """What the first bridge with IPv4 needs, before it exists, so that it is never up without it."""
    nat, outside = pf.nat_anchor(config), pf.external_anchor(config)
    steps = [
        Step(LoadAnchor(nat, pf.source_nat(config, external)), LoadAnchor(nat, NoRules()), "pots reach out"),
        Step(
            LoadAnchor(outside, pf.external_isolation(config, external)),
            LoadAnchor(outside, NoRules()),
            "nothing reaches pots but exports",
        ),
    ]
    if not state.forwarding[4]:
        steps.append(Step(SetForwarding(4, True), SetForwarding(4, False), "pots are routed"))
    return steps


def _public6_up(bridge: Bridge, vnet: Vnet, config: Config, state: HostState, external: str) -> Plan:
    if not state.members_keep_addresses:
        raise HostError(
            f"FreeBSD 15 refuses {external} as a bridge member while it has addresses of its own "
            "(net.link.bridge.member_ifaddrs=0)",
            hint=f"move the addresses of {external} to a bridge that has it as member, and name that bridge "
            "as network.external_interface",
        )
    create = CreateBridge(bridge.interface, description(bridge), (external,))
    if bridge.interface in state.interfaces:
        raise HostError(
            f"{bridge.interface} is down", hint=f"`ifconfig {bridge.interface} up`, or stop the pots on it"
        )
    undo = DestroyInterface(bridge.interface)
    made = Step(create, undo, f"{external} and the pots in one network")
    return Plan((made, *_rejoin(bridge, vnet, config, state)))


def _refuse_overlap(network: IPNetwork, vnet: Vnet, config: Config, state: HostState) -> None:
    known = [behind for _, behind in config.extra_interfaces]
    for route in sorted(state.routes, key=lambda route: route.destination.prefixlen):
        destination = route.destination
        # Two halves are how a VPN puts itself before the default route.
        if destination.version != network.version or destination.prefixlen <= 1:
            continue
        ours = (
            route.interface in state.pot_bridges
            or destination in known
            or (destination.prefixlen == 32 and destination.ip in vnet.gateways)
        )
        if not ours and (destination in network or network in destination):
            raise HostError(
                f"network {network} overlaps the host's route to {destination} by {route.interface}",
                hint="choose another network.public in the configuration, or remove that route",
            )


def plan_reload(
    bridge: Bridge, config: Config, external: str, pots: Sequence[Pot], up: bool
) -> tuple[Step, ...]:
    """Fills the anchors of a bridge and of the pots on it anew, whatever they hold.

    up: the bridge is there; else the plan that makes it has filled its own already.
    """
    if bridge.network is None:
        return ()
    wanted: dict[str, Ruleset] = {}
    if up:
        # In the order in which a bridge comes up: on some hosts all else stands on the first.
        wanted[pf.nat_anchor(config)] = pf.source_nat(config, external)
        wanted[pf.external_anchor(config)] = pf.external_isolation(config, external)
        wanted[pf.bridge_anchor(config, bridge.name)] = pf.bridge_isolation(config, bridge)
    wanted |= {pf.pot_anchor(config, pot.name): pf.pot_rules(pot, bridge, config, external) for pot in pots}
    return tuple(
        Step(LoadAnchor(anchor, rules), None, "as it should be")
        for anchor, rules in wanted.items()
        if rules != NoRules()
    )


def plan_bridge_down(bridge: Bridge, vnet: Vnet, config: Config, state: HostState) -> Plan:
    """Takes a bridge away, and with the last one of IPv4 what only bridges need."""
    steps: list[Step] = []
    if bridge.interface in state.interfaces:
        steps.append(Step(DestroyInterface(bridge.interface), None, "no pot is left on it"))
    elif bridge.interface in state.severed:
        steps.append(Step(DestroyInterface(bridge.interface), None, "somebody took it, and not all of it"))
    if bridge.kind is BridgeKind.PUBLIC6:
        return Plan(tuple(steps))
    rules = pf.bridge_isolation(config, bridge)
    if rules != NoRules():
        steps.append(Step(LoadAnchor(pf.bridge_anchor(config, bridge.name), NoRules(), rules)))
    if not vnet.others_up(bridge, state):
        if vnet.forwarding_set:
            steps.append(Step(SetForwarding(4, False), None, "potnet had switched it on"))
        steps.append(Step(LoadAnchor(pf.external_anchor(config), NoRules())))
        steps.append(Step(LoadAnchor(pf.nat_anchor(config), NoRules())))
    return Plan(tuple(steps))


def is_last_pot(bridge: Bridge, host_ends: Collection[str], state: HostState) -> bool:
    """Whether a bridge goes with these epairs: nothing else is a member, and vnet-start did not make it."""
    found = state.interfaces.get(bridge.interface)
    if found is None or bridge.pinned:
        return False
    return not users_of(bridge, found.members, state) - set(host_ends)


def users_of(bridge: Bridge, members: Collection[str], state: HostState) -> set[str]:
    """The members for which a bridge is there: all but the uplink, which is the one that is not ours.

    It may be another one by now than the external interface of when the bridge was made.
    """
    others = set(members)
    uplinks = others - state.own
    return others - uplinks if bridge.kind is BridgeKind.PUBLIC6 and len(uplinks) == 1 else others
