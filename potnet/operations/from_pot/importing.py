"""import: take over pots and bridges of an installation of pot, completely or not at all.

potnet changes nothing of pot and copies no root: a pot keeps its present root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING

from netaddr import IPAddress, IPNetwork

from potnet.apply import apply
from potnet.errors import HostError, PotnetError
from potnet.host.actions import Plan
from potnet.host.query import Query
from potnet.host.state import FileKind, HostState
from potnet.model.bridges import Bridge, BridgeKind, Subnet
from potnet.model.names import PUBLIC, same_name
from potnet.model.pots import Attachment, NetworkType, Pot, Run
from potnet.operations.common import (
    busy_units,
    check_name,
    define_public_network,
    offered,
    parse_address,
    public_bridges,
    refuse_same_anchor,
)
from potnet.operations.from_pot.translate import CannotComeError, Draft, translate
from potnet.operations.networks.addresses import aliases_of, check_aliases, check_resolver, private_bridge
from potnet.operations.networks.bridges import RESERVED
from potnet.operations.pots.make_root import own_etc, refuse_places
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App
    from potnet.pot_installation import Installation, PotBridge, PotFile

#: Number of paths that one command queries.
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Imported:
    """The result for one pot. running: whether its jail was imported, or why not; empty if none runs.

    left: settings that were not imported, a line each.
    """

    pot: Pot
    changed: bool
    running: str = ""
    left: tuple[str, ...] = ()


@dataclass
class Result:
    """The result of an import. bridges: each, and whether it is new. skipped: names and reasons."""

    pots: list[Imported] = field(default_factory=list)
    bridges: list[tuple[Bridge, bool]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def import_pots(app: App, names: Sequence[str] | None) -> Result:
    """Import pots of the installation into the store. Running it again is harmless.

    names: None for all pots and bridges; unsupported pots are then skipped. An unsupported pot that is named
    is an error. Raises PotnetError that lists all problems, with nothing imported.
    """
    found = app.installation
    if found is None:
        raise PotnetError(
            "no installation of pot found on this machine",
            hint="set pot.prefix in the configuration",
        )
    files = _chosen(found, names)
    problems = _Problems()
    result = Result()
    drafts = _drafts(app, found, files, problems, result if names is None else None)
    state = _look(app, [draft.pot for draft in drafts])
    busy = set(busy_units(app, "epair"))
    with app.store.transaction():
        define_public_network(app)
        wanted = {draft.bridge for draft in drafts if draft.bridge is not None}
        for bridge in found.bridges:
            if names is None or bridge.name in wanted:
                with problems.of(f"bridge {bridge.name}"):
                    result.bridges.append(_bridge(app, bridge))
        with app.progress.of(len(drafts), "imported") as tell:
            for draft in drafts:
                with problems.of(draft.pot.name):
                    result.pots.append(_pot(app, draft, state, busy))
                tell(len(result.pots))
        problems.throw()
        steps = [step for each in result.pots if each.changed for step in own_etc(app, each.pot)]
        apply(Plan(tuple(steps)), app.driver)
    return result


class _Problems:
    """All problems, reported together."""

    def __init__(self) -> None:
        self._found: list[tuple[str, PotnetError]] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        try:
            yield
        except PotnetError as error:
            self._found.append((name, error))

    def throw(self) -> None:
        if not self._found:
            return
        text = "".join(f"\n  {name}: {error.message}" for name, error in self._found)
        hints = dict.fromkeys(error.hint for _, error in self._found if error.hint)
        what = f"nothing was imported, because of conflicts:{text}"
        raise PotnetError(what, "\nhint: ".join(hints) or None)


def _chosen(found: Installation, names: Sequence[str] | None) -> list[PotFile]:
    files = list(found.pot_files())
    if names is None:
        return files
    known = {file.name: file for file in files}
    missing = [name for name in names if name not in known]
    if missing:
        there = ", ".join(list(known)[:10]) or "none"
        raise PotnetError(f"{found.root} has no pot {missing[0]!r}", hint=f"its pots: {there}")
    return [known[name] for name in dict.fromkeys(names)]


def _drafts(
    app: App, found: Installation, files: Sequence[PotFile], problems: _Problems, result: Result | None
) -> list[Draft]:
    """Return the pots that can be imported. result: lists the others; None: the others are problems."""
    jails = app.driver.real_path(f"{found.root}/jails") or f"{found.root}/jails"
    drafts = []
    for file in files:
        with problems.of(file.name):
            try:
                draft = translate(file, found.settings, f"{jails}/{file.name}/m")
                drafts.append(draft if app.driver.traits.jail_parameters else draft.without_parameters())
            except CannotComeError as error:
                if result is None:
                    raise PotnetError(str(error), hint="omit it: pot continues to run it") from error
                result.skipped.append((file.name, str(error)))
    return drafts


def _look(app: App, pots: Sequence[Pot]) -> HostState:
    """Observe the host state that an import needs: the roots, and the running jails."""
    names = tuple(pot.name for pot in pots)
    aliased = any(pot.network_type is NetworkType.ALIAS for pot in pots)
    state = app.driver.observe(
        Query(jails=names or (), interfaces=None if aliased else (), mounts=bool(names))
    )
    files: dict[str, FileKind] = {}
    roots = [pot.root for pot in pots]
    for start in range(0, len(roots), _AT_ONCE):
        files |= app.driver.observe(Query(files=tuple(roots[start : start + _AT_ONCE]))).files
    return replace(state, files=files)


def _bridge(app: App, theirs: PotBridge) -> tuple[Bridge, bool]:
    """Record a private bridge of pot; return whether it is new. Its size is the capacity of its network."""
    check_name("bridge", theirs.name)
    network, gateway = IPNetwork(str(theirs.network)), IPAddress(str(theirs.gateway))
    known = app.store.bridge(theirs.name)
    if known is not None:
        if (known.network, known.gateway) == (network, gateway):
            return known, False
        what = f"another bridge of that name exists here ({known.network})"
        raise PotnetError(what, hint="import its pots by name, without those on that bridge")
    if theirs.name in RESERVED:
        raise PotnetError(f"the name {theirs.name} is reserved for potnet", hint="import its pots by name")
    refuse_same_anchor(app, "bridge", theirs.name)
    app.store.carve_given(PUBLIC, theirs.name, network, gateway)
    unit = app.store.free_unit("bridge", busy_units(app, "bridge"))
    bridge = Bridge(theirs.name, BridgeKind.PRIVATE, unit, network, gateway, network.size - 3)
    app.store.add_bridge(bridge)
    return bridge, True


def _pot(app: App, draft: Draft, state: HostState, busy: set[int]) -> Imported:
    pot = draft.pot
    known = app.store.pot(pot.name)
    if known is not None:
        if known.root == pot.root:
            return Imported(known, False)
        raise PotnetError(f"another pot of that name exists here, with the root {known.root}", hint="omit it")
    if state.files.get(pot.root) is not FileKind.DIRECTORY:
        raise HostError(f"its root {pot.root} is not a directory on the host", hint="mount its dataset")
    refuse_places(app, pot)
    refuse_same_anchor(app, "pot", pot.name)
    check_resolver(app, pot)
    pot = _with_addresses(app, draft, state, busy)
    app.store.add_pot(pot)
    return Imported(pot, True, _take_over(app, pot, state), draft.left)


def _with_addresses(app: App, draft: Draft, state: HostState, busy: set[int]) -> Pot:
    """Lease the pot's addresses from pot, and return the pot with them."""
    pot = draft.pot
    if pot.network_type is NetworkType.ALIAS:
        pot = replace(pot, aliases=aliases_of(app, draft.addresses))
        if pot.name not in state.jails:
            check_aliases(app, pot)
        return pot
    if not pot.network_type.bridged:
        return pot
    bridges: tuple[Bridge, ...]
    if draft.bridge is not None:
        bridges = (private_bridge(app, draft.bridge),)
    else:
        bridges = tuple(offered(app, each) for each in public_bridges(app, pot.stack.families))
    attachments = []
    for bridge in bridges:
        unit = app.store.free_unit("epair", busy)
        busy.add(unit)
        found = {
            subnet.network.version: _lease(app, pot.name, subnet, draft.addresses)
            for subnet in bridge.subnets
            if subnet.network.version in pot.stack.families
        }
        attachments.append(Attachment(bridge.name, unit, app.store.new_mac(), found.get(4), found.get(6)))
    return replace(pot, attachments=tuple(attachments))


def _lease(app: App, pot: str, subnet: Subnet, addresses: Sequence[str]) -> IPAddress:
    """Lease the pot's address from pot, or a chosen IPv6 address, which pot does not assign."""
    if subnet.network.version == 6:
        return app.store.reserve(subnet.name, pot)
    if len(addresses) != 1:
        what = f"it has {len(addresses)} addresses for bridge {subnet.name}"
        raise PotnetError(what, hint="write one into its configuration: ip=ADDRESS")
    address = parse_address(addresses[0])
    serves = subnet.name == PUBLIC and same_name(pot, app.config.dns_name)
    if serves and address == app.config.dns_address:
        return app.store.reserve_excluded(subnet.name, pot, address)
    return app.store.reserve(subnet.name, pot, address)


def _take_over(app: App, pot: Pot, state: HostState) -> str:
    """Record a running jail of pot as a start, if potnet would have made the same jail."""
    jail = state.jails.get(pot.name)
    if jail is None or jail.dying:
        return ""
    reason = _why_not(pot, state)
    if reason:
        return f"runs and is not taken over: {reason}; `pot stop {pot.name}`, then `potnet start {pot.name}`"
    devfs = f"{pot.root}/dev" in state.mounts
    app.store.put_run(Run(pot, jail.jid, devfs=devfs, booted=not pot.command))
    return "runs and is taken over"


def _why_not(pot: Pot, state: HostState) -> str:
    jail = state.jails[pot.name]
    if jail.path not in (None, pot.root):
        return f"the jail of that name has the root {jail.path}"
    if pot.network_type.bridged:
        return "its interface and bridge belong to pot, and only pot removes them"
    for alias in pot.aliases:
        if alias.address.version in pot.stack.families:
            interface = state.interfaces.get(alias.interface)
            if interface is None or not interface.has_alone(alias.address):
                return f"{alias.address} is not on {alias.interface}"
    own = f"{pot.root}/dev"
    others = [path for path in state.mounts if path.startswith(f"{pot.root}/") and path != own]
    return f"pot has mounted {others[0]} in it" if others else ""
