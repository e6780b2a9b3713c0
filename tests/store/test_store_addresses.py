"""Networks, addresses and subnets: what is handed out, and what a refusal says."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.model.pots import Lease
from potnet.store.store import Store

DNS = IPAddress("10.192.0.2")
GATEWAY = IPAddress("10.192.0.1")


def test_the_documented_example(store: Store) -> None:
    assert store.next_subnet("public", 4) == IPNetwork("10.192.0.8/29")
    assert store.reserve("public", "casserole4", IPAddress("10.192.0.10")) == IPAddress("10.192.0.10")
    assert store.carve("public", "stove", 4) == IPNetwork("10.192.0.16/29")
    assert store.reserve("stove", "casserole", IPAddress("10.192.0.19")) == IPAddress("10.192.0.19")
    assert store.next_free("stove") == IPAddress("10.192.0.18")
    assert store.next_free("public") == IPAddress("10.192.0.3")
    assert store.leases("public") == (Lease("public", IPAddress("10.192.0.10"), "casserole4"),)


@pytest.mark.parametrize(
    ("hosts", "prefix"), [(1, 30), (2, 29), (4, 29), (5, 29), (6, 28), (13, 28), (14, 27)]
)
def test_a_subnet_holds_its_pots(store: Store, hosts: int, prefix: int) -> None:
    assert store.carve("public", "stove", hosts).prefixlen == prefix
    for number in range(hosts):
        store.reserve("stove", f"pot{number}")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.128.0.1", "is outside network public (10.192.0.0/10)"),
        ("2001:db8::1", "is outside network public"),
        ("10.192.0.0", "is the network address of 10.192.0.0/10"),
        ("10.255.255.255", "is the broadcast address of 10.192.0.0/10"),
        ("10.192.0.1", "is kept for the gateway or the DNS server"),
        ("10.192.0.10", "is in use by pot casserole"),
        ("10.192.0.17", "is inside the private bridge stove (10.192.0.16/29)"),
        ("10.192.0.16", "is inside the private bridge stove"),
    ],
)
def test_a_refusal_says_why(store: Store, address: str, message: str) -> None:
    store.reserve("public", "casserole", IPAddress("10.192.0.10"))
    store.carve("public", "stove", 4)
    for attempt in (store.check_free, lambda network, wanted: store.reserve(network, "pan", wanted)):
        with pytest.raises(PotnetError) as refused:
            attempt("public", IPAddress(address))
        assert message in refused.value.message and refused.value.message.startswith(address)
        assert refused.value.hint


def test_many_take_the_lowest_addresses_in_their_order(store: Store) -> None:
    store.define_network("tiny", IPNetwork("192.0.2.0/27"), [IPAddress("192.0.2.1")])
    store.reserve("tiny", "early", IPAddress("192.0.2.4"))
    assert store.carve("tiny", "part", 2) == IPNetwork("192.0.2.8/29")
    store.reserve_each("tiny", ["a", "b", "c", "d", "e", "f"])
    taken = {int(lease.address) & 255: lease.pot for lease in store.leases("tiny")}
    assert taken == {2: "a", 3: "b", 4: "early", 5: "c", 6: "d", 7: "e", 16: "f"}
    assert str(store.next_free("tiny")) == "192.0.2.17"
    before = store.leases("tiny"), store.counts("tiny")
    with pytest.raises(PotnetError, match="network tiny is full"):
        store.reserve_each("tiny", ["g"] * 20)
    assert (store.leases("tiny"), store.counts("tiny")) == before
    store.reserve_each("tiny", [])
    assert store.leases("tiny") == before[0]


def test_a_full_network_says_so(store: Store) -> None:
    store.define_network("tiny", IPNetwork("192.0.2.0/29"), [IPAddress("192.0.2.1")])
    for number in range(5):
        store.reserve("tiny", f"p{number}")
    for attempt in (lambda: store.reserve("tiny", "late"), lambda: store.next_free("tiny")):
        with pytest.raises(PotnetError, match=r"network tiny is full \(5 of 5 addresses are leased\)"):
            attempt()
    store.release("tiny", IPAddress("192.0.2.4"))
    assert store.next_free("tiny") == IPAddress("192.0.2.4")


def test_the_dns_address_is_for_one_pot_only(store: Store) -> None:
    assert store.reserve_excluded("public", "dns", DNS) == DNS
    assert store.counts("public") == (0, 4194300)
    with pytest.raises(PotnetError, match=r"10\.192\.0\.2 is in use by pot dns"):
        store.reserve_excluded("public", "other", DNS)
    with pytest.raises(PotnetError, match="is an ordinary address"):
        store.reserve_excluded("public", "other", IPAddress("10.192.0.3"))
    store.remove_pot("dns")
    assert store.next_free("public") == IPAddress("10.192.0.3")
    assert store.reserve_excluded("public", "dns2", DNS) == DNS


def test_an_unknown_network_is_named(store: Store) -> None:
    with pytest.raises(PotnetError, match="network nowhere not found"):
        store.reserve("nowhere", "pan")
    assert store.leases("nowhere") == () and store.network("nowhere") is None
    store.release("nowhere", DNS)
    store.uncarve("nowhere")


def test_defining_again(store: Store) -> None:
    public = IPNetwork("10.192.0.0/10")
    store.reserve("public", "casserole")
    store.define_network("public", public, [DNS, GATEWAY, IPAddress("192.0.2.1"), IPAddress("::1")])
    assert store.counts("public") == (1, 4194300)
    store.carve("public", "stove", 4)
    with pytest.raises(PotnetError) as refused:
        store.define_network("public", IPNetwork("172.16.0.0/12"), [])
    assert refused.value.message == (
        "network public is 10.192.0.0/10 without 10.192.0.1, 10.192.0.2; it cannot become 172.16.0.0/12 "
        "while pot casserole and bridge stove use it"
    )
    with pytest.raises(PotnetError, match="is a part of network public"):
        store.define_network("stove", public, [])
    store.uncarve("stove")
    store.release_pot("casserole")
    store.define_network("public", IPNetwork("172.16.0.0/12"), [])
    assert store.network("public") == IPNetwork("172.16.0.0/12")
    assert store.next_free("public") == IPAddress("172.16.0.1")


@pytest.mark.parametrize(
    ("network", "addresses"),
    [
        ("192.0.2.4/30", ["192.0.2.5", "192.0.2.6"]),
        ("192.0.2.4/31", ["192.0.2.4", "192.0.2.5"]),
        ("192.0.2.4/32", ["192.0.2.4"]),
        ("255.255.255.254/31", ["255.255.255.254", "255.255.255.255"]),
        ("2001:db8::/126", ["2001:db8::1", "2001:db8::2", "2001:db8::3"]),
        ("2001:db8::/127", ["2001:db8::", "2001:db8::1"]),
        ("2001:db8::/128", ["2001:db8::"]),
    ],
)
def test_the_addresses_that_a_small_network_has(store: Store, network: str, addresses: list[str]) -> None:
    store.define_network("small", IPNetwork(network), [])
    assert store.counts("small") == (0, len(addresses))
    for address in addresses:
        assert store.reserve("small", "pan") == IPAddress(address)
    store.release_pot("pan")
    assert store.next_free("small") == IPAddress(addresses[0])


def test_no_room_for_a_subnet(store: Store) -> None:
    store.define_network("small", IPNetwork("192.0.2.0/27"), [])
    store.define_network("six", IPNetwork("2001:db8::/64"), [])
    for parent, hosts in (("small", 29), ("small", 14), ("small", 2**40), ("small", 0), ("six", 4)):
        with pytest.raises(PotnetError) as refused:
            store.carve(parent, "stove", hosts)
        assert refused.value.hint
    with pytest.raises(PotnetError, match="already exists"):
        store.carve("public", "small", 4)


def test_a_network_that_was_not_carved_is_not_given_back(store: Store) -> None:
    with pytest.raises(PotnetError, match="is not a part of another network"):
        store.uncarve("public")


def test_names_of_many_users_are_cut_short(store: Store) -> None:
    for number in range(9):
        store.reserve("public", f"p{number}")
    with pytest.raises(PotnetError, match="while pots p0, p1, p2 and 6 more use it"):
        store.define_network("public", IPNetwork("172.16.0.0/12"), [])
