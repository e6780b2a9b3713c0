"""metrics: figures of pots, bridges and networks with their help texts, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from potnet.host.state import HostState, Traffic
from potnet.model.bridges import Bridge
from potnet.model.ports import Export, port_text
from potnet.model.pots import Pot
from potnet.operations.common import external_interface
from potnet.operations.exports.traffic import traffic
from potnet.operations.networks.units import with_joined
from potnet.planning.ownership import presence_of_all, running

if TYPE_CHECKING:
    from potnet.app import App

#: A metric: name, type, help, and samples of labels and a value.
Metric = dict[str, Any]

_SEEN = "by the pot's network interface, as the pot sees it"
#: The counter for each direction: the host's end sends the packets that the pot receives.
_INTERFACE = {
    "receive_bytes": ("sent_bytes", f"Bytes received {_SEEN}."),
    "receive_packets": ("sent_packets", f"Packets received {_SEEN}."),
    "receive_errors": ("sent_errors", "Packets to the pot's network interface not delivered."),
    "transmit_bytes": ("received_bytes", f"Bytes sent {_SEEN}."),
    "transmit_packets": ("received_packets", f"Packets sent {_SEEN}."),
    "transmit_errors": ("received_errors", "Packets from the pot's network interface not delivered."),
}
_BY = "by an interface of the host that leads outside"
_UPLINK = {
    "receive_bytes": ("received_bytes", f"Bytes received {_BY}."),
    "receive_packets": ("received_packets", f"Packets received {_BY}."),
    "receive_errors": ("received_errors", f"Packets that were not received right {_BY}."),
    "transmit_bytes": ("sent_bytes", f"Bytes sent {_BY}."),
    "transmit_packets": ("sent_packets", f"Packets sent {_BY}."),
    "transmit_errors": ("sent_errors", f"Packets that were not sent {_BY}."),
}
_EXPORT = {
    "connections": "Connections taken in by an exported port since its rule was loaded.",
    "packets": "Packets through an exported port, in both directions, since its rule was loaded.",
    "bytes": "Bytes through an exported port, in both directions, since its rule was loaded.",
}


def metrics(app: App) -> list[Metric]:
    """Return all metrics in a fixed order; metrics that this kind of host does not count have no samples.

    For all pots together, potnet queries the jails once and the interfaces once. If the filter does not
    count all rules at once, each running pot with exports costs one more query.
    """
    pots = app.store.pots()
    runs = {run.pot.name: run for run in app.store.runs()}
    bridges = app.store.bridges()
    external = app.config.external_interface is None
    query = replace(presence_of_all(runs.values()), pot_bridges=True, traffic=True, external=external)
    state = with_joined(app, app.driver.observe(query), bridges)
    # A running pot has the settings of its start.
    active = {name: run.pot for name, run in runs.items() if running(run, state)}
    return [
        *_pots(pots, active),
        *_bridges(app, bridges, state),
        _metric("store_size_bytes", "gauge", "Size of the store.", [({}, app.store.size())]),
        *_interfaces(active.values(), state),
        *_uplinks(app, bridges, state),
        *_exports(app, tuple(active.values())),
    ]


def _metric(name: str, kind: str, text: str, samples: Iterable[tuple[dict[str, str], int]]) -> Metric:
    found = [{"labels": labels, "value": value} for labels, value in samples]
    return {"name": f"potnet_{name}", "type": kind, "help": text, "samples": found}


def _pots(pots: Iterable[Pot], active: dict[str, Pot]) -> list[Metric]:
    each = [({"pot": p.name, "type": str(p.network_type)}, int(p.name in active)) for p in pots]
    up = sum(value for _, value in each)
    counts = [({"state": "running"}, up), ({"state": "stopped"}, len(each) - up)]
    return [
        _metric("pots", "gauge", "Pots that are defined, by state.", counts),
        _metric("pot_running", "gauge", "Whether a pot runs (1) or not (0).", each),
    ]


def _bridges(app: App, bridges: Iterable[Bridge], state: HostState) -> list[Metric]:
    up, leased, free = [], [], []
    for bridge in bridges:
        labels = {"bridge": bridge.name}
        up.append((labels | {"interface": bridge.interface}, int(bridge.interface in state.pot_bridges)))
        for network in bridge.networks:
            used, usable = app.store.counts(network.name)
            family = labels | {"family": f"ipv{network.network.version}"}
            leased.append((family, used))
            free.append((family, usable - used))
    return [
        _metric("bridge_up", "gauge", "Whether a bridge is up (1) or not (0).", up),
        _metric("network_leases", "gauge", "Addresses of a bridge's network that pots have.", leased),
        _metric("network_free_addresses", "gauge", "Addresses that pots can still have.", free),
    ]


def _interfaces(pots: Iterable[Pot], state: HostState) -> list[Metric]:
    found = [
        ({"pot": pot.name, "bridge": a.bridge, "interface": a.jail_end}, state.traffic[a.host_end])
        for pot in pots
        for a in pot.attachments
        if a.host_end in state.traffic
    ]
    return _counters("pot", _INTERFACE, found)


def _uplinks(app: App, bridges: Iterable[Bridge], state: HostState) -> list[Metric]:
    """Return the external interfaces, each once; for a bridge with a VLAN, the interface of that VLAN."""
    leading = (external_interface(app, state), *(name for name, _ in app.config.extra_interfaces))
    labels = {name: {"interface": name} for name in leading if name is not None}
    labels |= {b.uplink: {"interface": b.uplink, "bridge": b.name} for b in bridges if b.uplink is not None}
    found = [(labels[name], state.traffic[name]) for name in labels if name in state.traffic]
    return _counters("uplink", _UPLINK, found)


def _counters(
    of: str, fields: Mapping[str, tuple[str, str]], found: Iterable[tuple[dict[str, str], Traffic]]
) -> list[Metric]:
    """Return a counter for each observed field of the traffic. of: the prefix of its name."""
    seen = tuple(found)
    return [
        _metric(
            f"{of}_{name}_total", "counter", text, [(labels, getattr(each, field)) for labels, each in seen]
        )
        for name, (field, text) in fields.items()
    ]


def _exports(app: App, pots: Sequence[Pot]) -> list[Metric]:
    samples: dict[str, list[tuple[dict[str, str], int]]] = {name: [] for name in _EXPORT}
    counted = traffic(app, pots)
    for pot in pots:
        for export, totals in counted.get(pot.name, {}).items():
            labels = {"pot": pot.name, **_export_labels(export)}
            for name in _EXPORT:
                samples[name].append((labels, getattr(totals, name)))
    return [_metric(f"export_{name}_total", "counter", text, samples[name]) for name, text in _EXPORT.items()]


def _export_labels(export: Export) -> dict[str, str]:
    assert export.host_port is not None
    address = {"host_address": str(export.host_address)} if export.host_address is not None else {}
    return {
        "protocol": str(export.protocol),
        **address,
        "host_port": port_text(export.host_port, export.count),
        "pot_port": port_text(export.pot_port, export.count),
    }
