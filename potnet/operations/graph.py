"""graph: the host, its bridges and its pots with how they are connected, as plain data to be drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from potnet.host_state import HostState, Query
from potnet.model import BridgeKind, Pot, Run
from potnet.operations.common import external_interface
from potnet.operations.info import bridge_view, pot_view
from potnet.planning.ownership import running
from potnet.planning.uplink import looked_at

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]


def graph(app: App) -> View:
    """What is to be seen in a picture: interfaces, bridges and pots by name, public bridges first.

    A pot's links say what it hangs on, a bridge or an interface of the host, and the addresses that it has
    there; a pot with the host's own stack has none.
    """
    pots, runs = app.store.pots(), {run.pot.name: run for run in app.store.runs()}
    external = app.config.external_interface
    state = app.driver.observe(Query(jails=None, pot_bridges=True, hostname=True, external=not external))
    state = _closer(app, state, pots, runs)
    bridges = sorted(app.store.bridges(), key=lambda bridge: (bridge.kind is BridgeKind.PRIVATE, bridge.name))
    known = {bridge.name: bridge for bridge in bridges}
    views = [pot_view(app, pot, runs.get(pot.name), state, known) for pot in pots]
    return {
        "host": state.hostname,
        "kind": app.host_kind,
        "interfaces": _interfaces(app, state, views),
        "bridges": [
            bridge_view(app, each, each.interface in state.pot_bridges) | {"uplink": _uplink(each.kind)}
            for each in bridges
        ],
        "pots": [view | {"links": _links(view)} for view in views],
    }


def _closer(app: App, state: HostState, pots: tuple[Pot, ...], runs: dict[str, Run]) -> HostState:
    """The state with the host's interfaces in the picture, and those of jails that learn addresses."""
    external = external_interface(app, state)
    outer = [external] if external else []
    outer += [name for name, _ in app.config.extra_interfaces]
    outer += [alias.interface for pot in pots for alias in pot.aliases]
    outer += [name for bridge in app.store.bridges() for name in looked_at(bridge)[:1]]
    outer += [name for pot in pots for name in pot.passed]
    learning = tuple(
        (pot.name, a.jail_end)
        for pot in pots
        if running(runs.get(pot.name), state)
        for a in pot.attachments
        if a.address is None
    )
    found = app.driver.observe(Query(interfaces=tuple(dict.fromkeys(outer)), jail_interfaces=learning))
    return replace(
        state, external=external, interfaces=found.interfaces, jail_interfaces=found.jail_interfaces
    )


def _interfaces(app: App, state: HostState, pots: list[View]) -> list[View]:
    """The host's own, with their own addresses: aliases are the pots'."""
    theirs = {each["address"] for pot in pots if pot["network_type"] == "alias" for each in pot["addresses"]}
    leading = {state.external, *(name for name, _ in app.config.extra_interfaces)}
    lent = {name for pot in pots for name in pot["passed"]} - state.interfaces.keys()
    return [{"name": name, "external": False, "addresses": []} for name in sorted(lent)] + [
        {
            "name": name,
            "external": name in leading,
            "addresses": [
                f"{a.address}/{a.prefix}"
                for a in found.addresses
                if not a.address.is_link_local() and str(a.address) not in theirs
            ],
        }
        for name, found in sorted(state.interfaces.items(), key=lambda item: item[0] != state.external)
    ]


def _uplink(kind: BridgeKind) -> str:
    """How a bridge reaches the outside: by translation, or with the external interface as its member."""
    return "member" if kind is BridgeKind.PUBLIC6 else "nat"


def _links(pot: View) -> list[View]:
    """What a pot hangs on, each once, in the order of its interfaces."""
    bridges = {each["name"]: each["bridge"] for each in pot["interfaces"]}
    links: dict[str, View] = {
        name: {"interface": name, "bridge": bridge, "addresses": []} for name, bridge in bridges.items()
    }
    for each in pot["addresses"]:
        name = each["interface"]
        link = links.setdefault(name, {"interface": name, "bridge": bridges.get(name), "addresses": []})
        if each["address"]:
            link["addresses"].append(f"{each['address']}/{each['prefix']}")
    passed = [{"interface": name, "bridge": None, "addresses": []} for name in pot["passed"]]
    return [*links.values(), *passed]
