"""What differs on the bridges that are to be up, and in the pots that run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from netaddr import IPAddress

from potnet.actions import (
    AddAlias,
    AddDefaultRoute,
    AddMember,
    BringUp,
    CreateBridge,
    CreateEpair,
    DestroyInterface,
    LiftRate,
    LimitRate,
    MoveToJail,
    RemoveDefaultRoute,
    RemoveMember,
    SetAddress,
    SetMac,
    SetMtu,
    SetPrivate,
    Step,
)
from potnet.config import Config
from potnet.findings import Finding, Kind
from potnet.host_state import FileKind, HostState, Interface, InterfaceAddress, JailNetwork
from potnet.model import GROUP, Attachment, Bridge, BridgeKind, Pot, Run
from potnet.planning import start, vnet
from potnet.planning.check_passing import compare_passed
from potnet.planning.check_uplink import compare_uplink
from potnet.planning.drift import Drift, Facts, bridge_anchors, pot_anchors, rules_drift
from potnet.planning.jail import etc_of, jail_of
from potnet.planning.members import isolated, join
from potnet.planning.policy import pipes_of
from potnet.planning.uplink import make, read_uplink


def compare_bridges(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Bridges that are to be up: they themselves, their addresses, what is on them that does not belong."""
    for anchor, rules, bridge in bridge_anchors(facts):
        yield from rules_drift(anchor, rules, state, bridge=bridge.name)
    for bridge in facts.wanted:
        found = state.interfaces.get(bridge.interface)
        if found is None:
            yield _missing_bridge(bridge, facts, state)
        elif found.description != vnet.description(bridge):
            remedy = "stop the pots on it and start them again: they get a bridge with another number"
            yield Drift(_bridge_finding(bridge, "something else of that name", remedy, repairable=False))
        elif _lacks_uplink(bridge, found, facts):
            yield _missing_uplink(bridge, facts, state)
        else:
            yield from _bridge(bridge, found, facts, state)


def _bridge_finding(bridge: Bridge, found: str, remedy: str, repairable: bool = True) -> Finding:
    return Finding(
        Kind.BRIDGE_MISSING, f"the bridge {bridge.interface}", found, remedy, bridge=bridge.name,
        interface=bridge.interface, repairable=repairable,
    )  # fmt: skip


def _missing_bridge(bridge: Bridge, facts: Facts, state: HostState) -> Drift:
    finding = _bridge_finding(bridge, "none", "repair makes it, with its address and the running pots on it")
    return Drift(finding, _make(bridge, facts, state))


def _make(bridge: Bridge, facts: Facts, state: HostState) -> tuple[Step, ...]:
    uplink = (facts.external,) if bridge.kind is BridgeKind.PUBLIC6 and facts.external else ()
    mtu = bridge.mtu if not uplink else None
    create = CreateBridge(bridge.interface, vnet.description(bridge), uplink, mtu)
    here = ((run, a) for run in facts.active for a in run.pot.attachments if a.bridge == bridge.name)
    # One that is not whole is made anew, and joins then.
    whole = [(run, own) for run, own in here if _is_whole(run, own, state)]
    return (
        Step(create, None, f"the bridge {bridge.name}"),
        *_vlan(bridge, state),
        *(Step(_set(wanted, bridge.interface), None, "the pots' gateway") for wanted in _gateways(bridge)),
        *(Step(join(run.pot, own, bridge, facts.config)) for run, own in whole),
    )


def _vlan(bridge: Bridge, state: HostState) -> tuple[Step, ...]:
    """Joins a bridge that was made anew with its VLAN."""
    if bridge.uplink is None:
        return ()
    vlan = read_uplink(bridge.uplink)
    if vlan.interface in state.interfaces:
        return (Step(AddMember(bridge.interface, vlan.interface)),)
    return tuple(make(bridge, vlan)) if vlan.parent in state.interfaces else ()


def _gateways(bridge: Bridge) -> list[InterfaceAddress]:
    return [InterfaceAddress(subnet.gateway, subnet.network.prefixlen) for subnet in bridge.subnets]


def _set(wanted: InterfaceAddress, name: str, jail: str | None = None, beside: bool = False) -> SetAddress:
    return SetAddress(name, wanted.address, wanted.prefix, jail, beside)


def _is_whole(run: Run, own: Attachment, state: HostState) -> bool:
    """Whether both ends of an epair are where they belong; of a jail that was not looked into all is well."""
    network = state.jail_networks.get(run.pot.name)
    return own.host_end in state.interfaces and (network is None or own.jail_end in network.interfaces)


def _lacks_uplink(bridge: Bridge, found: Interface, facts: Facts) -> bool:
    return bridge.kind is BridgeKind.PUBLIC6 and facts.external not in found.members


def _missing_uplink(bridge: Bridge, facts: Facts, state: HostState) -> Drift:
    """Without it the pots of the bridge reach nobody outside, so that making it anew interrupts nothing."""
    finding = Finding(
        Kind.MEMBER_MISSING, f"{facts.external} is on {bridge.interface}", "it is not",
        "repair makes the bridge anew", bridge=bridge.name, interface=facts.external,
        repairable=facts.external is not None,
    )  # fmt: skip
    if facts.external is None:
        return Drift(finding)
    destroy = Step(DestroyInterface(bridge.interface), None, "to be made anew")
    return Drift(finding, (destroy, *_make(bridge, facts, state)))


def _bridge(bridge: Bridge, found: Interface, facts: Facts, state: HostState) -> Iterator[Drift]:
    for wanted in _gateways(bridge):
        if wanted not in found.addresses:
            action = _set(wanted, found.name, beside=bool(_others(wanted, found)))
            step = Step(action, None, "the pots' gateway")
            yield Drift(_address_finding(wanted, found, bridge=bridge.name), (step,))
    if not found.up:
        yield Drift(_down_finding(found, bridge=bridge.name), (Step(BringUp(found.name)),))
    if bridge.mtu not in (None, found.mtu):
        yield _mtu_drift(found, int(bridge.mtu or 0), bridge)
    yield from compare_uplink(bridge, found, state)
    uplink = {facts.external} if bridge.kind is BridgeKind.PUBLIC6 else set()
    ends = {a.host_end for run in facts.runs for a in run.pot.attachments}
    for member in found.members:
        known = member in ends or GROUP in _groups(member, state)
        if not known and member not in uplink:
            remedy = f"it stays: `ifconfig {found.name} deletem {member}` takes it off"
            finding = Finding(
                Kind.MEMBER_FOREIGN, "pots only", f"{member} is on {found.name}", remedy,
                bridge=bridge.name, interface=member, repairable=False,
            )  # fmt: skip
            yield Drift(finding)


def _groups(name: str, state: HostState) -> frozenset[str]:
    found = state.interfaces.get(name)
    return found.groups if found is not None else frozenset()


def _others(wanted: InterfaceAddress, found: Interface) -> list[InterfaceAddress]:
    """Other addresses of the same family, which setting this one must not replace."""
    same = (a for a in found.addresses if a.address.version == wanted.address.version)
    return [a for a in same if a.address != wanted.address and not a.address.is_link_local()]


def _address_finding(
    wanted: InterfaceAddress, found: Interface, pot: str | None = None, bridge: str | None = None
) -> Finding:
    family = wanted.address.version
    there = [f"{a.address}/{a.prefix}" for a in found.addresses if a.address.version == family]
    return Finding(
        Kind.ADDRESS_MISSING, f"{wanted.address}/{wanted.prefix}", ", ".join(there) or "none",
        "repair sets it", pot=pot, bridge=bridge, interface=found.name,
    )  # fmt: skip


def _down_finding(found: Interface, pot: str | None = None, bridge: str | None = None) -> Finding:
    return Finding(
        Kind.INTERFACE_DOWN, "up", "down", "repair brings it up", pot=pot, bridge=bridge, interface=found.name
    )


def _mtu_drift(
    found: Interface, mtu: int, bridge: Bridge, pot: str | None = None, inside: bool = False
) -> Drift:
    finding = Finding(
        Kind.MTU_DIFFERS, str(mtu), str(found.mtu), "repair sets it", pot=pot, bridge=bridge.name,
        interface=found.name,
    )  # fmt: skip
    step = Step(SetMtu(found.name, mtu, pot if inside else None), None, "as all on the bridge")
    return Drift(finding, (step,))


def compare_pots(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Pots that run: their epairs, addresses, routes, aliases, redirections and files."""
    for run in facts.active:
        yield from _aliases(run, state)
        for attachment in run.pot.attachments:
            bridge = facts.bridge(attachment.bridge)
            network = state.jail_networks.get(run.pot.name)
            if bridge is not None and network is not None:
                yield from _attachment(run, attachment, bridge, network, facts, state)
        yield from compare_passed(run, state)
        yield from _loopback(run, state)
        yield from _rates(run, state)
    for anchor, rules, run in pot_anchors(facts):
        home = run.pot.home.bridge if run.pot.home is not None else None
        yield from rules_drift(anchor, rules, state, run.pot.name, home)
    for run in facts.active:
        yield from _files(run, facts, state)


def _aliases(run: Run, state: HostState) -> Iterator[Drift]:
    for name, address in jail_of(run.pot, run.devfs).aliases:
        found = state.interfaces.get(name)
        alone = InterfaceAddress(address, 32 if address.version == 4 else 128)
        if found is None:
            finding = Finding(
                Kind.INTERFACE_MISSING, f"an interface {name}, for {address}", "none",
                f"bring {name} back, or give the pot another address", pot=run.pot.name, interface=name,
                repairable=False,
            )  # fmt: skip
            yield Drift(finding)
        elif not found.has(address):
            step = Step(AddAlias(name, address), None, "the pot's alias")
            yield Drift(_address_finding(alone, found, pot=run.pot.name), (step,))


def _attachment(
    run: Run, own: Attachment, bridge: Bridge, network: JailNetwork, facts: Facts, state: HostState
) -> Iterator[Drift]:
    host, inside = state.interfaces.get(own.host_end), network.interfaces.get(own.jail_end)
    if host is None or inside is None:
        yield _broken_epair(run, own, bridge, host, network, facts.config)
        return
    on = next((b for b in state.interfaces.values() if own.host_end in b.members), None)
    up = bridge.interface in state.interfaces
    if up and (on is None or on.name != bridge.interface):
        off = (Step(RemoveMember(on.name, own.host_end)),) if on is not None else ()
        finding = Finding(
            Kind.MEMBER_MISSING, f"{own.host_end} is on {bridge.interface}",
            f"it is on {on.name if on else 'no bridge'}", "repair puts it there", pot=run.pot.name,
            bridge=bridge.name, interface=own.host_end,
        )  # fmt: skip
        yield Drift(finding, (*off, Step(join(run.pot, own, bridge, facts.config))))
    elif on is not None and (own.host_end in on.private) != isolated(run.pot, bridge, facts.config):
        yield _wrong_member(run, own, bridge, own.host_end not in on.private)
    elif on is not None and on.hairpin is not None and (own.host_end in on.hairpin) != bool(bridge.subnets):
        yield _wrong_hairpin(run, own, bridge, facts.config)
    if not host.up:
        yield Drift(_down_finding(host, run.pot.name, bridge.name), (Step(BringUp(host.name)),))
    with_bridge = state.traits.one_mtu and on is not None and host.mtu == on.mtu
    if bridge.mtu not in (None, host.mtu) and not with_bridge:
        yield _mtu_drift(host, int(bridge.mtu or 0), bridge, run.pot.name)
    if bridge.mtu not in (None, inside.mtu):
        yield _mtu_drift(inside, int(bridge.mtu or 0), bridge, run.pot.name, inside=True)
    yield from _inside(run, own, bridge, inside, network)


def _wrong_member(run: Run, own: Attachment, bridge: Bridge, private: bool) -> Drift:
    words = "not private", "private"
    finding = Finding(
        Kind.MEMBER_DIFFERS, f"{own.host_end} is {words[private]} on {bridge.interface}",
        f"it is {words[not private]}", "repair sets it", pot=run.pot.name, bridge=bridge.name,
        interface=own.host_end,
    )  # fmt: skip
    return Drift(finding, (Step(SetPrivate(bridge.interface, own.host_end, private)),))


def _wrong_hairpin(run: Run, own: Attachment, bridge: Bridge, config: Config) -> Drift:
    """Without it a pot does not reach its own exports; without addresses on the bridge there are none."""
    words = "sends no frame back to where it came from", "sends frames back to where they came from"
    finding = Finding(
        Kind.MEMBER_DIFFERS, f"{bridge.interface} {words[bool(bridge.subnets)]} at {own.host_end}",
        f"it {words[not bridge.subnets]}", "repair sets it", pot=run.pot.name, bridge=bridge.name,
        interface=own.host_end,
    )  # fmt: skip
    return Drift(finding, (Step(join(run.pot, own, bridge, config)),))


def _broken_epair(
    run: Run, own: Attachment, bridge: Bridge, host: Interface | None, network: JailNetwork, config: Config
) -> Drift:
    pot = run.pot
    found = f"no {own.host_end}" if host is None else f"{own.jail_end} is not in the jail"
    ours = host is None or host.description == start.description(pot)
    finding = Finding(
        Kind.INTERFACE_MISSING, f"{own.host_end} on {bridge.interface}, {own.jail_end} in the jail",
        found if ours else f"{own.host_end} is something else",
        "repair makes the epair anew" if ours else f"stop {pot.name} and start it: it gets another epair",
        pot=pot.name, bridge=bridge.name, interface=own.host_end, repairable=ours,
    )  # fmt: skip
    if not ours:
        return Drift(finding)
    steps = (
        *((Step(DestroyInterface(own.host_end), None, "to be made anew"),) if host else ()),
        Step(
            CreateEpair(own.unit, start.description(pot), own.mac, pot.name, bridge.mtu),
            None,
            f"from {bridge.name} to the jail",
        ),
        Step(join(pot, own, bridge, config)),
        Step(MoveToJail(own.jail_end, pot.name, pot.root)),
        *_learning(run, own),
        *(Step(_set(wanted, own.jail_end, pot.name)) for wanted, _ in _addresses(pot, own, bridge)),
        *(step for _, gateway in _addresses(pot, own, bridge) for step in _route(run, gateway, network)),
    )
    return Drift(finding, steps)


def _addresses(pot: Pot, own: Attachment, bridge: Bridge) -> list[tuple[InterfaceAddress, IPAddress | None]]:
    """A pot's own addresses on a bridge, each with its gateway where that is the pot's way to the outside."""
    pairs = ((address, bridge.subnet(address.version)) for address in own.addresses)
    return [
        (InterfaceAddress(a, s.network.prefixlen), s.gateway if pot.leads_out(own, a.version) else None)
        for a, s in pairs
        if s is not None
    ]


def _learning(run: Run, own: Attachment) -> tuple[Step, ...]:
    """What lets an end without addresses find some."""
    if own.addresses:
        return ()
    return (Step(start.learning(run.pot, own), None, "SLAAC"),)


def _route(run: Run, gateway: IPAddress | None, network: JailNetwork) -> tuple[Step, ...]:
    """Sets the default route, in the place of one that is there."""
    if gateway is None:
        return ()
    family = gateway.version
    remove = (Step(RemoveDefaultRoute(family, run.pot.name)),) if family in network.gateways else ()
    return (*remove, Step(AddDefaultRoute(gateway, run.pot.name)))


def _inside(
    run: Run, own: Attachment, bridge: Bridge, inside: Interface, network: JailNetwork
) -> Iterator[Drift]:
    pot = run.pot.name
    if not inside.up:
        yield Drift(_down_finding(inside, pot, bridge.name), (Step(BringUp(inside.name, pot)),))
    if inside.mac != own.mac:
        finding = Finding(
            Kind.MAC_DIFFERS, own.mac, inside.mac or "none", "repair sets it", pot=pot, bridge=bridge.name,
            interface=inside.name,
        )  # fmt: skip
        yield Drift(finding, (Step(SetMac(inside.name, own.mac, pot), None, "the pot's own"),))
    for wanted, gateway in _addresses(run.pot, own, bridge):
        there = network.gateways.get(wanted.address.version)
        if wanted not in inside.addresses:
            beside = bool(_others(wanted, inside))
            steps = [Step(_set(wanted, inside.name, pot, beside))]
            if not beside and gateway is not None and there == gateway:
                # The route may go as the address is set, or have stayed behind and lead nowhere.
                steps += _route(run, gateway, network)
            yield Drift(_address_finding(wanted, inside, pot, bridge.name), tuple(steps))
        if gateway is not None and there != gateway:
            finding = Finding(
                Kind.ROUTE_DIFFERS if there else Kind.ROUTE_MISSING, f"default route by {gateway}",
                f"by {there}" if there else "none", "repair sets it", pot=pot, bridge=bridge.name,
                interface=own.jail_end,
            )  # fmt: skip
            yield Drift(finding, _route(run, gateway, network))


def _rates(run: Run, state: HostState) -> Iterator[Drift]:
    pipes = pipes_of(run.pot)
    if pipes is not None and pipes not in state.limited:
        finding = Finding(
            Kind.RATE_DIFFERS, f"bandwidth: in {_rate(pipes.rate_in)}, out {_rate(pipes.rate_out)}",
            "something else", "repair sets it", pot=run.pot.name, interface=pipes.members[0],
        )  # fmt: skip
        yield Drift(finding, (Step(LiftRate(pipes)), Step(LimitRate(pipes), None, "bandwidth")))


def _rate(rate: int | None) -> str:
    return "not limited" if rate is None else f"{rate} bit/s"


def _loopback(run: Run, state: HostState) -> Iterator[Drift]:
    network = state.jail_networks.get(run.pot.name)
    found = network.interfaces.get("lo0") if network is not None else None
    if found is not None and not (found.up and found.has(start.LOOPBACK)):
        step = Step(SetAddress("lo0", start.LOOPBACK, 8, run.pot.name), None, "loopback")
        yield Drift(_address_finding(InterfaceAddress(start.LOOPBACK, 8), found, run.pot.name), (step,))


def _files(run: Run, facts: Facts, state: HostState) -> Iterator[Drift]:
    """What is missing comes with the next start: a file only takes the place of another while a jail runs."""
    etc = etc_of(run.pot, state.traits)
    for name in run.files:
        path = f"{etc}/{name}"
        kind = state.files.get(path, FileKind.FILE)
        if kind is not FileKind.FILE:
            finding = Finding(
                Kind.FILE_MISSING, f"a file {path}", "none" if kind is FileKind.ABSENT else f"a {kind}",
                f"nothing is written while {run.pot.name} runs: stop and start it", pot=run.pot.name,
                repairable=False,
            )  # fmt: skip
            yield Drift(finding)
        elif path in facts.written and state.digests.get(path) != _digest(facts.written[path].text):
            finding = Finding(
                Kind.FILE_DIFFERS, f"{path} as potnet writes it", "another text", "repair writes it anew",
                pot=run.pot.name,
            )  # fmt: skip
            yield Drift(finding, facts.written[path].steps)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
