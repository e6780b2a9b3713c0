"""Drift of running pots."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from netaddr import IPAddress

from potnet.config.configuration import Config
from potnet.host.actions import (
    AddAlias,
    AddDefaultRoute,
    BringUp,
    CreateEpair,
    DestroyInterface,
    MoveToJail,
    RemoveDefaultRoute,
    RemoveMember,
    SetAddress,
    SetMac,
    SetOwner,
    SetPrivate,
    Step,
)
from potnet.host.filter_actions import LiftRate, LimitRate
from potnet.host.findings import Finding, Kind
from potnet.host.state import FileKind, HostState, Interface, InterfaceAddress, JailNetwork
from potnet.model.bridges import Bridge
from potnet.model.pots import Attachment, Pot, Run
from potnet.planning import start
from potnet.planning.check.dhcp import compare_learned
from potnet.planning.check.drift import Drift, Facts, pot_anchors, rules_drift
from potnet.planning.check.interface import (
    address_finding,
    down_finding,
    mtu_drift,
    others_of_family,
    set_address,
)
from potnet.planning.check.parameters import compare_parameters
from potnet.planning.check.passed_interfaces import compare_passed
from potnet.planning.filter.policy import pipes_of
from potnet.planning.jail import etc_of, jail_of
from potnet.planning.members import isolated, join
from potnet.planning.roots import exposure, ways_to
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Wire:
    """An epair or tap of a running pot, with the bridge that it belongs on."""

    run: Run
    own: Attachment
    bridge: Bridge

    @property
    def pot(self) -> Pot:
        return self.run.pot

    def finding(self, kind: Kind, expected: str, found: str, remedy: str = "repair sets it") -> Finding:
        """Return a finding about the host's end."""
        return Finding(
            kind, expected, found, remedy, pot=self.pot.name, bridge=self.bridge.name,
            interface=self.own.host_end,
        )  # fmt: skip

    def join(self, config: Config) -> Step:
        """Return the step that makes the wire a member of its bridge."""
        return Step(join(self.pot, self.own, self.bridge, config))


def compare_pots(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Compare running pots: epairs and taps, addresses, routes, aliases, redirections and files."""
    for run in facts.active:
        yield from _unreadable(run, state)
        yield from _exposed(run, state)
        yield from compare_parameters(run, state)
        yield from _aliases(run, state)
        for attachment in run.pot.attachments:
            bridge = facts.bridge(attachment.bridge)
            if bridge is not None:
                yield from _wire(Wire(run, attachment, bridge), facts, state)
        yield from compare_passed(run, state)
        yield from _loopback(run, state)
        yield from _rates(run, state)
    yield from compare_learned(facts)
    for anchor, rules, run in pot_anchors(facts):
        home = run.pot.home.bridge if run.pot.home is not None else None
        yield from rules_drift(anchor, rules, state, run.pot.name, home)
    for run in facts.active:
        yield from _files(run, facts, state)


def _unreadable(run: Run, state: HostState) -> Iterator[Drift]:
    why = state.unreadable.get(run.pot.name)
    if why is not None:
        name = run.pot.name
        finding = Finding(
            Kind.JAIL_UNREADABLE, f"the network of {name}", why, "potnet compares all else",
            pot=name, repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _exposed(run: Run, state: HostState) -> Iterator[Drift]:
    """Report a root that others can change, as a start would now refuse it."""
    name, who = run.pot.name, exposure(ways_to(run.pot), state.access)
    if who is not None:
        finding = Finding(
            Kind.ROOT_EXPOSED, f"only root can change what leads to {run.pot.root}", who,
            "stop the pot until only root owns and can write to that directory", pot=name, repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _wire(wire: Wire, facts: Facts, state: HostState) -> Iterator[Drift]:
    tap = state.interfaces.get(wire.own.host_end) if wire.own.tap else None
    if tap is not None:
        yield from _on_host(wire, tap, facts, state)
        yield from _owner(wire, state)
    network = state.jail_networks.get(wire.pot.name)
    if network is not None:
        yield from _epair(wire, network, facts, state)


def _owner(wire: Wire, state: HostState) -> Iterator[Drift]:
    tap, owner = wire.own.host_end, wire.pot.owner
    if tap not in state.misowned or owner is None:
        return
    found = f"{state.misowned[tap] or 'everybody'} may"
    finding = wire.finding(Kind.OWNER_DIFFERS, f"{owner} may open {tap}", found)
    if state.traits.owners_change:
        yield Drift(finding, (Step(SetOwner(tap, owner)),))
    else:
        remedy = f"stop {wire.pot.name} and start it"
        yield Drift(replace(finding, remedy=remedy, repairable=False))


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
            yield Drift(address_finding(alone, found, pot=run.pot.name), (step,))


def _epair(wire: Wire, network: JailNetwork, facts: Facts, state: HostState) -> Iterator[Drift]:
    host = state.interfaces.get(wire.own.host_end)
    inside = network.interfaces.get(wire.own.jail_end)
    if host is None or inside is None:
        yield _broken_epair(wire, network, facts.config, state)
        return
    yield from _on_host(wire, host, facts, state)
    mtu = wire.bridge.mtu
    if mtu is not None and mtu != inside.mtu:
        yield mtu_drift(inside, mtu, wire.bridge, wire.pot.name, jail=wire.pot.name)
    yield from _inside(wire, inside, network)


def _on_host(wire: Wire, host: Interface, facts: Facts, state: HostState) -> Iterator[Drift]:
    """Compare the host's end of an epair, or a tap."""
    bridge, name = wire.bridge, wire.own.host_end
    on = next((found for found in state.interfaces.values() if name in found.members), None)
    joined = on is not None and on.name == bridge.interface
    if bridge.interface in state.interfaces and not joined:
        yield _elsewhere(wire, on, facts.config)
    elif on is not None:
        yield from _membership(wire, on, facts.config)
    if not host.up:
        yield Drift(down_finding(host, wire.pot.name, bridge.name), (Step(BringUp(host.name)),))
    with_bridge = state.traits.one_mtu and on is not None and host.mtu == on.mtu
    if bridge.mtu is not None and bridge.mtu != host.mtu and not with_bridge:
        yield mtu_drift(host, bridge.mtu, bridge, wire.pot.name)


def _elsewhere(wire: Wire, on: Interface | None, config: Config) -> Drift:
    """Return the finding about an end that is on no bridge, or on the wrong one."""
    name = wire.own.host_end
    steps = [wire.join(config)]
    where = "it is on no bridge"
    if on is not None:
        steps.insert(0, Step(RemoveMember(on.name, name)))
        where = f"it is on {on.name}"
    expected = f"{name} is on {wire.bridge.interface}"
    finding = wire.finding(Kind.MEMBER_MISSING, expected, where, "repair puts it there")
    return Drift(finding, tuple(steps))


def _membership(wire: Wire, on: Interface, config: Config) -> Iterator[Drift]:
    """Compare the flags of a member of a bridge; the first difference is enough."""
    name = wire.own.host_end
    if (name in on.private) != isolated(wire.pot, wire.bridge, config):
        yield _wrong_privacy(wire, on)
    elif wire.pot.antispoof and on.open is not None and name in on.open:
        yield _open_member(wire, config)
    elif on.hairpin is not None and (name in on.hairpin) != bool(wire.bridge.subnets):
        yield _wrong_hairpin(wire, config)


def _wrong_privacy(wire: Wire, on: Interface) -> Drift:
    name, bridge = wire.own.host_end, wire.bridge.interface
    private = name not in on.private
    if private:
        expected, found = f"{name} is private on {bridge}", "it is not private"
    else:
        expected, found = f"{name} is not private on {bridge}", "it is private"
    finding = wire.finding(Kind.MEMBER_DIFFERS, expected, found)
    return Drift(finding, (Step(SetPrivate(bridge, name, private)),))


def _open_member(wire: Wire, config: Config) -> Drift:
    """Return the finding about a member that may send from any MAC address; the step joins it again."""
    name = wire.own.host_end
    finding = wire.finding(
        Kind.MEMBER_DIFFERS, f"behind {name} is {wire.own.mac} alone", "any number of MAC addresses",
        "repair lets it join anew",
    )  # fmt: skip
    return Drift(finding, (Step(RemoveMember(wire.bridge.interface, name)), wire.join(config)))


def _wrong_hairpin(wire: Wire, config: Config) -> Drift:
    """Return the finding about hairpin mode, which a pot requires to reach its own exports."""
    back, not_back = "sends frames back to where they came from", "sends no frame back to where it came from"
    wanted, found = (back, not_back) if wire.bridge.subnets else (not_back, back)
    expected = f"{wire.bridge.interface} {wanted} at {wire.own.host_end}"
    finding = wire.finding(Kind.MEMBER_DIFFERS, expected, f"it {found}")
    return Drift(finding, (wire.join(config),))


def _broken_epair(wire: Wire, network: JailNetwork, config: Config, state: HostState) -> Drift:
    pot, own = wire.pot, wire.own
    host = state.interfaces.get(own.host_end)
    expected = f"{own.host_end} on {wire.bridge.interface}, {own.jail_end} in the jail"
    if host is not None and host.description != start.description(pot):
        found, remedy = (
            f"{own.host_end} is something else",
            f"stop {pot.name} and start it: it gets another epair",
        )
        finding = wire.finding(Kind.INTERFACE_MISSING, expected, found, remedy)
        return Drift(replace(finding, repairable=False))
    found = f"no {own.host_end}" if host is None else f"{own.jail_end} is not in the jail"
    finding = wire.finding(Kind.INTERFACE_MISSING, expected, found, "repair recreates the epair")
    steps = _new_epair(wire, network, config, state)
    if host is not None:
        steps.insert(0, Step(DestroyInterface(own.host_end), None, "to be made anew"))
    return Drift(finding, tuple(steps))


def _new_epair(wire: Wire, network: JailNetwork, config: Config, state: HostState) -> list[Step]:
    """Return the steps that make an epair with its addresses and routes."""
    pot, own, bridge = wire.pot, wire.own, wire.bridge
    create = CreateEpair(own.unit, start.description(pot), own.mac, pot.name, bridge.mtu)
    steps = [
        Step(create, None, f"from {bridge.name} to the jail"),
        wire.join(config),
        Step(MoveToJail(own.jail_end, pot.name, pot.root)),
    ]
    if own.slaac:
        steps.append(Step(start.learning(pot, own), None, "SLAAC"))
    if own.dhcp:
        steps += start.requesting(pot, own, state)
    addresses = _addresses(wire)
    for wanted, _ in addresses:
        address = set_address(wanted, own.jail_end, pot.name, mtu=bridge.mtu)
        steps.append(Step(replace(address, detect=start.detects(own, wanted.address))))
    for _, gateway in addresses:
        steps += _route(wire.run, gateway, network)
    return steps


def _addresses(wire: Wire) -> list[tuple[InterfaceAddress, IPAddress | None]]:
    """Return the addresses of a pot on a bridge, each with its gateway if the default route leads there."""
    found = []
    for address in wire.own.given:
        network = wire.bridge.leasing(address.version)
        if network is not None:
            gateway = network.gateway if wire.pot.leads_out(wire.own, address.version) else None
            found.append((InterfaceAddress(address, network.network.prefixlen), gateway))
    return found


def _route(run: Run, gateway: IPAddress | None, network: JailNetwork) -> tuple[Step, ...]:
    """Return the steps that set the default route and replace an existing one."""
    if gateway is None:
        return ()
    add = Step(AddDefaultRoute(gateway, run.pot.name))
    if gateway.version in network.gateways:
        return (Step(RemoveDefaultRoute(gateway.version, run.pot.name)), add)
    return (add,)


def _inside(wire: Wire, inside: Interface, network: JailNetwork) -> Iterator[Drift]:
    run, own, bridge, pot = wire.run, wire.own, wire.bridge, wire.pot.name
    if not inside.up:
        yield Drift(down_finding(inside, pot, bridge.name), (Step(BringUp(inside.name, pot)),))
    if inside.mac != own.mac:
        finding = Finding(
            Kind.MAC_DIFFERS, own.mac, inside.mac or "none", "repair sets it", pot=pot, bridge=bridge.name,
            interface=inside.name,
        )  # fmt: skip
        yield Drift(finding, (Step(SetMac(inside.name, own.mac, pot), None, "the pot's own"),))
    for wanted, gateway in _addresses(wire):
        there = network.gateways.get(wanted.address.version)
        if wanted not in inside.addresses:
            beside = bool(others_of_family(wanted, inside))
            address = set_address(wanted, inside.name, pot, beside, inside.mtu)
            steps = [Step(replace(address, detect=start.detects(own, wanted.address)))]
            if not beside and gateway is not None and there == gateway:
                # Setting the address may remove the route, or a stale route may lead nowhere.
                steps += _route(run, gateway, network)
            yield Drift(address_finding(wanted, inside, pot, bridge.name), tuple(steps))
        elif wanted.address.version == 6 and inside.disabled6:
            finding = Finding(
                Kind.INTERFACE_DOWN, f"IPv6, with {wanted.address}", "IPv6 is disabled (ifdisabled)",
                "repair enables it", pot=pot, bridge=bridge.name, interface=inside.name,
            )  # fmt: skip
            step = Step(set_address(wanted, inside.name, pot, True, inside.mtu), None, "with IPv6 enabled")
            yield Drift(finding, (step,))
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
        yield Drift(address_finding(InterfaceAddress(start.LOOPBACK, 8), found, run.pot.name), (step,))


def _files(run: Run, facts: Facts, state: HostState) -> Iterator[Drift]:
    """Compare the files in etc. While a jail runs, a file can be replaced and not be created."""
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
                Kind.FILE_DIFFERS, f"{path} as potnet writes it", "another text", "repair writes it again",
                pot=run.pot.name, repairable=bool(facts.written[path].steps),
            )  # fmt: skip
            yield Drift(finding, facts.written[path].steps)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
