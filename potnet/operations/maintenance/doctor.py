"""doctor: features that pots need, and whether this host provides them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from potnet.errors import HostError
from potnet.host.actions import CreateBridge
from potnet.host.filter_actions import FilterMembers, LoadAnchor
from potnet.host.findings import Condition, Verdict
from potnet.host.query import Query
from potnet.host.state import HostState, Interface
from potnet.model.pots import Ipv6
from potnet.operations.common import external_interface
from potnet.operations.files.pot_logs import exposed_logs, ways_to_logs
from potnet.operations.networks.antispoof import in_force
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.obstacles import any_side, obstacles, side_of
from potnet.planning.filter.prepare import uncalled
from potnet.planning.rc_conf import refused_as_member, without_member
from potnet.planning.roots import exposure, leading_to

if TYPE_CHECKING:
    from potnet.app import App

_OK, _LIMITED, _MISSING = Verdict.OK, Verdict.LIMITED, Verdict.MISSING


def doctor(app: App) -> tuple[Condition, ...]:
    """Report the features that the network of pots requires; raises HostError if a query fails."""
    found = _host(app)
    if any(each.verdict is _MISSING for each in found):
        # Further checks would only fail for the same reasons.
        return found
    state = app.driver.observe(
        Query(
            packet_filter=True,
            filter_local=True,
            own_anchors=pf.own_anchors(app.config),
            lost=True,
            external=app.config.external_interface is None,
            interfaces=None,
            files=("/",),
            rulesets=(None,),
            ways=(
                *(leading_to(app.config.jails) if app.driver.traits.own_programs else ()),
                *ways_to_logs(app),
            ),
        )
    )
    external = external_interface(app, state)
    found = (*found, *_jails(app, state), *_logs(app, state))
    return (*found, *_filter(app, state, external), *_antispoof(app), *_outside(app, external, state))


def _jails(app: App, state: HostState) -> Iterator[Condition]:
    """Check that jails cannot use the host's devices, and that only root can open the jails' directories."""
    if not app.driver.traits.own_programs:
        return
    number = state.open_rulesets.get(None)
    if number is None:
        yield Condition("devices", _OK, "devices of the host are hidden from jails")
    else:
        lack = f"devfs ruleset {number} hides nothing: no jail with devices can start"
        yield Condition("devices", _LIMITED, lack, app.driver.traits.tools.load_device_rules)
    who = exposure(leading_to(app.config.jails), state.access)
    if who is None:
        yield Condition("directory of jails", _OK, f"only root can change {app.config.jails}")
    else:
        lack = f"{who}, which leads to {app.config.jails}: no pot can be created there"
        yield Condition("directory of jails", _LIMITED, lack, "set paths.jails to a directory of root's own")


def _logs(app: App, state: HostState) -> Iterator[Condition]:
    """Check that only root can change the directory of logs."""
    who = exposed_logs(app, state.access)
    if who is not None:
        lack = f"{who}, which leads to {app.config.logs}: no output of pots is kept"
        yield Condition("directory of logs", _LIMITED, lack, "set paths.logs to a directory of root's own")
    elif ways_to_logs(app):
        yield Condition("directory of logs", _OK, f"only root can change {app.config.logs}")


def _antispoof(app: App) -> Iterator[Condition]:
    if not app.config.antispoof:
        return
    try:
        app.driver.check([FilterMembers((), True)])
        in_force(app)
    except HostError as error:
        yield Condition("antispoof", _LIMITED, error.message, error.hint)
    else:
        yield Condition("antispoof", _OK, "pots on bridges are kept to their own addresses")


def _host(app: App) -> tuple[Condition, ...]:
    if app.outside is None:
        return app.driver.conditions()
    found = app.outside()
    if any(each.verdict is _MISSING for each in found):
        return found
    try:
        assert app.driver
    except HostError as error:
        remedy = error.hint or "see potnet-rootless(7)"
        return (*found, Condition("rootless host", _MISSING, error.message, remedy))
    return (*found, Condition("rootless host", _OK, "can be made"))


def _filter(app: App, state: HostState, external: str | None) -> Iterator[Condition]:
    found = state.packet_filter
    if found.self_contained:
        yield from _obstacles(app, state, external, "forwarding")
        return
    if not found.enabled:
        lack = "off: no NAT, no exports, no isolation"
        yield Condition("packet filter", _MISSING, lack, "potnet init --apply")
        return
    yield Condition("packet filter", _OK, "on")
    absent = [f'{word} "{name}"' for word, name in uncalled(found, app.config)]
    if absent:
        lack = f"the main ruleset lacks {', '.join(absent)}"
        yield Condition("anchors", _LIMITED, lack, "potnet init --apply")
    else:
        yield Condition("anchors", _OK, "the main ruleset evaluates them")
    yield from _obstacles(app, state, external, "main ruleset")
    if {"lo0", "lo", "all"} & found.skipped:
        lack = "not possible: pf skips lo0 (set skip)"
        yield Condition("loopback exports", _LIMITED, lack, "take lo0 out of `set skip` in the rules of pf")
    elif found.filter_local:
        yield Condition("loopback exports", _OK, "possible")
    else:
        lack = "not possible: pf does not filter local packets"
        yield Condition("loopback exports", _LIMITED, lack, "potnet init --loopback --apply")


def _obstacles(app: App, state: HostState, external: str | None, subject: str) -> Iterator[Condition]:
    bridges = [side_of(bridge) for bridge in app.store.bridges() if bridge.subnets]
    pots = [run.pot for run in app.store.runs() if run.pot.leased]
    for each in obstacles(app.config, state, bridges or [any_side(app.config)], external, pots):
        yield Condition(subject, _LIMITED, f"{each.found}: {each.effect}", each.remedy)


def _outside(app: App, external: str | None, state: HostState) -> Iterator[Condition]:
    if external is None:
        lack = "none: the host has no default route"
        remedy = "give the host its default route, or set network.external_interface"
        yield Condition("external interface", _MISSING, lack, remedy)
        return
    found = state.interfaces.get(external)
    if found is None:
        lack = f"the host has no {external}"
        yield Condition("external interface", _MISSING, lack, "check network.external_interface")
        return
    others = pf.untranslated(app.config, external, state)
    if others:
        yield Condition("external interface", _LIMITED, others[0], "see network.extra_interfaces")
    else:
        yield Condition("external interface", _OK, external)
    yield _kernel(app, found)
    if app.config.ipv6 is not Ipv6.SLAAC:
        return
    yield _promiscuous(found.promiscuous)
    if any(address.learned for address in found.addresses):
        yield Condition("router advertisements", _OK, f"{external} has an address by them")
    else:
        # An interface that ignores router advertisements proves nothing, hence the wording.
        lack = f"{external} has no address by them: pots with IPv6 on the public bridge need them"
        remedy = 'see that a router advertises a prefix there, or set network.ipv6 = "nat"'
        yield Condition("router advertisements", _LIMITED, lack, remedy)


def _kernel(app: App, external: Interface) -> Condition:
    """Whether the host would make a bridge of each kind; potnet tries only if that changes nothing."""
    nat = LoadAnchor(pf.nat_anchor(app.config), pf.source_nat(app.config, external.name))
    try:
        app.driver.check([nat, CreateBridge("bridge0", "")])
    except HostError as error:
        return Condition("bridges", _MISSING, error.message, error.hint)
    if app.config.ipv6 is Ipv6.SLAAC:
        try:
            app.driver.check([CreateBridge("bridge1", "", (external.name,))])
        except HostError as error:
            return Condition("bridges", _LIMITED, f"for IPv4 only: {error.message}", error.hint)
        rules = app.driver.observe(Query(bridge_rules=True, names=True))
        if refused_as_member(external, rules):
            return without_member(external, rules)
    return Condition("bridges", _OK, "can be made")


def _promiscuous(on: bool) -> Condition:
    if on:
        return Condition("promiscuous mode", _OK, "on")
    # Only the outside network shows whether frames for other MAC addresses then arrive.
    return Condition(
        "promiscuous mode", _OK,
        "off until the bridge for IPv6 needs it; a virtual machine's switch must allow it too",
    )  # fmt: skip
