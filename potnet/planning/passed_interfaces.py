"""Interfaces of the host that a running pot uses: permitted interfaces, and their return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from potnet.errors import HostError
from potnet.host.actions import PassInterface, RestoreInterface, Step
from potnet.host.state import HostState, Interface
from potnet.model.pots import GROUP, Lent, Pot, Run


def lend(pot: Pot, needed: Mapping[str, str], state: HostState) -> tuple[Lent, ...]:
    """Return the present state of a pot's passed interfaces; all interfaces of the host must be observed.

    needed: the reason why the host or another pot needs an interface, by name. Raises HostError for these.
    """
    return tuple(_lent(name, needed, state) for name in pot.passed)


def _lent(name: str, needed: Mapping[str, str], state: HostState) -> Lent:
    found = state.interfaces.get(name)
    if found is None:
        raise HostError(
            f"the host has no interface {name}" + (f": {needed[name]}" if name in needed else ""),
            hint=f"`{state.traits.tools.list_interfaces}` lists those that it has now",
        )
    reason = needed.get(name) or _reason(found, state)
    if name in state.doubled:
        reason = "another interface has the same name"
    if reason is not None:
        raise HostError(
            f"{name} cannot be passed to a pot: {reason}", hint="choose an interface that is free"
        )
    return _as_it_is(found, state.indexes.get(name))


def free(needed: Mapping[str, str], state: HostState) -> set[str]:
    """Return the interfaces that can be passed to a pot, by name; arguments as for `lend`."""
    return {
        each.name
        for each in state.interfaces.values()
        if not needed.get(each.name) and not _reason(each, state) and each.name not in state.doubled
    }


def _as_it_is(found: Interface, index: int | None) -> Lent:
    link_local = any(each.address.is_link_local() for each in found.addresses) if found.up else None
    place = (found.device, found.link_group, found.altnames)
    return Lent(found.name, found.mac, found.mtu, found.up, link_local, index, *place)


def _reason(found: Interface, state: HostState) -> str | None:
    """Return the reason why the host needs an interface."""
    addresses = [each for each in found.addresses if not each.address.is_link_local()]
    bridge = next((each.name for each in state.interfaces.values() if found.name in each.members), None)
    vlan = next((name for name in sorted(state.interfaces) if name.startswith(f"{found.name}.")), None)
    if found.name == state.external:
        return "the default route of the host leads there"
    if GROUP in found.groups or found.mac is None:
        return "it does not lead to a network"
    if addresses:
        return f"the host has the address {addresses[0].address} there, and would lose it"
    if bridge is not None:
        return f"it is a member of {bridge}"
    return f"it carries {vlan}" if vlan is not None else None


def pass_steps(pot: Pot, lent: tuple[Lent, ...]) -> list[Step]:
    """Return the steps that pass interfaces to an existing jail; the way out of the jail undoes them."""
    return [Step(PassInterface(each.name, pot.name), None, "the pot's while it runs") for each in lent]


def restore(run: Run, state: HostState) -> list[Step]:
    """Return the steps that restore the settings of interfaces that returned when their jail ended."""
    found = [(lent, state.interfaces[lent.name]) for lent in run.lent if lent.name in state.interfaces]
    return [
        Step(RestoreInterface(lent, now.altnames), None, "as it was")
        for lent, now in found
        if _differs(lent, now) and _reason(now, state) is None
    ]


def _differs(lent: Lent, now: Interface) -> bool:
    """Whether an interface has other settings than recorded; earlier records lack the group and names."""
    shown = _as_it_is(now, lent.index)
    if not lent.link_group:
        shown = replace(shown, device=lent.device, link_group="", altnames=lent.altnames)
    return shown != lent
