"""Machines of somebody's that have taps in place of a jail: an emulator's guests, and hypervisors'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from potnet.errors import PotnetError, UsageError
from potnet.host_state import Query
from potnet.model import Attachment, Bridge, Pot, ResolverKind
from potnet.operations.starting import RESOLV_CONF, resolver_text
from potnet.planning.resolver import nameservers

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]

#: Who may open a tap when nobody is named: nothing in the environment of a command decides who else.
ROOT = "root"
#: As pw(8) and useradd(8) take them.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
#: What a machine has not, by the names that operations have for it.
_UNFIT = {"base": "-b", "path": "--path", "command": "--cmd", "passed": "--pass"}
#: PCI slots of a bhyve(8) guest; the lower ones are often its disks'.
_FIRST_SLOT = 10


def refuse_unfit(pot: Pot, **given: object) -> None:
    """Raises UsageError for an option that only a jail has."""
    unfit = [_UNFIT[name] for name, value in given.items() if value]
    if unfit and not pot.is_jail:
        raise UsageError(
            f"{unfit[0]} is for jails: behind a tap is a machine of its own, of which potnet makes nothing",
            hint="leave it out",
        )


def with_owner(app: App, pot: Pot, owner: str | None) -> Pot:
    """The pot whose taps this user may open. Raises PotnetError when the host does not know it."""
    if owner is None:
        return pot
    if pot.is_jail:
        raise UsageError("--owner is for --tap: it says who may open the taps")
    if not _USER.fullmatch(owner):
        raise UsageError(f"--owner {owner!r}: no name of a user", hint="such as alice")
    if app.rootless is not None and owner != ROOT:
        raise PotnetError(
            f"--owner {owner}: on a host without root all is its user's, who is root there",
            hint="leave --owner out, and start the emulator in `potnet rootless enter`",
        )
    if owner not in app.driver.observe(Query(users=(owner,))).users:
        raise PotnetError(f"the host has no user {owner}", hint="`id USER` tells whether there is one")
    return replace(pot, owner=owner)


def taps_view(app: App, pot: Pot) -> View:
    """What the machine of a pot is to be told: its addresses, and the lines that give it its taps."""
    bridges = {bridge.name: bridge for bridge in app.store.bridges()}
    known = [(a, bridges[a.bridge]) for a in pot.attachments if a.bridge in bridges]
    taps = [_tap(pot, number, own, bridge) for number, (own, bridge) in enumerate(known)]
    if not app.driver.traits.bhyve:
        taps = [{name: value for name, value in tap.items() if name != "bhyve"} for tap in taps]
    return {"taps": taps, "dns": _resolvers(app, pot)}


def _tap(pot: Pot, number: int, own: Attachment, bridge: Bridge) -> View:
    return {
        "name": own.host_end,
        "bridge": own.bridge,
        "mac": own.mac,
        "mtu": bridge.mtu,
        "addresses": [_address(pot, own, bridge, family) for family in sorted(own.families)],
        "qemu": _qemu(number, own, bridge.mtu),
        "bhyve": _bhyve(number, own, bridge.mtu),
    }


def _address(pot: Pot, own: Attachment, bridge: Bridge, family: int) -> View:
    """One that it learns by itself (RFC 4862) is None. gateway: of its default route, if it leads there."""
    subnet = bridge.subnet(family)
    address = next((each for each in own.addresses if each.version == family), None)
    if subnet is None or address is None:
        return {"family": family, "address": None, "gateway": None}
    gateway = str(subnet.gateway) if pot.leads_out(own, family) else None
    return {"family": family, "address": f"{address}/{subnet.network.prefixlen}", "gateway": gateway}


def _qemu(number: int, own: Attachment, mtu: int | None) -> str:
    """Options of qemu(1)."""
    name = f"net{number}"
    told = f",host_mtu={mtu}" if mtu is not None else ""
    return (
        f"-netdev tap,id={name},ifname={own.host_end},script=no,downscript=no "
        f"-device virtio-net-pci,netdev={name},mac={own.mac}{told}"
    )


def _bhyve(number: int, own: Attachment, mtu: int | None) -> str:
    """An option of bhyve(8)."""
    told = f",mtu={mtu}" if mtu is not None else ""
    return f"-s {_FIRST_SLOT + number}:0,virtio-net,{own.host_end},mac={own.mac}{told}"


def _resolvers(app: App, pot: Pot) -> Sequence[str]:
    inherits = pot.resolver.kind is ResolverKind.INHERIT
    state = app.driver.observe(Query(texts=(RESOLV_CONF,) if inherits else ()))
    return list(nameservers(resolver_text(app, pot, state) or ""))
