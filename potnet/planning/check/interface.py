"""Findings about one interface, of the host or in a pot."""

from __future__ import annotations

from potnet.host.actions import SetAddress, SetMtu, Step
from potnet.host.findings import Finding, Kind
from potnet.host.state import Interface, InterfaceAddress
from potnet.model.bridges import Bridge
from potnet.planning.check.drift import Drift


def set_address(
    wanted: InterfaceAddress,
    name: str,
    jail: str | None = None,
    beside: bool = False,
    mtu: int | None = None,
) -> SetAddress:
    """Return the step that sets an address. jail: the interface's jail. beside: keep others of the family."""
    return SetAddress(name, wanted.address, wanted.prefix, jail, beside, mtu)


def others_of_family(wanted: InterfaceAddress, found: Interface) -> list[InterfaceAddress]:
    """Return other addresses of the same family, which setting this address must not replace."""
    same = (a for a in found.addresses if a.address.version == wanted.address.version)
    return [a for a in same if a.address != wanted.address and not a.address.is_link_local()]


def address_finding(
    wanted: InterfaceAddress, found: Interface, pot: str | None = None, bridge: str | None = None
) -> Finding:
    """Return the finding about a missing address, with the present addresses of its family."""
    family = wanted.address.version
    there = [f"{a.address}/{a.prefix}" for a in found.addresses if a.address.version == family]
    return Finding(
        Kind.ADDRESS_MISSING, f"{wanted.address}/{wanted.prefix}", ", ".join(there) or "none",
        "repair sets it", pot=pot, bridge=bridge, interface=found.name,
    )  # fmt: skip


def down_finding(found: Interface, pot: str | None = None, bridge: str | None = None) -> Finding:
    """Return the finding about an interface that is down and must be up."""
    return Finding(
        Kind.INTERFACE_DOWN, "up", "down", "repair brings it up", pot=pot, bridge=bridge, interface=found.name
    )


def mtu_drift(
    found: Interface, mtu: int, bridge: Bridge, pot: str | None = None, jail: str | None = None
) -> Drift:
    """Return the finding about a wrong MTU, and the step that sets it. jail: the interface's jail."""
    finding = Finding(
        Kind.MTU_DIFFERS, str(mtu), str(found.mtu), "repair sets it", pot=pot, bridge=bridge.name,
        interface=found.name,
    )  # fmt: skip
    step = Step(SetMtu(found.name, mtu, jail, found.mtu), None, "as all on the bridge")
    return Drift(finding, (step,))
