"""Drift of the host interfaces that are passed to running pots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from potnet.errors import HostError
from potnet.host.actions import PassInterface, Step
from potnet.host.findings import Finding, Kind
from potnet.host.state import HostState, called_in
from potnet.model.pots import Lent, Run
from potnet.planning.check.drift import Drift
from potnet.planning.passed_interfaces import lend


def compare_passed(run: Run, state: HostState) -> Iterator[Drift]:
    """Find passed interfaces that are not in the jail. The jail may rename and configure them."""
    network = state.jail_networks.get(run.pot.name)
    for lent in run.lent if network is not None else ():
        if network is not None and called_in(lent, network.interfaces.values()) is None:
            yield _not_there(run, lent, state)


def _not_there(run: Run, lent: Lent, state: HostState) -> Drift:
    name = run.pot.name
    try:
        lend(replace(run.pot, passed=(lent.name,)), {}, state)
    except HostError as error:
        found, remedy, repairable = error.message, f"give it back to {name}, or stop the pot", False
    else:
        found, remedy, repairable = "it is the host's", "repair gives it to the jail", True
    finding = Finding(
        Kind.INTERFACE_MISSING, f"{lent.name} in the jail", found, remedy, pot=name, interface=lent.name,
        repairable=repairable,
    )  # fmt: skip
    if not repairable:
        return Drift(finding)
    return Drift(finding, (Step(PassInterface(lent.name, name), None, "the pot's while it runs"),))
