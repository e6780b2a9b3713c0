"""Host ports: which are taken, and choosing one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.errors import PotnetError
from potnet.host_state import HostState, Listener, Query
from potnet.model import Export, Pot, Transport, endpoint

if TYPE_CHECKING:
    from potnet.app import App


def check_listeners(app: App, exports: Sequence[Export], state: HostState) -> None:
    """Raises PotnetError when a given host port is one that the host itself listens on."""
    for export in exports:
        for socket in state.listeners:
            given = not export.chosen and export.host_port is not None
            if given and (socket.protocol, socket.port) == (export.protocol, export.host_port):
                raise PotnetError(
                    f"host port {endpoint(export.protocol, socket.port)} is taken by {_owner(app, socket)}",
                    hint="choose another host port, or none to have one chosen",
                )


def _owner(app: App, wanted: Listener) -> str:
    """Who listens there; only for an error, since it takes some hosts long to find out."""
    shown = app.driver.observe(Query(listeners=True, owners=True)).listeners
    ends = (wanted.protocol, wanted.port)
    return next((each.owner for each in shown if (each.protocol, each.port) == ends), wanted.owner)


def with_ports(app: App, pot: Pot, state: HostState) -> Pot:
    """The pot with a host port for each export, recorded; within a transaction of the caller's.

    A chosen port is kept until its export changes, unless something on the host has taken it since.
    """
    check_listeners(app, pot.exports, state)
    exports: list[Export] = []
    for export in pot.exports:
        busy = _busy(state, export.protocol)
        if export.host_port is None or (export.chosen and export.host_port in busy):
            taken = {e.host_port for e in exports if e.protocol == export.protocol and e.host_port}
            first, last = _range(app, state)
            port = app.store.free_port(export.protocol, first, last, busy | taken)
            export = replace(export, host_port=port, chosen=True)
        exports.append(export)
    changed = replace(pot, exports=tuple(exports))
    if changed != pot:
        app.store.update_pot(changed)
    return changed


def needs_range(app: App, exports: Sequence[Export]) -> bool:
    """Whether the host has to be asked from which range ports are chosen."""
    fixed = app.config.first_port is not None and app.config.last_port is not None
    return not fixed and any(export.host_port is None or export.chosen for export in exports)


def _busy(state: HostState, protocol: Transport) -> frozenset[int]:
    return frozenset(socket.port for socket in state.listeners if socket.protocol == protocol)


def _range(app: App, state: HostState) -> tuple[int, int]:
    host = state.port_range or (1024, 9999)
    return app.config.first_port or host[0], app.config.last_port or host[1]
