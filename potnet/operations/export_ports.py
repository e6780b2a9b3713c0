"""Exports: ports of a pot offered on the host."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.actions import KillStates, LoadAnchor, Plan, Step
from potnet.apply import apply
from potnet.errors import PotnetError, UsageError
from potnet.host_state import HostState, Query
from potnet.model import Export, Pot, Run, Transport, endpoint
from potnet.operations.bridging import vnet
from potnet.operations.common import define_public_network, external_interface, locked_pot, require_bridge
from potnet.operations.ports import check_listeners, needs_range, with_ports
from potnet.operations.select import only_pot
from potnet.planning import packet_filter as pf
from potnet.planning.ownership import running
from potnet.planning.start import ignored_exports
from potnet.planning.vnet import check_external

if TYPE_CHECKING:
    from potnet.app import App

_EXPORT = re.compile(r"(?:(tcp|udp):)?([0-9]{1,5})(?::([0-9]{1,5}))?")
_HINT = "[tcp:|udp:]POT_PORT[:HOST_PORT], such as 80:30080"


def export_ports(app: App, name: str | None, exports: Sequence[str], loopback: bool) -> Pot:
    """Replace a pot's exports; on a running pot this holds at once. Raises PotnetError, nothing changed."""
    name = name if name is not None else only_pot(app)
    wanted = parse_exports(exports, loopback)
    with locked_pot(app, name) as pot:
        ignored = ignored_exports(pot)
        run = app.store.run(name)
        state = app.driver.observe(_query(app, pot, loopback, None if ignored else wanted))
        active = running(run, state)
        if ignored:
            app.notify(ignored)
        elif loopback:
            _check_loopback(app, state)
        check_listeners(app, wanted, state)
        with app.store.transaction():
            changed = replace(pot, exports=_keep_chosen(pot, wanted))
            app.store.update_pot(changed)
            if active and not ignored:
                changed = with_ports(app, changed, state)
        if active and run is not None and not ignored:
            try:
                _apply(app, run, changed, state)
            except BaseException:
                with app.store.transaction():
                    app.store.put_run(run)
                    app.store.update_pot(pot)
                raise
        return changed


def _query(app: App, pot: Pot, loopback: bool, effective: tuple[Export, ...] | None) -> Query:
    return Query(
        jails=(pot.name,),
        names=effective is not None,
        external=app.config.external_interface is None,
        packet_filter=loopback,
        filter_local=loopback,
        listeners=bool(effective),
        port_range=needs_range(app, effective or ()),
    )


def parse_exports(values: Sequence[str], loopback: bool) -> tuple[Export, ...]:
    """-e values as exports; raises UsageError on a malformed, repeated or impossible one."""
    exports = tuple(_parse(value, loopback) for value in values)
    seen: set[tuple[Transport, int]] = set()
    for export in exports:
        if export.host_port is None:
            continue
        if (export.protocol, export.host_port) in seen:
            raise UsageError(
                f"host port {endpoint(export.protocol, export.host_port)} is given twice",
                hint="each needs its own",
            )
        seen.add((export.protocol, export.host_port))
    if len(set(exports)) < len(exports):
        raise UsageError("an export is given twice", hint="once is enough")
    return exports


def _parse(value: str, loopback: bool) -> Export:
    match = _EXPORT.fullmatch(value)
    if not match:
        raise UsageError(f"-e {value!r}: no export", hint=_HINT)
    ports = [int(text) for text in match.group(2, 3) if text]
    for port in ports:
        if not 1 <= port <= 65535:
            raise UsageError(f"-e {value!r}: {port} is no port", hint="ports are 1 to 65535")
    return Export(
        Transport(match[1] or "tcp"), ports[0], ports[1] if len(ports) > 1 else None, loopback=loopback
    )


def _keep_chosen(pot: Pot, wanted: tuple[Export, ...]) -> tuple[Export, ...]:
    """A port that was chosen for an export stays with it as long as the export does."""
    given = {(e.protocol, e.host_port) for e in wanted}
    chosen = [e for e in pot.exports if e.chosen and (e.protocol, e.host_port) not in given]
    kept = []
    for export in wanted:
        if export.host_port is None:
            same = (e for e in chosen if (e.protocol, e.pot_port) == (export.protocol, export.pot_port))
            before = next(same, None)
            if before is not None:
                chosen.remove(before)
                export = replace(export, host_port=before.host_port, chosen=True)
        kept.append(export)
    return tuple(kept)


def _check_loopback(app: App, state: HostState) -> None:
    if state.packet_filter.self_contained:
        return
    nested = f"{app.config.rdr_anchor}/*"
    if not state.packet_filter.filter_local or nested not in state.packet_filter.nat_anchors:
        raise PotnetError(
            "this host is not prepared for exports on its loopback (net.pf.filter_local is 0, "
            "or an anchor is missing)",
            hint="`potnet init --loopback` prepares it, and says what else that changes",
        )


def _apply(app: App, run: Run, changed: Pot, state: HostState) -> None:
    """Put the new rules in force and end the connections of what is no more exported."""
    define_public_network(app)
    bridge = require_bridge(app, run.pot.home.bridge if run.pot.home is not None else "")
    external = external_interface(app, state)
    external = check_external(external, state)
    # The rules in force are those of the addresses that the pot was started with.
    old = run.pot
    new = replace(old, exports=changed.exports)
    anchor = pf.pot_anchor(app.config, changed.name)
    networks6 = vnet(app).networks6
    held = pf.pot_rules(old, bridge, app.config, external, networks6)
    wanted = pf.pot_rules(new, bridge, app.config, external, networks6)
    load = Step(LoadAnchor(anchor, wanted, held), LoadAnchor(anchor, held, wanted))
    kept = {replace(r, loopback=False) for r in pf.redirections(new)}
    gone = tuple(r for r in pf.redirections(old) if replace(r, loopback=False) not in kept)
    kill = (Step(KillStates(gone)),) if gone else ()
    app.store.put_run(replace(run, pot=new))
    apply(Plan((load, *kill)), app.driver)
