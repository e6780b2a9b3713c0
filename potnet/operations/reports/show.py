"""show: networks with their addresses in use, and the redirections in force."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from potnet.host.query import Query
from potnet.host.ruleset import Redirections
from potnet.host.state import ActiveRedirection, Usage
from potnet.model.pots import BRIDGE_GROUP, Pot
from potnet.operations.common import external_interface, require_bridge, require_pot
from potnet.operations.exports.traffic import traffic
from potnet.planning.ownership import presence_of_all, running
from potnet.rootless.ports.carried import Port, parse_ports

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]


def show_pot(app: App, name: str) -> View:
    """Return a pot with its addresses and the redirections in force; raises PotnetError."""
    from potnet.operations.reports.info import info

    pot = require_pot(app, name)
    name = pot.name
    view = info(app, name)
    usage = app.driver.usage(name, pot.root) if pot.is_jail else Usage()
    running = view["state"] == "running"
    return view | {
        "redirections": _redirections(app, pot) if running else [],
        "traffic": _traffic(app, pot) if running else [],
        "usage": {
            "disk": usage.disk,
            "virtual_memory": usage.virtual_memory,
            "physical_memory": usage.physical_memory,
        },
    }


def show_ports(app: App) -> list[View]:
    """Return the redirections in force from host ports to pots; those of an uplink name no pot."""
    runs = app.store.runs()
    active = app.driver.observe(presence_of_all(runs))
    exporting = [run.pot for run in runs if run.pot.exports and running(run, active)]
    found = [{"pot": pot.name, **each} for pot in exporting for each in _redirections(app, pot)]
    known = {
        (each["protocol"], each["address"], each["port"] + number)
        for each in found
        for number in range(each.get("count", 1))
    }
    for port in _uplink_ports(app):
        if (port.protocol, port.address, port.number) not in known:
            nowhere = {"pot": None, "interface": None, "pot_address": None, "pot_port": None}
            found.append({**nowhere, **port.plain()})
    return sorted(found, key=lambda each: (each["protocol"], each["port"], each["address"]))


def _uplink_ports(app: App) -> tuple[Port, ...]:
    connection = app.rootless.running() if app.rootless is not None else None
    return parse_ports(connection.ask("ports")) if connection is not None else ()


def _redirections(app: App, pot: Pot) -> list[View]:
    """Return the filter's redirections from outside to a pot, without those of other pots and the host."""
    from potnet.planning.filter import packet_filter as pf

    if pot.home is None:
        return []
    run = app.store.run(pot.name)
    external = external_interface(app, app.driver.observe(Query(external=not app.config.external_interface)))
    expected = Redirections(
        require_bridge(app, pot.home.bridge).interface,
        app.config.network,
        pf.outlets(app.config, external) if external else (),
        pf.redirections(run.pot if run else pot),
    )
    active = app.driver.redirections(pf.pot_anchor(app.config, pot.name), expected)
    outside = [r for r in active if r.interface not in (BRIDGE_GROUP, "lo0") and r.host != "127.0.0.1"]
    addresses = _interface_addresses(app, {r.interface for r in outside})
    # An export with sources has a rule for each source.
    together: dict[ActiveRedirection, list[str]] = defaultdict(list)
    for r in outside:
        together[replace(r, source=None)] += [str(r.source)] if r.source is not None else []
    return [_redirection(r, sources, addresses) for r, sources in together.items()]


def _traffic(app: App, pot: Pot) -> list[View]:
    """Return the traffic of each export of a running pot since its rules were loaded."""
    run = app.store.run(pot.name)
    own = run.pot if run else pot
    totals = traffic(app, [own]).get(pot.name, {})
    return [
        {
            "export": str(export),
            "connections": found.connections,
            "packets": found.packets,
            "bytes": found.bytes,
        }
        for export, found in totals.items()
    ]


def _interface_addresses(app: App, names: set[str]) -> dict[tuple[str, int], str]:
    """Return the first address by interface and family, for which ``(em0)`` stands in a rule."""
    shown = app.driver.observe(Query(interfaces=tuple(sorted(names)))).interfaces
    return {
        (name, a.address.version): str(a.address)
        for name, found in shown.items()
        for a in reversed(found.addresses)
        if not a.address.is_link_local()
    }


def _redirection(rule: ActiveRedirection, sources: list[str], addresses: dict[tuple[str, int], str]) -> View:
    name = rule.host.strip("()").partition(":")[0]
    found = addresses.get((name, rule.address.version), name)
    return {
        "interface": rule.interface,
        "protocol": str(rule.protocol),
        "address": found if rule.host.startswith("(") else rule.host,
        "port": rule.port,
        "pot_address": str(rule.address),
        "pot_port": rule.pot_port,
        **({"count": rule.count} if rule.count > 1 else {}),
        **({"sources": sources} if sources else {}),
    }


def show_all(app: App) -> list[View]:
    """Return each pot as `show_pot` does."""
    return [show_pot(app, name) for name in app.store.pot_names()]
