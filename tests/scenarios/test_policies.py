"""Policies: who may open connections to whom, followed as pots start and stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_model import Chosen, choices, compare
from world import World, both_hosts

from potnet.errors import HostError, PotnetError, UsageError
from potnet.host.findings import Kind
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.completion_names import sides
from potnet.operations.reports.info import info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NOTHING = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None}
OFFLINE = NetworkOptions(internet=False)


def kitchen(world: World, running: bool = True) -> dict[str, str]:
    """web on the bridge front, db and log on back, mail on one of its own; their addresses."""
    for bridge in ("front", "back", "post"):
        world.do(create_private_bridge, BridgeRequest(bridge, 4))
    world.create("web", "private-bridge", bridge="front")
    world.create("db", "private-bridge", bridge="back")
    world.create("log", "private-bridge", bridge="back")
    world.create("mail", "private-bridge", bridge="post")
    if running:
        world.do(start, ["web", "db", "log", "mail"])
    return {pot.name: str(pot.ipv4) for pot in world.records()["pots"]}


def add(world: World, source: str, destination: str, port: str | None = None, deny: bool = False) -> bool:
    return bool(world.do(policies.add, source, destination, port, deny))


@both_hosts
def test_names_that_a_pot_and_a_bridge_share_are_told_apart(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("oven", 4))
    world.do(create_private_bridge, BridgeRequest("post", 4))
    world.create("oven", "private-bridge", bridge="oven")
    world.create("mail", "private-bridge", bridge="post")
    assert world.do(sides) == ("bridge:oven", "mail", "post", "pot:oven")
    for name in world.do(sides):
        other = "mail" if "oven" in name else "pot:oven"
        assert world.do(policies.add, name, other, "tcp:25", False)


def test_a_port_is_opened_between_bridges_and_closed_again(world: World) -> None:
    at = kitchen(world)
    before = world.lasting()
    assert not world.reaches("web", at["db"], 80)
    assert add(world, "web", "db", "tcp:80") and not add(world, "web", "db", "80")
    assert world.reaches("web", at["db"], 80)
    assert not world.reaches("web", at["db"], 443)
    assert not world.reaches("db", at["web"], 80)
    assert not world.reaches("web", at["log"], 80)
    assert world.do(check, [], None) == ()
    assert world.do(policies.remove, "web", "db", "tcp:80")
    assert not world.do(policies.remove, "web", "db", "tcp:80")
    assert not world.reaches("web", at["db"], 80)
    assert world.lasting() == before


@both_hosts
def test_policies_follow_pots(world: World) -> None:
    at = kitchen(world, running=False)
    before = world.snapshot()
    (
        add(world, "web", "db"),
        add(world, "mail", "back"),
        add(world, "web", "mail", "80", deny=True),
    )
    world.do(start, ["web"])
    world.do(start, ["mail", "db", "log"])
    assert world.reaches("web", at["db"], 80)
    assert world.reaches("mail", at["log"], 443)
    assert not world.reaches("web", at["mail"], 80)
    assert not world.reaches("log", at["web"], 80)
    world.do(stop, ["db"])
    assert world.do(check, [], None) == ()
    world.do(start, ["db"])
    assert world.reaches("web", at["db"], 80)
    assert world.do(check, [], None) == ()
    world.do(stop, ["web", "db", "log", "mail"])
    assert world.snapshot() == before


@both_hosts
def test_of_several_policies_the_exact_one_decides(world: World) -> None:
    at = kitchen(world)
    add(world, "front", "back")
    add(world, "web", "db", deny=True)
    add(world, "web", "db", "443")
    assert world.reaches("web", at["log"], 80)
    assert not world.reaches("web", at["db"], 80)
    assert world.reaches("web", at["db"], 443)
    add(world, "web", "back", "80", deny=True)
    assert not world.reaches("web", at["log"], 80)
    assert world.reaches("web", at["log"], 443)
    assert world.do(check, [], None) == ()
    seen = [(each["action"], each["from"], each["to"], each["port"]) for each in world.do(policies.listed)]
    assert seen == [
        ("allow", "web", "db", "tcp:443"), ("deny", "web", "db", None), ("deny", "web", "back", "tcp:80"),
        ("allow", "front", "back", None),
    ]  # fmt: skip


@both_hosts
@pytest.mark.parametrize("first", ["deny", "allow"])
@pytest.mark.parametrize(
    ("denied", "allowed"), [(("front", "db"), ("web", "back")), (("web", "back"), ("front", "db"))]
)
def test_of_policies_that_are_as_exact_a_denial_decides(
    world: World, first: str, denied: tuple[str, str], allowed: tuple[str, str]
) -> None:
    at = kitchen(world)
    for action in (first, *({"deny", "allow"} - {first})):
        add(world, *(denied if action == "deny" else allowed), "80", deny=action == "deny")
    assert not world.reaches("web", at["db"], 80)
    assert [each["action"] for each in world.do(policies.listed)] == ["deny", "allow"]
    assert world.do(policies.remove, *denied, "80")
    assert world.reaches("web", at["db"], 80)


@both_hosts
def test_a_pot_without_internet(world: World) -> None:
    world.create("inner", "public-bridge", network=OFFLINE)
    world.create("mail", "public-bridge")
    before = world.snapshot()
    world.do(start, ["inner", "mail"])
    mail = str(next(pot.ipv4 for pot in world.records()["pots"] if pot.name == "mail"))
    inner = str(next(pot.ipv4 for pot in world.records()["pots"] if pot.name == "inner"))
    assert world.reaches("inner", mail, 80) and world.reaches("host", inner, 80)
    outside = "192.0.2.9" if world.kind == "linux" else "192.168.178.99"
    assert world.reaches("mail", outside, 80)
    assert not world.reaches("inner", outside, 80)
    world.listen(2222, "sshd")
    assert world.reaches("mail", world.address, 2222)
    assert not world.reaches("inner", world.address, 2222)
    assert world.do(info, "inner")["internet"] is False
    assert world.do(check, [], None) == ()
    world.do(stop, ["inner", "mail"])
    assert world.snapshot() == before


@both_hosts
def test_a_pot_without_internet_has_none_by_ipv6_either(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, "2001:db8:77::/64"))
    world.create("inner", "private-bridge", "ipv6", bridge="stove", network=OFFLINE)
    world.create("mail", "private-bridge", "ipv6", bridge="stove")
    world.do(start, ["inner", "mail"])
    outside, host, gateway = "2001:db8:7::1", "2001:db8:7::20", "2001:db8:77::1"
    inner, mail = "2001:db8:77::2", "2001:db8:77::3"
    world.listen(2222, "sshd")
    # A kernel tells IPv6 of a new link a moment later.
    open_ = [("mail", outside, 80), ("inner", gateway, 2222), ("inner", mail, 80), ("host", inner, 80)]
    assert all(any(world.reaches(*each) for _ in range(60)) for each in open_)
    assert not world.reaches("inner", outside, 80)
    assert not world.reaches("inner", host, 2222)
    assert world.do(check, [], None) == ()


@both_hosts
def test_rules_that_somebody_took_away_come_back(world: World) -> None:
    at = kitchen(world)
    add(world, "web", "db", "80"), add(world, "web", "mail", deny=True)
    if world.kind == "linux":
        world.do_there("nft", "flush", "chain", "inet", "potnet", "pot-filter/.web")
    else:
        world.do_there("pfctl", "-a", "pot-filter/.web", "-f", "-", stdin="")
    assert not world.reaches("web", at["db"], 80)
    found = world.do(check, [], None)
    assert {each.kind for each in found} <= {Kind.RULES_MISSING, Kind.RULES_DIFFER} and found
    world.do(repair, [], None)
    assert world.reaches("web", at["db"], 80)
    assert not world.reaches("web", at["mail"], 80)
    assert world.do(check, [], None) == ()


@both_hosts
def test_the_opposite_takes_back_what_was_cut_off(world: World) -> None:
    at = kitchen(world)
    before = world.lasting()
    add(world, "web", "db", "80")
    with world.app() as app:
        # As if the command had ended before the store had it.
        assert app.store.remove_policy(app.store.policies()[0])
    assert world.do(check, [], None)
    assert not world.do(policies.remove, "web", "db", "80")
    assert not world.reaches("web", at["db"], 80)
    assert world.do(check, [], None) == ()
    assert world.lasting() == before


@both_hosts
def test_ipv6_is_filtered_likewise(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("front", 4, "auto"))
    world.do(create_private_bridge, BridgeRequest("back", 4, "auto"))
    for name, bridge in (("web", "front"), ("db", "back")):
        world.create(name, "private-bridge", "dual", bridge=bridge)
    world.do(start, ["web", "db"])
    db = str(next(p for p in world.records()["pots"] if p.name == "db").attachments[0].address6)
    assert not world.reaches("web", db, 80)
    add(world, "web", "db", "80")
    assert world.reaches("web", db, 80)
    assert not world.reaches("web", db, 443)
    assert world.do(check, [], None) == ()


def test_rules_that_name_the_external_interface_are_not_made_without_one(world: World) -> None:
    for bridge in ("front", "back"):
        world.do(create_private_bridge, BridgeRequest(bridge, 4, "auto"))
    world.create("web", "private-bridge", "dual", bridge="front")
    world.create("db", "private-bridge", "dual", bridge="back")
    world.do(start, ["web"])
    world.do_there("route", "delete", "default")
    lost = world.snapshot()
    with pytest.raises(HostError, match="no default route"):
        add(world, "web", "db", "80")
    assert (world.snapshot(), world.do(policies.listed)) == (lost, [])
    world.do(stop, ["web"])
    add(world, "web", "db", "80")
    world.do_there("route", "add", "default", "192.168.178.1")
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()


def test_connections_end_with_what_allowed_them(world: World) -> None:
    at = kitchen(world)
    add(world, "web", "db")
    assert world.reaches("web", at["db"], 80)
    assert any(at["db"] in str(state) for state in world.host.states())
    world.do(policies.remove, "web", "db", None)
    assert not any(at["db"] in str(state) for state in world.host.states())


def test_what_the_administrator_blocks_stays_blocked(world: World) -> None:
    at = kitchen(world)
    rules = 'nat-anchor "pot-nat"\nrdr-anchor "pot-rdr/*"\nanchor "pot-filter/*"\npass\n'
    world.do_there("pfctl", "-f", "-", stdin=f"{rules}block in from {at['web']} to {at['db']}\n")
    add(world, "web", "db")
    assert not world.reaches("web", at["db"], 80)
    # Without any rule of the administrator's, nothing but ours keeps state.
    world.do_there("pfctl", "-f", "-", stdin=rules.removesuffix("pass\n"))
    assert world.reaches("web", at["db"], 80)


def test_a_policy_goes_with_its_pot_or_bridge(world: World) -> None:
    kitchen(world)
    add(world, "web", "db"), add(world, "web", "back"), add(world, "db", "web", "80")
    world.do(stop, ["db", "log"])
    world.notices.clear()
    world.do(destroy_pot, "db")
    assert sorted(world.notices) == [
        "removed with db: policy allow db to web tcp:80", "removed with db: policy allow web to db",
    ]  # fmt: skip
    assert [each["to"] for each in world.do(policies.listed)] == ["back"]
    world.do(destroy_pot, "log")
    world.do(destroy_bridge, "back")
    assert world.do(policies.listed) == []
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("web", "nobody", None, False), PotnetError, "pot or bridge 'nobody' not found"),
        (("pot:front", "db", None, False), PotnetError, "pot 'front' not found"),
        (("host:x", "db", None, False), UsageError, "neither a pot nor a bridge"),
        (("stove", "db", None, False), UsageError, "stove is a pot and a bridge"),
        (("web", "db", "tcp:0", False), UsageError, "invalid port --port"),
        (("web", "db", "80-79", False), UsageError, "invalid port --port"),
        (("web", "db", "icmp:8", False), UsageError, "invalid port --port"),
        (("web", "db", "70000", False), UsageError, "invalid port --port"),
        (("db", "log", None, True), PotnetError, "are both on bridge back"),
        (("back", "log", None, True), PotnetError, "are both on bridge back"),
        (("web", "public", None, False), PotnetError, "public is the public bridge"),
        (("open", "db", None, False), PotnetError, "open is on the public bridge"),
        (("web", "alias", None, False), PotnetError, "policies cannot apply to alias"),
        (("web", "db", "80", True), PotnetError, "a policy says the opposite: allow"),
        (("web", "db", "79-81", False), PotnetError, "the ports overlap"),
    ],
)
def test_bad_policies(
    world: World, arguments: tuple[str, str, str | None, bool], error: type[PotnetError], words: str
) -> None:
    kitchen(world, running=False)
    world.create("stove", "inherit"), world.create("alias", "alias"), world.create("open", "public-bridge")
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    add(world, "web", "db", "80")
    records = world.do(policies.listed)
    with pytest.raises(error, match=words):
        world.do(policies.add, *arguments)
    assert world.do(policies.listed) == records


def test_slaac_cannot_be_kept_from_the_internet(world: World) -> None:
    for stack in ("ipv6", "dual"):
        with pytest.raises(PotnetError, match="IPv6 by SLAAC"):
            world.create("six", "public-bridge", stack, network=OFFLINE)
    world.create("six", "public-bridge", "ipv6")
    with pytest.raises(PotnetError, match="IPv6 by SLAAC"):
        world.do(set_options, "six", SettingsRequest(**NOTHING, network=OFFLINE))
    with pytest.raises(PotnetError, match="--no-internet is for pots on bridges"):
        world.create("host", network=OFFLINE)


# Against a model that knows no rules

HOMES = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "c1": "c"}


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices(HOMES), st.sets(st.sampled_from(sorted(HOMES))))
def test_who_reaches_whom_is_what_a_naive_model_says(
    tmp_path_factory: pytest.TempPathFactory, chosen: Chosen, restarted: set[str]
) -> None:
    compare(houses(tmp_path_factory.mktemp("model")), HOMES, 3, chosen, restarted)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices(HOMES), st.sets(st.sampled_from(sorted(HOMES))))
def test_who_reaches_whom_in_many_kitchens(
    tmp_path_factory: pytest.TempPathFactory, chosen: Chosen, restarted: set[str]
) -> None:
    compare(houses(tmp_path_factory.mktemp("model")), HOMES, 3, chosen, restarted)


def houses(directory: Path) -> World:
    """All these pots, which do not run."""
    world = World(directory)
    for bridge in dict.fromkeys(HOMES.values()):
        world.do(create_private_bridge, BridgeRequest(bridge, 4))
    for name, bridge in HOMES.items():
        world.create(name, "private-bridge", bridge=bridge)
    return world
