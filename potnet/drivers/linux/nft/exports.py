"""Represent exports as elements of maps and sets, whose cost does not depend on their number (nft(8), MAPS).

Each port is an element, because nft cannot redirect one range to another port by port. Only exports with
sources or limits need a chain, one for all such exports of a pot. Exports on one address of the host have
maps of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from potnet.host.ruleset import Redirection
from potnet.model.ports import port_text
from potnet.model.pots import GROUP
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Element:
    """An entry of a map or set. value: empty in a set. family: of the table (nft(8), ADDRESS FAMILIES)."""

    place: str
    key: str
    value: str = ""
    family: str = "inet"

    @property
    def removal(self) -> str:
        return f"delete element {self.family} {GROUP} {self.place} {{ {self.key} }}"

    @property
    def addition(self) -> str:
        value = f" : {self.value}" if self.value else ""
        return f"add element {self.family} {GROUP} {self.place} {{ {self.key}{value} }}"

    @property
    def shown(self) -> str:
        return f"{self.place} {self.key}{f' : {self.value}' if self.value else ''}"


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule of a pot's chain for one export: who may use it, and the set that counts each source."""

    match: str
    family: str
    sources: tuple[str, ...]
    limit: int | None
    counted: str


def elements(items: Iterable[Redirection], anchor: str) -> tuple[Element, ...]:
    """Return the elements of maps and sets for redirections, each once."""
    found = (element for item in items for element in (*redirected(item), *_beside(item, anchor)))
    return tuple(dict.fromkeys(found))


def redirected(item: Redirection) -> tuple[Element, ...]:
    """Return the elements that redirect its ports."""
    version, shift = item.address.version, item.pot_port - item.host_port
    place = (
        f"redirections_at{version}"
        if item.host is not None
        else {4: "redirections", 6: "redirections6"}[version]
    )
    return tuple(Element(place, key, f"{item.address} . {port + shift}") for port, key in _keys(item))


def _beside(item: Redirection, anchor: str) -> Iterable[Element]:
    """Yield the elements that count it, admit the host itself, and lead to the pot's chain."""
    places = {"traffic": "", **({"loopback": ""} if item.loopback else {})}
    places |= {"guarded": f"jump {anchor}"} if guarded(item) else {}
    at = f"_at{item.address.version}" if item.host is not None else ""
    return (Element(f"{place}{at}", key, value) for place, value in places.items() for _, key in _keys(item))


def _keys(item: Redirection) -> Iterable[tuple[int, str]]:
    """Yield the ports of the host, each with its key in the maps."""
    at = f"{item.host} . " if item.host is not None else ""
    ports = range(item.host_port, item.host_port + item.count)
    return ((port, f"{at}{item.protocol} . {port}") for port in ports)


def guarded(item: Redirection) -> bool:
    """Return whether its sources or connections are limited."""
    return bool(item.sources) or item.max_connections is not None


def guards(items: Iterable[Redirection], anchor: str) -> tuple[Guard, ...]:
    """Return the rules of a pot's chain."""
    found = [item for item in items if guarded(item)]
    return tuple(_guard(item, f"{anchor}.{number}") for number, item in enumerate(found, 1))


def _guard(item: Redirection, counted: str) -> Guard:
    family = {4: "ip", 6: "ip6"}[item.address.version]
    at = f"{family} daddr {item.host} " if item.host is not None else ""
    everybody = any(each.prefixlen == 0 for each in item.sources)
    return Guard(
        f"{at}{item.protocol} dport {port_text(item.host_port, item.count)}",
        family,
        () if everybody else tuple(map(str, item.sources)),
        item.max_connections,
        counted,
    )


def guards_removed(guards: Sequence[Guard], anchor: str) -> tuple[str, ...]:
    """Return the commands that remove a pot's chain, after all references are removed."""
    sets = (f"delete set inet {GROUP} {each.counted}" for each in guards if each.limit is not None)
    return (f"delete chain inet {GROUP} {anchor}", *sets) if guards else ()
