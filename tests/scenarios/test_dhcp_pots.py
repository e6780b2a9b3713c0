"""Pots on a LAN that get their addresses by DHCP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_lan_pots import create, lan
from world import World

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost
from potnet.host.findings import Kind
from potnet.model.pots import Pot
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.policies import add
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.dns import zones
from potnet.operations.reports.info import info
from potnet.operations.running.attach import attach
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

pytestmark = pytest.mark.plain_interface


def host_of(world: World) -> SimulatedHost:
    assert isinstance(world.host, SimulatedHost)
    return world.host


def root(world: World, pot: Pot) -> Path:
    return host_of(world).tree / pot.root.removeprefix("/")


def with_client(world: World, name: str, *addresses: str, **more: Any) -> Pot:
    """A pot whose root has the base system's DHCP client."""
    pot: Pot = create(world, name, *(addresses or ("dhcp",)), **more)
    for folder in ("sbin", "var/db", "var/empty", "dev", "etc"):
        (root(world, pot) / folder).mkdir(parents=True, exist_ok=True)
    program = root(world, pot) / "sbin/dhclient"
    program.touch()
    program.chmod(0o755)
    return pot


def nodes(world: World, pot: Pot | None = None) -> set[str]:
    """The nodes of /dev that a pot sees, or the host."""
    return {*host_of(world).run(Command(("ls", f"{pot.root if pot else ''}/dev"))).out.split()}


def ifconfig(world: World, name: str, *words: str) -> None:
    pots = {pot.name: pot for pot in world.records()["pots"]}
    end = pots[name].attachments[0].jail_end
    done = host_of(world).run(Command(("ifconfig", "-j", name, end, *words)))
    assert done.code == 0, done.err


def own_files(world: World) -> dict[str, Any]:
    """The state of the host, without the leases that the clients of jails keep."""
    found = world.snapshot()
    kept = {path: each for path, each in found["files"].items() if "dhclient.leases." not in path}
    return found | {"files": kept}


def recorded(world: World, name: str) -> list[str]:
    pots = {pot.name: pot for pot in world.records()["pots"]}
    return [str(each) for each in pots[name].leased]


def kinds(world: World) -> list[Kind]:
    return [finding.kind for finding in world.do(check, [], None)]


def test_a_pot_gets_its_address_by_dhcp(world: World) -> None:
    lan(world)
    web = with_client(world, "web")
    db = create(world, "db", "auto")
    world.do(start, ["db"])
    before = own_files(world)
    records = world.records()
    world.do(start, ["web"])
    (address,) = recorded(world, "web")
    assert world.do(info, "web")["addresses"][0]["address"] == address
    assert world.reaches("outside", address, 80)
    assert world.reaches("web", f"{world.prefix}60", 80)
    assert f"{address} web" in (root(world, db) / "etc/hosts").read_text()
    assert address in [each["address"] for each in world.do(zones, "lan")[0]["records"]]
    assert f"{world.prefix}60 db" in (root(world, web) / "etc/hosts").read_text()
    assert {"bpf", "null"} <= nodes(world, web) < nodes(world)
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    assert recorded(world, "web") == []
    assert own_files(world) == before
    assert world.records() == records
    assert world.do(check, [], None) == ()


@pytest.mark.parametrize("resolver", ["inherit", "off"])
def test_name_servers_are_requested_only_without_a_resolver(world: World, resolver: str) -> None:
    lan(world)
    web = with_client(world, "web", resolver=resolver)
    (root(world, web) / "etc/dhclient.conf").write_text("# the jail's own\n")
    world.do(start, ["web"])
    conf = (root(world, web) / "etc/dhclient.conf").read_text()
    lease = (root(world, web) / "var/db/dhclient.leases.epair0b").read_text()
    assert ("domain-name-servers" in conf) == ("domain-name-servers" in lease) == (resolver == "off")
    assert "option routers" in lease
    (root(world, web) / "etc/dhclient.conf").write_text("")
    assert kinds(world) == [Kind.FILE_DIFFERS]
    world.do(repair, [], None)
    assert (root(world, web) / "etc/dhclient.conf").read_text() == conf
    world.do(stop, ["web"])
    assert (root(world, web) / "etc/dhclient.conf").read_text() == "# the jail's own\n"


def test_the_bridge_may_have_dhcp_as_its_default(world: World) -> None:
    lan(world, dhcp=True)
    assert create(world, "web").by_dhcp
    assert str(create(world, "db", "auto").ipv4) == f"{world.prefix}60"
    assert str(create(world, "mail", f"{world.prefix}70").ipv4) == f"{world.prefix}70"


def test_without_an_address_it_runs_and_is_reported(world: World) -> None:
    lan(world)
    with_client(world, "web")
    host_of(world).serve_dhcp(False)
    world.do(start, ["web"])
    assert recorded(world, "web") == []
    assert world.do(info, "web")["addresses"] == [
        {
            "family": 4, "address": None, "prefix": 24, "interface": "epair0b",
            "network": f"{world.prefix}0/24", "dhcp": True, "unconfirmed": None,
        }
    ]  # fmt: skip
    assert kinds(world) == [Kind.ADDRESS_UNCONFIRMED]
    # The server answers later.
    ifconfig(world, "web", "inet", f"{world.prefix}105/24")
    assert kinds(world) == [Kind.ADDRESS_CHANGED]
    world.do(repair, [], None)
    assert recorded(world, "web") == [f"{world.prefix}105"]
    assert kinds(world) == []


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("61", "inside the range"), ("70", "in use by pot db"), ("10", "in use by the host"),
        ("1", "the gateway of the LAN"), ("255", "broadcast"), ("", "outside"),
    ],
)  # fmt: skip
def test_an_unfit_address_is_not_confirmed(world: World, last: str, why: str) -> None:
    world.configure("network.antispoof = true")
    lan(world)
    create(world, "db", f"{world.prefix}70")
    with_client(world, "web")
    host_of(world).serve_dhcp(False)
    world.do(start, ["web"])
    address = world.address if last == "10" else f"{world.prefix}{last}" if last else "172.31.7.7"
    ifconfig(world, "web", "inet", f"{address}/24")
    (finding,) = world.do(check, [], None)
    assert (finding.kind, finding.repairable) == (Kind.ADDRESS_UNCONFIRMED, False)
    assert address in finding.found
    assert why in finding.found
    assert world.do(info, "web")["addresses"][0]["unconfirmed"] == address
    records = world.do(zones, "lan")[0]["records"]
    assert [each["address"] for each in records] == [f"{world.prefix}70"]
    assert world.do(repair, [], None).left == (finding,)
    assert recorded(world, "web") == []


def test_repair_adopts_another_address(world: World) -> None:
    world.configure("network.antispoof = true")
    lan(world)
    with_client(world, "web")
    db = create(world, "db", "auto")
    world.do(add, "db", "web", None, True)
    world.do(start, ["db", "web"])
    (old,) = recorded(world, "web")
    assert world.reaches("outside", old, 80)
    assert world.reaches("web", f"{world.prefix}1", 80)
    assert not world.reaches("db", old, 80)
    new = f"{world.prefix}118"
    ifconfig(world, "web", "inet", f"{new}/24")
    (finding,) = world.do(check, [], None)
    assert (finding.kind, finding.expected, finding.found) == (Kind.ADDRESS_CHANGED, old, new)
    assert not world.reaches("web", f"{world.prefix}1", 80)
    world.do(repair, [], None)
    assert recorded(world, "web") == [new]
    assert world.reaches("web", f"{world.prefix}1", 80)
    assert not world.reaches("db", new, 80)
    assert f"{new} web" in (root(world, db) / "etc/hosts").read_text()
    assert kinds(world) == []
    ifconfig(world, "web", "inet", new, "-alias")
    assert kinds(world) == [Kind.ADDRESS_CHANGED]
    world.do(repair, [], None)
    assert recorded(world, "web") == []
    world.do(stop, ["web", "db"])
    assert kinds(world) == []


def test_its_own_rc_gets_the_address_where_the_root_has_no_client(world: World) -> None:
    lan(world)
    web = create(world, "web", "dhcp")
    (root(world, web) / "dev").mkdir()
    world.do(start, ["web"])
    assert "bpf" in nodes(world, web)
    assert kinds(world) == [Kind.ADDRESS_UNCONFIRMED]


def test_the_ruleset_for_bpf_hides_the_rest(world: World) -> None:
    lan(world)
    web = with_client(world, "web")
    host = host_of(world)
    host.run(Command(("devfs", "rule", "-s", "6767", "add", "include", "1")))
    world.do(start, ["web"])
    shown = host.run(Command(("devfs", "rule", "-s", "6767", "show"))).out
    assert shown.splitlines()[-1] == "500 path bpf* unhide"
    assert "bpf" in nodes(world, web)
    assert "mem" not in nodes(world, web)
    host.run(Command(("devfs", "rule", "-s", "6767", "delset")))
    assert kinds(world) == [Kind.DEVICES_EXPOSED]
    world.do(stop, ["web"])
    host.run(Command(("devfs", "rule", "-s", "6767", "add", "path", "mem", "unhide")))
    before = own_files(world)
    with pytest.raises(PotnetError, match="devfs ruleset 6767 is not the one of potnet"):
        world.do(start, ["web"])
    assert own_files(world) == before
    host.run(Command(("devfs", "rule", "-s", "6767", "delset")))
    host.run(Command(("devfs", "rule", "-s", "1", "delset")))
    with pytest.raises(PotnetError, match="hides nothing"):
        world.do(start, ["web"])


def test_bad_input(world: World) -> None:
    lan(world)
    with pytest.raises(UsageError, match="a bridge takes one -i of each family"):
        create(world, "web", "dhcp", f"{world.prefix}70")
    with pytest.raises(PotnetError, match="a machine on a tap cannot have -i dhcp"):
        create(world, "vm", "dhcp", tap=True)
    with pytest.raises(UsageError, match="is not part of a LAN"):
        world.create("web", "public-bridge", "ipv4", addresses=("dhcp",))
    with pytest.raises(UsageError):
        world.create("web", "inherit", "ipv4", addresses=("dhcp",))
    with pytest.raises(PotnetError, match="the stack of the pot is ipv6"):
        world.create("web", "public-bridge", "ipv6", addresses=("dhcp",))
    assert world.records()["pots"] == ()
    create(world, "web", "dhcp")
    with pytest.raises(PotnetError, match="gets an address by DHCP"):
        world.do(attach, "web", None, False)


def test_set_changes_between_dhcp_and_an_address(world: World) -> None:
    lan(world)
    with_client(world, "web")
    world.do(set_options, "web", SettingsRequest(addresses=(f"{world.prefix}70",)))
    assert recorded(world, "web") == [f"{world.prefix}70"]
    world.do(set_options, "web", SettingsRequest(addresses=("dhcp",)))
    assert recorded(world, "web") == []
    world.do(start, ["web"])
    (got,) = recorded(world, "web")
    world.do(set_options, "web", SettingsRequest(addresses=(f"{world.prefix}70",)))
    assert kinds(world) == []
    assert world.do(info, "web")["addresses"][0]["address"] == got
    world.do(stop, ["web"])
    assert recorded(world, "web") == [f"{world.prefix}70"]
    world.do(start, ["web"])
    assert kinds(world) == []


def test_a_reboot_forgets_the_address(world: World) -> None:
    lan(world)
    with_client(world, "web")
    world.do(start, ["web"])
    (got,) = recorded(world, "web")
    world.reboot()
    assert kinds(world) == [Kind.POT_GONE]
    world.do(start, ["web"])
    assert recorded(world, "web") == [got]
    assert kinds(world) == []


@pytest.mark.parametrize("after", [False, True])
def test_each_failure_leaves_the_host_as_it_was(world: World, after: bool) -> None:
    lan(world)
    with_client(world, "web")
    before, records = own_files(world), world.records()["pots"]
    world.do(start, ["web"])
    world.do(stop, ["web"])
    changes, refused = world.executor.changes, 0
    for number in range(changes):
        world.executor.commands.clear()
        world.executor.fail_at, world.executor.after = number, after
        try:
            world.do(start, ["web"])
        except PotnetError:
            refused += 1
        else:
            # potnet only reports a hosts file that it could not write.
            world.executor.fail_at = None
            world.do(stop, ["web"])
        world.executor.fail_at = None
        assert own_files(world) == before
        assert world.records()["pots"] == records
        assert kinds(world) == []
    assert refused > changes // 3
