"""Policies against a model that knows no rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from hypothesis import strategies as st
from world import World

from potnet.errors import PotnetError
from potnet.operations.maintenance.check import check
from potnet.operations.networks import policies
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: Policies as they are given: two sides, a port or ports, and whether it is denied.
Chosen = Sequence[tuple[str, str, str | None, bool]]


def choices(homes: Mapping[str, str]) -> st.SearchStrategy[Chosen]:
    """Policies between pots and their bridges. homes: the bridge of each pot."""
    sides = st.sampled_from((*homes, *dict.fromkeys(homes.values())))
    ports = st.sampled_from([None, "80", "80-90"])
    return st.lists(st.tuples(sides, sides, ports, st.booleans()), max_size=6)


def compare(
    world: World, homes: Mapping[str, str], first: int, chosen: Chosen, restarted: Iterable[str]
) -> None:
    """Put policies in force while pots start and stop, and ask who reaches whom; `first` pots run before."""
    names = list(homes)
    world.do(start, names[:first])
    rules: dict[tuple[str, str, str | None], bool] = {}
    for source, destination, port, denied in chosen:
        try:
            world.do(policies.add, source, destination, port, denied)
        except PotnetError:
            continue
        rules[source, destination, port] = denied
    world.do(start, names[first:])
    for name in sorted(restarted):
        world.do(stop, [name])
        world.do(start, [name])
    at = {pot.name: str(pot.ipv4) for pot in world.records()["pots"]}
    for source, destination, number in product(names, names, (80, 85)):
        if source != destination:
            wanted = _may(homes, rules, source, destination, number)
            found = world.reaches(source, at[destination], number)
            assert found == wanted, (rules, source, destination, number)
    assert world.do(check, [], None) == ()
    world.do(stop, names)
    assert [name for name in world.host.anchors() if name.startswith("pot-filter/")] == []


def _may(
    homes: Mapping[str, str],
    rules: Mapping[tuple[str, str, str | None], bool],
    source: str,
    destination: str,
    port: int,
) -> bool:
    """Whether a connection is to come about; rules: whether it is denied, by sides and ports."""
    here, there = homes[source], homes[destination]
    for ends in ([(source, destination)], [(source, there), (here, destination)], [(here, there)]):
        for ported in (True, False):
            found = [
                denied
                for (one, other, ports), denied in rules.items()
                if (one, other) in ends and (ports is not None) == ported and _covers(ports, port)
            ]
            if found:
                return not any(found)
    return here == there


def _covers(ports: str | None, port: int) -> bool:
    first, _, last = (ports or "1-65535").partition("-")
    return int(first) <= port <= int(last or first)
