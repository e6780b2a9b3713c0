"""IPv6 networks of bridges: none overlaps another, and the site's /48 is drawn once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.store.store import Store

PREFIXES = ["2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:3::/64", "fd00::/8"]
NAMES = ["a", "b", "c", "d"]


def test_networks_of_the_site_are_consecutive_and_stay(store: Store) -> None:
    first, second = store.carve6("a IPv6"), store.carve6("b IPv6")
    site = store.site_prefix()
    assert site is not None and site.prefixlen == 48 and site in IPNetwork("fd00::/8")
    assert first == IPNetwork(f"{site.network}/64")
    assert int(second.first) == int(first.last) + 1
    store.uncarve("a IPv6")
    assert store.carve6("c IPv6") == first


def test_two_sites_differ(tmp_path: Path) -> None:
    drawn = set()
    for name in NAMES:
        with Store.open(tmp_path / name, "sim") as store:
            store.carve6("a IPv6")
            drawn.add(store.site_prefix())
    assert len(drawn) == len(NAMES)


def test_the_gateway_and_the_anycast_address_are_kept_back(store: Store) -> None:
    network = store.carve6("a IPv6", IPNetwork("2001:db8::/64"))
    assert str(store.reserve("a IPv6", "web")) == "2001:db8::2"
    for kept in (network.first, network.first + 1):
        with pytest.raises(PotnetError):
            store.reserve("a IPv6", "db", IPAddress(kept, 6))
    assert str(store.reserve("a IPv6", "db", IPAddress(network.last, 6))).endswith("ffff:ffff:ffff:ffff")


def test_an_overlap_names_what_is_there(store: Store) -> None:
    store.carve6("a IPv6", IPNetwork("2001:db8:1::/48"))
    with pytest.raises(PotnetError, match=r"2001:db8::/32 overlaps network a IPv6 \(2001:db8:1::/48\)"):
        store.carve6("b IPv6", IPNetwork("2001:db8::/32"))
    assert store.network("b IPv6") is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([None, "gone", *PREFIXES])), max_size=20))
def test_no_two_overlap(steps: list[tuple[str, str | None]]) -> None:
    kept: dict[str, IPNetwork] = {}
    with TemporaryDirectory() as place, Store.open(Path(place) / "state", "sim") as store:
        for name, wanted in steps:
            if wanted == "gone":
                store.uncarve(name)
                kept.pop(name, None)
                continue
            prefix = IPNetwork(wanted) if wanted else None
            try:
                made = store.carve6(name, prefix)
            except PotnetError:
                # Whatever is drawn, it is in fd00::/8.
                asked = prefix or IPNetwork("fd00::/8")
                assert name in kept or any(asked in n or n in asked for n in kept.values())
                continue
            assert name not in kept and made == (prefix or made)
            assert not any(made in other or other in made for other in kept.values())
            kept[name] = made
        assert {name: store.network(name) for name in kept} == kept
