"""Find the interfaces of the host's default route (ip-route(8), ip-rule(8), ip-nexthop(8))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from potnet.drivers.linux.facts.parse import Documents, text_of
from potnet.drivers.reading import reads
from potnet.model.names import INTERFACE

#: A rule with no other keys applies to all packets.
_UNCONDITIONAL = frozenset({"priority", "src", "table", "protocol"})
_MAIN = "main"
#: One route, rule or nexthop object as ip(8) shows it.
_Object = Mapping[str, Any]


@reads("ip")
def default(routes: Documents) -> Documents:
    """Return the default routes that lead somewhere; a route that rejects all packets does not."""
    return [route for route in routes if route["dst"] == "default" and "type" not in route]


@reads("ip")
def leading_out(routes: Documents, nexthops: Documents) -> tuple[str, ...]:
    """Return the interfaces of the default route with the lowest metric; the first one is to be used.

    routes: default routes of one table and family. nexthops: objects that a route may name by their numbers
    only.
    """
    by_number = {hop["id"]: hop for hop in nexthops}
    for route in sorted(routes, key=lambda route: int(route.get("metric", 0))):
        hops = [hop for hop in _hops(route, by_number) if "dead" not in hop.get("flags", ())]
        if hops:
            carrying = [hop for hop in hops if "linkdown" not in hop.get("flags", ())]
            return tuple(dict.fromkeys(_name(hop) for hop in (*carrying, *hops)))
    return ()


def _hops(route: _Object, by_number: Mapping[int, _Object]) -> Iterator[_Object]:
    """Yield the next hops of a route: one interface, several, or those of a numbered object."""
    if "dev" in route:
        yield route
    elif "nexthops" in route:
        yield from (hop for hop in route["nexthops"] if "dev" in hop)
    elif "group" in route:
        for member in route["group"]:
            yield from _hops(by_number.get(member["id"], {}), by_number)
    elif "nhid" in route:
        yield from _hops(by_number.get(route["nhid"], {}), by_number)


def _name(hop: _Object) -> str:
    name = text_of(hop["dev"])
    if not INTERFACE.fullmatch(name):
        raise ValueError(name)
    return name


def by_number_only(routes: Documents) -> bool:
    """Return whether a route names its next hop only by the number of a nexthop object."""
    return any("nhid" in route and "dev" not in route and "nexthops" not in route for route in routes)


@reads("ip")
def of_first_table(found: Documents) -> Documents:
    """Return the default routes of the first table with any, among the tables for all packets.

    found: the rules and the default routes of all tables, of one family.
    """
    rules = sorted((each for each in found if "priority" in each), key=lambda rule: int(rule["priority"]))
    routes = default([each for each in found if "dst" in each and "priority" not in each])
    # A kernel without rules has only the main table.
    for table in (*_tables(rules), *(() if rules else (_MAIN,))):
        there = [route for route in routes if route.get("table", _MAIN) == table]
        if there:
            return there
    return []


def _tables(rules: Iterable[_Object]) -> Iterator[str]:
    for rule in rules:
        if _UNCONDITIONAL.issuperset(rule) and rule.get("src", "all") == "all" and "table" in rule:
            yield text_of(rule["table"])
