"""Questions about a host."""

from __future__ import annotations

from potnet.host.query import Query, union


def test_a_union_asks_for_all_that_its_parts_ask_for() -> None:
    first = Query(jails=("wok",), interfaces=("em0",), names=True, files=("/a", "/b"))
    second = Query(
        jails=None, interfaces=("em0", "em1"), members=True, files=("/b", "/c"), loaded_anchor="nat"
    )
    assert union((first, second)) == Query(
        jails=None,
        interfaces=("em0", "em1"),
        names=True,
        members=True,
        files=("/a", "/b", "/c"),
        loaded_anchor="nat",
    )
    assert union((first,)) == first
    assert union((Query(), Query())) == Query()
