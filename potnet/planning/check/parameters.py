"""Drift of the parameters of running jails (jail(8)), and of the devices that they show."""

from __future__ import annotations

from collections.abc import Iterator

from potnet.host.actions import Step
from potnet.host.findings import Finding, Kind
from potnet.host.jail_actions import SetParameters
from potnet.host.state import HostState
from potnet.model.jail_parameters import differing
from potnet.model.pots import Run
from potnet.planning.check.drift import Drift
from potnet.planning.jail import rulesets_of


def compare_parameters(run: Run, state: HostState) -> Iterator[Drift]:
    """Compare the parameters that only the host can change, and report devices of the host in the jail."""
    name = run.pot.name
    there = state.jail_parameters.get(name, ())
    for wanted, found in zip(*differing(run.pot.parameters, there), strict=True):
        finding = Finding(
            Kind.PARAMETER_DIFFERS, f"the jail parameter {wanted}", found, "repair sets it", pot=name
        )
        yield Drift(finding, (Step(SetParameters(name, (wanted,))),))
    if not run.attached:
        yield from _devices(run, state)


def _devices(run: Run, state: HostState) -> Iterator[Drift]:
    name, load = run.pot.name, state.traits.tools.load_device_rules
    for ruleset in rulesets_of(run.pot, run.devfs):
        if ruleset in state.open_rulesets:
            finding = Finding(
                Kind.DEVICES_EXPOSED, "a devfs ruleset that hides the devices of the host",
                f"ruleset {state.open_rulesets[ruleset]} hides nothing",
                f"`{load}` loads the rulesets; then stop {name} and start it", pot=name,
                repairable=False,
            )  # fmt: skip
            yield Drift(finding)
