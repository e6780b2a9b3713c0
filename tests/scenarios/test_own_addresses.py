"""Exports listen at addresses of the host's own: who else has one is told, or refused."""

from __future__ import annotations

import pytest
from world import World, both_hosts

from potnet.drivers.freebsd.facts import parse
from potnet.errors import PotnetError
from potnet.host.findings import Kind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.networks.in_force import NARROWED
from potnet.operations.running.start import start

OWN6 = "2001:db8:7::20"


def add(world: World, address: str) -> None:
    if world.kind == "linux":
        world.do_there("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    else:
        world.do_there("ifconfig", "em0", "inet", f"{address}/24", "alias")


def prepared(world: World) -> None:
    world.create("web", "public-bridge")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    world.do(start, ["web"])


@both_hosts
def test_an_address_of_an_alias_pot_takes_no_exports(world: World) -> None:
    world.create("bowl", "alias")
    world.create("web", "public-bridge")
    with pytest.raises(PotnetError, match="an address of pot bowl"):
        world.do(export_ports, "web", ExportRequest([f"{world.prefix}200@80:30080"]))
    assert world.records()["pots"][1].exports == ()


@both_hosts
def test_an_exported_address_is_no_alias(world: World) -> None:
    world.create("web", "public-bridge")
    add(world, f"{world.prefix}200")
    world.do(export_ports, "web", ExportRequest([f"{world.prefix}200@80:30080"]))
    with pytest.raises(PotnetError, match="pot web is exported on"):
        world.create("bowl", "alias")


@both_hosts
def test_a_first_address_that_is_a_pots_is_told(world: World) -> None:
    prepared(world)
    world.create("bowl", "alias")
    world.do(start, ["bowl"])
    assert world.do(check, [], None) == ()
    world.configure(f'[network]\nexternal_address = "{world.prefix}200"\n')
    found = [each for each in world.do(check, [], None) if each.kind is Kind.EXPORT_ADDRESS_TAKEN]
    assert [(each.found, each.interface) for each in found] == [
        (f"{world.prefix}200 is an address of pot bowl", world.external)
    ]
    world.configure("")
    if world.kind == "linux":
        world.do_there("ip", "addr", "del", f"{world.address}/24", "dev", "eth0")
    else:
        world.do_there("ifconfig", "em0", "inet", world.address, "-alias")
    add(world, world.address)
    if world.kind == "linux":
        world.do_there("ip", "route", "replace", "default", "via", "192.0.2.9")
    else:
        world.do_there("route", "add", "default", "192.168.178.1")
    found = [each for each in world.do(check, [], None) if each.kind is Kind.EXPORT_ADDRESS_TAKEN]
    assert [each.expected for each in found] == [
        f"the first IPv4 address of {world.external} belongs to the host"
    ]
    world.configure(f'[network]\nexternal_address = "{world.address}"\n')
    kinds = [each.kind for each in world.do(check, [], None)]
    assert Kind.EXPORT_ADDRESS_TAKEN not in kinds


def jail(world: World, name: str, address: str) -> None:
    """Start the jail of another manager with an address of em0."""
    world.do_there("jail", "-c", f"name={name}", "path=/", "persist", f"ip4.addr=em0|{address}/32")


def taken(world: World) -> list[tuple[str, str | None]]:
    found = world.do(check, [], None)
    return [(each.found, each.pot) for each in found if each.kind is Kind.EXPORT_ADDRESS_TAKEN]


def test_a_first_address_that_is_another_managers_is_told(world: World) -> None:
    prepared(world)
    jail(world, "mail", "192.168.178.90")
    assert world.do(check, [], None) == ()
    world.do_there("ifconfig", "em0", "inet", world.address, "-alias")
    add(world, world.address)
    world.do_there("route", "add", "default", "192.168.178.1")
    assert world.host.connect("outside", "192.168.178.90", 30080).server == "web"
    assert taken(world) == [("192.168.178.90 is an address of jail mail", None)]
    world.configure(f'[network]\nexternal_address = "{world.address}"\n')
    assert taken(world) == []
    world.configure('[network]\nexternal_address = "192.168.178.90"\n')
    assert taken(world) == [("192.168.178.90 is an address of jail mail", None)]


def test_an_export_never_takes_another_jails_address_in_silence(world: World) -> None:
    world.create("web", "public-bridge")
    jail(world, "mail", "192.168.178.90")
    for work in (
        lambda: world.do(export_ports, "web", ExportRequest(["192.168.178.90@80:30080"])),
        lambda: world.do(start, ["web"]),
    ):
        work()
        assert "192.168.178.90, an address of the jail with JID" in world.notices[0]
        world.notices.clear()
    assert taken(world) == [("it is an address of jail mail", "web")]


def test_a_jail_may_share_the_only_address_of_the_host(world: World) -> None:
    prepared(world)
    world.do_there("jail", "-c", "name=mail", "path=/", "persist", f"ip4.addr={world.address}")
    assert taken(world) == []
    add(world, "192.168.178.91")
    assert taken(world) == [("192.168.178.20 is an address of jail mail", None)]


def test_addresses_of_nested_jails_and_of_own_stacks_are_not_the_hosts() -> None:
    """Root in a jail chooses them; the listing shows nothing else that a jail controls."""
    text = (
        "jid=1 parent=0 vnet=inherit ip4.addr= ip6.addr=\n"
        "jid=2 parent=0 vnet=inherit ip4.addr=10.0.2.50,10.0.2.51 ip6.addr=fd00:7::50\n"
        "jid=3 parent=0 vnet=new ip4.addr= ip6.addr=\n"
        "jid=4 parent=3 vnet=inherit ip4.addr=192.168.178.20 ip6.addr=\n"
    )
    found = {str(address): jid for address, jid in parse.jail_addresses(text).items()}
    assert found == {"10.0.2.50": 2, "10.0.2.51": 2, "fd00:7::50": 2}


@both_hosts
@pytest.mark.parametrize("further", [True, False])
def test_exports_of_an_older_store_are_named_once(world: World, further: bool) -> None:
    world.create("web", "public-bridge")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    with world.app() as app:
        app.store.remember(NARROWED, "")
    if further:
        add(world, f"{world.prefix}77")
    world.do(start, ["web"])
    told = [notice for notice in world.notices if "network.external_address" in notice]
    assert len(told) == further
    assert all("web" in each and f"{world.prefix}77" in each for each in told)
    world.notices.clear()
    world.do(export_ports, "web", ExportRequest(["80:30081"]))
    assert not [notice for notice in world.notices if "network.external_address" in notice]


@both_hosts
def test_lists_and_ipv6_addresses_are_those_of_the_rules(world: World) -> None:
    add(world, f"{world.prefix}77")
    own = [f"{world.prefix}77", world.address, OWN6]
    world.configure(f"[network]\nexternal_address = {own}\n".replace("'", '"'))
    prepared(world)
    assert world.do(check, [], None) == ()
    if world.kind == "linux":
        rules = world.host.machine.run("nft", "list", "table", "inet", "potnet").out
        assert f"ip daddr {{ {', '.join(sorted(own[:2]))} }}" in rules and f"snat ip to {own[0]}" in rules
    else:
        lines = world.host.anchor("pot-rdr/web")
        called = [line for line in lines if line.startswith("rdr pass on em0")]
        assert [address for address in own[:2] for line in called if f"to {address} " in line] == own[:2]
        assert any(f"-> {own[0]}" in line for line in world.host.anchor("pot-nat"))
