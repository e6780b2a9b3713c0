"""Differences between store and host, apart from the bridges and pots that are up."""

from __future__ import annotations

from collections.abc import Iterator

from potnet.host.actions import DestroyInterface, SetForwarding, Step
from potnet.host.file_actions import MountDataset
from potnet.host.filter_actions import FilterMembers, LoadAnchor, RemoveEntry
from potnet.host.findings import Finding, Kind
from potnet.host.ruleset import NoRules, Ruleset
from potnet.host.state import AnchorRules, FilterEntry, HostState, Interface
from potnet.host.traits import Tools
from potnet.model.ports import endpoint
from potnet.model.pots import BRIDGE_GROUP, GROUP, Run
from potnet.planning import uplink, vnet
from potnet.planning.check.drift import Drift, Facts, Unfinished, routed, rules_drift, shared_anchors
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.exports import absent_addresses
from potnet.planning.filter.obstacles import obstacles, side_of
from potnet.planning.filter.prepare import uncalled
from potnet.planning.ownership import complete, owned
from potnet.planning.start import filter_members

_OF_BRIDGE = (pf.bridge_anchor, pf.nat6_anchor)
_OF_POT = (pf.pot_anchor, pf.limits_anchor, pf.filter_anchor)


def compare_starts(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Find commands that were cut off, recorded starts without jails, and jails without recorded starts."""
    yield from map(_unfinished, facts.unfinished)
    for name in facts.pieces:
        remedy = "repair removes what is left of it, as destroy would"
        found = "its create or destroy was interrupted"
        yield Drift(Finding(Kind.POT_CUT_OFF, "a complete pot", found, remedy, pot=name))
    for run in facts.runs:
        if not complete(run, state):
            yield _not_running(run, state)
        elif run.changing:
            yield _unfinished(Unfinished("export-ports", run.pot.name))
    known = {run.pot.name: run for run in facts.runs}
    machines = {run.pot.name for run in facts.runs if not run.pot.is_jail}
    for name in sorted(facts.others | known.keys()):
        jail = state.jails.get(name)
        if jail is None or jail.dying or owned(known.get(name), jail) or name in machines:
            continue
        finding = Finding(
            Kind.JAIL_FOREIGN, "no jail of this name but potnet's own",
            f"jid {jail.jid}, which potnet did not start",
            "potnet leaves it alone: stop it with the program that started it", pot=name, repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _unfinished(command: Unfinished) -> Drift:
    """Report a command that was cut off; repair cannot tell whether copied files are complete."""
    copied = command.verb == "copy-in"
    paths = ", ".join(command.text.split("\n"))
    done = "repair takes it back" if command.verb == "rename" else "repair does the rest"
    options = f" {command.text}" if command.pot is None and command.text else ""
    finding = Finding(
        Kind.COMMAND_CUT_OFF, f"a complete {command.verb}{options}", "an interrupted or failed one",
        f"copy it in once more: {paths}" if copied else done,
        pot=command.pot, repairable=not copied,
    )  # fmt: skip
    return Drift(finding)


def _not_running(run: Run, state: HostState) -> Drift:
    jail = state.jails.get(run.pot.name) if run.pot.is_jail else None
    if run.jid is None:
        kind, expected, found = Kind.START_CUT_OFF, "a complete start", "an interrupted one"
    elif run.stopping:
        kind, expected, found = Kind.STOP_CUT_OFF, "a complete stop", "an interrupted one"
    elif not run.pot.is_jail:
        left = sorted(state.taps & {*run.pot.taps})
        kind, expected, found = Kind.POT_GONE, ", ".join(run.pot.taps), ", ".join(left) or "none"
    else:
        there = jail is not None and not jail.dying
        kind, expected = Kind.POT_GONE, f"the jail with jid {run.jid}"
        found = f"jid {jail.jid}, which potnet did not start" if jail and there else "no jail"
    remedy = "repair removes what is left of it and records it as stopped"
    return Drift(Finding(kind, expected, found, remedy, pot=run.pot.name))


def compare_shared(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Compare what all bridges with IPv4 require: the packet filter, its shared anchors, forwarding."""
    yield from map(_doubled, sorted(state.doubled))
    yield from _members(facts, state)
    if not routed(facts.wanted):
        return
    if facts.external is None:
        finding = Finding(
            Kind.EXTERNAL_MISSING, "an external interface", "no default route",
            "give the host its default route, or set network.external_interface", repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    yield from _packet_filter(facts, state)
    yield from _absent_addresses(facts, state)
    for anchor, rules in shared_anchors(facts):
        yield from rules_drift(anchor, rules, state)
    for family in (4, 6):
        if routed(facts.wanted, family) and not state.forwarding[family]:
            what = f"IPv{family} is forwarded"
            finding = Finding(Kind.FORWARDING_OFF, what, "it is not", "repair switches it on")
            yield Drift(finding, (Step(SetForwarding(family, True), None, "pots are routed"),))


def _doubled(name: str) -> Drift:
    """Report a duplicate interface name, caused by the removal of a jail that renamed its interface."""
    finding = Finding(
        Kind.INTERFACE_DOUBLED, f"one interface {name}", "several interfaces of that name",
        f"pf has lost the first {name}: remove the other, unload pf, load it and its rules, then run "
        "`potnet repair`",
        interface=name, repairable=False,
    )  # fmt: skip
    return Drift(finding)


def _members(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Compare the switches for filtering bridge members, which antispoof requires."""
    if state.unfiltered and any(run.pot.antispoof for run in facts.active):
        finding = Finding(
            Kind.MEMBERS_UNFILTERED, "the filter checks what pots send, at their ends of epairs",
            f"it does not: {', '.join(state.unfiltered)}", "repair switches it on",
        )  # fmt: skip
        yield Drift(finding, tuple(filter_members(state)))
    set_on = tuple(name for name in facts.members_set if name not in state.unfiltered)
    if set_on and not any(run.pot.antispoof for run in facts.runs):
        finding = Finding(
            Kind.MEMBERS_FILTERED, "the filter does not look at members of bridges",
            f"it does, since potnet switched it on: {', '.join(set_on)}",
            "repair switches it off, since no pot needs it",
        )  # fmt: skip
        yield Drift(finding, (Step(FilterMembers(set_on, False), None, "potnet had switched it on"),))


def _packet_filter(facts: Facts, state: HostState) -> Iterator[Drift]:
    yield from _obstacles(facts, state)
    found = state.packet_filter
    if found.self_contained:
        return
    if not found.enabled:
        remedy = f"enable it: `{state.traits.tools.enable_filter}`; `potnet init` sees to it at boot"
        yield Drift(Finding(Kind.FILTER_DISABLED, "pf is enabled", "it is not", remedy, repairable=False))
    for word, name in uncalled(found, facts.config):
        finding = Finding(
            Kind.ANCHOR_UNCALLED, f'{word} "{name}"', "the main ruleset of pf lacks it", pf.INIT_HINT,
            repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    if not found.filter_local and any(e.loopback for run in facts.active for e in run.pot.exports):
        finding = Finding(
            Kind.LOOPBACK_OFF, "the filter looks at what the host sends to itself",
            "it does not", "`potnet init --loopback` says how, and what else that changes", repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _obstacles(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report rules of others that keep packets of pots from potnet's rules, or from their destination."""
    sides = [side_of(bridge) for bridge in facts.wanted]
    pots = [run.pot for run in facts.active if run.pot.leased]
    for each in obstacles(facts.config, state, sides, facts.external, pots):
        finding = Finding(
            each.kind, each.wanted, f"{each.found}: {each.effect}", each.remedy, pot=each.pot,
            bridge=each.bridge, repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def _absent_addresses(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report exports on addresses that the host no longer has."""
    own = {each.address for found in state.interfaces.values() for each in found.addresses}
    for run in facts.active:
        for address in absent_addresses(run.pot.exports if run.pot.leased else (), own):
            finding = Finding(
                Kind.EXPORT_ADDRESS_GONE, f"{address}, for exports of {run.pot.name}",
                "no interface of the host has it",
                f"give it to the host, or change the export with `potnet export-ports -p {run.pot.name}`",
                pot=run.pot.name, repairable=False,
            )  # fmt: skip
            yield Drift(finding)


def compare_left(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report interfaces in potnet's group, and rules in its anchors, that nothing in use requires."""
    left = {name for name, found in state.interfaces.items() if _left_wire(name, found, facts, state)}
    ends = {a.host_end for run in facts.runs for a in run.pot.attachments}
    bridges = {bridge.interface for bridge in facts.accounted}
    bridges |= {bridge.uplink for bridge in facts.accounted if bridge.uplink is not None}
    left |= {name for name, found in state.interfaces.items() if _is_uplink(found) and name not in bridges}
    for name, found in sorted(state.interfaces.items()):
        if GROUP in found.groups and name not in ends | bridges:
            if name in left or _left_bridge(found, left, facts):
                yield _left_interface(found)
            else:
                yield _foreign_interface(found, state.traits.tools)
    for name in sorted(state.severed - bridges):
        yield _severed(name)
    yield from _left_shared_rules(facts, state)
    yield from _left_rules(facts, state)
    yield from map(_stray, state.stray)


def _left_interface(found: Interface) -> Drift:
    """Return the finding about an interface in potnet's group that nothing uses."""
    finding = Finding(
        Kind.INTERFACE_LEFT, "no such interface", _marks(found), "repair destroys it", interface=found.name
    )
    return Drift(finding, (Step(DestroyInterface(found.name), None, "nothing uses it"),))


def _foreign_interface(found: Interface, tools: Tools) -> Drift:
    """Return the finding about an interface in potnet's group that another program uses."""
    shown = tools.show_interface.format(interface=found.name)
    finding = Finding(
        Kind.INTERFACE_FOREIGN, "no such interface", _marks(found),
        f"it stays, since something uses it that potnet did not start: `{shown}` shows it",
        interface=found.name, repairable=False,
    )  # fmt: skip
    return Drift(finding)


def _marks(found: Interface) -> str:
    return f"in the group {GROUP}, with the description {found.description or ''!r}"


def _severed(bridge: str) -> Drift:
    finding = Finding(
        Kind.INTERFACE_LEFT, f"nothing of {bridge}", "its way to the outside, without the bridge",
        "repair removes it", interface=bridge,
    )  # fmt: skip
    return Drift(finding, (Step(DestroyInterface(bridge), None, "nothing uses it"),))


def _left_wire(name: str, found: Interface, facts: Facts, state: HostState) -> bool:
    """Whether a wire's description names a pot, and no foreign jail of that name runs."""
    mark, _, pot = (found.description or "").partition(":")
    if GROUP not in found.groups or BRIDGE_GROUP in found.groups or mark != GROUP:
        return False
    if any(a.host_end == name for run in facts.runs for a in run.pot.attachments):
        return False
    jail = state.jails.get(pot)
    return jail is None or jail.dying or any(run.pot.name == pot for run in facts.active)


def _is_uplink(found: Interface) -> bool:
    return GROUP in found.groups and (found.description or "").startswith(uplink.DESCRIPTION)


def _left_bridge(found: Interface, left: set[str], facts: Facts) -> bool:
    """Whether the description is potnet's, and all members are leftovers or the uplink."""
    return _is_our_bridge(found) and not set(found.members) - left - {facts.external}


def _is_our_bridge(found: Interface) -> bool:
    return BRIDGE_GROUP in found.groups and (found.description or "").startswith(vnet.DESCRIPTION)


def _left_shared_rules(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report rules identical to potnet's that no bridge requires, and the state that came with them.

    The filter's own switches are removed last.
    """
    if routed(facts.accounted):
        return
    yield from _left_forwarding(facts, state)
    for anchor, rules in reversed(shared_anchors(facts)):
        looked = state.anchors.get(anchor)
        if looked is not None and looked.found and looked.found == looked.expected:
            yield _emptied(anchor, "\n".join(looked.found), Step(LoadAnchor(anchor, NoRules(), rules)))


def _left_forwarding(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report forwarding that other remains show to be potnet's; after a reboot the host itself enabled it."""
    looked = state.anchors.get(pf.nat_anchor(facts.config), AnchorRules())
    nat = bool(looked.found) and looked.found == looked.expected
    if not nat and not any(_is_our_bridge(found) for found in state.interfaces.values()):
        return
    for family in sorted(facts.forwarding_set):
        if state.forwarding[family]:
            finding = Finding(
                Kind.FORWARDING_LEFT, f"IPv{family} is not forwarded", "it is, since potnet switched it on",
                "repair switches it off, since no bridge is left",
            )  # fmt: skip
            yield Drift(finding, tuple(vnet.forward_no_more(family, facts.router_kept)))


def left_anchors(facts: Facts, state: HostState) -> tuple[str, ...]:
    """Report listed anchors that nothing in use requires; they may be empty."""
    config = facts.config
    used = {pf.external_anchor(config)}
    used |= {name(config, run.pot.name) for run in facts.runs for name in _OF_POT}
    used |= {name(config, b.name) for b in facts.accounted for name in _OF_BRIDGE}
    return tuple(sorted(state.anchor_names - used))


def _left_rules(facts: Facts, state: HostState) -> Iterator[Drift]:
    config = facts.config
    parents = {config.rdr_anchor, config.filter_anchor}
    # The steps name the former rules, for a filter that deletes entries by their names.
    ours: dict[str, Ruleset] = {name(config, pot): NoRules() for pot in facts.others for name in _OF_POT}
    for bridge in facts.bridges:
        ours |= {anchor: rules for anchor, rules, _ in vnet.bridge_rules(bridge, facts.networks, config)}
    for anchor in sorted(state.holding):
        if anchor in ours:
            yield _emptied(anchor, "rules", Step(LoadAnchor(anchor, NoRules(), ours[anchor])))
        elif anchor.rpartition("/")[0] in parents:
            shown = state.traits.tools.show_rules.format(anchor=anchor)
            finding = Finding(
                Kind.RULES_FOREIGN, f"no rules in {anchor}", "rules that potnet does not know",
                f"they stay: `{shown}` shows them", repairable=False,
            )  # fmt: skip
            yield Drift(finding)


def _stray(entry: FilterEntry) -> Drift:
    finding = Finding(
        Kind.RULES_LEFT, f"no entry {entry.key} in {entry.place}", "an entry of no known pot or bridge",
        "repair removes it",
    )  # fmt: skip
    return Drift(finding, (Step(RemoveEntry(entry.place, entry.key, entry.members)),))


def _emptied(anchor: str, found: str, step: Step) -> Drift:
    return Drift(Finding(Kind.RULES_LEFT, f"no rules in {anchor}", found, "repair empties it"), (step,))


def compare_logs(directory: str, who: str | None) -> Iterator[Drift]:
    """Report a directory of logs that others can change. who: as of `exposure`."""
    if who is not None:
        finding = Finding(
            Kind.LOGS_EXPOSED, f"only root can change what leads to {directory}", who,
            "no output of pots is kept until only root owns and can write to that directory",
            repairable=False,
        )  # fmt: skip
        yield Drift(finding)


def compare_stored(facts: Facts) -> Iterator[Drift]:
    """Report errors within the store, and conflicts between store and host."""
    for name, export, listener in facts.held:
        port = endpoint(listener.protocol, listener.port, export.host_address)
        finding = Finding(
            Kind.PORT_HELD, f"host port {port} is free for its export", f"{listener.owner} listens there",
            f"stop that program, or `potnet export-ports -p {name}` with another port", pot=name,
            repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    for line in facts.contradictions:
        finding = Finding(
            Kind.STORE_CONTRADICTS, "a consistent store", line,
            "`potnet store restore FILE` puts a backup in its place", repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    for lease in facts.lost:
        finding = Finding(
            Kind.LEASE_LEFT, f"no lease of {lease.address}", f"a lease of pot {lease.pot}",
            "repair releases the address", bridge=lease.network,
        )  # fmt: skip
        yield Drift(finding, lease=lease)
    yield from _names(facts)


def compare_datasets(facts: Facts, state: HostState) -> Iterator[Drift]:
    """Report roots of pots whose dataset is not mounted: the pot would start with an empty root."""
    for name, dataset, root in facts.datasets:
        if (dataset, root) not in state.datasets:
            finding = Finding(
                Kind.DATASET_UNMOUNTED,
                f"dataset {dataset} at {root}",
                "not mounted",
                "repair mounts it",
                pot=name,
            )
            yield Drift(finding, (Step(MountDataset(dataset)),))


def _names(facts: Facts) -> Iterator[Drift]:
    for names in facts.doubled:
        finding = Finding(
            Kind.NAME_DOUBLED, "names that differ by more than case", ", ".join(names),
            "give exact names to commands; a pot's name is that of its creation", repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    for end in facts.special:
        finding = Finding(
            Kind.NAME_SPECIAL, "a name that means a pot", end.name,
            "hosts files and dns leave this name out; a new pot or bridge can take its place",
            pot=None if end.bridge else end.name, bridge=end.name if end.bridge else None, repairable=False,
        )  # fmt: skip
        yield Drift(finding)
    for name, hostname in facts.special_hosts:
        finding = Finding(
            Kind.NAME_SPECIAL, "a host name that means a pot", hostname,
            f"`potnet set -p {name} --hostname NAME` gives the pot another", pot=name, repairable=False,
        )  # fmt: skip
        yield Drift(finding)
