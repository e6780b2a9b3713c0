"""Translation of a pot of pot: the new value of each key, and the settings that cannot be imported."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from potnet.errors import PotnetError, UsageError
from potnet.model.jail_parameters import parse
from potnet.model.names import is_special
from potnet.model.ports import Export
from potnet.model.pots import NetworkType, Pot, Resolver, ResolverKind, Stack, valid_name
from potnet.operations.common import NAME_HINT, SPECIAL, check_hostname
from potnet.operations.exports.export_text import parse_exports
from potnet.pot_installation.reading import lines, read
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.pot_installation import PotFile
    from potnet.pot_installation.settings import Settings

HOOKS = ("prestart", "poststart", "prestop", "poststop")
DEFAULT_COMMAND = ("sh", "/etc/rc")
#: Keys that are imported, or that state only defaults of potnet.
_CARRIED = frozenset({
    "network_type", "pot.stack", "vnet", "ip", "ip4", "bridge", "pot.dns", "pot.export.ports",
    "pot.export.static.ports", "host.hostname", "osrelease", "pot.base", "pot.potbase", "pot.type",
    "pot.level", "pot.cmd", "pot.attr.start-at-boot", "pot.attr.early-start-at-boot",
    "pot.attr.localhost-tunnel", "pot.attr.no-rc-script", "name",
})  # fmt: skip
#: The default that pot writes into every pot.
_DEFAULTS = {"pot.attr.persistent": "YES", "pot.attr.children": "0", "pot.attr.devfs_ruleset": "4"}
#: Attributes that are parameters of jail(8), in the order of pot.
_PARAMETERS = {
    "pot.attr.enforce_statfs": "enforce_statfs",
    "pot.attr.mount": "allow.mount",
    **{
        f"pot.attr.{kind}": f"allow.mount.{kind}"
        for kind in ("fdescfs", "linprocfs", "nullfs", "procfs", "tmpfs", "zfs")
    },
    "pot.attr.raw_sockets": "allow.raw_sockets",
    "pot.attr.sysvshm": "sysvshm",
    "pot.attr.sysvsem": "sysvsem",
    "pot.attr.sysvmsg": "sysvmsg",
    "pot.attr.children": "children.max",
    "pot.attr.mlock": "allow.mlock",
    "pot.attr.devfs_ruleset": "devfs_ruleset",
    "pot.attr.stop_timeout": "stop.timeout",
}
_Word = TypeVar("_Word", Stack, NetworkType, ResolverKind)
_RELEASE = re.compile(r"([0-9]{1,3}\.[0-9]{1,3})(?:-RELEASE)?")


class CannotComeError(Exception):
    """A pot of an unsupported kind; other pots are still imported."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A pot before its reservations. left: settings that are not imported, a line each."""

    pot: Pot
    addresses: tuple[str, ...]
    bridge: str | None
    left: tuple[str, ...]

    def without_parameters(self) -> Draft:
        """Return the draft for a host without jail(8), where System V IPC needs no parameter."""
        lost = [each for each in self.pot.parameters if not each.startswith("sysv")]
        left = (*self.left, *(f"jail parameter {each}" for each in lost))
        return replace(self, pot=replace(self.pot, parameters=()), left=left)


def translate(file: PotFile, settings: Settings, root: str) -> Draft:
    """Return the pot that a file describes, with this root. Raises PotnetError, or CannotComeError."""
    _check_layout(file)
    kind, addresses = _network(file)
    external = settings.text("POT_EXTIF")
    if kind is NetworkType.ALIAS and external:
        addresses = tuple(a if "|" in a else f"{external}|{a}" for a in addresses)
    stack = _word(file, "pot.stack", Stack, settings.text("POT_NETWORK_STACK") or "ipv4")
    hostname, refused = _hostname(file)
    pot = Pot(
        name=file.name,
        network_type=kind,
        stack=stack,
        root=root,
        root_made=False,
        hostname=hostname,
        base=release[1] if (release := _RELEASE.fullmatch(file.value("pot.base"))) else None,
        resolver=_resolver(file),
        command=_command(file),
        boot="YES" in (file.value("pot.attr.start-at-boot"), file.value("pot.attr.early-start-at-boot")),
        exports=_exports(file),
        parameters=tuple(filter(None, (_parameter(file, key) for key in _PARAMETERS))),
    )
    bridge = file.value("bridge") if kind is NetworkType.PRIVATE_BRIDGE else None
    if kind is NetworkType.PRIVATE_BRIDGE and not bridge:
        raise _error(file, "network_type", "private-bridge without a bridge")
    return Draft(pot, addresses, bridge, (*refused, *_left(file, pot, addresses, settings)))


def _check_layout(file: PotFile) -> None:
    if not valid_name(file.name):
        raise CannotComeError(f"its name is invalid here: {NAME_HINT}")
    if is_special(file.name):
        raise CannotComeError(f"its name cannot be used here: {SPECIAL}")
    # pot, too, treats a pot without a type as the older kind.
    kind, level = file.value("pot.type") or "multi", file.value("pot.level") or "0"
    if kind != "single":
        raise CannotComeError(
            f"pot assembles its root from several datasets (type {kind}, level {level}); "
            "`potnet attach` gives its network to a jail that you start"
        )


def _network(file: PotFile) -> tuple[NetworkType, tuple[str, ...]]:
    if file.value("network_type"):
        kind = _word(file, "network_type", NetworkType, "")
        if kind is NetworkType.BRIDGE:
            raise _error(file, "network_type", "bridge, which pot does not have")
        return kind, () if kind is NetworkType.INHERIT else tuple(file.value("ip").split())
    # Older files have ip4 and vnet in place of network_type.
    old = file.value("ip4")
    if not old:
        raise _error(file, "ip4", "neither network_type nor ip4")
    if old == "inherit":
        return NetworkType.INHERIT, ()
    kind = NetworkType.PUBLIC_BRIDGE if file.value("vnet") == "true" else NetworkType.ALIAS
    return kind, tuple(old.split())


def _word(file: PotFile, key: str, kind: type[_Word], default: str) -> _Word:
    """Return the value of a key that accepts only certain words."""
    text = file.value(key) or default
    try:
        return kind(text)
    except ValueError as error:
        raise _error(
            file, key, f"the invalid value {key}={text[:40]!r}: use one of {', '.join(kind)}"
        ) from error


def _hostname(file: PotFile) -> tuple[str, tuple[str, ...]]:
    text = file.value("host.hostname")
    try:
        check_hostname(text)
    except UsageError:
        what = f"invalid host.hostname={text[:60]!r}: the host name becomes {file.name}"
        return file.name, (what,) if text else ()
    return text, ()


def _resolver(file: PotFile) -> Resolver:
    kind = _word(file, "pot.dns", ResolverKind, "inherit")
    if kind is not ResolverKind.CUSTOM:
        return Resolver(kind)
    path = f"{Path(file.path).parent}/resolv.conf"
    data = read(path)
    if data is None:
        raise PotnetError(f"{path}: file not found", hint=f"pot.dns=custom in {file.path} requires it")
    lines(path, data)
    return Resolver(kind, data.decode("utf-8"))


def _command(file: PotFile) -> tuple[str, ...]:
    text = file.values.get("pot.cmd", [""])[-1].strip()
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise _error(file, "pot.cmd", f"an invalid command: {error}") from error
    return () if words == DEFAULT_COMMAND else words


def _exports(file: PotFile) -> tuple[Export, ...]:
    given = file.value("pot.export.ports").split()
    # A static port of pot has the same number on the host.
    given += [f"{port}:{port}" for port in file.value("pot.export.static.ports").split()]
    try:
        return parse_exports(list(dict.fromkeys(given)), file.value("pot.attr.localhost-tunnel") == "YES")
    except UsageError as error:
        raise _error(file, "pot.export.ports", f"invalid exports: {error.message}") from error


def _parameter(file: PotFile, key: str) -> str | None:
    """Return the parameter of an attribute that differs from the default of potnet and is valid."""
    name, value = _PARAMETERS[key], _last(file, key)
    if value in (_DEFAULTS.get(key, "NO"), ""):
        return None
    try:
        return parse(name if value == "YES" else f"{name}={value}")
    except UsageError:
        return None


def _last(file: PotFile, key: str) -> str:
    return file.values.get(key, [""])[-1].strip(' \t"')


def _left(file: PotFile, pot: Pot, addresses: tuple[str, ...], settings: Settings) -> Iterator[str]:
    """Yield the settings that are not imported, a line each, with the remedy."""
    conf = Path(file.path).parent
    for number, hook in enumerate(HOOKS):
        if (conf / f"{hook}.sh").is_file():
            option = f"-{'sStT'[number]} {conf}/{hook}.sh"
            yield f"hook {hook}: `potnet set-hook -p {pot.name} {option}` gives it to the pot"
    for line in lines(f"{conf}/fscomp.conf", read(f"{conf}/fscomp.conf") or b""):
        if line:
            yield f"mount {line[:100]}"
    learns = pot.network_type is NetworkType.PUBLIC_BRIDGE and pot.stack is Stack.IPV6
    if learns and addresses:
        yield f"address {' '.join(addresses)}, which the stack ipv6 does not use"
    for key, values in file.values.items():
        value = _last(file, key)
        if key in _PARAMETERS and _parameter(file, key) is not None:
            continue
        if key in _CARRIED or value in (_DEFAULTS.get(key, "NO"), ""):
            continue
        if key == "pot.depend" and pot.resolver.kind is ResolverKind.POT:
            values = [name for name in value.split() if name != settings.text("POT_DNS_NAME")]
        for each in values:
            yield f"{key}={each.strip()[:100]}"


def _error(file: PotFile, key: str, what: str) -> PotnetError:
    line = file.line_of.get(key)
    where = f"line {line} has" if line else "it has"
    return PotnetError(f"{file.path}: {where} {what}", hint="correct the file, or leave this pot out")
