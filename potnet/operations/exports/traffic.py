"""Traffic through exports, as the host counts it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from potnet.host.state import ExportTraffic
from potnet.model.ports import Export, Transport
from potnet.model.pots import Pot
from potnet.planning.filter import packet_filter as pf
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

_Ports = dict[tuple[Transport, int], list[ExportTraffic]]


@dataclass(frozen=True, slots=True)
class Totals:
    """Packets and bytes in both directions since the rules of an export were loaded."""

    connections: int
    packets: int
    bytes: int


def traffic(app: App, pots: Iterable[Pot]) -> dict[str, dict[Export, Totals]]:
    """Return the totals of exports in force, from all sources, by the names of the running pots."""
    exporting = [pot for pot in pots if pf.redirections(pot)]
    ports: _Ports = defaultdict(list)
    for each in app.driver.export_traffic([pf.pot_anchor(app.config, pot.name) for pot in exporting]):
        ports[each.protocol, each.port].append(each)
    return {pot.name: _of(pot, ports) for pot in exporting}


def _of(pot: Pot, ports: _Ports) -> dict[Export, Totals]:
    seen = {export: _counted(export, ports) for export in pot.exports}
    return {export: _sum(found) for export, found in seen.items() if found}


def _counted(export: Export, ports: _Ports) -> list[ExportTraffic]:
    """Return the count of an export: from its first port's rule, or from the rule of each port."""
    return [
        each for end in export.ends for each in ports.get(end, ()) if export.host_address in (None, each.host)
    ]


def _sum(found: Iterable[ExportTraffic]) -> Totals:
    figures = [(each.connections, each.packets, each.bytes) for each in found]
    return Totals(*map(sum, zip(*figures, strict=True)))
