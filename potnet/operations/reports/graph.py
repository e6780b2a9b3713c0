"""graph: the host, its bridges and its pots with their connections, as plain data to draw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.bridges import Bridge, BridgeKind
from potnet.model.names import natural
from potnet.model.pots import Pot, Run
from potnet.operations.common import external_interface
from potnet.operations.networks.policies import listed
from potnet.operations.networks.units import with_joined
from potnet.operations.reports.info import bridge_view, pot_view
from potnet.planning.members import isolated
from potnet.planning.ownership import presence_of_all, running
from potnet.planning.uplink import looked_at

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]


def graph(app: App) -> View:
    """Return the nodes and links of the picture: interfaces, bridges (public first), pots and policies.

    A pot's links name the bridge or host interface it is connected to, and its addresses there. A pot with
    the host's own stack has no links.
    """
    pots = tuple(sorted(app.store.pots(), key=lambda pot: natural(pot.name)))
    runs = {run.pot.name: run for run in app.store.runs()}
    external = app.config.external_interface
    query = replace(presence_of_all(runs.values()), pot_bridges=True, hostname=True, external=not external)
    state = app.driver.observe(query)
    state = _closer(app, state, pots, runs)
    state = with_joined(app, state, app.store.bridges())
    bridges = sorted(app.store.bridges(), key=_order)
    known = {bridge.name: bridge for bridge in bridges}
    views = [pot_view(app, pot, runs.get(pot.name), state, known) for pot in pots]
    return {
        "host": state.hostname,
        "kind": app.host_kind,
        "interfaces": _interfaces(app, state, views),
        "bridges": [
            bridge_view(app, each, each.interface in state.pot_bridges) | {"uplink": _uplink(each)}
            for each in bridges
        ],
        "pots": [
            view | {"links": _links(app, pot, view, known)} for pot, view in zip(pots, views, strict=True)
        ],
        "policies": listed(app),
    }


def _order(bridge: Bridge) -> tuple[bool, list[tuple[int, str]]]:
    """Sort key: public bridges first, then natural order of names."""
    return bridge.kind is BridgeKind.PRIVATE, natural(bridge.name)


def _closer(app: App, state: HostState, pots: tuple[Pot, ...], runs: dict[str, Run]) -> HostState:
    """Add the interfaces in the picture to the state, and those of jails that learn addresses."""
    external = external_interface(app, state)
    outer = [external] if external else []
    outer += [name for name, _ in app.config.extra_interfaces]
    outer += [alias.interface for pot in pots for alias in pot.aliases]
    outer += [name for bridge in app.store.bridges() for name in looked_at(bridge)[:1]]
    outer += [bridge.joins for bridge in app.store.bridges() if bridge.joins is not None]
    outer += [name for pot in pots for name in pot.passed]
    learning = tuple(
        (pot.name, a.jail_end)
        for pot in pots
        if pot.is_jail and running(runs.get(pot.name), state)
        for a in pot.attachments
        if a.slaac
    )
    found = app.driver.observe(Query(interfaces=tuple(dict.fromkeys(outer)), jail_interfaces=learning))
    return replace(
        state, external=external, interfaces=found.interfaces, jail_interfaces=found.jail_interfaces
    )


def _interfaces(app: App, state: HostState, pots: list[View]) -> list[View]:
    """Return the host's interfaces with its own addresses, without aliases; passed interfaces come last."""
    theirs = {each["address"] for pot in pots if pot["network_type"] == "alias" for each in pot["addresses"]}
    leading = {state.external, *(name for name, _ in app.config.extra_interfaces)}
    passed = {name: pot["name"] for pot in pots for name in pot["passed"]}
    found = [
        {
            "name": name,
            "external": name in leading,
            "addresses": [
                f"{a.address}/{a.prefix}"
                for a in (state.interfaces[name].addresses if name in state.interfaces else ())
                if not a.address.is_link_local() and str(a.address) not in theirs
            ],
            "passed": passed.get(name),
        }
        for name in sorted(state.interfaces.keys() | passed.keys(), key=natural)
    ]
    return sorted(found, key=lambda each: (each["passed"] is not None, each["name"] != state.external))


def _uplink(bridge: Bridge) -> str:
    """Return the connection of a bridge to the outside: translation, or a member of the host's."""
    return "member" if bridge.kind is BridgeKind.PUBLIC6 or bridge.lan is not None else "nat"


def _links(app: App, pot: Pot, view: View, known: dict[str, Bridge]) -> list[View]:
    """Return each bridge or interface of a pot once, in the order of the pot's interfaces."""
    links = {
        each["name"]: _link(each["name"], each["bridge"], isolated(pot, known[each["bridge"]], app.config))
        for each in view["interfaces"]
    }
    for each in view["addresses"]:
        link = links.setdefault(each["interface"], _link(each["interface"]))
        if each["address"]:
            link["addresses"].append(f"{each['address']}/{each['prefix']}")
    return [*links.values(), *map(_link, view["passed"])]


def _link(interface: str, bridge: str | None = None, isolated: bool = False) -> View:
    return {"interface": interface, "bridge": bridge, "addresses": [], "isolated": isolated}
