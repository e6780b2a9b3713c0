"""pot's configuration: shell assignments, in pot.default.conf and then pot.conf."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from potnet.errors import ConfigError
from potnet.pot_installation.reading import lines, read_obeyed, wrong

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_FILE = "pot.default.conf"
FILE = "pot.conf"

#: The values that pot's own pot.default.conf sets.
DEFAULTS = {
    "POT_FS_ROOT": "/opt/pot",
    "POT_NETWORK": "10.192.0.0/10",
    "POT_NETMASK": "255.192.0.0",
    "POT_GATEWAY": "10.192.0.1",
    "POT_DNS_NAME": "dns",
    "POT_DNS_IP": "10.192.0.2",
}

_NAME = re.compile(r"\s*(?:export\s+)?(POT_[A-Za-z0-9_.-]+)=")
# An assignment whose value begins with a quote.
_OPEN = re.compile(rf"""{_NAME.pattern}(?P<q>['"])""")
# Values that sh(1) does not expand: plain, or in single or double quotes, with an optional comment.
_PLAIN = re.compile(r"""(?:'([^']*)'|"([^"$`\\]*)"|([^\s'"$`\\;&|<>()#]*))(?:\s+#.*)?\s*;?\s*""")
# pot.conf.sample shows these lists without quotes.
_LISTS = re.compile("POT_EXTRA_EXTIF|POT_EXTIF_ADDR|POT_VPN_NETWORKS|POT_NETWORK_(?!STACK$).*")
_LIST = re.compile(r"([A-Za-z0-9_.:/-]+(?:[ \t]+[A-Za-z0-9_.:/-]+)*)(?:\s+#.*)?")
_NEVER_EMPTY = frozenset(DEFAULTS) - {"POT_DNS_IP"}
_TRUE = frozenset({"yes", "true", "on", "1"})


class Setting(NamedTuple):
    """A value of one key and its position. None: the value requires evaluation by a shell."""

    value: str | None
    path: str
    line: int


def parse(path: str, data: bytes) -> dict[str, Setting]:
    """Return the last assignment to each key of pot in a file; other lines are ignored.

    A quoted value may continue over several lines.
    """
    found = {}
    for number, line in _logical(lines(path, data)):
        name = _NAME.match(line)
        if name:
            value = _PLAIN.fullmatch(line, name.end())
            if value is None and _LISTS.fullmatch(name[1]):
                value = _LIST.fullmatch(line, name.end())
            plain = next((part for part in value.groups() if part is not None), "") if value else None
            found[name[1]] = Setting(plain, path, number)
    return found


def _logical(rows: list[str]) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers; lines of a multi-line quoted value are joined."""
    at = 0
    while at < len(rows):
        first, line = at, rows[at]
        at += 1
        opening = _OPEN.match(line)
        while opening and line.count(opening["q"], opening.start("q")) == 1 and at < len(rows):
            line = line.removesuffix("\\") + " " + rows[at]
            at += 1
        yield first + 1, line


def looks_like_pot(text: str) -> bool:
    """Whether a configuration is pot's rather than TOML: it assigns pot's keys and has no table."""
    rows = text.splitlines()
    return any(map(_NAME.match, rows)) and not any(row.lstrip().startswith("[") for row in rows)


def load(folder: str, file: str = FILE) -> Settings | None:
    """Load the configuration in `<prefix>/etc/pot`; None if these files do not exist.

    file: read after pot.default.conf.
    """
    paths = dict.fromkeys((f"{folder}/{DEFAULT_FILE}", f"{folder}/{file}"))
    contents = [(path, data) for path in paths if (data := read_obeyed(path)) is not None]
    if not contents:
        return None
    found: dict[str, Setting] = {}
    for path, data in contents:
        found |= parse(path, data)
    return Settings(folder, found, tuple(path for path, _ in contents))


class Settings:
    """pot's configuration in force. folder: the directory of its two files; files: those that exist."""

    def __init__(self, folder: str, values: Mapping[str, Setting], files: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.files = files
        self.values = values

    def text(self, key: str) -> str:
        """Return a value, pot's default, or an empty text. Raises ConfigError if it requires evaluation."""
        setting = self.values.get(key)
        if setting is None or (setting.value == "" and key in _NEVER_EMPTY):
            return DEFAULTS.get(key, "")
        if setting.value is None:
            raise wrong(
                setting.path, setting.line, f"sets {key} to what only a shell could evaluate",
                hint="write the value itself, in quotes if need be",
            )  # fmt: skip
        return setting.value

    def words(self, key: str) -> list[str]:
        """Return a value as its words."""
        return self.text(key).split()

    def true(self, key: str) -> bool:
        """Return a switch, in any of the forms that pot accepts."""
        return self.text(key).lower() in _TRUE

    def network(self, key: str = "POT_NETWORK") -> Network:
        """Return a network of either family; host bits are cleared, as in pot's helper."""
        try:
            return ip_network(self.text(key), strict=False)
        except ValueError as error:
            raise self._wrong(key, "is not a network") from error

    def networks(self, key: str) -> list[Network]:
        """Return a list of networks."""
        try:
            return [ip_network(word, strict=False) for word in self.words(key)]
        except ValueError as error:
            raise self._wrong(key, "is not a list of networks") from error

    def address(self, key: str) -> Address:
        """Return an address of either family."""
        try:
            return ip_address(self.text(key))
        except ValueError as error:
            raise self._wrong(key, "is not an address") from error

    @property
    def dns(self) -> Address | None:
        """Return the address of the DNS pot; None if it is only the default and outside the network."""
        if not self.text("POT_DNS_IP"):
            return None
        address = self.address("POT_DNS_IP")
        setting = self.values.get("POT_DNS_IP")
        given = setting is not None and not setting.path.endswith(f"/{DEFAULT_FILE}")
        return address if given or address in self.network() else None

    def complaints(self) -> Iterable[tuple[str, bool]]:
        """Yield contradictions, and whether pot could not work with them."""
        network, gateway, dns = self.network(), self.address("POT_GATEWAY"), self.dns
        if gateway not in network:
            yield f"the gateway {gateway} is outside the network {network}", True
        if dns is not None and dns not in network:
            yield f"the DNS address {dns} is outside the network {network}", False
        if self.address("POT_NETMASK") != network.netmask:
            yield f"the netmask {self.text('POT_NETMASK')} is not that of the network {network}", True

    def _wrong(self, key: str, what: str) -> ConfigError:
        setting = self.values.get(key)
        where = (setting.path, setting.line) if setting else (f"{self.folder}/{FILE}", 0)
        return wrong(*where, f"sets {key} to {self.text(key)[:60]!r}, which {what}", hint="see pot's manual")
