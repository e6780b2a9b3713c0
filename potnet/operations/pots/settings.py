"""set: change the settings of existing pots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.host.query import Query
from potnet.model.bridges import Bridge, LanNetwork, Subnet
from potnet.model.pots import Attachment, NetworkType, Pot, Run
from potnet.operations.common import (
    check_hostname,
    is_running,
    locked_pot,
    parse_address,
    parse_command,
    require_bridge,
)
from potnet.operations.files.resolvers import parse_resolver
from potnet.operations.networks.addresses import (
    AUTO,
    DHCP,
    aliases_of,
    check_aliases,
    check_resolver,
    given_addresses,
    lease,
    refuse_unseen,
)
from potnet.operations.networks.interfaces import (
    check_macs,
    check_mtu,
    check_passed,
    parse_passed,
    to_change,
    with_macs,
)
from potnet.operations.networks.network_options import (
    UNCHANGED,
    NetworkOptions,
    check_attachments,
    with_options,
)
from potnet.operations.pots.jail_parameters import with_parameters
from potnet.operations.pots.virtual_machines import refuse_unfit, with_owner
from potnet.operations.selection import check_priority, parse_needs, refuse_circle
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from netaddr import IPAddress

    from potnet.app import App


@dataclass(frozen=True, slots=True)
class SettingsRequest:
    """The options of ``set`` for a pot; None or an empty tuple leaves a setting as it is.

    resolver, command: as for -d and --cmd. addresses: the -i values. macs: of the interfaces on bridges, in
    their order. mtu: of all bridges of the pot, in bytes. passed: interfaces of the host; empty: none. owner:
    the user who may open the taps of a machine. needs: pots that start before it; empty: none. priority: pots
    with a lower number start first. parameters, no_parameters: those of jail(8) to set, and the names
    of those to take away.
    """

    resolver: str | None = None
    addresses: tuple[str, ...] = ()
    hostname: str | None = None
    command: str | None = None
    boot: bool | None = None
    macs: tuple[str, ...] = ()
    mtu: int | None = None
    passed: tuple[str, ...] | None = None
    network: NetworkOptions = UNCHANGED
    owner: str | None = None
    needs: tuple[str, ...] | None = None
    priority: int | None = None
    parameters: tuple[str, ...] = ()
    no_parameters: tuple[str, ...] = ()


def set_options(app: App, name: str, request: SettingsRequest) -> bool:
    """Change settings of a pot; return True if some of them take effect only at the next start.

    Raises PotnetError, with nothing changed.
    """
    with locked_pot(app, name) as before:
        pot = _with_settings(app, before, request)
        active = is_running(app, before)
        bridges: tuple[Bridge, ...] = ()
        with app.store.transaction():
            if request.addresses and pot.network_type is not NetworkType.ALIAS:
                run = app.store.run(pot.name) if active else None
                pot = _with_addresses(app, pot, request.addresses, run)
                _release_unused(app, pot, run)
            app.store.update_pot(pot)
            if request.mtu is not None:
                bridges = to_change(app, pot, check_mtu(request.mtu))
            for bridge in bridges:
                app.store.update_bridge(bridge)
        _report_pinned(app, bridges)
        order = {"boot": before.boot, "needs": before.needs, "priority": before.priority}
        return active and (replace(pot, **order) != before or bool(bridges))  # type: ignore[arg-type]


def _with_settings(app: App, pot: Pot, request: SettingsRequest) -> Pot:
    """Return the pot with the settings that need no lease. Raises PotnetError."""
    pot = with_owner(app, pot, request.owner)
    given = request.parameters or request.no_parameters
    refuse_unfit(pot, command=request.command, passed=request.passed, parameters=given)
    pot = with_parameters(app, pot, request.parameters, request.no_parameters)
    if request.resolver is not None:
        pot = replace(pot, resolver=parse_resolver(request.resolver))
        check_resolver(app, pot)
    if request.needs is not None:
        pot = replace(pot, needs=parse_needs(app, pot, request.needs))
    elif request.resolver is not None:
        refuse_circle(app, pot)
    if request.priority is not None:
        pot = replace(pot, priority=check_priority(request.priority))
    if request.hostname is not None:
        check_hostname(request.hostname)
        pot = replace(pot, hostname=request.hostname)
    if request.command is not None:
        pot = replace(pot, command=parse_command(request.command))
    if request.boot is not None:
        pot = replace(pot, boot=request.boot)
    pot = with_options(pot, request.network)
    if request.addresses and pot.network_type is NetworkType.ALIAS:
        pot = replace(pot, aliases=aliases_of(app, request.addresses))
        check_aliases(app, pot)
    pot = with_macs(pot, check_macs(app, pot.name, request.macs))
    if request.passed is not None:
        pot = replace(pot, passed=parse_passed(request.passed))
        check_passed(app, pot)
    check_attachments(pot, app.driver.traits)
    return pot


def _report_pinned(app: App, bridges: Sequence[Bridge]) -> None:
    """Report the bridges that keep their former MTU because they stay up when their last pot stops."""
    pinned = [bridge for bridge in bridges if bridge.pinned]
    up = app.driver.observe(Query(pot_bridges=True)).pot_bridges if pinned else ()
    for bridge in pinned:
        if bridge.interface in up:
            app.notify(
                f"bridge {bridge.name} is up and keeps its MTU: "
                f"`potnet repair -B {bridge.name}` sets the new one"
            )


def _with_addresses(app: App, pot: Pot, values: tuple[str, ...], run: Run | None) -> Pot:
    """Give the pot other addresses on its bridges. run: its start, if its jail uses the former ones."""
    if not pot.leased and not pot.by_dhcp:
        raise PotnetError(f"{pot.name} has no address to set", hint=f"its network type is {pot.network_type}")
    bridges = {a.bridge: require_bridge(app, a.bridge) for a in pot.attachments}
    given = given_addresses(values, pot, tuple(bridges.values()))
    changed = []
    for attachment in pot.attachments:
        for old in attachment.given:
            subnet = bridges[attachment.bridge].leasing(old.version)
            if subnet is None:
                continue
            # A LAN without a range keeps its address, since potnet cannot choose another one.
            chosen = AUTO in values and not (isinstance(subnet, LanNetwork) and subnet.range is None)
            value = given.get(subnet.name, AUTO if chosen else str(old))
            if value == str(old):
                continue
            if run is None:
                # The release comes first, so that auto may choose the same address again.
                app.store.release(subnet.name, old)
            if value == DHCP:
                attachment = replace(attachment, address=None, dhcp=True)
                continue
            new = _lease_other(app, pot.name, subnet, value)
            if new.version == 4:
                attachment = replace(attachment, address=new)
            else:
                attachment = replace(attachment, address6=new)
        if attachment.dhcp:
            attachment = _without_dhcp(app, pot, attachment, bridges[attachment.bridge], given)
        changed.append(attachment)
    return refuse_unseen(replace(pot, attachments=tuple(changed)))


def _without_dhcp(
    app: App, pot: Pot, attachment: Attachment, bridge: Bridge, given: Mapping[str, str]
) -> Attachment:
    """Give an attachment an address in place of one by DHCP, if an -i value names it."""
    network = bridge.leasing(4)
    value = given.get(network.name, DHCP) if network is not None else DHCP
    if network is None or value == DHCP:
        return attachment
    return replace(attachment, address=_lease_other(app, pot.name, network, value), dhcp=False)


def _lease_other(app: App, pot: str, subnet: Subnet | LanNetwork, value: str) -> IPAddress:
    """Lease the address that a -i value names, unless the pot holds it already."""
    if value != AUTO:
        address = parse_address(value)
        if any(each.pot == pot and each.address == address for each in app.store.leases(subnet.name)):
            return address
    return lease(app, pot, subnet, value)


def _release_unused(app: App, pot: Pot, run: Run | None) -> None:
    """Release the leases that neither the pot nor its running jail uses."""
    used = [*pot.attachments]
    if run is not None:
        used += run.pot.attachments
    app.store.release_pot(pot.name, keep=[pair for attachment in used for pair in attachment.leases])
