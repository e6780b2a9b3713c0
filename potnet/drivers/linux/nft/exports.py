"""Represent exports as elements of maps and sets, whose cost does not depend on their number (nft(8), MAPS).

Each port is an element, because nft cannot redirect one range to another port by port. Only exports with
sources or limits need a chain, each its own. Exports on one address of the host have maps of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
    """The rule for one export: who may use it, and the set that counts each source."""

    match: str
    family: str
    sources: tuple[str, ...]
    limit: int | None
    counted: str


#: Returns the name of the chain that holds the rules of a redirection.
ChainOf = Callable[[Redirection], str]


def elements(items: Iterable[Redirection], chain: ChainOf) -> tuple[Element, ...]:
    """Return the elements of maps and sets for redirections, each once. chain: returns that of a guard."""
    found = (element for item in items for element in (*redirected(item), *_beside(item, chain)))
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


def _beside(item: Redirection, chain: ChainOf) -> Iterable[Element]:
    """Yield the elements that count it, admit the host itself, and lead to its chain."""
    places = {"traffic": "", **({"loopback": ""} if item.loopback else {})}
    places |= {"guarded": f"jump {chain(item)}"} if guarded(item) else {}
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


def chain_of(anchor: str, shared: bool) -> ChainOf:
    """Return the function that names the chain of a redirection. shared: as of `Redirections`."""
    if shared:
        return lambda item: anchor
    return lambda item: (
        f"{anchor}.{item.protocol}{item.host_port}"
        + (f".{int(item.host):x}" if item.host is not None else "")
    )


def guards(items: Iterable[Redirection], chain: ChainOf) -> dict[str, tuple[Guard, ...]]:
    """Return the chains of redirections that not everybody may use, with their rules.

    Both families of an export share a chain.
    """
    found: dict[str, list[Redirection]] = {}
    for item in items:
        if guarded(item):
            found.setdefault(chain(item), []).append(item)
    return {
        name: tuple(_guard(item, f"{name}.{number}") for number, item in enumerate(own, 1))
        for name, own in found.items()
    }


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


def guards_removed(before: dict[str, tuple[Guard, ...]], after: dict[str, tuple[Guard, ...]]) -> list[str]:
    """Return the commands that remove chains and sets, after all references to the chains are removed."""
    found: list[str] = []
    for name, rules in before.items():
        kept = after.get(name, ())
        if rules != kept:
            found.append(f"{'flush' if kept else 'delete'} chain inet {GROUP} {name}")
        left = {each.counted for each in kept if each.limit is not None}
        gone = (each.counted for each in rules if each.limit is not None and each.counted not in left)
        found += (f"delete set inet {GROUP} {counted}" for counted in gone)
    return found
