"""The facts that a host is compared with, and the findings with the steps that repair them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from netaddr import IPNetwork

from potnet.config.configuration import Config
from potnet.host.actions import Step
from potnet.host.filter_actions import LoadAnchor
from potnet.host.findings import Finding, Kind
from potnet.host.ruleset import BridgeIsolation, NoRules, Ruleset
from potnet.host.state import AnchorRules, HostState, Listener
from potnet.model.bridges import Bridge
from potnet.model.ports import Export
from potnet.model.pots import End, Lease, Policy, Pot, Run
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter import policy
from potnet.planning.filter.exports import end_untranslated
from potnet.planning.lan import Learned
from potnet.planning.ownership import complete
from potnet.planning.vnet import WantedRules, bridge_rules, host_rules, networks_of, outside
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Drift:
    """A finding and the steps that repair it; empty if steps cannot repair it.

    lease: the lease to release. learned: the address by DHCP to record.
    """

    finding: Finding
    steps: tuple[Step, ...] = ()
    lease: Lease | None = None
    learned: Learned | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The expected file in a running pot's etc. steps: they replace the present file."""

    text: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A command that was begun and not completed. pot: its pot. text: data to continue with."""

    verb: str
    pot: str | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of the store that a host is compared with.

    runs: the recorded starts. active: the complete starts with existing jails. bridges: all bridges.
    site6: the site's own IPv6 prefix. external: the external interface. others: pots without a recorded
    start that have jails or anchors on the host. pieces: pots whose create or destroy was cut off.
    unfinished: other commands that were cut off. written: expected files, by path. held: exports whose
    host port is in use. lost: leases of missing pots. contradictions: contradictions within the store, in
    words. doubled: groups of names that differ only in case. special: pots and bridges with reserved
    names; special_hosts: pots with reserved host names, and these names. forwarding_set: families whose
    forwarding potnet enabled. router_kept, permitting and members_set: as of `Vnet`. further: addresses
    without exports. loaded: as `networks`, in the last loaded rules; None: unknown. datasets: pots whose
    root is a dataset, with the dataset and the root. running: as active, also when `active` is narrowed.
    learned: what pots of `active` got by DHCP.
    """

    config: Config
    runs: tuple[Run, ...]
    bridges: tuple[Bridge, ...]
    site6: IPNetwork | None = None
    external: str | None = None
    active: tuple[Run, ...] = ()
    others: frozenset[str] = frozenset()
    pieces: tuple[str, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    written: Mapping[str, Written] = field(default_factory=dict)
    held: tuple[tuple[str, Export, Listener], ...] = ()
    lost: tuple[Lease, ...] = ()
    contradictions: tuple[str, ...] = ()
    doubled: tuple[tuple[str, ...], ...] = ()
    special: tuple[End, ...] = ()
    special_hosts: tuple[tuple[str, str], ...] = ()
    forwarding_set: frozenset[int] = frozenset()
    router_kept: str | None = None
    permitting: frozenset[str] = frozenset()
    members_set: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    running: tuple[Run, ...] = ()
    further: tuple[IPNetwork, ...] = ()
    loaded: tuple[IPNetwork, ...] | None = None
    datasets: tuple[tuple[str, str, str], ...] = ()
    learned: tuple[Learned, ...] = ()

    def seen(self, state: HostState, external: str | None) -> Facts:
        """Return the facts with the starts whose jails exist, and with the host's external interface."""
        active = tuple(run for run in self.runs if complete(run, state))
        return replace(self, active=active, running=active, external=external)

    @property
    def wanted(self) -> tuple[Bridge, ...]:
        """Return the bridges that must be up: running pots use them, or vnet-start made them."""
        return self._used_by(self.active)

    @property
    def accounted(self) -> tuple[Bridge, ...]:
        """Return the wanted bridges, and the bridges of starts that must be cleaned up."""
        return self._used_by(self.runs)

    def _used_by(self, runs: Iterable[Run]) -> tuple[Bridge, ...]:
        used = {attachment.bridge for run in runs for attachment in run.pot.attachments}
        return tuple(bridge for bridge in self.bridges if bridge.pinned or bridge.name in used)

    def bridge(self, name: str) -> Bridge | None:
        return next((bridge for bridge in self.bridges if bridge.name == name), None)

    def rules_of(self, run: Run) -> dict[str, Ruleset]:
        """Return the rules that the anchors of a running pot must hold."""
        bridge = self.bridge(run.pot.home.bridge) if run.pot.home is not None else None
        if bridge is None or self.external is None:
            return {}
        return pf.pot_rules(run.pot, bridge, self.config, self.external, self.networks)

    @property
    def networks(self) -> tuple[IPNetwork, ...]:
        """Return the networks of pots that rules must name beside the public one.

        The next command that loads rules adds those of new bridges, and removes those of former ones.
        """
        public = self.config.network
        used = (network for b in self.accounted for network in outside(b, public))
        if self.loaded is not None and all(any(own in each for each in self.loaded) for own in used):
            return self.loaded
        return networks_of(self.bridges, self.site6, public)


def routed(bridges: Iterable[Bridge], family: int = 4) -> bool:
    """Whether a bridge needs forwarding of that family; IPv4 also needs NAT and the packet filter."""
    return any(bridge.subnet(family) is not None for bridge in bridges)


def shared_anchors(facts: Facts) -> tuple[tuple[str, Ruleset], ...]:
    """Return the anchors that all bridges share. pot uses them too, so other content is not potnet's."""
    if facts.external is None:
        return ()
    wanted = host_rules(facts.config, facts.external, facts.networks, facts.further)
    return tuple((anchor, rules) for anchor, rules, _ in wanted)


def bridge_anchors(facts: Facts) -> tuple[tuple[str, Ruleset, Bridge], ...]:
    """Return the anchors of the bridges that must be up."""
    if facts.external is None:
        return ()
    return tuple(
        (anchor, rules, bridge)
        for bridge in facts.wanted
        for anchor, rules, _ in _rules_of_bridge(bridge, facts, facts.external)
        if rules != NoRules()
    )


def _rules_of_bridge(bridge: Bridge, facts: Facts, external: str) -> tuple[WantedRules, ...]:
    return bridge_rules(bridge, facts.networks, facts.config, external, facts.permitting)


def all_rules(facts: Facts) -> tuple[tuple[str, Ruleset], ...]:
    """Return the possible rules of all recorded bridges and starts; empty if none uses the filter.

    The jump to the chain of a bridge that is down goes with the chain.
    """
    if facts.external is None or not routed(facts.accounted):
        return ()
    bridges = (
        (anchor, rules)
        for bridge in facts.bridges
        for anchor, rules, _ in _rules_of_bridge(bridge, facts, facts.external)
        if bridge in facts.accounted or isinstance(rules, BridgeIsolation)
    )
    pots = (each[:2] for each in _rules_of_pots(facts, facts.runs))
    return (*shared_anchors(facts), *(each for each in (*bridges, *pots) if each[1] != NoRules()))


def pot_anchors(facts: Facts) -> tuple[tuple[str, Ruleset, Run], ...]:
    """Return the anchors of the running pots."""
    return _rules_of_pots(facts, facts.active)


def _rules_of_pots(facts: Facts, runs: tuple[Run, ...]) -> tuple[tuple[str, Ruleset, Run], ...]:
    config = facts.config
    exports = [(anchor, rules, run) for run in runs for anchor, rules in facts.rules_of(run).items()]
    limited = [run for run in runs if facts.policies or policy.is_filtered(run.pot)]
    places = _places(facts) if limited else {}
    filters = [
        (pf.filter_anchor(config, run.pot.name), _filter_of(run.pot, facts, places), run) for run in limited
    ]
    return tuple(each for each in (*exports, *filters) if each[1] != NoRules())


def _places(facts: Facts) -> policy.Places:
    """Return the places of the running pots and of all bridges."""
    bridges = {bridge.name: bridge for bridge in facts.bridges}
    pots = {End(run.pot.name): policy.places_of_pot(run.pot, bridges) for run in facts.running}
    return pots | {End(name, bridge=True): policy.places_of_bridge(b) for name, b in bridges.items()}


def _filter_of(pot: Pot, facts: Facts, places: policy.Places) -> Ruleset:
    ends = policy.ends_of(pot)
    about = [each for each in facts.policies if each.source in ends]
    bridges = {a.bridge: bridge for a in pot.attachments if (bridge := facts.bridge(a.bridge)) is not None}
    inside = (facts.config.network, *facts.networks)
    return policy.pot_filter(pot, bridges, about, places, inside)


def rules_drift(
    anchor: str, rules: Ruleset, state: HostState, pot: str | None = None, bridge: str | None = None
) -> tuple[Drift, ...]:
    """Return the finding about an anchor with unexpected content, if any; the content must be observed."""
    looked = state.anchors.get(anchor, AnchorRules())
    if looked.expected == looked.found:
        return ()
    finding = Finding(
        Kind.RULES_DIFFER if looked.found else Kind.RULES_MISSING,
        "\n".join(looked.expected), "\n".join(looked.found), f"repair loads {anchor}", pot=pot, bridge=bridge,
    )  # fmt: skip
    load = Step(LoadAnchor(anchor, rules, looked.held), None, "as it should be")
    return (Drift(finding, (load, *end_untranslated([rules]))),)
