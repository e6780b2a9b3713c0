"""The plan of a start, from nothing to a jail with a working network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from netaddr import IPAddress, IPNetwork

from potnet.config.configuration import Config
from potnet.errors import HostError
from potnet.host.actions import (
    AcceptAdvertisements,
    AddDefaultRoute,
    AwaitAddress,
    BringUp,
    CreateEpair,
    CreateTap,
    DestroyInterface,
    MoveToJail,
    Plan,
    SetAddress,
    SolicitRouter,
    Step,
)
from potnet.host.filter_actions import FilterMembers, LiftRate, LimitRate, LoadAnchor
from potnet.host.jail_actions import ForgetDhcp, SetParameters, ShowPackets, StartDhcp, StartJail
from potnet.host.ruleset import NoRules
from potnet.host.state import FileKind, HostState, Interface
from potnet.model.bridges import Bridge
from potnet.model.jail_parameters import differing
from potnet.model.pots import GROUP, Attachment, Lent, NetworkType, Pot, Stack
from potnet.planning import resolver
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.exports import absent_addresses, check_exports, end_untranslated, taken_notices
from potnet.planning.filter.lan_nat import refuse_translated
from potnet.planning.filter.obstacles import check_members, obstacles, side_of
from potnet.planning.filter.policy import FilterChange, pipes_of
from potnet.planning.jail import (
    DHCLIENT,
    PACKETS_RULESET,
    device_rules,
    jail_of,
    path_in,
    rulesets_of,
    wants_devfs,
)
from potnet.planning.members import join
from potnet.planning.passed_interfaces import pass_steps
from potnet.planning.roots import refuse_exposed, refuse_unmounted, ways_to
from potnet.planning.vnet import Vnet, plan_bridge_up
from potnet.planning.way_out import way_out
from potnet.runtime.fast_dataclass import dataclass

LOOPBACK = IPAddress("127.0.0.1")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts that a start needs in addition to the pot and the host.

    bridges: those of the pot's attachments, by name. texts: of the files for etc, by name. attached: the
    jail exists and potnet did not make it. filters: of this pot, and of others that name it. lent:
    interfaces of the host that are passed to the pot.
    """

    vnet: Vnet
    bridges: Mapping[str, Bridge] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    external: str | None = None
    attached: bool = False
    filters: tuple[FilterChange, ...] = ()
    lent: tuple[Lent, ...] = ()


def description(pot: Pot) -> str:
    """Return the description that ifconfig(8) shows for an epair of a pot."""
    return f"{GROUP}:{pot.name}"


def plan_start(pot: Pot, around: Surroundings, config: Config, state: HostState) -> Plan:
    """Return all steps from a stopped pot to a running one. Raises HostError if the start is refused."""
    # An attached jail may have no files from potnet.
    notices = list(resolver.notices(pot, around.texts.get("resolv.conf"))) if around.texts else []
    start_jail = _jail(pot, around, state) if pot.is_jail else []
    files = resolver.install_files(pot, around.texts, state)
    if not pot.network_type.bridged:
        notices += _check_shared(pot, state)
        return Plan((*files, *start_jail), tuple(notices))
    if pot.home is not None:
        hidden = any(pf.hides6(b) for b in around.bridges.values())
        notices += pf.check_anchors(config, state.packet_filter, config.network, hidden)
        notices += _check_exports(pot, config, state)
        sides = [side_of(bridge) for bridge in around.bridges.values()]
        found = obstacles(config, state, sides, around.external, (pot,))
        notices += [each.notice for each in found]
    if pot.antispoof:
        check_members(config, state.packet_filter, pot)
        for bridge in around.bridges.values():
            if bridge.lan is not None:
                refuse_translated(bridge, state)
    steps: list[Step] = []
    for bridge in around.bridges.values():
        _refuse_full(bridge, state)
        _refuse_other_mtu(bridge, state)
        up = plan_bridge_up(bridge, around.vnet, config, state, around.external)
        steps += up.steps
        notices += up.notices
    steps += filter_members(state)
    # The filter comes before any path for packets.
    steps += [change.step for change in around.filters]
    steps += files
    for attachment in pot.attachments:
        steps += _wire(pot, attachment, around.bridges[attachment.bridge], config)
    steps += start_jail
    steps += pass_steps(pot, around.lent)
    steps += _network_in_jail(pot, around, state) if pot.is_jail else []
    pipes = pipes_of(pot)
    steps += [Step(LimitRate(pipes), LiftRate(pipes), "bandwidth")] if pipes is not None else []
    steps += _redirections(pot, around, config)
    return Plan(tuple(steps), tuple(notices))


def _check_exports(pot: Pot, config: Config, state: HostState) -> list[str]:
    """Return notices about exports without effect. Raises HostError for those that no host could offer."""
    gone = absent_addresses(pot.exports, state.own_addresses)
    check_exports(pot, (each for each in pot.exports if each.host_address not in gone), config, state)
    return [
        *(
            f"{pot.name} is exported on {address}, which this host does not have: nothing reaches it there; "
            f"give the host that address, or change the export with `potnet export-ports -p {pot.name}`"
            for address in gone
        ),
        *taken_notices(pot, pot.exports, state),
    ]


def filter_members(state: HostState) -> list[Step]:
    """Enable filtering of bridge members; one bridge must be up, since the switches do not exist before."""
    off = state.unfiltered
    return [Step(FilterMembers(off, True), FilterMembers(off, False), "what pots send")] if off else []


def _jail(pot: Pot, around: Surroundings, state: HostState) -> list[Step]:
    _check_root(pot, state)
    if around.texts or not around.attached:
        refuse_exposed(f"the root of {pot.name}, {pot.root},", ways_to(pot), state.access)
        refuse_unmounted(pot, state.datasets)
    devfs = wants_devfs(pot, state)
    refuse_open_devfs(rulesets_of(pot, devfs and not around.attached), state)
    jail = None if around.attached else jail_of(pot, devfs)
    out = way_out(pot, [a.host_end for a in pot.attachments], around.lent, jail)
    if jail is not None:
        shown = devfs and bool(pot.by_dhcp) and device_rules(pot) == PACKETS_RULESET
        rules = [Step(ShowPackets(PACKETS_RULESET), None, "bpf for DHCP")] if shown else []
        return [*rules, Step(StartJail(jail), out, "the jail")]
    moves = [Step(MoveToJail(a.jail_end, pot.name, pot.root), out) for a in pot.attachments]
    return [*_parameters(pot, state), *moves]


def _parameters(pot: Pot, state: HostState) -> list[Step]:
    """Set the parameters that a jail of another program lacks."""
    found = state.jail_parameters.get(pot.name, ())
    change, before = differing(pot.parameters, found)
    return [Step(SetParameters(pot.name, change), SetParameters(pot.name, before))] if change else []


def refuse_open_devfs(rulesets: Iterable[int | None], state: HostState) -> None:
    """Raises HostError if one of the devfs rulesets hides no device; they must be observed."""
    for number in (state.open_rulesets[each] for each in rulesets if each in state.open_rulesets):
        raise HostError(
            f"devfs ruleset {number} hides nothing: the jail would see every device of the host",
            hint=f"`{state.traits.tools.load_device_rules}` loads the rulesets of devfs.rules(5)",
        )


def _check_root(pot: Pot, state: HostState) -> None:
    kind = state.files.get(pot.root, FileKind.ABSENT)
    if kind is not FileKind.DIRECTORY:
        what = "does not exist" if kind is FileKind.ABSENT else f"is a {kind}"
        raise HostError(
            f"the root of {pot.name}, {pot.root}, {what}",
            hint="restore that directory",
        )


def _check_shared(pot: Pot, state: HostState) -> list[str]:
    """Check a pot that shares the host's stack."""
    for alias in pot.aliases:
        interface = state.interfaces.get(alias.interface)
        if interface is None:
            raise HostError(
                f"{pot.name} has an address on {alias.interface}, which the host does not have",
                hint=f"`potnet set -p {pot.name} -i IF|ADDRESS` gives it another",
            )
        refuse_own(alias.address, state.interfaces.values())
    notices = []
    if not state.traits.confines and (pot.aliases or pot.stack is not Stack.DUAL):
        notices.append(
            f"{pot.name} shares the host's network, and this kind of host cannot keep it to "
            + ("its own addresses" if pot.aliases else f"its {pot.stack} stack")
        )
    ignored = ignored_exports(pot)
    if pot.exports and ignored:
        notices.append(ignored)
    unused = [str(a.address) for a in pot.aliases if a.address.version not in pot.stack.families]
    if unused:
        notices.append(f"{pot.name} is {pot.stack}: {', '.join(unused)} is not used")
    return notices


def refuse_own(address: IPAddress, interfaces: Iterable[Interface]) -> None:
    """Raises HostError if an address of the jail is in use on the host, or belongs to one of its networks."""
    for interface in interfaces:
        if interface.has(address):
            raise HostError(
                f"{address} is the host's own address on {interface.name}: a jail would take it over, "
                "and the host would lose it at stop",
                hint="give a free address",
            )
        for own in interface.addresses:
            network = IPNetwork(f"{own.address}/{own.prefix}")
            ends = (network.first, network.last)
            if own.address.version == 4 == address.version and network.size > 2 and int(address) in ends:
                raise HostError(
                    f"{address} is the network or broadcast address of {network.cidr} on {interface.name}",
                    hint="give an address that a host can have",
                )


def _refuse_full(bridge: Bridge, state: HostState) -> None:
    """Raises HostError if the bridge accepts no more members; the members must be observed."""
    found, ports = state.interfaces.get(bridge.interface), state.traits.bridge_ports
    if found is not None and ports is not None and len(found.members) >= ports:
        raise HostError(
            f"bridge {bridge.name} is full: a bridge holds {ports} members",
            hint="stop a pot on it, or use another bridge: `potnet create-private-bridge`",
        )


def _refuse_other_mtu(bridge: Bridge, state: HostState) -> None:
    """Raises HostError if an existing bridge has another MTU, which a new member would take."""
    found = state.interfaces.get(bridge.interface)
    if found is not None and bridge.mtu not in (None, found.mtu):
        raise HostError(
            f"bridge {bridge.name} has the MTU {found.mtu} on {found.name}, and should have {bridge.mtu}",
            hint=f"`potnet repair -B {bridge.name}` gives it to the bridge and all that is on it",
        )


def _wire(pot: Pot, attachment: Attachment, bridge: Bridge, config: Config) -> list[Step]:
    create, why = make_wire(pot, attachment, bridge)
    return [
        Step(create, DestroyInterface(attachment.host_end, pot.owner), why),
        Step(join(pot, attachment, bridge, config)),
    ]


def make_wire(pot: Pot, attachment: Attachment, bridge: Bridge) -> tuple[CreateEpair | CreateTap, str]:
    """Return the step that makes the wire from a bridge to a pot."""
    if pot.owner is not None:
        tap = CreateTap(attachment.host_end, description(pot), pot.owner, bridge.mtu)
        return tap, f"from {bridge.name} to who opens it"
    epair = CreateEpair(attachment.unit, description(pot), attachment.mac, pot.name, bridge.mtu)
    return epair, f"from {bridge.name} to the jail"


def _network_in_jail(pot: Pot, around: Surroundings, state: HostState) -> list[Step]:
    """Set addresses and routes from outside; the jail needs no programs for this."""
    steps = [Step(SetAddress("lo0", LOOPBACK, 8, pot.name), None, "loopback")]
    for attachment in pot.attachments:
        bridge = around.bridges[attachment.bridge]
        for address in attachment.given:
            network = bridge.leasing(address.version)
            if network is not None:
                prefix, detect = network.network.prefixlen, detects(attachment, address)
                own = SetAddress(
                    attachment.jail_end, address, prefix, pot.name, mtu=bridge.mtu, detect=detect
                )
                steps.append(Step(own))
                if network.gateway is not None and pot.leads_out(attachment, address.version):
                    steps.append(Step(AddDefaultRoute(network.gateway, pot.name)))
        if attachment.slaac:
            steps.append(Step(learning(pot, attachment), None, "SLAAC"))
            if state.traits.own_programs and _has_rtsol(pot, state):
                steps.append(Step(SolicitRouter(attachment.jail_end, pot.name)))
        if attachment.dhcp:
            steps += requesting(pot, attachment, state)
    return steps + awaiting(pot)


def requesting(pot: Pot, attachment: Attachment, state: HostState) -> list[Step]:
    """Return the steps that request an address by DHCP, as far as potnet can start a client."""
    end = attachment.jail_end
    up = Step(BringUp(end, pot.name, silent=not attachment.slaac and not attachment.given))
    if not has_dhclient(pot, state):
        return [up]
    undo = None if state.traits.own_programs else ForgetDhcp(pot.name)
    return [up, Step(StartDhcp(end, pot.name, pot.leads_out(attachment, 4)), undo, "DHCP")]


def has_dhclient(pot: Pot, state: HostState) -> bool:
    """Whether there is a DHCP client for a jail: in its root, which must be observed, or on the host."""
    if not state.traits.own_programs:
        return True
    return state.files.get(path_in(pot.root, DHCLIENT)) is FileKind.FILE


def detects(attachment: Attachment, address: IPAddress) -> bool:
    """Whether a jail detects duplicates of an address, which machines of a LAN may have."""
    return attachment.lan and address.version == 6


def awaiting(pot: Pot) -> list[Step]:
    """Return the steps that wait until the addresses of a pot can be used."""
    return [
        Step(AwaitAddress(own.jail_end, address, pot.name), None, "no other machine has it")
        for own in pot.attachments
        for address in own.given
        if detects(own, address)
    ]


def learning(pot: Pot, attachment: Attachment) -> AcceptAdvertisements:
    """Return the steps that let an interface learn its addresses by SLAAC."""
    return AcceptAdvertisements(attachment.jail_end, pot.name, pot.leads_out(attachment, 6))


def _has_rtsol(pot: Pot, state: HostState) -> bool:
    return state.files.get(path_in(pot.root, "sbin/rtsol")) is FileKind.FILE


def _redirections(pot: Pot, around: Surroundings, config: Config) -> list[Step]:
    if pot.home is None or around.external is None:
        return []
    bridge, networks = around.bridges[pot.home.bridge], around.vnet.networks
    wanted = pf.pot_rules(pot, bridge, config, around.external, networks)
    loads = [
        Step(LoadAnchor(anchor, rules), LoadAnchor(anchor, NoRules(), rules), "exports")
        for anchor, rules in wanted.items()
        if rules != NoRules()
    ]
    return [*loads, *end_untranslated(wanted.values())]


def ignored_exports(pot: Pot) -> str | None:
    """Return the reason why a pot's exports have no effect; None if they have one."""
    if pot.home is not None:
        return None
    lan = any(a.lan for a in pot.attachments)
    kind = "an IPv6 stack" if pot.network_type.bridged and not lan else f"network type {pot.network_type}"
    reached = (
        "its ports are the host's own"
        if pot.network_type is NetworkType.INHERIT
        else "it is reached by its own address"
    )
    return f"{pot.name} has {kind}: exports are ignored, {reached}"
