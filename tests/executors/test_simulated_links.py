"""Links to other hosts on the simulated host, beside what the records show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from potnet.executors.base import CommandResult
from potnet.executors.simulated import Connection, Refusal, SimulatedHost
from potnet.executors.simulated.packets.calls import Sign

Run = Callable[..., CommandResult]

PRIVATE = f"{'A' * 42}E="
FIRST, SECOND = f"{'B' * 42}E=", f"{'C' * 42}E="


def test_a_public_key_is_that_of_the_standard(run: Run) -> None:
    """RFC 7748, section 5.2: the first step of the iteration."""
    private = "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert run("wg pubkey", stdin=private).out == "QiyOemIn17yhNQs+K7cnn3iXuHu2hUt4PGDoAxGuMHk=\n"


def test_a_vxlan_over_ipv6_has_a_smaller_mtu(run: Run) -> None:
    run("ifconfig em0 inet6 fd00:1::20/64 -ifdisabled")
    run("ifconfig vxlan0 create vxlanid 7 vxlanlocal fd00:1::20 vxlanremote fd00:1::50 up")
    shown = run("ifconfig vxlan0").out
    assert "RUNNING" in shown
    assert "mtu 1430" in shown
    assert "vxlan vni 7 local [fd00:1::20]:4789 remote [fd00:1::50]:4789" in shown


def test_an_mtu_that_was_set_stays(run: Run) -> None:
    run("ifconfig vxlan0 create mtu 1400")
    run("ifconfig vxlan0 vxlanid 7 vxlanlocal 192.168.178.20 vxlanremote 192.168.178.50")
    assert "mtu 1400" in run("ifconfig vxlan0").out


@pytest.mark.parametrize(("number", "runs"), [("7", False), ("8", True)])
def test_vxlans_of_different_numbers_run_beside_each_other(run: Run, number: str, runs: bool) -> None:
    run("ifconfig vxlan0 create vxlanid 7 vxlanlocal 192.168.178.20 vxlanremote 192.168.178.50 up")
    run(f"ifconfig vxlan1 create vxlanid {number} vxlanlocal 192.168.178.20 vxlanremote 192.168.178.51 up")
    assert ("RUNNING" in run("ifconfig vxlan1").out) is runs


def test_a_vxlan_that_is_down_frees_its_number(run: Run) -> None:
    run("ifconfig vxlan0 create vxlanid 7 vxlanlocal 192.168.178.20 vxlanremote 192.168.178.50 up")
    run("ifconfig vxlan0 down")
    run("ifconfig vxlan0 vxlanremote 192.168.178.51")
    run("ifconfig vxlan1 create vxlanid 7 vxlanlocal 192.168.178.20 vxlanremote 192.168.178.50 up")
    assert "RUNNING" in run("ifconfig vxlan1").out


def test_a_link_needs_no_bridge(host: SimulatedHost, run: Run) -> None:
    run("ifconfig vxlan0 create vxlanid 7 vxlanlocal 192.168.178.20 vxlanremote 192.168.178.50 up")
    run("ifconfig vxlan0 inet 10.9.0.1/24")
    host.add_machine("vxlan0", "10.9.0.2/24")
    assert isinstance(host.connect("host", "10.9.0.2", 7), Connection)
    run("ifconfig vxlan0 destroy")
    assert isinstance(host.connect("outside", "10.9.0.1", 7, client="10.9.0.2"), Refusal)


@pytest.fixture
def link(host: SimulatedHost, run: Run) -> None:
    """Two peers: one with a network, the other with a part of it."""
    run("ifconfig wg0 create")
    run("wg set wg0 listen-port 51820 private-key /dev/stdin", stdin=PRIVATE)
    run(f"wg set wg0 peer {FIRST} allowed-ips 10.9.0.0/16 endpoint 192.168.178.50:51821")
    run(f"wg set wg0 peer {SECOND} allowed-ips 10.9.9.0/24 endpoint 192.168.178.99:51821")
    run("ifconfig wg0 inet 10.9.0.1/32")
    run("ifconfig wg0 up")
    run("route add -net 10.9.0.0/16 -interface wg0")
    host.add_machine("wg0", "10.9.9.5/16")


def counters(run: Run) -> dict[str, bool]:
    """Return whether packets have passed, by the peer."""
    rows = [line.split("\t") for line in run("wg show wg0 transfer").out.splitlines()]
    return {key: received != "0" for key, received, _ in rows}


def test_the_longest_network_names_the_peer(host: SimulatedHost, run: Run, link: None) -> None:
    assert isinstance(host.connect("host", "10.9.9.5", 7), Connection)
    assert counters(run) == {FIRST: False, SECOND: True}


def test_a_network_belongs_to_one_peer(run: Run, link: None) -> None:
    run(f"wg set wg0 peer {FIRST} allowed-ips 10.9.9.0/24")
    assert run("wg show wg0 allowed-ips").out == f"{FIRST}\t10.9.9.0/24\n{SECOND}\t(none)\n"


def test_a_program_hears_that_no_peer_has_an_address(host: SimulatedHost, run: Run, link: None) -> None:
    run(f"wg set wg0 peer {FIRST} remove peer {SECOND} remove")
    answer = host.connect("host", "10.9.9.5", 7)
    assert isinstance(answer, Refusal)
    assert answer.sign is Sign.NO_KEY


def test_pf_keeps_a_link_that_the_host_has_begun(host: SimulatedHost, run: Run, link: None) -> None:
    run("pfctl -f -", stdin="block in all\npass out keep state\n")
    assert isinstance(host.connect("host", "10.9.9.5", 7), Connection)
    run("pfctl -f -", stdin="block out on em0 all\n")
    assert isinstance(host.connect("host", "10.9.9.5", 7), Refusal)


def test_a_configuration_takes_the_place_of_all_peers(run: Run, link: None) -> None:
    before = run("wg showconf wg0").out
    run("wg setconf wg0 /dev/stdin", stdin=f"[Peer]\nPublicKey = {SECOND}\n")
    assert run("wg show wg0 peers").out == f"{SECOND}\n"
    run("wg setconf wg0 /dev/stdin", stdin=before)
    assert run("wg showconf wg0").out == before


def test_a_link_that_is_made_again_has_nothing_of_the_first(run: Run, link: None) -> None:
    run("ifconfig wg0 destroy")
    run("ifconfig wg0 create")
    assert run("wg show wg0 dump").out == "(none)\t(none)\t0\toff\n"
