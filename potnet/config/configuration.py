"""The configuration: the keys, the values in force, and the origin of each value.

`KEYS` defines all of potnet.toml(5): one entry for each key, with the reader that checks its value. A
pot.conf is accepted too. An invalid file raises `ConfigError` with file, key and value. Values that depend
on the host (the default route's interface, the port range's sysctls) are None, and other modules set them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from netaddr import IPAddress, IPNetwork

from potnet.config import files, values
from potnet.config.pot_conf import Given, given, notes
from potnet.errors import ConfigError
from potnet.model.pots import Ipv6, Stack
from potnet.pot_installation import Installation
from potnet.pot_installation.settings import Settings, looks_like_pot
from potnet.pot_installation.settings import load as load_settings
from potnet.rootless.uplinks.options import UPLINKS, Options
from potnet.runtime.fast_dataclass import dataclass
from potnet.runtime.trust import open_file

#: The origin of a value that no file sets.
DEFAULT = "default"
#: The uplink options of a rootless host if none are configured.
ROOTLESS = Options()


@dataclass(frozen=True, slots=True)
class Config:
    """The values in force. None: determined from the host at run time.

    origin: for each TOML key, `DEFAULT` or the file that set it. notes: keys of pot.conf without a
    counterpart, as name, value and consequence.
    """

    network: IPNetwork
    gateway: IPAddress
    dns_address: IPAddress
    stack: Stack = Stack.IPV4
    ipv6: Ipv6 = Ipv6.SLAAC
    public6: IPNetwork | None = None
    external_interface: str | None = None
    external_addresses: tuple[IPAddress, ...] | None = None
    extra_interfaces: tuple[tuple[str, tuple[IPNetwork, ...]], ...] = ()
    isolate: bool = False
    antispoof: bool = False
    dns_name: str = "dns"
    first_port: int | None = None
    last_port: int | None = None
    jails: str = "/opt/potnet/jails"
    cache: str = "/opt/potnet/cache"
    logs: str = "/var/log/potnet"
    templates: str | None = None
    mirror: str = "https://download.freebsd.org/releases/%m/%p"
    nat_anchor: str = "pot-nat"
    rdr_anchor: str = "pot-rdr"
    filter_anchor: str = "pot-filter"
    host: str = "auto"
    state_dir: str | None = None
    via: str | None = None
    output: str = "text"
    lock_wait: int = 180
    command_wait: int = 60
    long_wait: int = 3600
    pot_prefix: str | None = None
    rootless_uplink: str = ROOTLESS.uplink
    rootless_mtu: int = ROOTLESS.mtu
    rootless_cidr: str = ROOTLESS.cidr
    rootless_ipv6: bool = ROOTLESS.ipv6
    rootless_host_loopback: bool = ROOTLESS.host_loopback
    rootless_outbound: str | None = ROOTLESS.outbound
    rootless_outbound6: str | None = ROOTLESS.outbound6
    rootless_dns: bool = ROOTLESS.dns
    rootless_mac: str | None = ROOTLESS.mac
    rootless_sandbox: bool = ROOTLESS.sandbox
    rootless_seccomp: bool = ROOTLESS.seccomp
    rootless_copy_up: tuple[str, ...] = ROOTLESS.copy_up
    rootless_bridge: str = ROOTLESS.bridge
    origin: Mapping[str, str] = field(default_factory=dict, compare=False)
    notes: tuple[tuple[str, str, str], ...] = field(default=(), compare=False)


class Key(NamedTuple):
    """One key of the file: its dotted name, the attribute of `Config` that it sets, its reader."""

    name: str
    attribute: str
    read: Callable[[Any], Any]


KEYS = (
    Key("potnet.host", "host", values.one_of("auto", "freebsd", "sim", "linux")),
    Key("potnet.state_dir", "state_dir", values.read_path),
    Key("potnet.via", "via", values.read_via),
    Key("potnet.output", "output", values.one_of("text", "json")),
    Key("potnet.lock_wait", "lock_wait", values.read_seconds),
    Key("potnet.command_wait", "command_wait", values.read_seconds),
    Key("potnet.long_wait", "long_wait", values.read_seconds),
    Key("network.public", "network", values.read_public_network),
    Key("network.gateway", "gateway", values.read_address),
    Key("network.stack", "stack", values.read_stack),
    Key("network.ipv6", "ipv6", values.read_ipv6),
    Key("network.public6", "public6", values.read_prefix6),
    Key("network.external_interface", "external_interface", values.read_interface),
    Key("network.external_address", "external_addresses", values.read_host_addresses),
    Key("network.isolate", "isolate", values.read_boolean),
    Key("network.antispoof", "antispoof", values.read_boolean),
    Key("network.extra_interfaces", "extra_interfaces", values.read_extra_interfaces),
    Key("dns.name", "dns_name", values.read_dns_name),
    Key("dns.address", "dns_address", values.read_address),
    Key("ports.first", "first_port", values.read_port),
    Key("ports.last", "last_port", values.read_port),
    Key("paths.jails", "jails", values.read_path),
    Key("paths.cache", "cache", values.read_path),
    Key("paths.logs", "logs", values.read_path),
    Key("paths.templates", "templates", values.read_path),
    Key("releases.mirror", "mirror", values.read_mirror),
    Key("pot.prefix", "pot_prefix", values.read_pot_prefix),
    Key("rootless.uplink", "rootless_uplink", values.one_of("auto", *UPLINKS)),
    Key("rootless.mtu", "rootless_mtu", values.read_mtu),
    Key("rootless.cidr", "rootless_cidr", values.read_uplink_network),
    Key("rootless.ipv6", "rootless_ipv6", values.read_boolean),
    Key("rootless.host_loopback", "rootless_host_loopback", values.read_boolean),
    Key("rootless.outbound", "rootless_outbound", values.read_outbound),
    Key("rootless.outbound6", "rootless_outbound6", values.read_outbound6),
    Key("rootless.dns", "rootless_dns", values.read_boolean),
    Key("rootless.mac", "rootless_mac", values.read_mac),
    Key("rootless.sandbox", "rootless_sandbox", values.read_boolean),
    Key("rootless.seccomp", "rootless_seccomp", values.read_boolean),
    Key("rootless.copy_up", "rootless_copy_up", values.read_directories),
    Key("rootless.bridge", "rootless_bridge", values.read_interface),
    Key("pf.nat_anchor", "nat_anchor", values.read_anchor),
    Key("pf.rdr_anchor", "rdr_anchor", values.read_anchor),
    Key("pf.filter_anchor", "filter_anchor", values.read_anchor),
)
_BY_NAME = {key.name: key for key in KEYS}
_TABLES = sorted({key.name.split(".")[0] for key in KEYS})


def load_file(named: Path | None = None) -> Config | None:
    """Return the file named on the command line, else the system's; None if neither exists.

    The system's file counts as absent if it sets nothing, because packages put the sample there. A user's own
    file that sets nothing hides the system's.
    """
    path = files.in_force(named)
    if path is None:
        return None
    config = load(path, explicit=named is not None)
    packaged = named is None and path == files.system_paths()[-1]
    return None if packaged and set(config.origin.values()) == {DEFAULT} else config


def without_file(installed: Installation | None) -> Config:
    """Return the configuration without a file: that of pot, if pot is installed."""
    return _of_pot(installed.settings) if installed is not None else load(None)


def load(path: Path | None, explicit: bool = False) -> Config:
    """Read and check one file, in TOML or pot's format. None, or a missing default file: the defaults."""
    text = _read(path, explicit) if path is not None else ""
    if path is not None and looks_like_pot(text):
        found = load_settings(str(path.absolute().parent), path.name)
        if found is not None:
            return _of_pot(found)
    where = str(path)
    document = _parse(where, text) if _sets_something(text) else {}
    return _checked([Given(name, value, where) for name, value in _flattened(document, where)], where)


def _sets_something(text: str) -> bool:
    """Whether a file has more than comments and empty lines."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def beside_store(config: Config, directory: Path) -> Config:
    """Put roots and logs on Linux beside the store, where root of a user namespace may write."""
    if config.origin.get("paths.jails", DEFAULT) == DEFAULT:
        config = replace(config, jails=str(directory / "jails"))
    if config.origin.get("paths.logs", DEFAULT) == DEFAULT:
        config = replace(config, logs=str(directory / "logs"))
    return config


def _of_pot(settings: Settings) -> Config:
    config = _checked(list(given(settings)), settings.folder)
    prefix = settings.folder.removesuffix("/etc/pot")
    if prefix != settings.folder and config.pot_prefix is None:
        config = replace(config, pot_prefix=prefix)
    return replace(config, notes=tuple(notes(settings)))


def _checked(found: list[Given], where: str) -> Config:
    """Return the configuration from TOML values with their origins; raises ConfigError."""
    values_of: dict[str, Any] = {}
    origin = {key.name: DEFAULT for key in KEYS}
    for name, value, source in found:
        key = _BY_NAME[name]
        try:
            values_of[key.attribute] = key.read(value)
        except values.Refusal as refusal:
            label = f"{source}: {name}" if source == where else source
            raise ConfigError(f"{label} = {values.shown(value)} {refusal.what}", hint=refusal.hint) from None
        origin[name] = source
    config = Config(**_with_defaults(values_of), origin=origin)
    for name, what, hint in _contradictions(config):
        raise ConfigError(f"{where}: {name} = {values.shown(plain(config, name))} {what}", hint=hint)
    return config


def plain(config: Config, name: str) -> Any:
    """Return the value of a key as TOML and JSON represent it."""
    value = getattr(config, _BY_NAME[name].attribute)
    if name == "rootless.copy_up":
        return list(value)
    if name == "network.external_address" and value is not None:
        return str(value[0]) if len(value) == 1 else list(map(str, value))
    if isinstance(value, tuple):
        texts = {interface: [str(network) for network in networks] for interface, networks in value}
        return {interface: behind if len(behind) > 1 else behind[0] for interface, behind in texts.items()}
    return value if value is None or isinstance(value, bool | int) else str(value)


def describe(config: Config) -> list[dict[str, Any]]:
    """Return key, value and origin of everything in force, in the order of the manual."""
    rows = [
        {"key": key.name, "value": plain(config, key.name), "origin": config.origin.get(key.name, DEFAULT)}
        for key in KEYS
    ]
    return rows + [{"key": name, "value": value, "origin": note} for name, value, note in config.notes]


def _read(path: Path, explicit: bool) -> str:
    try:
        return _content(path).decode("utf-8")
    except FileNotFoundError as error:
        if not explicit:
            return ""
        raise ConfigError(f"{path}: file not found", hint="check the path after --config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8", hint="save it as UTF-8") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "check the path and its permissions"
        raise ConfigError(f"{path}: cannot be read: {reason}", hint=hint) from error


def _content(path: Path) -> bytes:
    """Return the content of a plain file that root may trust, or of /dev/null."""
    with os.fdopen(open_file(path), "rb") as file:
        if str(path) != os.devnull and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a plain file")
        return file.read()


def _parse(path: str, text: str) -> dict[str, Any]:
    import toml  # here, since most runs have no file

    try:
        return toml.loads(text)
    except Exception as error:  # toml lets IndexError, TypeError and others through for malformed text
        reason = " ".join(str(error).split()) or type(error).__name__
        hint = "every line is a [table], a key = value or a # comment; see potnet.toml(5)"
        raise ConfigError(f"{path}: not TOML: {reason}", hint=hint) from error


def _flattened(document: dict[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    """Return the known keys of the document with their values; raises on an unknown key."""
    for table, content in document.items():
        if table not in _TABLES:
            raise _unknown(where, table, content)
        if not isinstance(content, dict):
            raise ConfigError(
                f"{where}: {table} = {values.shown(content)} is not a table", hint=f"write [{table}]"
            )
        for name, value in content.items():
            if f"{table}.{name}" not in _BY_NAME:
                raise _unknown(where, f"{table}.{name}", value)
            yield f"{table}.{name}", value


def _unknown(where: str, name: str, value: Any) -> ConfigError:
    is_table = isinstance(value, dict)
    shown = (
        f"unknown table {_bare(name)}" if is_table else f"unknown key {_bare(name)} = {values.shown(value)}"
    )
    known = [*_TABLES, *_BY_NAME] if is_table else [*_BY_NAME]
    return ConfigError(f"{where}: {shown}", hint=_suggestion(name, known))


def _suggestion(name: str, known: Sequence[str]) -> str:
    import difflib  # only a mistake pays for it

    last = name.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    # A key may be in the wrong table as easily as misspelt.
    keys = {key.name.split(".")[1]: key.name for key in KEYS}
    moved = [keys[key] for key in difflib.get_close_matches(last, keys, n=1, cutoff=0.75)]
    found = next(chain(near, moved), None)
    return f"did you mean {found}?" if found else "potnet.toml(5) lists every table and key"


def _with_defaults(given: dict[str, Any]) -> dict[str, Any]:
    """Set the defaults that depend on other values: gateway and DNS follow the network."""
    network = given.get("network", IPNetwork("10.192.0.0/10"))
    first, second = IPAddress(network.first + 1), IPAddress(network.first + 2)
    # If one key is configured with one of the first two addresses, the other key gets the remaining one.
    gateway = given.get("gateway", second if given.get("dns_address") == first else first)
    dns_address = given.get("dns_address", first if gateway == second else second)
    return {**given, "network": network, "gateway": gateway, "dns_address": dns_address}


def _contradictions(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield contradictory keys: the key, the problem with its value, and the fix."""
    network = config.network
    for name, address in (("network.gateway", config.gateway), ("dns.address", config.dns_address)):
        hosts = f"choose an address from {IPAddress(network.first + 1)} to {IPAddress(network.last - 1)}"
        if address not in network:
            yield name, f"is outside network.public {network}", hosts
        elif int(address) in (network.first, network.last):
            yield name, f"is the network or broadcast address of network.public {network}", hosts
    if config.gateway == config.dns_address:
        yield "dns.address", "is network.gateway too", "give the DNS pot an address of its own"
    if any(each.version == 4 and each in network for each in config.external_addresses or ()):
        what = f"is inside network.public {network}"
        yield "network.external_address", what, "choose another public network"
    if config.external_interface in dict(config.extra_interfaces):
        yield "network.external_interface", "is in network.extra_interfaces too", "name it once"
    if config.first_port and config.last_port and config.first_port > config.last_port:
        yield "ports.first", f"is above ports.last {config.last_port}", "choose a first port below the last"
    anchors = [config.nat_anchor, config.rdr_anchor, config.filter_anchor]
    if len(set(anchors)) < len(anchors):
        name = "pf.rdr_anchor" if config.rdr_anchor == config.nat_anchor else "pf.filter_anchor"
        yield name, "is the name of another anchor too", "give each a name of its own"


def _bare(name: str) -> str:
    return name if name.isprintable() and len(name) <= 60 else repr(name[:57])
