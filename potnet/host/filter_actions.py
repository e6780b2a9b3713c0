"""What can be done to the packet filter of a host, one small change each (see `potnet.host.actions`)."""

from __future__ import annotations

from dataclasses import field

from netaddr import IPAddress, IPNetwork

from potnet.host.ruleset import NoRules, Outlet, Pipes, Redirection, Ruleset
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LoadAnchor:
    """Replaces the rules of an anchor in one step.

    replaced: what it held, as far as that is known, for a filter that takes entries away by their names.
    """

    anchor: str
    rules: Ruleset
    replaced: Ruleset = field(default_factory=NoRules)


@dataclass(frozen=True, slots=True)
class RemoveEntry:
    """Takes an entry out of a map or set of the packet filter's, on hosts whose filter has some.

    members: out of one that is about members of bridges.
    """

    place: str
    key: str
    members: bool = False


@dataclass(frozen=True, slots=True)
class KillStates:
    """Ends the connections that came through redirections which are no more in force.

    whole_pot: everything that leads to these addresses ends too, the pot going with it.
    """

    redirections: tuple[Redirection, ...]
    whole_pot: tuple[IPAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class EndUntranslated:
    """Ends what goes to the host's own ports that have become exports: as long as it goes on, it stays there.

    outlets: where the redirections are offered.
    """

    redirections: tuple[Redirection, ...]
    outlets: tuple[Outlet, ...]


@dataclass(frozen=True, slots=True)
class EndConnections:
    """Ends what was opened from one network to another, both of a family."""

    source: IPNetwork
    destination: IPNetwork


@dataclass(frozen=True, slots=True)
class LimitRate:
    """Makes what limits the traffic of a pot, whose epairs are there."""

    pipes: Pipes


@dataclass(frozen=True, slots=True)
class LiftRate:
    """Takes that away; the epairs may be gone."""

    pipes: Pipes


@dataclass(frozen=True, slots=True)
class PrepareFilter:
    """Makes the packet filter's module available."""


@dataclass(frozen=True, slots=True)
class CheckRules:
    """Fails unless the packet filter would take this file as its main ruleset. flags: beside the file."""

    path: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadRules:
    """Puts a main ruleset in force. flags: beside the file."""

    path: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SwitchFilter:
    """Turns the packet filter on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class FilterMembers:
    """Whether the filter looks at what comes in and goes out at the members of bridges, too.

    switches: those of the host that it takes, as the host names them.
    """

    switches: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class FilterLocal:
    """Lets the filter look at connections of the host with itself, from the time it is switched on next."""


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
