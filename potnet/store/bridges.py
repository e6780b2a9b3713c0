"""Bridges in the store."""

from __future__ import annotations

import json
from dataclasses import asdict

from netaddr import IPAddress

from potnet.errors import PotnetError
from potnet.model.bridges import Bridge, BridgeKind, Lan
from potnet.store import ranges
from potnet.store.file.database import Row
from potnet.store.numbers import Numbers
from potnet.store.pot_json import address_or_none, network_or_none, text_or_none

_BRIDGES = (
    "SELECT name, kind, unit, network, gateway, size, pinned, network6, routed6, mtu, uplink, isolate,"
    " joined, lan"
    " FROM bridge"
)


class Bridges(Numbers):
    """Bridges in the store, each with its unit; `Subnets` has their networks."""

    def bridges(self) -> tuple[Bridge, ...]:
        """Return all bridges, sorted by name."""
        found = self.rows(f"{_BRIDGES} ORDER BY name")
        return tuple(_bridge(row) for row in found)

    def bridge(self, name: str) -> Bridge | None:
        """Return one bridge, None if the name is not found; see `called`."""
        found = self.row(f"{_BRIDGES} WHERE name = ?", self.called("bridge", name))
        return _bridge(found) if found else None

    def add_bridge(self, bridge: Bridge) -> None:
        """Errors: the name or the unit is in use by another bridge. `carve` makes its network separately."""
        with self.transaction():
            same = self.row("SELECT name FROM bridge WHERE name = ? COLLATE NOCASE", bridge.name)
            if same:
                raise PotnetError(f"bridge {same[0]} already exists", hint="choose another name")
            found = self.row("SELECT name FROM bridge WHERE uplink = ?", bridge.uplink)
            if found:
                raise PotnetError(
                    f"{bridge.uplink} is the uplink of bridge {found[0]}", hint="choose another"
                )
            self._refuse_joined(bridge)
            self._write_bridge(bridge)

    def _refuse_joined(self, bridge: Bridge) -> None:
        """Error: another bridge of the same kind joins the same interface."""
        for other in self.bridges() if bridge.lan is not None else ():
            if other.joins == bridge.joins:
                raise PotnetError(f"bridge {other.name} joins {bridge.joins} already", hint="use that bridge")

    def update_bridge(self, bridge: Bridge) -> None:
        """Replace the bridge of that name. Errors: it is not found; the unit is in use by another bridge."""
        with self.transaction():
            old = self.bridge(bridge.name)
            if old is None:
                raise PotnetError(
                    f"bridge {bridge.name} not found", hint="`potnet list --bridges` shows the bridges"
                )
            self.remove_bridge(bridge.name)
            self._write_bridge(bridge)

    def remove_bridge(self, name: str) -> None:
        """Delete a bridge; a missing one is not an error. The caller checks that no pot uses the bridge."""
        with self.transaction():
            old = self.bridge(name)
            if old is not None:
                self.change("DELETE FROM bridge WHERE name = ?", name)
                ranges.give(self, ranges.BRIDGE, old.unit, old.unit)

    def _write_bridge(self, bridge: Bridge) -> None:
        if not ranges.take(self, ranges.BRIDGE, bridge.unit, bridge.unit):
            found = self.row("SELECT name FROM bridge WHERE unit = ?", bridge.unit)
            whose = f"is used by bridge {found[0]}" if found else "is out of range"
            raise PotnetError(
                f"bridge unit {bridge.unit} {whose}", hint="repeat the command to choose another"
            )
        self.change(
            "INSERT INTO bridge"
            " (name, kind, unit, network, gateway, size, pinned, network6, routed6, mtu, uplink, isolate,"
            " joined, lan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            bridge.name,
            str(bridge.kind),
            bridge.unit,
            text_or_none(bridge.network),
            text_or_none(bridge.gateway),
            bridge.size,
            bridge.pinned,
            text_or_none(bridge.network6),
            bridge.routed6,
            bridge.mtu,
            bridge.uplink,
            bridge.isolate,
            bridge.joined,
            _lan_text(bridge.lan),
        )


def _bridge(row: Row) -> Bridge:
    name, kind, unit, network, gateway, size, pinned, network6, routed6, *options = row
    mtu, uplink, isolate, joined, lan = options
    return Bridge(
        name=name,
        kind=BridgeKind(kind),
        unit=unit,
        network=network_or_none(network),
        gateway=address_or_none(gateway),
        size=size,
        pinned=bool(pinned),
        network6=network_or_none(network6),
        routed6=bool(routed6),
        mtu=mtu,
        uplink=uplink,
        isolate=bool(isolate),
        joined=joined,
        lan=_lan(lan) if lan is not None else None,
    )


def _lan_text(lan: Lan | None) -> str | None:
    """Return the column of a LAN: a JSON object with the fields of `Lan`."""
    return None if lan is None else json.dumps(asdict(lan), default=str, sort_keys=True)


def _lan(text: str) -> Lan:
    fields = json.loads(text)
    ranges = tuple((IPAddress(first), IPAddress(last)) for first, last in fields["ranges"])
    return Lan(**fields | {"gateway6": address_or_none(fields["gateway6"]), "ranges": ranges})
