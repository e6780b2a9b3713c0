"""Plans that bring bridges up and take them down, with everything that a bridge requires on the host."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace

from netaddr import IPAddress, IPNetwork, cidr_merge

from potnet.config.configuration import Config
from potnet.errors import HostError
from potnet.host.actions import (
    CreateBridge,
    DestroyInterface,
    KeepRouter,
    Plan,
    RemoveAddress,
    SetAddress,
    SetForwarding,
    Step,
)
from potnet.host.filter_actions import LoadAnchor
from potnet.host.ruleset import NoRules, Ruleset
from potnet.host.state import HostState, Interface
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.pots import GROUP, SMALLEST_MTU6, Attachment, Pot
from potnet.model.ranges import overlap
from potnet.planning.filter import packet_filter as pf
from potnet.planning.lan import plan_lan_up
from potnet.planning.members import join
from potnet.planning.rc_conf import keeps_addresses, refused_as_member
from potnet.planning.uplink import plan_uplink
from potnet.runtime.fast_dataclass import dataclass

#: An anchor, its expected content, and the reason.
WantedRules = tuple[str, Ruleset, str]

#: Prefix of the description of each of potnet's bridges.
DESCRIPTION = f"{GROUP} bridge "


@dataclass(frozen=True, slots=True)
class Vnet:
    """The records of all bridges, as a plan for one bridge needs them.

    bridges: all bridges. forwarding_set: families whose forwarding potnet itself enabled. site6: the
    prefix of the site's own IPv6 networks. router_kept: the interface where potnet made the host keep
    accepting router advertisements. permitting: bridges to or from which a policy allows something.
    members_set: switches that potnet enabled so that the filter inspects bridge members. guarded: pots
    that need these switches, at most two. further: addresses without exports. stranded: by bridge, running
    pots with epairs that lost their bridge because another program destroyed it. public: the network of the
    public bridge. loaded: the networks that earlier rules name; None: those of the bridges.
    """

    bridges: tuple[Bridge, ...] = ()
    forwarding_set: frozenset[int] = frozenset()
    site6: IPNetwork | None = None
    router_kept: str | None = None
    permitting: frozenset[str] = frozenset()
    members_set: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    further: tuple[IPNetwork, ...] = ()
    stranded: Mapping[str, tuple[tuple[Pot, Attachment], ...]] = field(default_factory=dict)
    public: IPNetwork | None = None
    loaded: tuple[IPNetwork, ...] | None = None

    def others_up(self, bridge: Bridge, state: HostState, family: int = 4) -> tuple[Bridge, ...]:
        """Return the other bridges on the host with a network of that family."""
        return tuple(
            b
            for b in self.bridges
            if b.interface in state.pot_bridges and b.name != bridge.name and b.subnet(family)
        )

    @property
    def gateways(self) -> frozenset[IPAddress]:
        return frozenset(subnet.gateway for b in self.bridges for subnet in b.subnets)

    @property
    def lan_members(self) -> frozenset[str]:
        """Return the interfaces of the host that bridges of LANs join."""
        return frozenset(b.member for b in self.bridges if b.member is not None)

    @property
    def networks(self) -> tuple[IPNetwork, ...]:
        """Return the networks of pots that rules name beside the public one; see `networks_of`."""
        if self.loaded is not None:
            return self.loaded
        return networks_of(self.bridges, self.site6, self.public)


def networks_of(
    bridges: Iterable[Bridge], site6: IPNetwork | None, public: IPNetwork | None
) -> tuple[IPNetwork, ...]:
    """Return the networks of these bridges of IPv6, and those of IPv4 outside the public network.

    The site's prefix stands for its networks.
    """
    found = [network for bridge in bridges for network in outside(bridge, public)]
    if site6 is not None and any(network.version == 6 for network in found):
        found.append(site6)
    return tuple(cidr_merge(found))


def outside(bridge: Bridge, public: IPNetwork | None) -> tuple[IPNetwork, ...]:
    """Return the networks of a bridge that are not part of the public IPv4 network."""
    networks = (subnet.network for subnet in bridge.subnets)
    if public is None or bridge.kind is not BridgeKind.PRIVATE:
        return tuple(each for each in networks if each.version == 6)
    return tuple(each for each in networks if each not in public)


def description(bridge: Bridge) -> str:
    """Return the description that ifconfig(8) shows for a bridge of potnet."""
    return f"{DESCRIPTION}{bridge.name}"


def is_up(bridge: Bridge, state: HostState) -> bool:
    """Whether the host has the bridge in the expected state; `state` must include its interface.

    A LAN's members must be observed, too.
    """
    found = state.interfaces.get(bridge.interface)
    if found is None or not found.up:
        return False
    if bridge.lan is not None:
        return found.bridge if bridge.member is None else bridge.member in found.members
    return all(found.has(subnet.gateway) for subnet in bridge.subnets)


def plan_bridge_up(
    bridge: Bridge, vnet: Vnet, config: Config, state: HostState, external: str | None
) -> Plan:
    """Return the steps that make a bridge ready for pots; empty if it is ready. Raises HostError."""
    if is_up(bridge, state):
        return Plan()
    if bridge.lan is not None:
        _check_mtu(bridge, bridge.member, state)
        up = plan_lan_up(bridge, description(bridge), state)
        return replace(up, steps=(*up.steps, *_rejoin(bridge, vnet, config, state)))
    external = check_external(external, state)
    _check_mtu(bridge, external if bridge.kind is BridgeKind.PUBLIC6 else None, state)
    if bridge.kind is BridgeKind.PUBLIC6:
        return _public6_up(bridge, vnet, config, state, external)
    return _routed_up(bridge, vnet, config, state, external)


def _check_mtu(bridge: Bridge, name: str | None, state: HostState) -> None:
    """Raises HostError if a bridge cannot have its MTU. name: an interface of the host on it, observed."""
    if bridge.mtu is None:
        return
    refuse_small_mtu(bridge.mtu, 6 if bridge.kind is BridgeKind.PUBLIC6 or bridge.network6 else 4)
    member = state.interfaces.get(name) if name is not None else None
    if member is not None:
        refuse_member(bridge.name, bridge.mtu, member)


def refuse_member(bridge: str, mtu: int, member: Interface) -> None:
    """Raises HostError if a bridge cannot have this MTU because its uplink has another MTU."""
    if member.mtu != mtu:
        raise HostError(
            f"bridge {bridge} cannot have the MTU {mtu}: {member.name}, which is on it, has {member.mtu}",
            hint="all on a bridge have one MTU: give the pots that one, or the interface another",
        )


def refuse_small_mtu(mtu: int, family: int) -> None:
    """Raises HostError for an MTU that IPv6 does not accept (RFC 8200, 5)."""
    if family == 6 and mtu < SMALLEST_MTU6:
        raise HostError(
            f"an MTU of {mtu} is too small for IPv6",
            hint=f"use at least {SMALLEST_MTU6}, or leave IPv6 out",
        )


def there_is(external: str | None) -> str:
    """Return the external interface; raises HostError if there is none."""
    if external is None:
        raise HostError("the host has no default route", hint="set network.external_interface")
    return external


def check_external(external: str | None, state: HostState) -> str:
    """Return the external interface; raises HostError if there is none, or the host does not have it."""
    external = there_is(external)
    if external not in state.names:
        raise HostError(
            f"the host has no interface {external}",
            hint=f"`{state.traits.tools.list_interfaces}` lists them; check network.external_interface",
        )
    return external


def _routed_up(bridge: Bridge, vnet: Vnet, config: Config, state: HostState, external: str) -> Plan:
    for subnet in bridge.subnets:
        hint = "choose another network.public in the configuration, or remove that route"
        if subnet.network in outside(bridge, vnet.public):
            hint = "remove that route, or give the pots a bridge with another network"
        refuse_overlap(subnet.network, vnet, config, state, hint)
    # An incomplete bridge is in use: its present state may not fit the parts that would be added.
    new = bridge.interface not in state.interfaces
    shared = (
        () if vnet.others_up(bridge, state) else host_rules(config, external, vnet.networks, vnet.further)
    )
    own = bridge_rules(bridge, vnet.networks, config, external, vnet.permitting)
    steps = [*_load(shared, new), *_forward(bridge, vnet, external, state), *_load(own, new)]
    if new:
        create = CreateBridge(bridge.interface, description(bridge), mtu=bridge.mtu)
        steps.append(Step(create, DestroyInterface(bridge.interface), f"the bridge {bridge.name}"))
        steps += plan_uplink(bridge, state)
    found = state.interfaces.get(bridge.interface)
    for subnet in bridge.subnets:
        if found is None or not found.has(subnet.gateway) or not found.up:
            address = SetAddress(bridge.interface, subnet.gateway, subnet.network.prefixlen)
            undo = None if new else RemoveAddress(bridge.interface, subnet.gateway)
            steps.append(Step(address, undo, "its address is the pots' gateway"))
    return Plan((*steps, *_rejoin(bridge, vnet, config, state)), pf.untranslated(config, external, state))


def _rejoin(bridge: Bridge, vnet: Vnet, config: Config, state: HostState) -> list[Step]:
    """Connect running pots to their bridge again after another program destroyed it."""
    if bridge.interface in state.interfaces:
        return []
    left = [each for each in vnet.stranded.get(bridge.name, ()) if each[1].host_end in state.own]
    return [Step(join(pot, own, bridge, config), None, "a pot that runs") for pot, own in left]


def host_rules(
    config: Config, external: str, networks: tuple[IPNetwork, ...] = (), further: tuple[IPNetwork, ...] = ()
) -> tuple[WantedRules, ...]:
    """Return the rules that the first bridge requires; they are loaded before it exists.

    networks: as of `Vnet`. further: addresses without exports.
    """
    return (
        (pf.nat_anchor(config), pf.source_nat(config, external, networks, further), "pots reach out"),
        (
            pf.external_anchor(config),
            pf.external_isolation(config, external, networks),
            "nothing reaches pots but exports",
        ),
    )


def _forward(bridge: Bridge, vnet: Vnet, external: str, state: HostState) -> list[Step]:
    """Return the steps that enable forwarding in the families of a bridge."""
    wanted = [subnet.network.version for subnet in bridge.subnets]
    missing = [f for f in wanted if not state.forwarding[f] and not vnet.others_up(bridge, state, f)]
    steps = []
    if 6 in missing and state.learns_router:
        keep = Step(KeepRouter(external, True), KeepRouter(external, False), "the host's default route stays")
        steps.append(keep)
    return steps + [Step(SetForwarding(f, True), SetForwarding(f, False), "pots are routed") for f in missing]


def bridge_rules(
    bridge: Bridge,
    networks: tuple[IPNetwork, ...],
    config: Config,
    external: str = "",
    permitting: frozenset[str] = frozenset(),
) -> tuple[WantedRules, ...]:
    """Return the anchors of one bridge. networks, permitting: as of `Vnet`."""
    return (
        (
            pf.bridge_anchor(config, bridge.name),
            pf.bridge_isolation(config, bridge, external, networks, bridge.name in permitting),
            "keep the bridge private",
        ),
        (pf.nat6_anchor(config, bridge.name), pf.source_nat6(config, bridge, external), "pots reach out"),
    )


def _load(wanted: Iterable[WantedRules], undo: bool) -> list[Step]:
    return [
        Step(LoadAnchor(anchor, rules), LoadAnchor(anchor, NoRules(), rules) if undo else None, why)
        for anchor, rules, why in wanted
        if rules != NoRules()
    ]


def _public6_up(bridge: Bridge, vnet: Vnet, config: Config, state: HostState, external: str) -> Plan:
    if bridge.joined is not None:
        raise HostError(
            f"the host's own bridge {bridge.joined}, which pots join for IPv6, is down",
            hint=f"`{state.traits.tools.bring_up.format(interface=bridge.joined)}`",
        )
    found = state.interfaces.get(external)
    if external in vnet.lan_members:
        raise HostError(
            f"{external} is on a bridge of a LAN, so no other bridge can join it for IPv6 by SLAAC",
            hint="use -N bridge -B with that bridge, or set network.ipv6 to nat",
        )
    if found is not None and refused_as_member(found, state):
        raise keeps_addresses(found, state)
    create = CreateBridge(bridge.interface, description(bridge), (external,))
    if bridge.interface in state.interfaces:
        command = state.traits.tools.bring_up.format(interface=bridge.interface)
        raise HostError(f"{bridge.interface} is down", hint=f"`{command}`, or stop the pots on it")
    undo = DestroyInterface(bridge.interface)
    made = Step(create, undo, f"{external} and the pots in one network")
    return Plan((made, *_rejoin(bridge, vnet, config, state)))


def refuse_overlap(network: IPNetwork, vnet: Vnet, config: Config, state: HostState, hint: str) -> None:
    """Raises HostError for a network that overlaps a route of the host, which must be observed."""
    known = [network for _, networks in config.extra_interfaces for network in networks]
    for route in sorted(state.routes, key=lambda route: route.destination.prefixlen):
        destination = route.destination
        # A VPN overrides the default route with a route to each half of the address space.
        if destination.version != network.version or destination.prefixlen <= 1:
            continue
        alone = 32 if destination.version == 4 else 128
        ours = (
            route.interface in state.pot_bridges
            or destination in known
            or (destination.prefixlen == alone and destination.ip in vnet.gateways)
        )
        if not ours and overlap(network, destination):
            raise HostError(
                f"network {network} overlaps the host's route to {destination} by {route.interface}",
                hint=hint,
            )


def plan_bridge_down(bridge: Bridge, vnet: Vnet, config: Config, state: HostState) -> Plan:
    """Return the steps that remove a bridge, and with the last bridge of a family its shared state."""
    steps: list[Step] = []
    if bridge.joined is not None:
        # The bridge belongs to the host.
        return Plan()
    if bridge.interface in state.interfaces:
        steps.append(Step(DestroyInterface(bridge.interface), None, "no pot is left on it"))
    elif bridge.interface in state.severed:
        steps.append(Step(DestroyInterface(bridge.interface), None, "somebody took it, and not all of it"))
    if bridge.uplink is not None and bridge.uplink in state.own:
        steps.append(Step(DestroyInterface(bridge.uplink), None, "its uplink"))
    if not bridge.subnets:
        return Plan(tuple(steps))
    steps += [
        Step(LoadAnchor(anchor, NoRules(), rules))
        for anchor, rules, _ in bridge_rules(bridge, vnet.networks, config)
        if rules != NoRules()
    ]
    steps += _forward_no_more(bridge, vnet, state)
    if not vnet.others_up(bridge, state):
        steps.append(Step(LoadAnchor(pf.external_anchor(config), NoRules())))
        steps.append(Step(LoadAnchor(pf.nat_anchor(config), NoRules())))
    return Plan(tuple(steps))


def _forward_no_more(bridge: Bridge, vnet: Vnet, state: HostState) -> list[Step]:
    steps = []
    for subnet in bridge.subnets:
        family = subnet.network.version
        if family in vnet.forwarding_set and not vnet.others_up(bridge, state, family):
            steps += forward_no_more(family, vnet.router_kept)
    return steps


def forward_no_more(family: int, router_kept: str | None) -> list[Step]:
    """Return the steps that restore settings enabled for the bridges of a family."""
    steps = [Step(SetForwarding(family, False), None, "potnet had switched it on")]
    if family == 6 and router_kept is not None:
        steps.append(Step(KeepRouter(router_kept, False), None, "potnet had switched it on"))
    return steps


def is_last_pot(bridge: Bridge, host_ends: Collection[str], state: HostState) -> bool:
    """Whether a bridge goes with these epairs: it has no other member, and vnet-start did not make it."""
    found = state.interfaces.get(bridge.interface)
    if found is None or bridge.pinned:
        return False
    if has_own_addresses(bridge, found):
        return False
    # A bridge has at most two uplinks besides pots. Checking all 500 members against each took 20 ms.
    if len(found.members) > len(host_ends) + 2:
        return False
    return not users_of(bridge, found.members, state) - set(host_ends)


def has_own_addresses(bridge: Bridge, found: Interface) -> bool:
    """Whether the host has addresses on a bridge of potnet in a LAN, which would go with the bridge."""
    return bridge.member is not None and any(not each.address.is_link_local() for each in found.addresses)


def users_of(bridge: Bridge, members: Collection[str], state: HostState) -> set[str]:
    """Return the members that use a bridge: all but the uplink.

    The uplink of the public bridge is the member that is not potnet's. The external interface may have
    changed since the bridge was made.
    """
    if bridge.joined is not None:
        return {*members} & state.own
    others = {member for member in members if member not in (bridge.uplink, bridge.member)}
    uplinks = others - state.own
    return others - uplinks if bridge.kind is BridgeKind.PUBLIC6 and len(uplinks) == 1 else others
