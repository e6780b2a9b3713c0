"""show: networks and the addresses taken in them, redirections as they are in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netaddr import IPAddress, IPNetwork

from potnet.host_state import ActiveRedirection, Query
from potnet.model import BRIDGE_GROUP, PUBLIC, Bridge, Pot
from potnet.operations.common import (
    define_public_network,
    external_interface,
    require_bridge,
    require_pot,
)
from potnet.ruleset import Redirections

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]


def show_network(app: App) -> View:
    """The public network with all that is taken in it, private bridges whole, in the order of addresses."""
    define_public_network(app)
    network = app.config.network
    entries = dict(_public_entries(app))
    for bridge in app.store.bridges():
        if bridge.network is not None and bridge.name != PUBLIC:
            entries.update(_whole_bridge(bridge, bridge.network))
    return {
        "network": str(network),
        "gateway": str(app.config.gateway),
        "dns": str(app.config.dns_address),
        "addresses": _listed(entries),
    }


def _public_entries(app: App) -> Iterator[tuple[IPAddress, View]]:
    config = app.config
    yield _entry(IPAddress(config.network.first, 4), "", "network")
    yield _entry(config.gateway, "", "gateway")
    if config.dns_address in config.network:
        yield _entry(config.dns_address, "", "dns")
    for lease in app.store.leases(PUBLIC):
        yield _entry(lease.address, lease.pot, "dns" if lease.address == config.dns_address else "pot")
    yield _entry(IPAddress(config.network.last, 4), "", "broadcast")


def _whole_bridge(bridge: Bridge, network: IPNetwork) -> Iterator[tuple[IPAddress, View]]:
    for number in range(network.first, network.last + 1):
        address = IPAddress(number, 4)
        yield _entry(address, bridge.name, _kind(address, bridge, network) or "bridge")


def _kind(address: IPAddress, bridge: Bridge, network: IPNetwork) -> str | None:
    if int(address) == network.first:
        return "network"
    if int(address) == network.last:
        return "broadcast"
    return "gateway" if address == bridge.gateway else None


def _entry(address: IPAddress, owner: str, kind: str) -> tuple[IPAddress, View]:
    return address, {"address": str(address), "owner": owner, "kind": kind}


def _listed(entries: dict[IPAddress, View]) -> list[View]:
    return [entries[address] for address in sorted(entries)]


def show_bridge(app: App, name: str) -> View:
    """A bridge's network, what is free in it, and the addresses taken; raises PotnetError."""
    bridge = require_bridge(app, name)
    if bridge.network is None:
        return {
            "bridge": name, "network": None, "gateway": None, "size": None, "free": None, "addresses": [],
        }  # fmt: skip
    if bridge.name == PUBLIC:
        define_public_network(app)
        entries = dict(_public_entries(app))
    else:
        network = bridge.network
        ends = (IPAddress(network.first, 4), IPAddress(network.last, 4), bridge.gateway)
        entries = dict(_entry(a, name, _kind(a, bridge, network) or "") for a in ends if a is not None)
        entries.update(_entry(lease.address, lease.pot, "pot") for lease in app.store.leases(name))
    leased, usable = app.store.counts(name)
    return {
        "bridge": name,
        "network": str(bridge.network),
        "gateway": str(bridge.gateway),
        "size": bridge.size if bridge.size is not None else usable,
        "free": usable - leased,
        "addresses": _listed(entries),
    }


def show_pot(app: App, name: str) -> View:
    """A pot with what it uses and the redirections in force; raises PotnetError."""
    from potnet.operations.info import info

    pot = require_pot(app, name)
    view = info(app, name)
    usage = app.driver.usage(name, pot.root)
    redirections = _redirections(app, pot) if view["state"] == "running" else []
    return view | {
        "redirections": redirections,
        "usage": {
            "disk": usage.disk,
            "virtual_memory": usage.virtual_memory,
            "physical_memory": usage.physical_memory,
        },
    }


def _redirections(app: App, pot: Pot) -> list[View]:
    """What the filter redirects to a pot from outside: the rules for other pots and the host itself aside."""
    from potnet.planning import packet_filter as pf

    if pot.ipv4 is None:
        return []
    run = app.store.run(pot.name)
    external = external_interface(app, app.driver.observe(Query(external=not app.config.external_interface)))
    expected = Redirections(
        require_bridge(app, pot.attachments[0].bridge).interface,
        app.config.network,
        pf.outlets(app.config, external) if external else (),
        pf.redirections(run.pot if run else pot),
    )
    active = app.driver.redirections(pf.pot_anchor(app.config, pot.name), expected)
    outside = [r for r in active if r.interface not in (BRIDGE_GROUP, "lo0") and r.host != "127.0.0.1"]
    addresses = _interface_addresses(app, {r.interface for r in outside})
    return [_redirection(r, addresses) for r in outside]


def _interface_addresses(app: App, names: set[str]) -> dict[str, str]:
    """The first IPv4 address of each interface, for which ``(em0)`` stands in a rule."""
    shown = app.driver.observe(Query(interfaces=tuple(sorted(names)))).interfaces
    return {
        name: str(next((a.address for a in found.addresses if a.address.version == 4), name))
        for name, found in shown.items()
    }


def _redirection(rule: ActiveRedirection, addresses: dict[str, str]) -> View:
    dynamic = rule.host.startswith("(")
    return {
        "interface": rule.interface,
        "protocol": str(rule.protocol),
        "address": addresses.get(rule.host.strip("()"), rule.host) if dynamic else rule.host,
        "port": rule.port,
        "pot_address": str(rule.address),
        "pot_port": rule.pot_port,
    }


def show_all(app: App) -> list[View]:
    """Each pot as `show_pot` gives it."""
    return [show_pot(app, name) for name in app.store.pot_names()]
