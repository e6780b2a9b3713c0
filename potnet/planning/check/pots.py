"""What differs in the pots that run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

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
from potnet.model.pots import Attachment, Bridge, Pot, Run
from potnet.planning import start
from potnet.planning.check.drift import Drift, Facts, pot_anchors, rules_drift
from potnet.planning.check.interface import (
    address_finding,
    down_finding,
    mtu_drift,
    others_of_family,
    set_address,
)
from potnet.planning.check.passed_interfaces import compare_passed
from potnet.planning.filter.policy import pipes_of
from potnet.planning.jail import etc_of, jail_of
from potnet.planning.members import isolated, join


def compare_pots(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Pots that run: their epairs and taps, addresses, routes, aliases, redirections and files."""
    for run in facts.active:
        yield from _unreadable(run, state)
        yield from _aliases(run, state)
        for attachment in run.pot.attachments:
            bridge = facts.bridge(attachment.bridge)
            network = state.jail_networks.get(run.pot.name)
            tap = state.interfaces.get(attachment.host_end) if attachment.tap else None
            if bridge is not None and tap is not None:
                yield from _on_host(run, attachment, bridge, tap, facts, state)
                yield from _owner(run, attachment.host_end, bridge, state)
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


def _unreadable(run: Run, state: HostState) -> Iterator[Drift]:
    why = state.unreadable.get(run.pot.name)
    if why is not None:
        name = run.pot.name
        finding = Finding(
            Kind.JAIL_UNREADABLE, f"the network of {name}", why, "potnet compares all else",
            pot=name, repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _owner(run: Run, tap: str, bridge: Bridge, state: HostState) -> Iterator[Drift]:
    if tap not in state.misowned or run.pot.owner is None:
        return
    change = state.traits.owners_change
    finding = Finding(
        Kind.OWNER_DIFFERS, f"{run.pot.owner} may open {tap}", f"{state.misowned[tap] or 'everybody'} may",
        "repair sets it" if change else f"stop {run.pot.name} and start it", pot=run.pot.name,
        bridge=bridge.name, interface=tap, repairable=change,
    )  # fmt: skip
    yield Drift(finding, (Step(SetOwner(tap, run.pot.owner)),) if change else ())


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


def _attachment(
    run: Run, own: Attachment, bridge: Bridge, network: JailNetwork, facts: Facts, state: HostState
) -> Iterator[Drift]:
    host, inside = state.interfaces.get(own.host_end), network.interfaces.get(own.jail_end)
    if host is None or inside is None:
        yield _broken_epair(run, own, bridge, host, network, facts.config)
        return
    yield from _on_host(run, own, bridge, host, facts, state)
    if bridge.mtu not in (None, inside.mtu):
        yield mtu_drift(inside, int(bridge.mtu or 0), bridge, run.pot.name, inside=True)
    yield from _inside(run, own, bridge, inside, network)


def _on_host(
    run: Run, own: Attachment, bridge: Bridge, host: Interface, facts: Facts, state: HostState
) -> Iterator[Drift]:
    """The host's end of an epair, or a tap."""
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
    elif run.pot.antispoof and on is not None and on.open is not None and own.host_end in on.open:
        yield _open_member(run, own, bridge, facts.config)
    elif on is not None and on.hairpin is not None and (own.host_end in on.hairpin) != bool(bridge.subnets):
        yield _wrong_hairpin(run, own, bridge, facts.config)
    if not host.up:
        yield Drift(down_finding(host, run.pot.name, bridge.name), (Step(BringUp(host.name)),))
    with_bridge = state.traits.one_mtu and on is not None and host.mtu == on.mtu
    if bridge.mtu not in (None, host.mtu) and not with_bridge:
        yield mtu_drift(host, int(bridge.mtu or 0), bridge, run.pot.name)


def _member_finding(
    run: Run, own: Attachment, bridge: Bridge, expected: str, found: str, remedy: str = "repair sets it"
) -> Finding:
    return Finding(
        Kind.MEMBER_DIFFERS, expected, found, remedy, pot=run.pot.name, bridge=bridge.name,
        interface=own.host_end,
    )  # fmt: skip


def _wrong_member(run: Run, own: Attachment, bridge: Bridge, private: bool) -> Drift:
    words = "not private", "private"
    expected = f"{own.host_end} is {words[private]} on {bridge.interface}"
    finding = _member_finding(run, own, bridge, expected, f"it is {words[not private]}")
    return Drift(finding, (Step(SetPrivate(bridge.interface, own.host_end, private)),))


def _open_member(run: Run, own: Attachment, bridge: Bridge, config: Config) -> Drift:
    """What is known of a member is set as it joins."""
    expected, remedy = f"behind {own.host_end} is {own.mac} alone", "repair lets it join anew"
    finding = _member_finding(run, own, bridge, expected, "any number of MAC addresses", remedy)
    off = Step(RemoveMember(bridge.interface, own.host_end))
    return Drift(finding, (off, Step(join(run.pot, own, bridge, config))))


def _wrong_hairpin(run: Run, own: Attachment, bridge: Bridge, config: Config) -> Drift:
    """Without it a pot does not reach its own exports; without addresses on the bridge there are none."""
    words = "sends no frame back to where it came from", "sends frames back to where they came from"
    expected = f"{bridge.interface} {words[bool(bridge.subnets)]} at {own.host_end}"
    finding = _member_finding(run, own, bridge, expected, f"it {words[not bridge.subnets]}")
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
        *(
            Step(set_address(wanted, own.jail_end, pot.name, mtu=bridge.mtu))
            for wanted, _ in _addresses(pot, own, bridge)
        ),
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
        yield Drift(down_finding(inside, pot, bridge.name), (Step(BringUp(inside.name, pot)),))
    if inside.mac != own.mac:
        finding = Finding(
            Kind.MAC_DIFFERS, own.mac, inside.mac or "none", "repair sets it", pot=pot, bridge=bridge.name,
            interface=inside.name,
        )  # fmt: skip
        yield Drift(finding, (Step(SetMac(inside.name, own.mac, pot), None, "the pot's own"),))
    for wanted, gateway in _addresses(run.pot, own, bridge):
        there = network.gateways.get(wanted.address.version)
        if wanted not in inside.addresses:
            beside = bool(others_of_family(wanted, inside))
            steps = [Step(set_address(wanted, inside.name, pot, beside, inside.mtu))]
            if not beside and gateway is not None and there == gateway:
                # The route may go as the address is set, or have stayed behind and lead nowhere.
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
                pot=run.pot.name, repairable=bool(facts.written[path].steps),
            )  # fmt: skip
            yield Drift(finding, facts.written[path].steps)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
