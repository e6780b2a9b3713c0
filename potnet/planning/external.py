"""The rules for one external interface, and the plan that moves them to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from potnet.config.configuration import Config
from potnet.host.actions import Step
from potnet.host.filter_actions import LoadAnchor
from potnet.host.ruleset import NoRules, Ruleset
from potnet.model.bridges import Bridge
from potnet.model.pots import Pot
from potnet.planning.filter import packet_filter as pf
from potnet.planning.filter.exports import end_untranslated
from potnet.planning.vnet import Vnet, bridge_rules, host_rules

Rules = Mapping[str, Ruleset]


def bridge_anchors(
    bridges: Iterable[Bridge], vnet: Vnet, config: Config, external: str
) -> dict[str, Ruleset]:
    """Return the content of the anchors of bridges that are up, and of their shared anchors.

    The anchors are in the order in which a bridge comes up; on some hosts all others depend on the first.
    """
    found: dict[str, Ruleset] = {}
    for bridge in bridges:
        if bridge.subnets:
            own = bridge_rules(bridge, vnet.networks, config, external, vnet.permitting)
            shared = host_rules(config, external, vnet.networks, vnet.further)
            found |= {anchor: rules for anchor, rules, _ in (*shared, *own)}
    return found


def pot_anchors(
    pots: Iterable[Pot], bridges: Iterable[Bridge], vnet: Vnet, config: Config, external: str
) -> dict[str, Ruleset]:
    """Return the content of the anchors with the exports of pots on these bridges."""
    known = {bridge.name: bridge for bridge in bridges if bridge.subnets}
    found: dict[str, Ruleset] = {}
    for pot in pots:
        home = known.get(pot.home.bridge) if pot.home is not None else None
        if home is not None:
            found |= pf.pot_rules(pot, home, config, external, vnet.networks)
    return found


def plan_reload(rules: Rules) -> tuple[Step, ...]:
    """Return the steps that reload anchors, whatever they hold."""
    loads = [
        Step(LoadAnchor(anchor, wanted), None, "as it should be")
        for anchor, wanted in rules.items()
        if wanted != NoRules()
    ]
    return (*loads, *end_untranslated(rules.values()))


def plan_move(before: Rules, after: Rules) -> tuple[Step, ...]:
    """Return the steps that replace the rules for one external interface with those for another."""
    pairs = [(anchor, before.get(anchor, NoRules()), rules) for anchor, rules in after.items()]
    changed = [(anchor, old, new) for anchor, old, new in pairs if old != new]
    why = "the external interface has changed"
    loads = [Step(LoadAnchor(name, new, old), LoadAnchor(name, old, new), why) for name, old, new in changed]
    return (*loads, *end_untranslated(new for _, _, new in changed))
