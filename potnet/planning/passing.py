"""Interfaces of the host that a pot has while it runs: which may be passed, and how they come back."""

from __future__ import annotations

from collections.abc import Mapping

from potnet.actions import PassInterface, RestoreInterface, Step, TakeBack
from potnet.errors import HostError
from potnet.host_state import HostState, Interface, JailNetwork
from potnet.model import GROUP, Lent, Pot, Run


def lend(pot: Pot, needed: Mapping[str, str], state: HostState) -> tuple[Lent, ...]:
    """The interfaces that a pot is to have, as they are now; all of the host's have been observed.

    needed: why the host itself, or another pot, needs one, by name. Raises HostError for one that it needs.
    """
    return tuple(_lent(name, needed, state) for name in pot.passed)


def _lent(name: str, needed: Mapping[str, str], state: HostState) -> Lent:
    found = state.interfaces.get(name)
    if found is None:
        raise HostError(
            f"the host has no interface {name}" + (f": {needed[name]}" if name in needed else ""),
            hint="`ifconfig -l` lists those that it has now",
        )
    reason = needed.get(name) or _reason(found, state)
    if reason is not None:
        raise HostError(
            f"{name} cannot be passed to a pot: {reason}", hint="choose an interface that is free"
        )
    return _as_it_is(found)


def free(needed: Mapping[str, str], state: HostState) -> set[str]:
    """The interfaces that a pot could have, by name; as for `lend`."""
    return {
        each.name
        for each in state.interfaces.values()
        if not needed.get(each.name) and not _reason(each, state)
    }


def _as_it_is(found: Interface) -> Lent:
    link_local = any(each.address.is_link_local() for each in found.addresses) if found.up else None
    return Lent(found.name, found.mac, found.mtu, found.up, link_local)


def _reason(found: Interface, state: HostState) -> str | None:
    """Why the host needs an interface."""
    addresses = [each for each in found.addresses if not each.address.is_link_local()]
    bridge = next((each.name for each in state.interfaces.values() if found.name in each.members), None)
    vlan = next((name for name in sorted(state.interfaces) if name.startswith(f"{found.name}.")), None)
    if found.name == state.external:
        return "the default route of the host leads there"
    if GROUP in found.groups or found.mac is None:
        return "it is no interface to a network"
    if addresses:
        return f"the host has the address {addresses[0].address} there, and would lose it"
    if bridge is not None:
        return f"it is a member of {bridge}"
    return f"it carries {vlan}" if vlan is not None else None


def pass_steps(pot: Pot, lent: tuple[Lent, ...]) -> list[Step]:
    """What gives interfaces to a jail that is there."""
    return [
        Step(
            PassInterface(each.name, pot.name), TakeBack(each, pot.name, each.name), "the pot's while it runs"
        )
        for each in lent
    ]


def take_back(run: Run, state: HostState) -> list[Step]:
    """What brings interfaces back from a jail, if it is there, and leaves them as they were before."""
    network = state.jail_networks.get(run.pot.name)
    steps = []
    for lent in run.lent:
        called = called_in(lent, network) if network is not None else None
        found = state.interfaces.get(lent.name)
        if called is not None:
            steps.append(Step(TakeBack(lent, run.pot.name, called), None, "the host's again"))
        elif found is not None and _as_it_is(found) != lent and _reason(found, state) is None:
            steps.append(Step(RestoreInterface(lent), None, "as it was"))
    return steps


def called_in(lent: Lent, network: JailNetwork) -> str | None:
    """What a jail calls an interface that it has, which it may have renamed; None when it has it no more."""
    if lent.name in network.interfaces:
        return lent.name
    same = (each.name for each in network.interfaces.values() if each.mac == lent.mac is not None)
    return next(same, None)
