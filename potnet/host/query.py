"""The facts that a command needs about a host; a driver finds them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

from netaddr import IPAddress

from potnet.host.ruleset import MainText, Pipes, Ruleset
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """The facts to look for; the driver runs the fewest commands that answer the query.

    The answer is a `potnet.host.state.HostState`, whose comments describe the facts. True requests a fact.
    """

    # Jails and users
    #: Names, or None for all.
    jails: tuple[str, ...] | None = ()
    #: Expected roots by jail; the search for an owner of an interface starts there.
    roots: tuple[tuple[str, str], ...] = ()
    #: Jails, each with the families of the default routes to find.
    jail_networks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    #: Jail and name of each interface.
    jail_interfaces: tuple[tuple[str, str], ...] = ()
    #: Jails, each with names of parameters.
    jail_parameters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: The names of all parameters of jails.
    known_parameters: bool = False
    #: Names, or None for all.
    users: tuple[str, ...] | None = ()

    # Interfaces
    names: bool = False
    #: Possible names; `names` lists those that exist.
    candidates: tuple[str, ...] = ()
    #: Names, or None for all; missing interfaces are not an error.
    interfaces: tuple[str, ...] | None = ()
    #: `interfaces` includes the members of requested bridges.
    members: bool = False
    indexes: bool = False
    #: With `interfaces`: those of them that the filter has lost.
    lost: bool = False
    #: With `interfaces`: those of them that are wireless.
    wireless: bool = False
    own: bool = False
    pot_bridges: bool = False
    taps: tuple[str, ...] = ()
    #: Taps, each with its expected owner.
    tap_owners: tuple[tuple[str, str], ...] = ()
    traffic: bool = False
    bridge_rules: bool = False
    #: An external interface is a member of a bridge only if its connection is complete.
    uplinks: bool = False

    # Routes and addresses
    external: bool = False
    routes: bool = False
    routes6: bool = False
    forwarding: bool = False
    own_addresses: tuple[IPAddress, ...] = ()
    #: On hosts whose filter does not know the first address of an interface.
    local_addresses: bool = False
    #: Addresses outside the host; each is asked for, which takes a second.
    answering: tuple[IPAddress, ...] = ()
    jail_addresses: bool = False
    #: The name of an interface.
    learns_router: str | None = None
    listeners: bool = False
    #: `listeners` has the owning processes, which may take long.
    owners: bool = False
    port_range: bool = False

    # Packet filter
    packet_filter: bool = False
    #: `packet_filter` has this field.
    filter_local: bool = False
    #: The anchors of potnet, as calls name them; `packet_filter` has the rules of the anchors of others.
    own_anchors: tuple[str, ...] = ()
    #: The main ruleset to compare with.
    main_text: MainText | None = None
    #: The path of the NAT anchor.
    loaded_anchor: str | None = None
    #: Anchors with their expected rules.
    anchors: tuple[tuple[str, Ruleset], ...] = ()
    anchor_parents: tuple[str, ...] = ()
    holding: tuple[str, ...] = ()
    #: The expected rules of all anchors, for a search of other entries.
    all_rules: tuple[tuple[str, Ruleset], ...] = ()
    pipes: tuple[Pipes, ...] = ()
    unfiltered: bool = False

    # Files
    files: tuple[str, ...] = ()
    #: Paths that should be directories; links are followed.
    directories: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    mounts: bool = False
    #: Datasets of zfs(8) that may exist.
    mount_points: tuple[str, ...] = ()
    #: Directories among `files` where jails mount a device file system, each with the devfs ruleset of the
    #: jail (None: the default).
    devfs: tuple[tuple[str, int | None], ...] = ()
    #: Devfs rulesets.
    rulesets: tuple[int | None, ...] = ()
    #: Datasets with their snapshots.
    snapshots: tuple[str, ...] = ()
    #: The address of a release's directory on a mirror.
    release: str | None = None
    machine: bool = False

    # Boot
    hostname: bool = False
    boot_variables: tuple[str, ...] = ()
    boot_files: tuple[str, ...] = ()


def union(queries: Iterable[Query]) -> Query:
    """Merge queries into one that requests everything."""
    found = tuple(queries)
    return Query(
        **{each.name: _all_of([getattr(query, each.name) for query in found]) for each in fields(Query)}
    )


def _all_of(values: Sequence[Any]) -> Any:
    if any(isinstance(value, bool) for value in values):
        return any(values)
    if any(isinstance(value, tuple) for value in values):
        return None if None in values else tuple(dict.fromkeys(chain.from_iterable(values)))
    return next((value for value in values if value is not None), None)
