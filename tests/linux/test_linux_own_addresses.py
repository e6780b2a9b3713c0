"""Exports answer at the host's own addresses, on a Linux kernel: at none of alias pots' or of others'."""

from __future__ import annotations

from itertools import product

import pytest
from linux_world import HOST, OUTSIDE, SILENCE, World

SECOND, BOWL, GATEWAY = "192.0.2.77", "192.0.2.200", "192.0.2.9"
HOST6, SECOND6, BOWL6 = "2001:db8:7::20", "2001:db8:7::77", "2001:db8:7::200"
PROTOCOLS = ("tcp", "udp")
CALLERS = ("outside", "wok", None)


def pots(world: World, *options: str) -> None:
    """A pot with an export and its server, and a neighbour of it."""
    for name in ("casserole", "wok"):
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("export-ports", "-p", "casserole", "-e", "tcp+udp:80:30080", *options)
    world.potnet("start", "casserole", "wok")
    world.serve("casserole", 80)


def answers(world: World, address: str, port: int = 30080) -> list[str]:
    """Who asks from where finds something there: from outside, from a pot, from the host."""
    return [world.ask(source, protocol, address, port) for source, protocol in product(CALLERS, PROTOCOLS)]


def nobody(world: World, address: str) -> bool:
    return set(answers(world, address)) == {SILENCE}


def everybody(world: World, address: str) -> bool:
    return SILENCE not in answers(world, address)


def test_an_alias_pot_keeps_its_ports(world: World) -> None:
    pots(world, "--loopback")
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl")
    assert everybody(world, HOST) and nobody(world, BOWL)
    assert world.potnet("check") == ""
    world.serve("bowl", 30080)
    assert world.ask("outside", "tcp", BOWL, 30080) == OUTSIDE


def test_what_has_stopped_leaves_nothing_to_mend(world: World) -> None:
    pots(world, "--loopback")
    for verb in ("create", "start", "stop", "start", "stop", "destroy"):
        options = ("-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}") if verb == "create" else ("bowl",)
        world.potnet(verb, *(("-p", "bowl") if verb == "destroy" else options))
        assert world.potnet("check") == ""
    assert everybody(world, HOST)
    # It is the host's own now.
    world.run("ip", "addr", "replace", f"{BOWL}/24", "dev", "eth0")
    world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "addr", "replace", f"{BOWL}/24", "dev", "eth0")
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert world.try_potnet("check").code == 1
    world.potnet("repair")
    assert everybody(world, BOWL) and world.potnet("check") == ""


def test_it_does_so_when_it_was_there_first(world: World) -> None:
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl")
    pots(world, "--loopback")
    assert everybody(world, HOST) and nobody(world, BOWL)
    assert world.potnet("check") == ""


def tracked(world: World, address: str) -> list[str]:
    """The numbers that conntrack(8) has given to connections to an address."""
    shown = world.run("conntrack", "-L", "-p", "udp", "-d", address, "-o", "id").out
    return [word for word in shown.split() if word.startswith("id=")]


def test_connections_of_an_alias_pot_go_on_when_their_port_is_exported(world: World) -> None:
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl", "casserole")
    for address in (BOWL, HOST):
        world.ask("outside", "udp", address, 30080)
    before = tracked(world, BOWL)
    assert before and tracked(world, HOST)
    world.potnet("export-ports", "-p", "casserole", "-e", "udp:80:30080")
    assert tracked(world, BOWL) == before and not tracked(world, HOST)


def test_a_limited_export_counts_no_calls_of_an_alias_pot(world: World) -> None:
    pots(world, "--from", "198.51.100.0/24")
    world.potnet("create", "-p", "bowl", "-N", "alias", "-i", f"eth0|{BOWL}")
    world.potnet("start", "bowl")
    world.potnet("export-ports", "-p", "casserole", "-e", "80:30080", "--max-connections", "1")
    world.serve("bowl", 30080)
    assert [world.ask("outside", "tcp", BOWL, 30080) for _ in range(3)] == [OUTSIDE] * 3


def test_further_addresses_are_somebody_elses(world: World) -> None:
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    pots(world, "--loopback")
    assert everybody(world, HOST) and nobody(world, SECOND)
    # One that is named is offered there.
    world.potnet("export-ports", "-p", "casserole", "--add", "-e", f"{SECOND}@80:31080", "--loopback")
    assert SILENCE not in (world.ask(source, "tcp", SECOND, 31080) for source in CALLERS)
    assert world.potnet("check") == ""


def test_one_that_comes_while_pots_run_is_told_and_kept_off(world: World) -> None:
    pots(world, "--loopback")
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    answer = world.try_potnet("check")
    assert answer.code == 1 and "further4 192.0.2.77" in answer.out
    world.potnet("repair")
    assert world.potnet("check") == "" and nobody(world, SECOND) and everybody(world, HOST)
    world.run("ip", "addr", "add", "192.0.2.78/24", "dev", "eth0")
    world.potnet("export-ports", "-p", "casserole", "--add", "-e", "81:30081")
    assert world.potnet("check") == "" and nobody(world, "192.0.2.78") and everybody(world, HOST)


@pytest.mark.parametrize("overlap", [True, False])
def test_a_renewed_address_goes_on_to_work(world: World, overlap: bool) -> None:
    """dhclient(8) takes the old address away before the new one is there, others do so after it."""
    lease = ("dev", "eth0", "valid_lft", "1000", "preferred_lft", "1000")
    world.run("tee", "/proc/sys/net/ipv4/conf/eth0/promote_secondaries", stdin="1\n")
    world.run("ip", "addr", "replace", f"{HOST}/24", *lease)
    pots(world, "--loopback")
    if not overlap:
        world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
    world.run("ip", "addr", "add", f"{SECOND}/24", *lease)
    world.run("ip", "route", "replace", "default", "via", GATEWAY)
    if overlap:
        # A command in between takes neither for another's.
        world.potnet("export-ports", "-p", "casserole", "--add", "-e", "81:30081")
        assert everybody(world, HOST) and everybody(world, SECOND)
        world.run("ip", "addr", "del", f"{HOST}/24", "dev", "eth0")
        world.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert everybody(world, SECOND)
    assert world.potnet("check") == ""


def test_configured_addresses_are_those(world: World) -> None:
    third = "192.0.2.78"
    for address in (SECOND, third):
        world.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    settings = f'[network]\nexternal_address = ["{HOST}", "{SECOND}", "{HOST6}"]\n'
    world.run("mkdir", "-p", "/run/config/potnet")
    world.run("tee", "/run/config/potnet/potnet.toml", stdin=settings)
    pots(world, "--loopback")
    assert everybody(world, HOST) and everybody(world, SECOND) and nobody(world, third)


def test_the_first_pot_alone_finds_further_addresses(world: World) -> None:
    """No bridge is up before, so the look for one is what shows the addresses."""
    world.run("ip", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    world.potnet("export-ports", "-p", "casserole", "-e", "80:30080")
    world.potnet("start", "casserole")
    world.serve("casserole", 80)
    assert world.ask("outside", "tcp", HOST, 30080) == OUTSIDE
    assert world.ask("outside", "tcp", SECOND, 30080) == SILENCE
    assert world.potnet("check") == ""
