"""Exports as elements of maps and sets, whose cost is the same however many there are (nft(8), MAPS).

Each port is an element: nft redirects no range to another one by one. Only what is offered to some sources,
or limited, has a chain, one for all such exports of a pot. Those on one address of the host have maps of
their own.
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
    """What the chain of a pot has for one export: who may use it, and in which set a source is counted."""

    match: str
    family: str
    sources: tuple[str, ...]
    limit: int | None
    counted: str


def elements(items: Iterable[Redirection], anchor: str) -> tuple[Element, ...]:
    """What the maps and sets are to hold for redirections, each once."""
    found = (element for item in items for element in (*redirected(item), *_beside(item, anchor)))
    return tuple(dict.fromkeys(found))


def redirected(item: Redirection) -> tuple[Element, ...]:
    """Where its ports lead."""
    version, shift = item.address.version, item.pot_port - item.host_port
    place = (
        f"redirections_at{version}"
        if item.host is not None
        else {4: "redirections", 6: "redirections6"}[version]
    )
    return tuple(Element(place, key, f"{item.address} . {port + shift}") for port, key in _keys(item))


def _beside(item: Redirection, anchor: str) -> Iterable[Element]:
    """What counts it, lets the host itself in, and leads to the chain of its pot."""
    places = {"traffic": "", **({"loopback": ""} if item.loopback else {})}
    places |= {"guarded": f"jump {anchor}"} if guarded(item) else {}
    at = f"_at{item.address.version}" if item.host is not None else ""
    return (Element(f"{place}{at}", key, value) for place, value in places.items() for _, key in _keys(item))


def _keys(item: Redirection) -> Iterable[tuple[int, str]]:
    """The ports of the host, each with what an entry of the maps is found by."""
    at = f"{item.host} . " if item.host is not None else ""
    ports = range(item.host_port, item.host_port + item.count)
    return ((port, f"{at}{item.protocol} . {port}") for port in ports)


def guarded(item: Redirection) -> bool:
    """Whether not everybody may use it at all times."""
    return bool(item.sources) or item.max_connections is not None


def guards(items: Iterable[Redirection], anchor: str) -> tuple[Guard, ...]:
    """What the chain of a pot is to hold."""
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
    """The commands that take the chain of a pot away, once nothing leads there."""
    sets = (f"delete set inet {GROUP} {each.counted}" for each in guards if each.limit is not None)
    return (f"delete chain inet {GROUP} {anchor}", *sets) if guards else ()
