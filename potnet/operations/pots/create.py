"""create: check the options, reserve everything in one transaction, and make the root."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from potnet.apply import Applied
from potnet.errors import PotnetError, UsageError
from potnet.model.pots import NetworkType, Pot, Resolver, Stack
from potnet.operations.common import (
    check_characters,
    check_hostname,
    check_name,
    define_public_network,
    parse_command,
    pot_lock,
    refuse_same_anchor,
)
from potnet.operations.files.resolvers import parse_resolver
from potnet.operations.journal import refuse_new_name
from potnet.operations.networks.addresses import (
    Networks,
    aliases_of,
    attach,
    check_aliases,
    check_resolver,
    named_bridge,
)
from potnet.operations.networks.interfaces import (
    check_macs,
    check_mtu,
    check_passed,
    parse_passed,
    refuse_small,
    to_change,
    with_macs,
)
from potnet.operations.networks.network_options import (
    UNCHANGED,
    NetworkOptions,
    check_attachments,
    with_options,
)
from potnet.operations.pots.destroy import remove_rest
from potnet.operations.pots.jail_parameters import with_parameters
from potnet.operations.pots.make_root import make_root, on_free_place, refuse_exposed_root, refuse_places
from potnet.operations.pots.virtual_machines import ROOT, UNFIT, refuse_unfit, with_owner
from potnet.operations.selection import check_priority, parse_needs
from potnet.planning.jail import host_files
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

_RELEASE = re.compile(r"([0-9]{1,3}\.[0-9]{1,3})(?:-RELEASE)?")


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """The options of ``create``. addresses: the -i values; resolver: the -d value; None: the default.

    more: further networks, each as its type and, for a private bridge, the bridge. macs: of the interfaces on
    bridges, in their order. mtu: of all bridges of the pot, in bytes. passed: interfaces of the host. tap:
    the pot is a virtual machine, not a jail. owner: the user who may open its taps, None: root. needs: pots
    that start before it. priority: pots with a lower number start first. parameters: of jail(8), the
    --param values.
    """

    name: str | None = None
    network_type: NetworkType = NetworkType.INHERIT
    stack: Stack | None = None
    addresses: tuple[str, ...] = ()
    bridge: str | None = None
    more: Networks = ()
    macs: tuple[str, ...] = ()
    mtu: int | None = None
    passed: tuple[str, ...] = ()
    resolver: str | None = None
    hostname: str | None = None
    path: str | None = None
    base: str | None = None
    command: str | None = None
    boot: bool = False
    tap: bool = False
    owner: str | None = None
    needs: tuple[str, ...] = ()
    priority: int = 0
    parameters: tuple[str, ...] = ()
    network: NetworkOptions = UNCHANGED

    @property
    def networks(self) -> Networks:
        """All networks of the pot; the network of the default route comes first."""
        return ((self.network_type, self.bridge), *self.more)


def create(app: App, request: CreateRequest) -> Pot:
    """Record a pot with everything reserved for it, then make its root. Nothing stays on failure.

    Remains of an earlier create or destroy that was cut off go first, for this name and for unnamed pots.
    """
    if request.name is not None:
        check_name("pot", request.name)
    if request.base is not None and not app.driver.traits.own_programs:
        raise PotnetError(
            "-b cannot be used on this host: its pots run the programs of the host",
            hint="omit -b",
        )
    draft = with_options(_with_taps(app, request, _draft(app, request)), request.network)
    draft = with_parameters(app, draft, request.parameters)
    _check_network(app, request, draft)
    macs = check_macs(app, draft.name, request.macs)
    check_passed(app, draft)
    base = _release(request.base)
    if base and request.path:
        raise UsageError(
            "-b unpacks a release into a new root, --path uses one that exists", hint="give one of the two"
        )
    with _new_name(app, request.name) as name:
        unfinished = app.store.pot(name)
        if unfinished is not None and not unfinished.whole:
            remove_rest(app, unfinished)
        draft = _placed(app, replace(draft, name=name, root=_root(app, name, request.path)))
        draft = on_free_place(app, draft)
        with app.store.transaction():
            pot = _reserve(app, request, draft, macs)
        applied = Applied(app.driver)
        try:
            applied = make_root(app, pot, base)
            return completed(app, pot, request.mtu)
        except BaseException as error:
            applied.take_back(error)
            if not getattr(error, "left_behind", ()):
                app.store.remove_pot(pot.name)
            raise


@contextmanager
def _new_name(app: App, given: str | None) -> Iterator[str]:
    """Lock the given name, or the lowest free name that no other create is using."""
    if given is None:
        with (
            app.locks.hold_first(lambda: [pot_lock(name) for name in app.store.next_pot_names()]) as lock,
            _unless_made(app, lock.removeprefix(pot_lock(""))) as name,
        ):
            yield name
    else:
        app.store.refuse_present(given)
        with app.locks.hold(pot_lock(given)), _unless_made(app, given):
            yield given


@contextmanager
def _unless_made(app: App, name: str) -> Iterator[str]:
    """Remove the lock of the pot if the pot was not made."""
    try:
        yield name
    except BaseException:
        if not app.store.has_pot(name):
            app.locks.discard(pot_lock(name))
        raise


def _draft(app: App, request: CreateRequest) -> Pot:
    """Return the pot before anything is reserved; its name may still be empty."""
    name = request.name or ""
    if request.hostname is not None:
        check_hostname(request.hostname)
    return Pot(
        name=name,
        network_type=request.network_type,
        stack=request.stack or app.config.stack,
        root=_root(app, name, request.path),
        root_made=request.path is None,
        hostname=request.hostname or name,
        base=_release(request.base),
        resolver=parse_resolver(request.resolver) if request.resolver is not None else Resolver(),
        command=parse_command(request.command) if request.command else (),
        boot=request.boot,
        priority=check_priority(request.priority),
        passed=parse_passed(request.passed),
        aliases=aliases_of(app, request.addresses) if request.network_type is NetworkType.ALIAS else (),
    )


def _placed(app: App, draft: Pot) -> Pot:
    """Return the pot with the directory that potnet makes for it."""
    if not draft.root_made or not draft.is_jail:
        return draft
    return replace(draft, directory=draft.root.removesuffix("/m"))


def _with_taps(app: App, request: CreateRequest, draft: Pot) -> Pot:
    """Turn the pot into a virtual machine if requested; raises PotnetError for options of jails."""
    machine = replace(draft, owner=ROOT) if request.tap else draft
    if request.tap and not request.network_type.bridged:
        raise UsageError(
            f"--tap requires a bridge: -N {request.network_type} shares the host's network",
            hint="use -N public-bridge, -N private-bridge or -N bridge",
        )
    given = {name: getattr(request, name) for name in UNFIT}
    refuse_unfit(machine, **given)
    return with_owner(app, machine, request.owner)


def _root(app: App, name: str, path: str | None) -> str:
    if path is None:
        return f"{app.config.jails}/{name}/m"
    check_characters("root --path", path)
    if not path.startswith("/"):
        raise UsageError(
            f"invalid root --path {path!r}: not an absolute path", hint="write one such as /jails/web"
        )
    return str(Path(path)) if path.strip("/") else "/"


def _release(text: str | None) -> str | None:
    if text is None:
        return None
    match = _RELEASE.fullmatch(text)
    if not match:
        raise UsageError(f"invalid release -b {text!r}", hint="write one such as 14.3")
    return match[1]


def _check_network(app: App, request: CreateRequest, pot: Pot) -> None:
    if request.network_type is NetworkType.INHERIT and request.addresses:
        raise UsageError("-i cannot be used with -N inherit, which uses the addresses of the host")
    if request.network_type is NetworkType.ALIAS:
        check_aliases(app, pot)
    seen: set[tuple[NetworkType, str | None]] = set()
    for network in request.networks:
        kind, bridge = network
        if not kind.bridged and request.more:
            raise UsageError(
                f"-N {kind} shares the host's network: it cannot be combined with another -N",
                hint=f"give -N {kind} alone",
            )
        if bridge is not None and not kind.named:
            raise UsageError(f"-B is for -N private-bridge and -N bridge, not {kind}")
        if kind.named:
            _check_named(app, kind, bridge, pot)
        if network in seen:
            raise UsageError(f"{bridge or 'the public bridge'} is given twice", hint="once is enough")
        seen.add(network)


#: The commands that create the bridges of network types that name one.
_CREATES = {
    NetworkType.PRIVATE_BRIDGE: "create-private-bridge",
    NetworkType.BRIDGE: "create-bridge",
}


def _check_named(app: App, kind: NetworkType, name: str | None, pot: Pot) -> None:
    command = _CREATES[kind]
    if name is None:
        raise UsageError(f"-N {kind} needs a bridge", hint=f"give -B BRIDGE; `potnet {command}` creates one")
    bridge = named_bridge(app, kind, name)
    if bridge.network6 is not None or (bridge.lan is not None and bridge.lan.slaac):
        return
    title = f"private bridge {name}" if bridge.lan is None else f"bridge {name}"
    if pot.stack is Stack.IPV6:
        raise PotnetError(
            f"{title} carries IPv4 only",
            hint=f"choose -S ipv4 or -S dual, or a bridge made with {command} -6",
        )
    if pot.stack is Stack.DUAL:
        app.notify(f"{title} carries IPv4 only: the pot has no IPv6 there")


def _reserve(app: App, request: CreateRequest, draft: Pot, macs: Sequence[str]) -> Pot:
    """Reserve what pots cannot share (names, addresses, units), within the caller's transaction."""
    define_public_network(app)
    pot = replace(draft, hostname=draft.hostname or draft.name, whole=False)
    refuse_new_name(app, pot.name)
    refuse_same_anchor(app, "pot", pot.name)
    check_resolver(app, pot)
    pot = replace(pot, needs=parse_needs(app, pot, request.needs))
    pot = with_macs(attach(app, pot, request.networks, request.addresses), macs)
    check_attachments(pot, app.driver.traits)
    if request.mtu is not None:
        to_change(app, pot, check_mtu(request.mtu))
    else:
        refuse_small(app, pot)
    app.store.add_pot(pot)
    return pot


def completed(app: App, pot: Pot, mtu: int | None) -> Pot:
    """Complete the pot: resolve its root's links, as jail(8) shows the root, and set its bridges' MTU."""
    real = app.driver.real_path(pot.root) if pot.is_jail else None
    moved = real is not None and real != pot.root
    pot = _placed(app, replace(pot, whole=True, root=real or pot.root))
    if moved:
        refuse_places(app, pot)
    if moved or not pot.root_made:
        refuse_exposed_root(app, pot)
    with app.store.transaction():
        app.store.update_pot(pot)
        for bridge in to_change(app, pot, mtu) if mtu is not None else ():
            app.store.update_bridge(bridge)
    if pot.is_jail and host_files(pot.root):
        app.notify(f"root in {pot.name} controls this host: the root of the pot is /")
    return pot
