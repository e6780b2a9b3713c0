"""The -i option: given and chosen addresses of pots, and their reservations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.errors import PotnetError, UsageError
from potnet.host.query import Query
from potnet.model.bridges import Bridge, BridgeKind, LanNetwork, Subnet
from potnet.model.names import INTERFACE, INTERFACE_HINT, PUBLIC, same_name
from potnet.model.pots import Alias, Attachment, NetworkType, Pot, ResolverKind
from potnet.operations.common import (
    busy_units,
    external_interface,
    offered,
    parse_address,
    public_bridges,
    require_bridge,
    wire_kind,
)
from potnet.operations.networks.leases import held, lease_on_lan, refuse_held
from potnet.planning.start import refuse_own

if TYPE_CHECKING:
    from potnet.app import App

AUTO, DHCP = "auto", "dhcp"


def aliases_of(app: App, values: Sequence[str]) -> tuple[Alias, ...]:
    """Return ``[IF|]ADDR`` values as aliases; the default IF is the external interface. Raises UsageError."""
    if not values:
        raise UsageError("-N alias needs an address", hint="give -i [IF|]ADDRESS; it is repeatable")
    aliases = [_alias(value) for value in values]
    if any(not alias.interface for alias in aliases):
        state = app.driver.observe(Query(external=app.config.external_interface is None))
        external = external_interface(app, state)
        if external is None:
            raise PotnetError("the host has no default route", hint="name the interface: -i IF|ADDRESS")
        aliases = [a if a.interface else replace(a, interface=external) for a in aliases]
    if len(set(aliases)) < len(aliases):
        raise UsageError("an address is given twice")
    return tuple(aliases)


def _alias(value: str) -> Alias:
    if value == AUTO:
        raise UsageError("-N alias cannot choose an address", hint="give -i [IF|]ADDRESS in place of auto")
    interface, bar, text = value.rpartition("|")
    if bar and not INTERFACE.fullmatch(interface):
        raise UsageError(f"-i {value!r}: invalid interface name {interface!r}", hint=INTERFACE_HINT)
    address = parse_address(text)
    mapped = address.version == 6 and address.is_ipv4_mapped()
    if address.is_multicast() or int(address) in (0, 0xFFFFFFFF) or mapped:
        raise UsageError(f"invalid address -i {value!r}: a jail cannot have {address}")
    return Alias(interface, address)


def check_aliases(app: App, pot: Pot) -> None:
    """Raises PotnetError if the stack has no address, or the host or another pot uses one of them."""
    if not any(a.address.version in pot.stack.families for a in pot.aliases):
        raise PotnetError(
            f"stack {pot.stack} cannot use {', '.join(str(a.address) for a in pot.aliases)}",
            hint="give an address of its family, or another -S",
        )
    shown = app.driver.observe(Query(interfaces=None))
    in_use = _running_aliases(app)
    for alias in pot.aliases:
        found = shown.interfaces.get(alias.interface)
        if found is None:
            command = app.driver.traits.tools.list_interfaces
            raise PotnetError(f"the host has no interface {alias.interface}", hint=f"`{command}` lists them")
        holder = in_use.get(alias)
        if holder is not None and holder != pot.name:
            raise PotnetError(
                f"{alias.address} on {alias.interface} is an alias of pot {holder}, which is running",
                hint="choose another address",
            )
        exporter = app.store.exporter_at(alias.address)
        if exporter is not None:
            raise PotnetError(
                f"pot {exporter} is exported on {alias.address}", hint="choose another address for the alias"
            )
        if holder is None:
            refuse_own(alias.address, shown.interfaces.values())


def _running_aliases(app: App) -> dict[Alias, str]:
    """Return the aliases of recorded starts with their pots; `set` may have replaced these aliases since."""
    return {alias: run.pot.name for run in app.store.runs() for alias in run.pot.aliases}


#: The networks of a pot: each network's type, and for a private network its bridge.
Networks = Sequence[tuple[NetworkType, str | None]]


def paired(types: Sequence[NetworkType], bridges: Sequence[str]) -> Networks:
    """Pair the -N and -B values in the order of -N. Raises UsageError for a -B without its -N.

    Each type with a named bridge gets the next -B; the last of them gets all remaining ones.
    """
    found: list[tuple[NetworkType, str | None]] = []
    left = list(bridges)
    named = sum(kind.named for kind in types)
    for kind in types or (NetworkType.INHERIT,):
        if not kind.named:
            found.append((kind, None))
            continue
        named -= 1
        own = left[:1] if named else left
        left = left[len(own) :]
        found += [(kind, name) for name in own] or [(kind, None)]
    if left:
        given = ", ".join(dict.fromkeys(types)) or NetworkType.INHERIT
        raise UsageError(f"-B is for -N private-bridge and -N bridge, not {given}")
    return found


def attach(app: App, pot: Pot, networks: Networks, values: Sequence[str]) -> Pot:
    """Give the pot an epair or a tap, and leased addresses, for each of its bridges.

    Runs in the caller's transaction.
    """
    if not pot.network_type.bridged:
        return pot
    bridges: list[Bridge] = []
    for kind, name in networks:
        if kind.named:
            bridges.append(named_bridge(app, kind, str(name)))
        else:
            bridges += public_bridges(app, pot.stack.families)
    bridges = [offered(app, each) for each in bridges]
    given = given_addresses(values, pot, bridges)
    wire = wire_kind(pot)
    busy = set(busy_units(app, wire))
    attachments: list[Attachment] = []
    for each in bridges:
        unit = app.store.free_unit(wire, busy)
        busy.add(unit)
        found = {
            network.network.version: lease(app, pot.name, network, given.get(network.name, AUTO))
            for network in each.networks
            if network.network.version in pot.stack.families
            and given.get(network.name) != DHCP
            and (network.name in given or not _learns(each, network.network.version, values))
        }
        addresses, tap = (found.get(4), found.get(6)), not pot.is_jail
        made = Attachment(each.name, unit, app.store.new_mac(), *addresses, tap, lan=each.lan is not None)
        learns = {n.network.version for n in each.networks} & {*pot.stack.families} - {*found}
        learns6 = each.lan is not None and each.lan.slaac and 6 in pot.stack.families and 6 not in found
        attachments.append(replace(made, learns6=learns6, dhcp=4 in learns))
    return refuse_unseen(replace(pot, attachments=tuple(attachments)))


def _learns(bridge: Bridge, family: int, values: Sequence[str]) -> bool:
    """Whether a pot without an -i of this family learns its address on a LAN. values: all -i values."""
    if bridge.lan is None:
        return False
    return bridge.lan.slaac if family == 6 else bridge.lan.dhcp and AUTO not in values


def refuse_unseen(pot: Pot) -> Pot:
    """Return the pot; raises PotnetError for a machine that gets an address which potnet cannot see."""
    if pot.by_dhcp and not pot.is_jail:
        raise PotnetError(
            f"a machine on a tap cannot have -i dhcp on bridge {pot.by_dhcp[0].bridge}: potnet cannot see "
            "which address it gets",
            hint="give -i ADDRESS, and the machine the same address",
        )
    return pot


def named_bridge(app: App, kind: NetworkType, name: str) -> Bridge:
    """Return the bridge of that name for a network type that names one; raises PotnetError."""
    if kind is NetworkType.PRIVATE_BRIDGE:
        return private_bridge(app, name)
    bridge = require_bridge(app, name)
    if bridge.lan is None:
        private = bridge.kind is BridgeKind.PRIVATE
        raise PotnetError(
            f"{name} is a {'private' if private else 'public'} bridge",
            hint=f"use -N {NetworkType.PRIVATE_BRIDGE if private else NetworkType.PUBLIC_BRIDGE}",
        )
    return bridge


def private_bridge(app: App, name: str) -> Bridge:
    """Return the private bridge of that name; raises PotnetError."""
    bridge = require_bridge(app, name)
    if bridge.lan is not None:
        raise PotnetError(f"{name} is a bridge of a LAN", hint="use -N bridge")
    if bridge.kind is not BridgeKind.PRIVATE:
        raise PotnetError(f"{name} is a public bridge", hint="use -N public-bridge")
    return bridge


def given_addresses(values: Sequence[str], pot: Pot, bridges: Sequence[Bridge]) -> dict[str, str]:
    """Sort the -i values by network name; raises UsageError for an address that no network accepts."""
    given: dict[str, str] = {}
    for value in dict.fromkeys(values):
        if value == AUTO:
            continue
        if value == DHCP:
            continue
        address = parse_address(value)
        if address.version not in pot.stack.families:
            raise UsageError(f"-i {value}: the stack of the pot is {pot.stack}", hint="choose another -S")
        name = _network_for(address, pot, bridges)
        if name in given:
            raise UsageError(
                f"{given[name]} and {value}: a bridge takes one -i of each family",
                hint="see -N alias for more",
            )
        given[name] = value
    if DHCP in values:
        given |= dict.fromkeys(_networks_for_dhcp(pot, bridges, given), DHCP)
    return given


def _networks_for_dhcp(pot: Pot, bridges: Sequence[Bridge], given: Mapping[str, str]) -> list[str]:
    """Return the networks of LANs where -i dhcp applies: those of IPv4 without an own -i."""
    if 4 not in pot.stack.families:
        raise UsageError(f"-i {DHCP}: the stack of the pot is {pot.stack}", hint="choose another -S")
    found = [network for each in bridges if each.lan is not None and (network := each.leasing(4)) is not None]
    if not found:
        names = ", ".join(dict.fromkeys(bridge.name for bridge in bridges))
        raise UsageError(
            f"-i {DHCP}: {names} is not part of a LAN with IPv4",
            hint="`potnet create-bridge` makes bridges where pots get addresses by DHCP",
        )
    rest = [each.name for each in found if each.name not in given]
    if not rest:
        own = ", ".join(given[each.name] for each in found)
        raise UsageError(f"-i {DHCP} and -i {own}: a bridge takes one -i of each family", hint="omit one")
    return rest


def _network_for(address: IPAddress, pot: Pot, bridges: Sequence[Bridge]) -> str:
    """Return the smallest network that contains an address, or the first network if none contains it."""
    carried = [found for bridge in bridges if (found := bridge.leasing(address.version)) is not None]
    if not carried:
        names = ", ".join(bridge.name for bridge in bridges)
        raise UsageError(
            f"-i {address}: {names} has no network of IPv{address.version} to lease from",
            hint=_NO_IPV6[pot.network_type],
        )
    around = [each for each in carried if address in each.network]
    return min(around or carried[:1], key=lambda each: each.network.size).name


#: Where an IPv6 address comes from, for pots on bridges without an IPv6 network.
_NO_IPV6 = {
    NetworkType.PUBLIC_BRIDGE: "IPv6 comes by SLAAC there: -i auto",
    NetworkType.PRIVATE_BRIDGE: "`potnet create-private-bridge -6` makes bridges that have one",
    NetworkType.BRIDGE: "`potnet create-bridge -6` makes bridges that have one",
}


def lease(app: App, pot: str, subnet: Subnet | LanNetwork, value: str) -> IPAddress:
    """Lease an address of a bridge's network for a pot."""
    config = app.config
    if isinstance(subnet, LanNetwork):
        return lease_on_lan(app, pot, subnet, None if value == AUTO else parse_address(value))
    if subnet.name == PUBLIC and same_name(pot, config.dns_name) and config.dns_address in config.network:
        if value != AUTO and parse_address(value) != config.dns_address:
            raise PotnetError(
                f"{pot} is the DNS server of all pots, whose address is {config.dns_address}",
                hint="give -i auto, or change dns.name or dns.address in the configuration",
            )
        return app.store.reserve_excluded(subnet.name, pot, config.dns_address)
    if value == AUTO:
        return app.store.reserve(subnet.name, pot, beside=held(app, subnet.network.version))
    address = parse_address(value)
    refuse_held(app, pot, address)
    return app.store.reserve(subnet.name, pot, address)


def check_resolver(app: App, pot: Pot) -> None:
    """Raises PotnetError if the pot would depend on itself."""
    if pot.resolver.kind is ResolverKind.POT and same_name(pot.name, app.config.dns_name):
        raise PotnetError(
            f"pots depend on each other in a circle: {pot.name} would be its own resolver",
            hint="choose another -d for the DNS server",
        )
