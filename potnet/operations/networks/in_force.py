"""The record of the external interfaces that the rules in force name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.host.ruleset import Outlet
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

#: Store key for the external interfaces that the rules in force name.
OUTLETS = "outlets"
#: Store key of a store from an older version, set until its exports have been reported.
NARROWED = "exports-narrowed"


@dataclass(frozen=True, slots=True)
class InForce:
    """External interfaces that rules were loaded for, the main one first.

    settled: all rules name these interfaces; otherwise a change was cut off, and rules may name any of them.
    further: as of `potnet.host.ruleset.SourceNat`. networks: as of `Vnet`,
    those that the rules name.
    """

    outlets: tuple[Outlet, ...]
    settled: bool = True
    further: tuple[IPNetwork, ...] = ()
    networks: tuple[IPNetwork, ...] = ()


def candidates(app: App) -> tuple[str, ...]:
    """Return the configured external interface to look for; a default route's interface always exists."""
    name = app.config.external_interface
    return (name,) if name is not None else ()


def known_outlets(app: App, external: str | None = None) -> tuple[str, ...]:
    """Return the interfaces to observe if rules depend on their addresses. external: the present one."""
    if app.driver.traits.first_address:
        return ()
    known = recorded(app)
    kept = (each.interface for each in (known.outlets if known is not None else ()))
    now = (external,) if external is not None else ()
    return tuple(dict.fromkeys((*now, *candidates(app), *dict(app.config.extra_interfaces), *kept)))


def recorded(app: App) -> InForce | None:
    """Return the record; None if the store has none, or it cannot be read."""
    text = app.store.remembered(OUTLETS)
    try:
        found = json.loads(text or "{}")
        outlets = tuple(
            Outlet(name, tuple(map(IPAddress, addresses)), tuple(map(IPNetwork, behind)))
            for name, addresses, behind in found["outlets"]
        )
        further = tuple(map(IPNetwork, found.get("further", ())))
        networks = tuple(map(IPNetwork, found.get("networks", found.get("networks6", ()))))
        return InForce(outlets, bool(found["settled"]), further, networks) if outlets else None
    except (KeyError, TypeError, ValueError):
        return None


def recorded_further(app: App) -> tuple[IPNetwork, ...]:
    """Return the recorded addresses without exports."""
    known = recorded(app)
    return known.further if known is not None else ()


def recorded_networks(app: App) -> tuple[IPNetwork, ...] | None:
    """Return the recorded networks of pots except the public one; None: none are recorded."""
    known = recorded(app)
    return known.networks if known is not None else None


def keep(app: App, known: InForce) -> None:
    """Replace the record."""
    outlets = [
        [each.interface, [*map(str, each.addresses)], [*map(str, each.destinations)]]
        for each in known.outlets
    ]
    further = [str(each.ip if each.size == 1 else each) for each in known.further]
    lists = {"further": further, "networks": [*map(str, known.networks)]}
    value = {"outlets": outlets, "settled": known.settled} | {
        key: each for key, each in lists.items() if each
    }
    app.store.remember(OUTLETS, json.dumps(value))
