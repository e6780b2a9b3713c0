"""Functions that several operations share: finding, checking and locking pots and bridges."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from netaddr import IPAddress

from potnet.errors import HostError, PotnetError, UsageError
from potnet.host.query import Query
from potnet.host.state import HostState
from potnet.model.bridges import Bridge, BridgeKind, network6_of
from potnet.model.names import PUBLIC, PUBLIC6, is_special
from potnet.model.pots import Ipv6, Pot, Run, valid_name
from potnet.operations.journal import refuse_renamed
from potnet.planning.ownership import presence, running
from potnet.planning.vnet import refuse_small_mtu
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App
    from potnet.store.numbers import UnitKind

#: Store keys for the forwarding that potnet enabled, by family, and for the interface where it made the host
#: keep accepting router advertisements.
FORWARDING = {4: "forwarding4", 6: "forwarding6"}
ROUTER = "router6"
#: Store key for the switches that potnet enabled so that the filter inspects bridge members, separated by
#: spaces.
MEMBERS = "members"
#: Held while a command inspects and changes shared state (bridges, forwarding, the NAT anchor).
NETWORK_LOCK = "network"

NAME_HINT = "1 to 63 letters, digits, - and _, beginning with a letter or digit, and not digits only"
_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*")


SPECIAL = "the name has another meaning for programs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one pot: changed, or already in the requested state."""

    name: str
    changed: bool


class Failures:
    """The failures of several pots, reported together at the end."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._errors: list[PotnetError] = []
        self.names: list[str] = []

    @contextmanager
    def collect(self, name: str) -> Iterator[None]:
        """Keep a failure with one pot, so that the others are still tried."""
        try:
            yield
        except PotnetError as error:
            error.message = f"cannot {self._verb} {name}: {error.message}"
            self._errors.append(error)
            self.names.append(name)

    def add(self, error: PotnetError) -> None:
        """Keep an error about a part of the work, after which the rest goes on."""
        self._errors.append(error)

    def throw(self, done: Sequence[str], notify: Callable[[str], None]) -> None:
        """If failures were kept, report the results, then raise the failures."""
        if self._errors:
            for line in done:
                notify(line)
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            hints = dict.fromkeys(error.hint for error in self._errors if error.hint)
            raise HostError(
                "\n".join(error.message for error in self._errors), "\nhint: ".join(hints) or None
            )


def check_name(what: str, name: str) -> None:
    """Raises UsageError unless a new pot or bridge may have this name."""
    if not valid_name(name):
        raise UsageError(f"invalid {what} name {name!r}", hint=f"a name is {NAME_HINT}")
    if is_special(name):
        raise UsageError(f"invalid {what} name {name!r}: {SPECIAL}", hint="choose another name")


def refuse_same_anchor(app: App, what: Literal["pot", "bridge"], name: str) -> None:
    """Raises PotnetError if the truncated anchor name of a pot equals that of another pot."""
    from potnet.planning.filter.packet_filter import cut_anchors, of_bridge, of_pot

    anchors = of_pot if what == "pot" else of_bridge
    own = set(cut_anchors(anchors(app.config, name), name))
    if not own:
        return
    known = app.store.pot_names() if what == "pot" else [bridge.name for bridge in app.store.bridges()]
    for other in known:
        if other != name and own.intersection(cut_anchors(anchors(app.config, other), other)):
            raise PotnetError(
                f"{what} {other} already uses the anchors of {name}", hint="choose another name"
            )


def check_hostname(hostname: str) -> None:
    """Raises UsageError unless this is a host name (RFC 1123, and underscores)."""
    if len(hostname) > 253 or not _HOSTNAME.fullmatch(hostname):
        raise UsageError(
            f"invalid host name {hostname!r}", hint="use letters, digits and -, with dots between"
        )
    if is_special(hostname):
        raise UsageError(f"invalid host name {hostname!r}: {SPECIAL}", hint="choose another name")


def check_characters(what: str, text: str) -> None:
    """Raises UsageError for a path with control characters, or with bytes that are not UTF-8."""
    if any(ord(c) < 32 or c == "\x7f" for c in text):
        raise UsageError(f"invalid {what} {text!r}: it has control characters")
    _check_utf8(what, text)


def _check_utf8(what: str, text: str) -> None:
    # Python represents each byte that is not UTF-8 by a surrogate (PEP 383).
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise UsageError(f"invalid {what} {text!r}: not in UTF-8")


def parse_command(text: str) -> tuple[str, ...]:
    """Split a command line into words, as a shell does; raises UsageError. Empty: the default command."""
    _check_utf8("command --cmd", text)
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--cmd {text!r}: {error}") from error
    if any("\0" in word for word in words):
        raise UsageError("--cmd: a command cannot hold a NUL")
    return words


def parse_address(text: str) -> IPAddress:
    """Return an IPv4 or IPv6 address in its usual form; raises UsageError."""
    from netaddr import INET_PTON, AddrFormatError

    try:
        return IPAddress(text, flags=INET_PTON)
    except (AddrFormatError, ValueError) as error:
        raise UsageError(
            f"invalid address {text!r}", hint="write one such as 10.192.0.10 or 2001:db8::10"
        ) from error


def require_pot(app: App, name: str) -> Pot:
    """Return the pot of that name; raises PotnetError that lists the existing pots."""
    pot = app.store.pot(name)
    if pot is None:
        raise PotnetError(f"pot {name!r} not found", hint=_those("pots", app.store.pot_names()))
    return pot


def pot_lock(name: str) -> str:
    """Return the name of the lock that every command on a pot holds."""
    return f"pot-{name}"


@contextmanager
def locked_pot(app: App, name: str) -> Iterator[Pot]:
    """Lock and return the pot of that name; raises PotnetError, for an incomplete pot too."""
    with locked_remains(app, name) as pot:
        refuse_incomplete(pot)
        refuse_renamed(app, pot.name)
        yield pot


@contextmanager
def locked_pot_without_exports(app: App, name: str) -> Iterator[Pot]:
    """Do the same, but leave out the pot's exports, which may be thousands."""
    with _locked(app, name) as name:
        pot = app.store.pot_without_exports(name) or require_pot(app, name)
        refuse_incomplete(pot)
        refuse_renamed(app, pot.name)
        yield pot


def refuse_incomplete(pot: Pot) -> None:
    """Raises PotnetError for a pot whose create or destroy was cut off."""
    if not pot.whole:
        raise PotnetError(
            f"pot {pot.name} is incomplete: its create or destroy was interrupted",
            hint=f"`potnet destroy -p {pot.name}` removes what is left",
        )


@contextmanager
def locked_remains(app: App, name: str) -> Iterator[Pot]:
    """Lock and return the pot of that name, complete or not; raises PotnetError."""
    with _locked(app, name) as name:
        yield require_pot(app, name)


@contextmanager
def _locked(app: App, name: str) -> Iterator[str]:
    """Lock the pot of that name and return its name as recorded; raises PotnetError."""
    name = app.store.called("pot", name) or require_pot(app, name).name
    with app.locks.hold(pot_lock(name)):
        if not app.store.has_pot(name):
            # Another command destroyed the pot while this one waited; waiting created the lock file again.
            app.locks.discard(pot_lock(name))
        yield name


def require_bridge(app: App, name: str) -> Bridge:
    """Return the bridge of that name; raises PotnetError that lists the existing bridges."""
    bridge = app.store.bridge(name)
    if bridge is None:
        names = tuple(b.name for b in app.store.bridges())
        raise PotnetError(f"bridge {name!r} not found", hint=_those("bridges", names))
    return bridge


def first_names(names: Sequence[str]) -> str:
    """Return the first ten names for a message, with a sign for further ones."""
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def _those(what: str, names: tuple[str, ...]) -> str:
    return f"{what}: {first_names(names)}" if names else f"no {what} exist yet"


def define_public_network(app: App) -> None:
    """Record the public network in the store, as configured."""
    config = app.config
    app.store.define_network(PUBLIC, config.network, (config.gateway, config.dns_address))
    drop_network6(app)


def drop_network6(app: App) -> None:
    """Drop a public IPv6 network that is no longer configured, once no pot uses it.

    While the bridge is up, rules for that network are in force, and their removal needs the network.
    """
    bridge = app.store.bridge(PUBLIC) if app.config.ipv6 is Ipv6.SLAAC else None
    if bridge is None or bridge.network6 is None or app.store.leases(network6_of(PUBLIC)):
        return
    if bridge.interface not in app.driver.observe(Query(pot_bridges=True)).pot_bridges:
        with app.store.transaction():
            app.store.uncarve(network6_of(PUBLIC))
            app.store.update_bridge(replace(bridge, network6=None, routed6=False))


def offered(app: App, bridge: Bridge) -> Bridge:
    """Return a bridge with the networks from which new pots get addresses."""
    learns = bridge.name == PUBLIC and app.config.ipv6 is Ipv6.SLAAC
    return replace(bridge, network6=None) if learns else bridge


def public_bridges(app: App, families: Collection[int]) -> tuple[Bridge, ...]:
    """Record the configured public bridges in the store; return those that carry these families."""
    slaac = app.config.ipv6 is Ipv6.SLAAC
    drop_network6(app)
    found = []
    if 4 in families or not slaac:
        found.append(_public(app, PUBLIC))
    if 6 in families and not slaac:
        found = [_with_network6(app, found[0])]
    if 6 in families and slaac:
        found.append(_public(app, PUBLIC6))
    return tuple(found)


def _public(app: App, name: str) -> Bridge:
    known = app.store.bridge(name)
    if known is not None:
        return known
    unit = app.store.free_unit("bridge", busy_units(app, "bridge"))
    if name == PUBLIC6:
        bridge = Bridge(name, BridgeKind.PUBLIC6, unit)
    else:
        define_public_network(app)
        bridge = Bridge(name, BridgeKind.PUBLIC, unit, app.config.network, app.config.gateway)
    app.store.add_bridge(bridge)
    return bridge


def _with_network6(app: App, bridge: Bridge) -> Bridge:
    """Give the public bridge the configured IPv6 network; raises PotnetError while pots use another."""
    prefix, routed = app.config.public6, app.config.ipv6 is Ipv6.ROUTED
    network = bridge.network6
    if network is None or prefix not in (None, network):
        name = network6_of(bridge.name)
        app.store.uncarve(name)
        network = app.store.carve6(name, prefix)
    if bridge.mtu is not None:
        refuse_small_mtu(bridge.mtu, 6)
    if (network, routed) != (bridge.network6, bridge.routed6):
        bridge = replace(bridge, network6=network, routed6=routed)
        app.store.update_bridge(bridge)
    return bridge


_UNIT = {"epair": r"epair(\d+)[ab]", "tap": r"tap(\d+)", "bridge": r"bridge(\d+)"}


def wire_kind(pot: Pot) -> Literal["epair", "tap"]:
    """Return the kind of interface that connects a pot to its bridges."""
    return "epair" if pot.is_jail else "tap"


def busy_units(app: App, kind: UnitKind, hidden: Collection[str] = ()) -> frozenset[int]:
    """Return the units of epairs, taps or bridges in use on the host; hidden: names in use but not shown."""
    pattern = re.compile(_UNIT[kind])
    names = app.driver.observe(Query(names=True)).names
    return frozenset(int(match[1]) for match in map(pattern.fullmatch, {*names, *hidden}) if match)


def external_interface(app: App, state: HostState) -> str | None:
    """Return the configured external interface, else that of the default route as observed."""
    return app.config.external_interface or state.external


def is_running(app: App, pot: Pot) -> bool:
    """Whether the pot runs, as the host reports."""
    run = app.store.run(pot.name)
    return running(run, look_for(app, pot, run))


def look_for(app: App, pot: Pot, run: Run | None) -> HostState:
    """Return the query for whether a pot runs. run: its recorded start."""
    return app.driver.observe(presence([run.pot if run is not None else pot]))


def require_jail(pot: Pot, what: str) -> None:
    """Raises PotnetError for a virtual machine, which has no jail."""
    if not pot.is_jail:
        raise PotnetError(
            f"{pot.name} has taps and no jail: {what}",
            hint=f"`potnet info -p {pot.name}` shows how its machine gets its network",
        )


def environment_of(pot: Pot, jid: int | None) -> tuple[tuple[str, str], ...]:
    """Return the variables of a pot for hooks and ``info -E``."""
    variables = [("_POT_NAME", pot.name)]
    for attachment in pot.attachments[:1]:
        variables.append(("_POT_IP", str(pot.leased[0]) if pot.leased else ""))
        if attachment.address6 is not None:
            variables.append(("_POT_IP6", str(attachment.address6)))
        variables.append(("_POT_BRIDGE", attachment.bridge))
    variables += _further_networks(pot)
    if pot.passed:
        variables.append(("_POT_PASSED", " ".join(pot.passed)))
    if pot.taps:
        variables.append(("_POT_TAP", " ".join(pot.taps)))
        variables.append(("_POT_MAC", " ".join(a.mac for a in pot.attachments)))
    for number, alias in enumerate(pot.aliases):
        variables.append((f"_POT_IP_{number}", str(alias.address)))
        variables.append((f"_POT_NIC_{number}", alias.interface))
    if jid is not None and pot.is_jail:
        variables.append(("_POT_JID", str(jid)))
    return tuple(variables)


def _further_networks(pot: Pot) -> list[tuple[str, str]]:
    """Return the variables of each network of a pot on several bridges, numbered from 0."""
    if len(pot.bridges) < 2:
        return []
    found = []
    for number, bridge in enumerate(pot.bridges):
        attachment = next(a for a in pot.attachments if a.bridge == bridge)
        found += [(f"_POT_BRIDGE_{number}", bridge), (f"_POT_NIC_{number}", attachment.jail_end)]
        for name, address in (("IP", attachment.address), ("IP6", attachment.address6)):
            found += [(f"_POT_{name}_{number}", str(address))] if address is not None else []
    return found
