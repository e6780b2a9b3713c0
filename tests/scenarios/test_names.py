"""Names of pots and bridges: long ones, cut in anchors, of any case, and those that mean something else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest
from made_up import MadeUp
from world import World, both_hosts

from potnet.cli.views import bridge_info_text, info_text
from potnet.errors import ConfigError, PotnetError, UsageError
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.files.hosts_files import hosts_text, neighbours_of
from potnet.operations.from_pot.importing import import_pots
from potnet.operations.maintenance.check import check
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.networks.policies import add, listed
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.dns import zones
from potnet.operations.reports.info import bridge_info, info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.operations.selection import named_pots
from potnet.planning.filter import packet_filter as pf

#: As Nomad makes them, and two that are the same up to where they are cut.
NOMAD = "www1_a1b2c3d4_f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
LONG, OTHER = "w" * 63, "w" * 62 + "x"
SPECIAL = [
    "localhost", "LocalHost", "local", "ip6-localhost", "ip6-allnodes", "broadcasthost", "wpad", "isatap",
    "localhost4", "localhost6", "ipv6-localhost", "ipv6-allrouters", "0x7f000001", "0X7F", "localdomain",
]  # fmt: skip


def rename(world: World, old: str, new: str) -> None:
    """A name that an older potnet took."""
    with world.app() as app:
        pot = app.store.pot(old)
        assert pot is not None
        app.store.remove_pot(old)
        app.store.add_pot(replace(pot, name=new))
        app.store.change("UPDATE lease SET pot = ? WHERE pot = ?", new, old)


@both_hosts
@pytest.mark.parametrize("name", [NOMAD, LONG])
def test_long_names(world: World, name: str) -> None:
    bridge = "b" * 63
    world.do(create_private_bridge, BridgeRequest(bridge, 8, "auto"))
    world.create(name, "private-bridge", "dual", bridge=bridge, network=NetworkOptions(internet=False))
    world.create(OTHER, "private-bridge", "dual", bridge=bridge)
    for pot, port in ((name, 30080), (OTHER, 30081)):
        world.do(export_ports, pot, ExportRequest([f"80:{port}"], False, (), 3))
    world.do(start, [name, OTHER])
    assert world.do(check, [], None) == ()
    world.do(stop, [name, OTHER])
    assert world.do(check, [], None) == ()
    for pot in (name, OTHER):
        world.do(destroy_pot, pot)
    world.do(destroy_bridge, bridge)


def test_anchors_are_never_too_long_and_never_the_same(world: World) -> None:
    names = ["w", NOMAD, LONG, OTHER, "w" * 46, "w" * 50, "w" * 51, "w" * 52, "w" * 55, "w" * 56]
    kinds = (pf.pot_anchor, pf.limits_anchor, pf.filter_anchor, pf.bridge_anchor, pf.nat6_anchor)
    anchors = [kind(world.config, name) for kind in kinds for name in names]
    assert max(map(len, anchors)) == 63
    assert len(set(anchors)) == len(anchors)
    for name in names:
        if len(name) <= 51:
            assert pf.filter_anchor(world.config, name) == f"pot-filter/.{name}"
    assert pf.pot_anchor(world.config, "w" * 55) == f"pot-rdr/{'w' * 55}"
    assert pf.pot_anchor(world.config, LONG) == pf.pot_anchor(world.config, LONG) != f"pot-rdr/{LONG}"


#: All that names could get into: limits of exports, members that are filtered, bandwidth, NAT of IPv6.
EVERYTHING = '[network]\nantispoof = true\nipv6 = "nat"\n'
#: As many characters as pf(4) keeps of names of tables, of tags and of labels.
LIMITS = {r"table <(\S+)>": 31, r"tag(?:ged)? \"?([^\s\"]+)": 63, r"label \"([^\"]+)\"": 63}


@both_hosts
@pytest.mark.parametrize(
    "anchors", ["", "[pf]\nnat_anchor = 'n'\nrdr_anchor = 'rdr-anchor'\nfilter_anchor = 'f'\n"]
)
def test_long_names_with_everything_that_a_pot_may_have(world: World, anchors: str) -> None:
    world.configure(EVERYTHING + anchors)
    if world.kind == "sim":
        nat, rdr, filters = world.config.nat_anchor, world.config.rdr_anchor, world.config.filter_anchor
        main = f'nat-anchor "{nat}"\nnat-anchor "{rdr}/*"\nrdr-anchor "{rdr}/*"\nanchor "{filters}/*"\n'
        world.do_there("pfctl", "-f", "-", stdin=main)
    bridge = "b" * 63
    world.do(create_private_bridge, BridgeRequest(bridge, 8, "auto"))
    rates = NetworkOptions(internet=False, bandwidth_in="1Mbit/s", bandwidth_out="1Mbit/s")
    world.create(LONG, "private-bridge", "dual", bridge=bridge, network=rates)
    world.do(create_private_bridge, BridgeRequest("b" * 62 + "c", 8, "auto"))
    world.create(OTHER, "private-bridge", "dual", bridge="b" * 62 + "c")
    for pot, port in ((LONG, 30080), (OTHER, 65535)):
        world.do(export_ports, pot, ExportRequest([f"{world.address}@tcp+udp:80:{port}"], False, (), 3))
    world.do(add, OTHER, LONG, "tcp:81", True)
    world.do(start, [LONG, OTHER])
    assert world.do(check, [], None) == ()
    world.do(stop, [LONG, OTHER])
    assert world.do(check, [], None) == ()


def test_names_are_in_no_table_tag_or_label(world: World) -> None:
    world.configure(EVERYTHING)
    world.do(create_private_bridge, BridgeRequest("b" * 63, 8, "auto"))
    world.create(LONG, "private-bridge", "dual", bridge="b" * 63)
    world.do(
        export_ports,
        LONG,
        ExportRequest([f"{world.address}@tcp+udp:80:65535", "2001:db8:7::20@443:65534"], False, (), 3),
    )
    world.do(create_private_bridge, BridgeRequest("c" * 63, 8, "auto"))
    world.create(OTHER, "private-bridge", "dual", bridge="c" * 63)
    world.do(add, OTHER, LONG, None, True)
    world.do(start, [LONG, OTHER])
    loaded = [str(c.stdin) for c in world.executor.commands if c.argv[0] == "pfctl" and c.stdin]
    for pattern, longest in LIMITS.items():
        words = [word for text in loaded for word in re.findall(pattern, text)]
        assert all(len(word) <= longest and "ww" not in word and "bb" not in word for word in words), pattern
    assert any("tag" in text for text in loaded)


@pytest.mark.parametrize("length", range(1, 11))
def test_anchors_of_any_configured_name(world: World, length: int) -> None:
    keys = ("nat_anchor", "rdr_anchor", "filter_anchor")
    world.configure("[pf]\n" + "".join(f"{key} = '{key[0] * length}'\n" for key in keys))
    kinds = (pf.pot_anchor, pf.limits_anchor, pf.filter_anchor, pf.bridge_anchor, pf.nat6_anchor)
    names = [("ab" * 32)[:size] for size in range(1, 64)] + ["ab" * 31 + "c"]
    paths = [kind(world.config, name) for kind in kinds for name in names]
    assert max(map(len, paths)) == 63
    assert len({*paths}) == len(paths)


def test_an_anchor_name_that_leaves_no_room_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match=r"pf\.rdr_anchor"):
        world.configure(f"[pf]\nrdr_anchor = '{'r' * 11}'\n")


def test_two_names_that_are_cut_to_the_same_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(LONG, "public-bridge")
    world.do(create_private_bridge, BridgeRequest(LONG, 4))
    world.create(OTHER, "public-bridge")
    world.do(destroy_pot, OTHER)

    def digest(data: bytes) -> Any:
        return hashlib.new("sha256", b"always the same")

    monkeypatch.setattr(hashlib, "sha256", digest)
    before = world.records(), world.snapshot()
    with pytest.raises(PotnetError, match=f"pot {LONG} already uses the anchors of {OTHER}"):
        world.create(OTHER, "public-bridge")
    with pytest.raises(PotnetError, match=f"bridge {LONG} already uses the anchors of {OTHER}"):
        world.do(create_private_bridge, BridgeRequest(OTHER, 4))
    assert (world.records(), world.snapshot()) == before
    world.create("v" * 63, "public-bridge")


def test_pots_of_pots_with_names_that_are_cut_to_the_same_do_not_come(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MadeUp.at(world.directory)
    made.public(LONG, "10.192.0.50")
    made.public(OTHER, "10.192.0.51")
    made.public("pan", "10.192.0.52")
    monkeypatch.setattr(hashlib, "sha256", lambda data: hashlib.new("sha256", b"always the same"))
    with pytest.raises(PotnetError, match=f"{OTHER}: pot {LONG} already uses the anchors of {OTHER}"):
        world.do(import_pots, None)
    assert world.records()["pots"] == ()
    world.do(import_pots, [LONG, "pan"])
    with pytest.raises(PotnetError, match="already uses the anchors"):
        world.do(import_pots, [OTHER])
    assert [pot.name for pot in world.records()["pots"]] == ["pan", LONG]


def test_info_shows_the_anchors_in_which_a_name_is_cut(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest(LONG, 4, "auto"))
    world.do(create_private_bridge, BridgeRequest("stove", 4, "auto"))
    for name, shown in ((NOMAD, []), (LONG, list(pf.of_pot(world.config, LONG)))):
        world.create(name, "public-bridge")
        view = world.do(info, name)
        assert view["anchors"] == shown
        assert (f"anchors : {' '.join(shown)}" in info_text(view, {})) == bool(shown)
    named = [pf.bridge_anchor(world.config, LONG), pf.nat6_anchor(world.config, LONG)]
    for name, shown in (("stove", []), (LONG, named)):
        view = world.do(bridge_info, name)
        assert view["anchors"] == shown
        assert ("anchors" in bridge_info_text(view)) == bool(shown)
    world.create("v" * 63)
    assert world.do(info, "v" * 63)["anchors"] == []


def test_the_dns_server_has_its_name_in_any_case(world: World) -> None:
    world.configure("dns.name = 'Resolver'\n")
    server = world.create("RESOLVER", "public-bridge")
    assert server.leased == (world.config.dns_address,)
    world.create("web", "public-bridge", resolver="pot")
    with pytest.raises(PotnetError, match="would be its own resolver"):
        world.do(
            set_options,
            "resolver",
            SettingsRequest(resolver="pot", addresses=(), hostname=None, command=None, boot=None),
        )
    world.do(start, ["web"])
    assert world.jails() == ["RESOLVER", "web"]
    assert str(world.config.dns_address) in world.etc("web", "resolv.conf")
    world.do(stop, ["web", "RESOLVER"])
    world.do(destroy_pot, "resolver")
    assert any("RESOLVER was the resolver of web" in line for line in world.notices)


@pytest.mark.parametrize("name", ["w" * 64, "", "a.b", "-a", "_a", "12", "a b"])
def test_what_is_no_name(world: World, name: str) -> None:
    with pytest.raises(UsageError, match="invalid pot name"):
        world.create(name)
    with pytest.raises(UsageError, match="invalid bridge name"):
        world.do(create_private_bridge, BridgeRequest(name, 4))


def test_names_are_compared_without_case(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 8))
    world.create("Web", "private-bridge", bridge="STOVE")
    world.do(create_private_bridge, BridgeRequest("oven", 8))
    world.create("db", "private-bridge", bridge="oven")
    with pytest.raises(PotnetError, match="Web already exists"):
        world.create("wEB")
    with pytest.raises(PotnetError, match="stove already exists"):
        world.do(create_private_bridge, BridgeRequest("Stove", 4))
    assert world.do(named_pots, ["web", "WEB"]) == ["Web"]
    world.do(start, world.do(named_pots, ["WEB"]))
    world.do(add, "WEB", "DB", None, True)
    assert (world.do(listed)[0]["from"], world.do(listed)[0]["to"]) == ("Web", "db")
    world.do(export_ports, "weB", ExportRequest(["80:30080"]))
    world.do(stop, world.do(named_pots, ["WEB"]))
    world.do(destroy_pot, "WEB")
    world.do(destroy_pot, "DB")
    world.do(destroy_bridge, "STOVE")
    world.do(destroy_bridge, "Oven")
    assert world.records()["pots"] == ()
    assert [bridge.name for bridge in world.records()["bridges"]] in ([], ["public"])


def test_names_that_differ_in_case_stay_usable(world: World) -> None:
    for name in ("one", "two"):
        world.create(name, "public-bridge")
    with world.app() as app:
        for table, column in (("attachment", "pot"), ("lease", "pot")):
            app.store.change("PRAGMA defer_foreign_keys = ON")
            app.store.change(f"DELETE FROM {table} WHERE {column} = 'two'")  # noqa: S608
        app.store.change("UPDATE pot SET name = 'ONE' WHERE name = 'two'")
    assert world.do(named_pots, ["one", "ONE"]) == ["one", "ONE"]
    with pytest.raises(PotnetError, match="pot 'One' not found"):
        world.do(named_pots, ["One"])
    found = [each for each in world.do(check, [], None) if each.kind == "name-doubled"]
    assert [each.found for each in found] == ["ONE, one"]


@pytest.mark.parametrize("name", SPECIAL)
def test_names_that_mean_something_else_are_refused(world: World, name: str) -> None:
    with pytest.raises(UsageError, match="invalid pot name"):
        world.create(name)
    with pytest.raises(UsageError, match="invalid bridge name"):
        world.do(create_private_bridge, BridgeRequest(name, 4))


@pytest.mark.parametrize(
    "name", [*SPECIAL, "localhost.localdomain", "a.localhost", "127.1", "0x7f.1", "10.0.0.1"]
)
def test_host_names_that_mean_something_else_are_refused(world: World, name: str) -> None:
    world.create("web")
    with pytest.raises(UsageError, match="invalid host name"):
        world.create("db", hostname=name)
    with pytest.raises(UsageError, match="invalid host name"):
        world.do(
            set_options,
            "web",
            SettingsRequest(resolver=None, addresses=(), hostname=name, command=None, boot=None),
        )


@pytest.mark.parametrize("name", ["localhosts", "web-local", "gateway", "ip6", "x0x7f", "0xy", "a127"])
def test_other_names_are_not(world: World, name: str) -> None:
    world.create(name, hostname=f"{name}.example.org")


def test_an_old_pot_called_localhost_answers_for_nobody(world: World) -> None:
    world.create("web", "public-bridge")
    world.create("old", "public-bridge")
    rename(world, "old", "localhost")
    world.do(start, ["web"])
    with world.app() as app:
        pot = app.store.pot("web")
        assert pot is not None
        lines = hosts_text(app, pot, neighbours_of(app, pot)).splitlines()
        old = app.store.pot("localhost")
        assert old is not None
        own_lines = hosts_text(app, replace(old, hostname="localhost"), {}).splitlines()
        assert own_lines == ["::1 localhost", "127.0.0.1 localhost"]
    own = [line.split()[0] for line in lines if "localhost" in line.split()]
    assert own
    assert {*own} <= {"127.0.0.1", "::1"}
    assert all("localhost" not in each["name"] for zone in world.do(zones) for each in zone["records"])
    assert "name-special" in {each.kind for each in world.do(check, [], None)}


@pytest.mark.parametrize("hostname", [*SPECIAL, "wpad.", "a.localhost", "127.1"])
def test_an_old_host_name_that_means_something_else_is_in_no_hosts_file(world: World, hostname: str) -> None:
    world.create("web", "public-bridge")
    world.create("db", "public-bridge")
    with world.app() as app:
        app.store.change("UPDATE pot SET hostname = ? WHERE name = 'web'", hostname)
    world.do(start, ["web", "db"])
    own, other = world.etc("web", "hosts").splitlines(), world.etc("db", "hosts").splitlines()
    assert own[:2] == ["::1 localhost web", "127.0.0.1 localhost web"]
    assert not any(hostname in line.split()[1:] for line in [*own[2:], *other[2:]])
    found = [(each.pot, each.found) for each in world.do(check, [], None)]
    assert found == [("web", hostname)]
    world.do(
        set_options,
        "web",
        SettingsRequest(resolver=None, addresses=(), hostname="www", command=None, boot=None),
    )
    world.do(stop, ["web"])
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("name", ["IPv6", "ipv6", "IPV6"])
def test_a_bridge_called_ipv6_is_one_like_others(world: World, name: str) -> None:
    world.do(create_private_bridge, BridgeRequest(name, 4, "auto"))
    world.do(create_private_bridge, BridgeRequest("stove", 4, "auto"))
    world.create("web", "private-bridge", "dual", bridge=name)
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("name", ["ext", "EXT", "public", "Public6"])
def test_names_that_potnet_uses_itself(world: World, name: str) -> None:
    with pytest.raises(PotnetError, match="reserved for potnet"):
        world.do(create_private_bridge, BridgeRequest(name, 4))
