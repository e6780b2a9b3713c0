"""create-bridge: a bridge that is part of a LAN, by an interface of the host or by a bridge of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.config.values import read_bridge_network, read_prefix6
from potnet.errors import PotnetError, UsageError
from potnet.host.query import Query
from potnet.host.state import HostState, Interface
from potnet.model.bridges import Bridge, BridgeKind, Lan, network6_of
from potnet.model.names import INTERFACE, INTERFACE_HINT, PUBLIC6
from potnet.model.pots import GROUP
from potnet.operations.common import (
    busy_units,
    external_interface,
    parse_address,
)
from potnet.operations.networks.bridges import begin_bridge, check_bridge_name, read_option
from potnet.operations.networks.interfaces import check_mtu
from potnet.planning.lan import check_member
from potnet.planning.vnet import refuse_member, refuse_small_mtu
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: The facts that are required before a bridge joins a LAN.
_LOOK = Query(names=True, interfaces=None, members=True, bridge_rules=True, wireless=True)


@dataclass(frozen=True, slots=True)
class LanRequest:
    """The options of ``create-bridge``.

    join: an interface or a bridge of the host. gateways, ranges: at most one of each family. dhcp, slaac: the
    default of -i for IPv4, and for IPv6. mtu: in bytes.
    """

    name: str
    join: str
    network: str
    gateways: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    ipv6: str | None = None
    dhcp: bool = False
    slaac: bool = False
    mtu: int | None = None
    isolate: bool = False


def create_bridge(app: App, request: LanRequest) -> Bridge:
    """Record a bridge that joins a LAN. The host does not change before its first pot. Raises PotnetError."""
    check_bridge_name(request.name)
    network, network6 = _networks(request)
    state = app.driver.observe(_LOOK)
    gateways = _gateways(request, network, network6)
    ranges = tuple(_range(text, network, network6) for text in request.ranges)
    _refuse_both(ranges)
    for each in ranges:
        _refuse_inside(each, gateways, state)
    member, joined = _joins(app, request, state)
    with app.store.transaction():
        begin_bridge(app, request.name)
        app.store.define_apart(request.name, network, gateways.get(4))
        if network6 is not None:
            app.store.define_apart(network6_of(request.name), network6, gateways.get(6))
        bridge = Bridge(
            name=request.name,
            kind=BridgeKind.LAN,
            unit=app.store.free_unit("bridge", busy_units(app, "bridge")),
            network=network,
            gateway=gateways.get(4),
            network6=network6,
            mtu=request.mtu,
            isolate=request.isolate,
            joined=joined,
            lan=Lan(member, gateways.get(6), ranges, request.dhcp, request.slaac),
        )
        app.store.add_bridge(bridge)
    return bridge


def _networks(request: LanRequest) -> tuple[IPNetwork, IPNetwork | None]:
    network = read_option("--net", request.network, read_bridge_network)
    given = request.ipv6
    return network, read_option("-6", given, read_prefix6) if given is not None else None


def _of_family(network: IPNetwork, network6: IPNetwork | None, address: IPAddress) -> IPNetwork | None:
    return network if address.version == 4 else network6


def _refuse_outside(option: str, address: IPAddress, network: IPNetwork | None) -> None:
    """Raises UsageError unless a machine in the network can have the address."""
    if network is None:
        raise UsageError(f"{option} {address}: the bridge has no IPv6 network", hint="add -6 PREFIX")
    if address not in network:
        raise UsageError(f"{option} {address} is outside {network}", hint="give an address of that network")
    ends = (network.first, network.last) if network.version == 4 else (network.first,)
    if int(address) in ends and network.size > 2:
        which = "network" if int(address) == network.first else "broadcast"
        raise UsageError(
            f"{option} {address} is the {which} address of {network}",
            hint="give an address that a machine can have",
        )


def _gateways(request: LanRequest, network: IPNetwork, network6: IPNetwork | None) -> dict[int, IPAddress]:
    found: dict[int, IPAddress] = {}
    for text in request.gateways:
        address = parse_address(text)
        _refuse_outside("--gateway", address, _of_family(network, network6, address))
        if address.version in found:
            raise UsageError(f"--gateway {text}: a bridge takes one of each family")
        found[address.version] = address
    return found


def _range(text: str, network: IPNetwork, network6: IPNetwork | None) -> tuple[IPAddress, IPAddress]:
    one, dash, other = text.partition("-")
    if not dash:
        raise UsageError(
            f"invalid --range {text!r}: not two addresses with a dash between",
            hint="write one such as 192.168.1.100-192.168.1.150",
        )
    first, last = parse_address(one), parse_address(other)
    if first.version != last.version:
        raise UsageError(f"invalid --range {text!r}: its ends are of different families")
    if first > last:
        raise UsageError(f"invalid --range {text!r}: it ends before it begins", hint="exchange the two")
    for end in (first, last):
        _refuse_outside("--range", end, _of_family(network, network6, end))
    return first, last


def _refuse_both(ranges: tuple[tuple[IPAddress, IPAddress], ...]) -> None:
    families = [first.version for first, _ in ranges]
    if len({*families}) < len(families):
        raise UsageError("--range is given twice for one family", hint="give one range of each family")


def _refuse_inside(
    between: tuple[IPAddress, IPAddress], gateways: dict[int, IPAddress], state: HostState
) -> None:
    """Raises UsageError for a range with an address that is known to be in use."""
    first, last = between
    gateway = gateways.get(first.version)
    if gateway is not None and first <= gateway <= last:
        raise UsageError(f"the gateway {gateway} is inside --range {first}-{last}", hint="leave it out")
    for interface in state.interfaces.values():
        for own in interface.addresses:
            if own.address.version == first.version and first <= own.address <= last:
                where = f"the host has on {interface.name}, is inside --range {first}-{last}"
                raise UsageError(f"{own.address}, which {where}", hint="leave it out")


def _joins(app: App, request: LanRequest, state: HostState) -> tuple[str | None, str | None]:
    """Return the interface that joins the bridge, or the bridge of the host. Raises PotnetError."""
    name = request.join
    if not INTERFACE.fullmatch(name):
        raise UsageError(f"--join: invalid interface name {name!r}", hint=INTERFACE_HINT)
    if request.mtu is not None:
        refuse_small_mtu(check_mtu(request.mtu), 6 if request.ipv6 or request.slaac else 4)
    found = state.interfaces.get(name)
    if found is not None and GROUP in found.groups:
        raise PotnetError(
            f"{name} is an interface of potnet", hint="join an interface or a bridge of the host"
        )
    if found is not None and found.bridge:
        if request.mtu not in (None, found.mtu):
            raise PotnetError(
                f"the host's bridge {name} has the MTU {found.mtu}, and potnet does not change it",
                hint="omit --mtu",
            )
        return None, name
    _check_interface(app, name, found, state)
    if found is not None and request.mtu is not None:
        refuse_member(request.name, request.mtu, found)
    return name, None


def _check_interface(app: App, name: str, found: Interface | None, state: HostState) -> None:
    """Raises PotnetError unless an interface of the host can join a bridge that potnet makes."""
    on = next((each.name for each in state.interfaces.values() if name in each.members), None)
    if on is not None:
        raise PotnetError(f"{name} is on the bridge {on}", hint=f"join that bridge: --join {on}")
    if found is not None and found.mac is None:
        raise PotnetError(f"{name} leads to no LAN", hint="use an Ethernet interface")
    holder = app.store.passed_to(name)
    if holder is not None:
        raise PotnetError(f"{name} is passed to pot {holder}", hint="use another interface")
    check_member(name, state)
    learning = app.store.bridge(PUBLIC6)
    if learning is not None and learning.joined is None and app.store.bridged_names(PUBLIC6):
        shown = app.driver.observe(Query(external=app.config.external_interface is None))
        if external_interface(app, shown) == name:
            raise PotnetError(
                f"pots with IPv6 by SLAAC are on a bridge with {name}: {app.store.bridged_names(PUBLIC6)[0]}",
                hint="set network.ipv6 to nat, or join another interface",
            )
