"""Policies between pots of one bridge, which network.antispoof makes possible."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_model import Chosen, choices, compare
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.host.findings import Kind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: What takes a while where nobody answers.
slow_on_linux = pytest.mark.parametrize(
    "world", ["freebsd", pytest.param("linux", marks=pytest.mark.slow)], indirect=True
)
ON = "network.antispoof = true\n"
OUTSIDE = {"sim": "192.168.178.99", "linux": "192.0.2.9"}


def kitchen(world: World, running: bool = True, kind: str = "private-bridge") -> dict[str, str]:
    """web, db and log on one bridge, mail on another; their addresses."""
    world.configure(ON)
    world.do(create_private_bridge, BridgeRequest("stove", 5, "auto"))
    world.do(create_private_bridge, BridgeRequest("post", 2, "auto"))
    for name in ("web", "db", "log"):
        bridge = "stove" if kind == "private-bridge" else None
        world.create(name, kind, "dual" if bridge else "ipv4", bridge=bridge)
    world.create("mail", "private-bridge", "dual", bridge="post")
    if running:
        world.do(start, ["web", "db", "log", "mail"])
    return {pot.name: str(pot.ipv4) for pot in world.records()["pots"]}


def add(world: World, source: str, destination: str, port: str | None = None, deny: bool = True) -> Any:
    return world.do(policies.add, source, destination, port, deny)


def six(world: World, name: str) -> str:
    return str(next(p for p in world.records()["pots"] if p.name == name).attachments[0].address6)


def reached(world: World, at: dict[str, str], port: int = 80) -> set[tuple[str, str]]:
    """Who reaches whom on the bridge."""
    pairs = product(("web", "db", "log"), repeat=2)
    return {(one, other) for one, other in pairs if one != other and world.reaches(one, at[other], port)}


ALL = {(one, other) for one, other in product(("web", "db", "log"), repeat=2) if one != other}


@both_hosts
def test_one_way_is_closed_and_opened_again(world: World) -> None:
    at = kitchen(world, running=False)
    before = world.snapshot()
    world.do(start, ["web", "db", "log", "mail"])
    first = world.lasting()
    assert add(world, "web", "db") and not add(world, "web", "db")
    assert reached(world, at) == ALL - {("web", "db")}
    assert not world.reaches("web", six(world, "db"), 80) and world.reaches("db", six(world, "web"), 80)
    assert world.reaches("host", at["db"], 80) and world.reaches("web", OUTSIDE[world.kind], 80)
    assert world.do(check, [], None) == ()
    assert world.do(policies.remove, "web", "db", None)
    assert reached(world, at) == ALL
    assert world.do(check, [], None) == ()
    assert world.lasting() == first
    world.do(stop, ["web", "db", "log", "mail"])
    assert world.snapshot() == before


@slow_on_linux
def test_a_port_and_what_is_more_exact(world: World) -> None:
    at = kitchen(world)
    add(world, "web", "db", "80")
    assert reached(world, at) == ALL - {("web", "db")} and reached(world, at, 443) == ALL
    add(world, "stove", "stove")
    add(world, "log", "web", "443", deny=False)
    assert reached(world, at) == set() and reached(world, at, 443) == {("log", "web")}
    assert world.do(check, [], None) == ()
    # The gateway, what is behind it, and exports are no pots of the bridge.
    world.do(export_ports, "db", ExportRequest(["443:30443"]))
    for source in ("web", "outside", "mail", "db"):
        assert world.reaches(source, world.address, 30443), source
    assert world.reaches("web", OUTSIDE[world.kind], 80) and world.reaches("host", at["log"], 80)
    assert not world.reaches("web", six(world, "db"), 80)


@slow_on_linux
def test_it_follows_pots(world: World) -> None:
    at = kitchen(world, running=False)
    before = world.snapshot()
    add(world, "web", "db"), add(world, "log", "stove", "80"), add(world, "web", "mail", deny=False)
    world.do(start, ["web", "log"])
    world.do(start, ["db", "mail"])
    assert reached(world, at) == {("db", "web"), ("db", "log"), ("web", "log")}
    assert world.reaches("web", at["mail"], 80)
    assert world.do(check, [], None) == ()
    world.do(stop, ["db"])
    assert world.do(check, [], None) == ()
    world.do(start, ["db"])
    assert not world.reaches("web", at["db"], 80) and world.reaches("db", at["web"], 80)
    world.do(stop, ["web", "db", "log", "mail"])
    assert world.snapshot() == before


@both_hosts
def test_pots_of_the_public_bridge(world: World) -> None:
    at = kitchen(world, kind="public-bridge")
    add(world, "web", "db"), add(world, "log", "public", "80")
    assert reached(world, at) == {("db", "web"), ("db", "log"), ("web", "log")}
    assert reached(world, at, 443) == ALL - {("web", "db")}
    assert world.reaches("web", OUTSIDE[world.kind], 80)
    assert world.do(check, [], None) == ()
    with pytest.raises(PotnetError, match="web is on the public bridge"):
        add(world, "web", "mail")


@both_hosts
def test_what_somebody_takes_away_comes_back(world: World) -> None:
    at = kitchen(world)
    add(world, "web", "db")
    if world.kind == "linux":
        world.do_there("nft", "flush", "chain", "bridge", "potnet", "pot-filter/.web.in")
    else:
        world.do_there("pfctl", "-a", "pot-filter/.web", "-f", "-", stdin="")
    assert {found.kind for found in world.do(check, [], None)} <= {Kind.RULES_MISSING, Kind.RULES_DIFFER}
    assert world.do(check, [], None)
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert reached(world, at) == ALL - {("web", "db")}


@both_hosts
def test_the_opposite_takes_back_what_was_cut_off(world: World) -> None:
    at = kitchen(world)
    before = world.lasting()
    add(world, "web", "db")
    with world.app() as app:
        # As if the command had ended before the store had it.
        assert app.store.remove_policy(app.store.policies()[0])
    assert world.do(check, [], None)
    assert not world.do(policies.remove, "web", "db", None)
    assert reached(world, at) == ALL
    assert world.do(check, [], None) == ()
    assert world.lasting() == before


def test_without_antispoof_there_is_none(world: World) -> None:
    kitchen(world, running=False)
    add(world, "web", "db")
    world.configure("")
    with pytest.raises(PotnetError, match=r"policies there require network\.antispoof"):
        add(world, "db", "log")
    for name in ("web", "db"):
        with pytest.raises(PotnetError, match=r"has no effect without network\.antispoof: deny web to db"):
            world.do(start, [name])
    world.do(start, ["log"])
    world.do(policies.remove, "web", "db", None)
    world.do(start, ["web", "db"])


def test_what_would_have_no_effect_is_refused(world: World) -> None:
    kitchen(world, running=False)
    apart = NetworkOptions(isolate=True)
    for name in ("one", "two"):
        world.create(name, "private-bridge", bridge="stove", network=apart)
    with pytest.raises(PotnetError, match="are isolated on bridge stove"):
        add(world, "one", "two", "80", deny=False)
    with pytest.raises(PotnetError, match="policies do not apply between web and itself"):
        add(world, "web", "web")
    world.create("slaac", "public-bridge", "ipv6")
    with pytest.raises(PotnetError, match="policies cannot apply to slaac"):
        add(world, "slaac", "public6")
    with pytest.raises(PotnetError, match="policies cannot apply to public6"):
        add(world, "public6", "public6")
    assert world.do(policies.listed) == []
    assert add(world, "one", "web")


def test_what_is_allowed_within_a_bridge_opens_it_to_no_other(world: World) -> None:
    kitchen(world)
    before = len(world.executor.changed)
    add(world, "web", "db", "80", deny=False)
    assert not [line for line in world.executor.changed[before:] if "pot-filter/stove" in line]
    assert not [rule for rule in world.host.anchor("pot-filter/stove") if "tagged" in rule]


def test_connections_that_are_open_end(world: World) -> None:
    """Rules at a pot's end keep no state of what it opens, so that the next packet meets them."""
    kitchen(world)
    add(world, "web", "db", "80")
    rules = world.host.anchor("pot-filter/.web")
    kept = [rule for rule in rules if "keep state" in rule]
    assert len(kept) == 2 and all(rule.startswith("pass out") and "if-bound" in rule for rule in kept)


HOMES = dict.fromkeys(("web", "db", "log"), "stove")


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices(HOMES), st.sets(st.sampled_from(sorted(HOMES))))
def test_who_reaches_whom_is_what_a_naive_model_says(
    tmp_path_factory: pytest.TempPathFactory, chosen: Chosen, restarted: set[str]
) -> None:
    compare_near(World(tmp_path_factory.mktemp("near")), chosen, restarted)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices(HOMES), st.sets(st.sampled_from(sorted(HOMES))))
def test_who_reaches_whom_in_many_kitchens(
    tmp_path_factory: pytest.TempPathFactory, chosen: Chosen, restarted: set[str]
) -> None:
    compare_near(World(tmp_path_factory.mktemp("near")), chosen, restarted)


def compare_near(world: World, chosen: Chosen, restarted: set[str]) -> None:
    kitchen(world, running=False)
    compare(world, HOMES, 2, chosen, restarted)
