"""The pots and bridges of an installation of pot, and their addresses."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from potnet.errors import ConfigError
from potnet.pot_installation.reading import HINT, lines, read, read_obeyed, unreadable, wrong
from potnet.pot_installation.settings import Address, Network, Settings, load

_BRIDGED = (b"public-bridge", b"private-bridge")
_OTHERS = (b"inherit", b"alias")
_LONGEST_NAME = 255


class Pot(NamedTuple):
    """A pot on a bridge with its address. version: 4 or 6; public: on the public bridge."""

    name: str
    version: int
    number: int
    public: bool


class PotBridge(NamedTuple):
    """A private bridge of pot."""

    name: str
    network: Network
    gateway: Address


class PotFile(NamedTuple):
    """A pot's whole configuration. values: of each key, in order; line_of: the line of its last value."""

    name: str
    path: str
    values: Mapping[str, list[str]]
    line_of: Mapping[str, int]

    def value(self, key: str) -> str:
        """Return the last value of a key, without surrounding quotes; empty if the key is missing."""
        return self.values.get(key, [""])[-1].strip(' \t"')


def find(prefix: str | None, path: Iterable[str]) -> Installation | None:
    """Find the installation at `prefix`, or the first one of a ``pot`` in the directories of `path`.

    Raises ConfigError if a prefix is given and contains no installation of pot.
    """
    if prefix is not None:
        settings = load(f"{prefix}/etc/pot")
        if settings is None:
            raise ConfigError(f"{prefix}/etc/pot: pot.conf not found", hint="correct pot.prefix")
        return Installation(prefix, settings)
    for candidate in _prefixes(path):
        settings = load(f"{candidate}/etc/pot")
        if settings is not None:
            return Installation(candidate, settings)
    return None


def locate(given: str | None, remembered: str | None, path: Iterable[str], file: str) -> Installation | None:
    """Find the installation at the configured prefix, else at the former prefix, else by `path`.

    given: empty if pot is not installed. file: where pot.prefix can be set. Raises ConfigError if the
    former installation is missing, or no longer the only one, because its pots may still hold addresses.
    """
    if given == "":
        return None
    found = find(given, path)
    if given is not None or remembered is None or (found is not None and _same(found.prefix, remembered)):
        return found
    kept = load(f"{remembered}/etc/pot")
    if kept is None:
        raise ConfigError(
            f"pot's {remembered}/etc/pot/pot.conf is not found, and its pots may hold addresses",
            hint=f'set pot.prefix in {file} to the prefix of pot, or to "" if pot is uninstalled',
        )
    if found is not None:
        raise ConfigError(
            f"pot is installed twice: in {remembered} and in {found.prefix}",
            hint=f"set pot.prefix in {file} to the prefix of the pot in use",
        )
    return Installation(remembered, kept)


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _prefixes(path: Iterable[str]) -> Iterator[str]:
    """Yield the prefixes of a ``pot`` program: from its own path, and from the target of its link."""
    for folder in path:
        program = f"{folder}/pot"
        if folder.startswith("/") and os.access(program, os.X_OK) and not os.path.isdir(program):  # noqa: PTH112
            for found in (program, os.path.realpath(program)):
                yield os.path.dirname(os.path.dirname(os.path.normpath(found)))  # noqa: PTH120


class Installation:
    """An installation; its files are read on first use and kept for this process."""

    def __init__(self, prefix: str, settings: Settings) -> None:
        self.prefix = prefix
        self.settings = settings
        self.root = settings.text("POT_FS_ROOT")

    @property
    def network(self) -> Network:
        """The network of all pots of pot."""
        return self.settings.network()

    @cached_property
    def bridges(self) -> tuple[PotBridge, ...]:
        """The private bridges, by name."""
        names = sorted(_entries(f"{self.root}/bridges", os.DirEntry.is_file))
        found = (_bridge(f"{self.root}/bridges/{name}", name) for name in names)
        return tuple(bridge for bridge in found if bridge is not None)

    def bridge(self, name: str) -> PotBridge | None:
        """Return a private bridge, None if the name is not found."""
        return next((bridge for bridge in self.bridges if bridge.name == name), None)

    @cached_property
    def pots(self) -> tuple[Pot, ...]:
        """Return the pots that hold an address on a bridge."""
        return tuple(self._held())

    def pot_files(self) -> Iterator[PotFile]:
        """Return all pots with their whole configuration, by name."""
        for name in sorted(_entries(f"{self.root}/jails", os.DirEntry.is_dir)):
            path = f"{self.root}/jails/{name}/conf/pot.conf"
            data = read_obeyed(path)
            if data is not None:
                _check_name(name, path)
                yield _pot_file(name, path, data)

    def _held(self) -> Iterator[Pot]:
        folder = f"{self.root}/jails"
        names = _entries(folder, os.DirEntry.is_dir)
        if not names:
            return
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for name in names:
                data = read(f"{name}/conf/pot.conf", handle)
                held = _held(name, data) if data else None
                if held is not None:
                    yield held
        except _Wrong as error:
            raise _located(f"{folder}/{name}/conf/pot.conf", data or b"", error) from None
        except ConfigError as error:
            error.message = f"{folder}/{error.message}"
            raise
        finally:
            os.close(handle)


class _Wrong(Exception):  # noqa: N818 - a verdict, not a failure
    """Raised with the reason for an invalid value of a key."""

    def __init__(self, key: bytes, what: str) -> None:
        super().__init__(what)
        self.key = key
        self.what = what


def _located(path: str, data: bytes, error: _Wrong) -> ConfigError:
    at = (b"\n" + data).rfind(b"\n" + error.key)
    return wrong(path, data.count(b"\n", 0, max(at, 0)) + 1, error.what)


def _held(name: str, data: bytes) -> Pot | None:
    """Return a pot with its address; None if it has no address of its own network. Raises _Wrong.

    The function reads only the keys it needs, since there may be ten thousand of these files.
    """
    data = b"\n" + data
    kind = _value(data, b"network_type=")
    if kind in _BRIDGED:
        value, key, public = _value(data, b"ip="), b"ip=", kind == _BRIDGED[0]
    elif kind is None:
        # Older files have ip4 and vnet in place of network_type.
        value, key, public = _value(data, b"ip4="), b"ip4=", True
        if value == b"inherit" or _value(data, b"vnet=") != b"true":
            return None
    elif kind in _OTHERS:
        return None
    else:
        raise _Wrong(b"network_type=", f"names no network type: {kind[:40]!r}")
    if not value:
        return None
    _check_name(name, None)
    try:
        if b":" in value:
            return Pot(name, 6, int.from_bytes(socket.inet_pton(socket.AF_INET6, value.decode())), public)
        return Pot(name, 4, int.from_bytes(socket.inet_pton(socket.AF_INET, value.decode())), public)
    except (OSError, ValueError) as error:
        raise _Wrong(key, f"has no address: {value[:40]!r}") from error


def _value(data: bytes, key: bytes) -> bytes | None:
    """Return the last value of a key, in data that begins with a line end."""
    at = data.rfind(b"\n" + key)
    if at < 0:
        return None
    start = at + 1 + len(key)
    end = data.find(b"\n", start)
    return data[start : end if end >= 0 else len(data)].strip(b' \t\r"')


def _check_name(name: str, path: str | None) -> None:
    """Refuse a directory name that cannot stand in a line of /etc/hosts or of a list."""
    if not name.isascii() or not name.isprintable() or " " in name or len(name) > _LONGEST_NAME:
        if path is None:
            raise _Wrong(b"", f"belongs to {name!a}, an invalid pot name")
        raise ConfigError(f"{path!a}: invalid pot name {name!a}", hint=HINT)


def _entries(folder: str, of_kind: Callable[..., bool]) -> list[str]:
    """Return the names of a directory's entries of one kind, a method of os.DirEntry; links are skipped."""
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry in found if of_kind(entry, follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from error


def _bridge(path: str, name: str) -> PotBridge | None:
    """Return a bridge of pot; None for an empty file, which pot makes before it requests a network."""
    data = read(path)
    if data is None or not data.strip():
        return None
    found = {}
    for number, line in enumerate(lines(path, data), 1):
        key, equals, value = line.partition("=")
        if equals and key in ("name", "net", "gateway"):
            found[key] = (value.strip(' \t"'), number)
    if "net" not in found and "gateway" not in found:
        return None
    try:
        network = ip_network(found.get("net", ("", 0))[0], strict=False)
        gateway = ip_address(found.get("gateway", ("", 0))[0])
    except ValueError as error:
        raise ConfigError(f"{path}: {error}", hint=HINT) from error
    if gateway not in network:
        raise wrong(path, found["gateway"][1], f"has a gateway outside the network {network}")
    return PotBridge(found["name"][0] if "name" in found else name, network, gateway)


def _pot_file(name: str, path: str, data: bytes) -> PotFile:
    values: dict[str, list[str]] = {}
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines(path, data), 1):
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            values.setdefault(key, []).append(value)
            line_of[key] = number
    return PotFile(name, path, values, line_of)
