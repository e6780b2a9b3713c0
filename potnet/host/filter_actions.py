"""The actions on the packet filter of a host, one small change each (see `potnet.host.actions`)."""

from __future__ import annotations

from dataclasses import field

from netaddr import IPAddress, IPNetwork

from potnet.host.ruleset import NoRules, Outlet, Pipes, Redirection, Ruleset
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LoadAnchor:
    """Replace the rules of an anchor in one step.

    replaced: the earlier rules, if known, for a filter that removes entries by their names. exact: the anchor
    has just these earlier rules, so such a filter loads only the entries that it lacks.
    """

    anchor: str
    rules: Ruleset
    replaced: Ruleset = field(default_factory=NoRules)
    exact: bool = False


@dataclass(frozen=True, slots=True)
class RemoveEntry:
    """Remove an entry from a map or set of the packet filter, on hosts whose filter has maps or sets.

    members: the map or set is about members of bridges.
    """

    place: str
    key: str
    members: bool = False


@dataclass(frozen=True, slots=True)
class KillStates:
    """End the connections of redirections that are no longer in force.

    whole_pot: every connection to these addresses ends too, because the pot goes away.
    """

    redirections: tuple[Redirection, ...]
    whole_pot: tuple[IPAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class EndUntranslated:
    """End connections to ports of the host that have become exports; they would bypass the redirection.

    outlets: where the redirections are offered.
    """

    redirections: tuple[Redirection, ...]
    outlets: tuple[Outlet, ...]


@dataclass(frozen=True, slots=True)
class EndConnections:
    """End the connections that were opened from one network to another, both of one family."""

    source: IPNetwork
    destination: IPNetwork


@dataclass(frozen=True, slots=True)
class LimitRate:
    """Limit the traffic of a pot whose epairs exist."""

    pipes: Pipes


@dataclass(frozen=True, slots=True)
class LiftRate:
    """Remove the traffic limit of a pot; the epairs may be gone."""

    pipes: Pipes


@dataclass(frozen=True, slots=True)
class PrepareFilter:
    """Load the packet filter's module, if necessary."""


@dataclass(frozen=True, slots=True)
class CheckRules:
    """Fail unless the packet filter accepts this file as its main ruleset. flags: options of the command."""

    path: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadRules:
    """Load a main ruleset. flags: options of the command, beside the file."""

    path: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SwitchFilter:
    """Turn the packet filter on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class FilterMembers:
    """Set whether the packet filter also checks packets at the members of bridges.

    switches: the host's switches for this, as the host names them.
    """

    switches: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class FilterLocal:
    """Let the filter check connections of the host with itself, from the next time it is switched on."""


FilterAction = (
    LoadAnchor
    | RemoveEntry
    | KillStates
    | EndUntranslated
    | EndConnections
    | LimitRate
    | LiftRate
    | PrepareFilter
    | CheckRules
    | LoadRules
    | SwitchFilter
    | FilterMembers
    | FilterLocal
)
