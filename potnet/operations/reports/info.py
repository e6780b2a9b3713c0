"""info and list: the facts of pots and bridges, as plain dictionaries."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.bridges import Bridge
from potnet.model.names import natural
from potnet.model.pots import Attachment, NetworkType, Pot, ResolverKind, Run
from potnet.operations.common import environment_of, look_for, require_bridge, require_pot
from potnet.operations.exports.export_text import export_view
from potnet.operations.networks.network_options import rate_text
from potnet.operations.networks.units import with_joined
from potnet.operations.reports.used_addresses import show_bridge
from potnet.planning.filter.packet_filter import cut_anchors, of_bridge, of_pot
from potnet.planning.members import isolated
from potnet.planning.ownership import presence_of_all, running

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]
#: jail(8) gives an alias the prefix length of a single host.
_HOST_PREFIX = {4: 32, 6: 128}


def info(app: App, name: str) -> View:
    """Return one pot, as ``info -p`` and ``list`` show it; raises PotnetError."""
    pot = require_pot(app, name)
    name = pot.name
    run = app.store.run(name)
    state = look_for(app, pot, run)
    active = running(run, state)
    network = run.pot if run is not None else pot
    unseen = [a for a in network.attachments if a.slaac or (a.dhcp and a.address is None)]
    learning = unseen if active and pot.is_jail else []
    learnt = tuple((name, a.jail_end) for a in learning)
    if learnt:
        state = _with_learnt(app, state, learnt)
    view = pot_view(app, pot, run, state)
    if pot.is_jail:
        return view
    from potnet.operations.pots.tap_guests import taps_view

    return view | taps_view(app, run.pot if run is not None and active else pot)


def _with_learnt(app: App, state: HostState, interfaces: tuple[tuple[str, str], ...]) -> HostState:
    """Add the jail's autoconfigured interfaces to the state."""
    from dataclasses import replace

    shown = app.driver.observe(Query(jail_interfaces=interfaces))
    return replace(state, jail_interfaces=shown.jail_interfaces)


def own_settings(app: App, name: str) -> View:
    """Return settings of a pot that differ from the defaults and are not in the output of pot's `info`."""
    pot = require_pot(app, name)
    settings: View = {
        "stack": str(pot.stack) if pot.stack is not app.config.stack else None,
        "hostname": pot.hostname if pot.hostname != pot.name else None,
        "resolver": str(pot.resolver.kind) if pot.resolver.kind is not ResolverKind.INHERIT else None,
        "command": shlex.join(pot.command) or None,
        "boot": pot.boot or None,
        "needs": " ".join(pot.needs) or None,
        "priority": str(pot.priority) if pot.priority else None,
    }
    if pot.is_jail:
        settings["mac"] = [each.mac for each in pot.attachments if each.mac_given] or None
        settings["mtu"] = _mtus(app, pot) or None
        settings["root"] = pot.root if not pot.root_made else None
    return {key: value for key, value in settings.items() if value is not None}


def _mtus(app: App, pot: Pot) -> list[str]:
    """Return the configured MTUs of a pot's bridges; with several bridges, each has the bridge's name."""
    found = [require_bridge(app, name) for name in pot.bridges]
    given = [each for each in found if each.mtu is not None]
    return [str(each.mtu) if len(found) == 1 else f"{each.mtu} on {each.name}" for each in given]


def list_pots(app: App, bridge: str | None = None) -> list[View]:
    """Return all pots, or those of a bridge, in natural order of names. One query covers all pots."""
    _tell_simulated(app)
    pots = app.store.pots()
    if bridge is not None:
        wanted = require_bridge(app, bridge).name
        pots = tuple(pot for pot in pots if wanted in pot.bridges)
    runs = {run.pot.name: run for run in app.store.runs()}
    state = app.driver.observe(presence_of_all(runs.values()))
    bridges = {bridge.name: bridge for bridge in app.store.bridges()}
    ordered = sorted(pots, key=lambda pot: natural(pot.name))
    return [pot_view(app, pot, runs.get(pot.name), state, bridges) for pot in ordered]


def _tell_simulated(app: App) -> None:
    if app.host_kind == "sim":
        from potnet.app import SIMULATED_NOTICE

        app.notify(SIMULATED_NOTICE)


def pot_view(
    app: App, pot: Pot, run: Run | None, state: HostState, bridges: dict[str, Bridge] | None = None
) -> View:
    """Return the facts of a pot, from its record and the state of the host."""
    known = bridges if bridges is not None else {b.name: b for b in app.store.bridges()}
    active = running(run, state)
    # A running jail has the network of its start.
    network = run.pot if active and run else pot
    interfaces = [
        {"name": a.jail_end, "mac": a.mac, "bridge": a.bridge, "mtu": known[a.bridge].mtu}
        for a in pot.attachments
        if a.bridge in known
    ]
    return {
        "name": pot.name,
        "state": "running" if active else "stopped",
        "network_type": str(pot.network_type),
        "stack": str(pot.stack),
        "addresses": _addresses(network, known, state),
        "bridge": pot.attachments[0].bridge if pot.attachments else None,
        "bridges": list(pot.bridges),
        "mac": pot.attachments[0].mac if pot.attachments else None,
        "resolver": str(pot.resolver.kind),
        "exports": [_with_address(app, export_view(export)) for export in pot.exports],
        "root": pot.root if pot.is_jail else None,
        "owner": pot.owner,
        "interfaces": interfaces,
        "passed": list(network.passed),
        "jid": run.jid if active and run and pot.is_jail else None,
        "hostname": pot.hostname,
        "base": pot.base,
        "boot": pot.boot,
        "needs": list(pot.needs),
        "priority": pot.priority,
        "internet": pot.internet,
        "bandwidth_in": rate_text(pot.rate_in),
        "bandwidth_out": rate_text(pot.rate_out),
        "isolated": any(isolated(pot, bridge, app.config) for bridge in _bridges(pot, known)),
        "antispoof": network.antispoof if active else app.config.antispoof and bool(pot.attachments),
        "anchors": list(cut_anchors(of_pot(app.config, pot.name), pot.name)) if pot.attachments else [],
        "command": list(pot.command),
        "parameters": list(network.parameters),
        "type": "single" if pot.is_jail else "tap",
        "level": 0,
    }


def _bridges(pot: Pot, known: dict[str, Bridge]) -> list[Bridge]:
    return [known[a.bridge] for a in pot.attachments if a.bridge in known]


def _with_address(app: App, view: View) -> View:
    """Return an export with its own address, or with the external address that all exports use."""
    address = next(iter(app.config.external_addresses or ()), None)
    return view if "host_address" in view else view | {"host_address": str(address) if address else None}


def _addresses(pot: Pot, bridges: dict[str, Bridge], state: HostState) -> list[View]:
    if pot.network_type is NetworkType.ALIAS:
        return [
            _address(a.address.version, str(a.address), _HOST_PREFIX[a.address.version], a.interface, None)
            for a in pot.aliases
        ]
    found: list[View] = []
    for attachment in pot.attachments:
        bridge = bridges.get(attachment.bridge)
        for address in attachment.addresses:
            leasing = bridge.leasing(address.version) if bridge is not None else None
            if leasing is not None:
                net, end = leasing.network, attachment.jail_end
                found.append(_address(address.version, str(address), net.prefixlen, end, str(net)))
        if attachment.dhcp and attachment.address is None:
            found.append(_unconfirmed(pot, attachment, bridge, state))
        if attachment.slaac:
            found += _learnt(pot, attachment, state)
    return found


def _unconfirmed(pot: Pot, attachment: Attachment, bridge: Bridge | None, state: HostState) -> View:
    """Return an address by DHCP that potnet has not confirmed; None if the jail has none."""
    interface = state.jail_interfaces.get((pot.name, attachment.jail_end))
    seen = next((a for a in interface.addresses if a.address.version == 4), None) if interface else None
    network = bridge.leasing(4) if bridge is not None else None
    prefix = network.network.prefixlen if network is not None else _HOST_PREFIX[4]
    view = _address(4, None, prefix, attachment.jail_end, str(network.network) if network else None)
    return view | {"dhcp": True, "unconfirmed": str(seen.address) if seen is not None else None}


def _learnt(pot: Pot, attachment: Attachment, state: HostState) -> list[View]:
    """Return the SLAAC addresses of a jail (RFC 4862); before it has any, one entry without an address."""
    interface = state.jail_interfaces.get((pot.name, attachment.jail_end))
    wanted = [a for a in interface.addresses if a.address.version == 6] if interface else []
    routable = [a for a in wanted if not a.address.is_link_local()]
    if not routable:
        return [_address(6, None, 64, attachment.jail_end, None)]
    return [_address(6, str(a.address), a.prefix, attachment.jail_end, None) for a in routable]


def _address(family: int, address: str | None, prefix: int, interface: str, network: str | None) -> View:
    return {
        "family": family,
        "address": address,
        "prefix": prefix,
        "interface": interface,
        "network": network,
    }


def list_bridges(app: App) -> list[View]:
    """Return all bridges, in natural order of names."""
    _tell_simulated(app)
    bridges = sorted(app.store.bridges(), key=lambda bridge: natural(bridge.name))
    names = with_joined(app, app.driver.observe(Query(pot_bridges=True)), bridges).pot_bridges
    return [bridge_view(app, bridge, bridge.interface in names) for bridge in bridges]


def bridge_info(app: App, name: str) -> View:
    """Return one bridge with its addresses in use; raises PotnetError."""
    bridge = require_bridge(app, name)
    name = bridge.name
    names = with_joined(app, app.driver.observe(Query(pot_bridges=True)), [bridge]).pot_bridges
    view = bridge_view(app, bridge, bridge.interface in names)
    return view | {"addresses": show_bridge(app, name)["addresses"]}


def bridge_view(app: App, bridge: Bridge, up: bool) -> View:
    """Return the facts of a bridge from its record, and whether the bridge is up."""
    return {
        "name": bridge.name,
        "kind": str(bridge.kind),
        "interface": bridge.interface,
        "network": str(bridge.network) if bridge.network is not None else None,
        "gateway": str(bridge.gateway) if bridge.gateway is not None else None,
        "network6": str(bridge.network6) if bridge.network6 is not None else None,
        "routed": bridge.routed6,
        "size": bridge.size,
        "mtu": bridge.mtu,
        "isolated": bridge.isolate or app.config.isolate,
        "anchors": list(cut_anchors(of_bridge(app.config, bridge.name), bridge.name)),
        "vlan": bridge.uplink,
        **_lan_view(bridge),
        "state": "up" if up else "down",
        "pots": sorted(app.store.bridged_names(bridge.name), key=natural),
    }


def _lan_view(bridge: Bridge) -> View:
    """Return the facts of the LAN of a bridge."""
    lan = bridge.lan
    if lan is None:
        return {}
    return {
        "joins": bridge.joins,
        "gateway6": str(lan.gateway6) if lan.gateway6 is not None else None,
        "ranges": [f"{first}-{last}" for first, last in lan.ranges],
        "dhcp": lan.dhcp,
        "slaac": lan.slaac,
    }


def environment(app: App, name: str) -> dict[str, str]:
    """Return the variables of ``info -E`` and of hooks; raises PotnetError."""
    pot = require_pot(app, name)
    name = pot.name
    run = app.store.run(name)
    state = look_for(app, pot, run)
    active = run if running(run, state) else None
    return dict(environment_of(active.pot if active else pot, active.jid if active else None))
