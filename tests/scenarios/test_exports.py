"""Exports: which host ports, which rules, which connections."""

from __future__ import annotations

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.init import init
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def ports(world: World, name: str) -> list[int | None]:
    pots = {pot.name: pot for pot in world.records()["pots"]}
    return [export.host_port for export in pots[name].exports]


@both_hosts
def test_a_chosen_port_is_the_lowest_free_one_and_stays(world: World) -> None:
    world.listen(1024, "nginx")
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
        world.do(export_ports, name, ExportRequest(["80", "443"]))
    assert ports(world, "casserole") == [None, None]
    world.do(start, ["ragout"])
    assert ports(world, "ragout") == [1025, 1026]
    world.do(start, ["casserole"])
    assert ports(world, "casserole") == [1027, 1028]
    world.do(stop, ["ragout"])
    world.do(start, ["ragout"])
    assert ports(world, "ragout") == [1025, 1026]
    # An export that stays keeps its port, whatever its place in the list.
    world.do(export_ports, "ragout", ExportRequest(["22", "443"]))
    assert ports(world, "ragout") == [1025, 1026]


@both_hosts
def test_udp_and_tcp_have_ports_of_their_own(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["tcp:53:5353", "udp:53:5353", "udp:54"]))
    world.do(start, ["casserole"])
    assert ports(world, "casserole") == [5353, 5353, 1024]
    assert world.redirections("casserole") == [("tcp", 5353), ("udp", 1024), ("udp", 5353)]


@both_hosts
def test_a_given_port_that_is_taken_is_refused_with_who_has_it(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    with pytest.raises(PotnetError, match="tcp 30080 is exported by pot casserole"):
        world.do(export_ports, "ragout", ExportRequest(["80:30080"]))
    world.listen(30443, "nginx")
    with pytest.raises(PotnetError, match=r"tcp 30443 is in use by nginx"):
        world.do(export_ports, "ragout", ExportRequest(["443:30443"]))
    world.do(export_ports, "ragout", ExportRequest(["udp:443:30443"]))
    world.listen(30080, "sshd")
    with pytest.raises(PotnetError, match=r"tcp 30080 is in use by sshd"):
        world.do(start, ["casserole"])


@pytest.mark.parametrize(
    "export", ["0", "65536", "80:0", "80:70000", "sctp:80", "x", "80:1:2", "", "-1", "90-80", "8 0", "８０"]
)
def test_malformed_exports_are_refused(world: World, export: str) -> None:
    world.create("casserole", "public-bridge")
    with pytest.raises(UsageError):
        world.do(export_ports, "casserole", ExportRequest([export]))


def test_one_host_port_twice_is_refused(world: World) -> None:
    world.create("casserole", "public-bridge")
    with pytest.raises(UsageError, match="twice"):
        world.do(export_ports, "casserole", ExportRequest(["80:30080", "81:30080"]))
    with pytest.raises(UsageError, match="twice"):
        world.do(export_ports, "casserole", ExportRequest(["80", "80"]))


def test_without_a_name_the_only_pot_is_meant(world: World) -> None:
    with pytest.raises(PotnetError, match="no pot exists yet"):
        world.do(export_ports, None, ExportRequest(["80"]))
    world.create("casserole", "public-bridge")
    assert world.do(export_ports, None, ExportRequest(["80:30080"])).name == "casserole"
    world.create("ragout", "public-bridge")
    with pytest.raises(PotnetError, match="casserole, ragout"):
        world.do(export_ports, None, ExportRequest(["80:30080"]))


@both_hosts
@pytest.mark.parametrize(
    ("kind", "stack"), [("inherit", "dual"), ("alias", "ipv4"), ("public-bridge", "ipv6")]
)
def test_where_exports_have_no_effect_it_is_said(world: World, kind: str, stack: str) -> None:
    world.create("casserole", kind, stack)
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    assert any("ignored" in notice for notice in world.notices)
    world.do(start, ["casserole"])
    assert world.redirections("casserole") == []


@both_hosts
def test_a_change_on_a_running_pot_holds_at_once(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080", "443:30443"]))
    world.do(export_ports, "ragout", ExportRequest(["80:31080"]))
    world.do(start, ["casserole", "ragout"])
    for port in (30080, 30443, 31080):
        assert world.reaches("outside", world.address, port)
    other = world.redirections("ragout")
    world.do(export_ports, "casserole", ExportRequest(["443:30443"]))
    assert not world.reaches("outside", world.address, 30080)
    assert world.reaches("outside", world.address, 30443)
    assert world.redirections("ragout") == other


def test_a_change_on_a_running_pot_ends_only_its_own_connections(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080", "443:30443"]))
    world.do(export_ports, "ragout", ExportRequest(["80:31080"]))
    world.do(start, ["casserole", "ragout"])
    for port in (30080, 30443, 31080):
        assert world.reaches("outside", world.address, port)
    before = len(world.host.states())
    world.do(export_ports, "casserole", ExportRequest(["443:30443"]))
    left = str(world.host.states())
    assert ":30080" not in left
    assert ":30443" in left
    assert ":31080" in left
    assert before > 2


def test_stop_ends_the_connections_of_its_exports(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    world.do(start, ["casserole"])
    assert world.reaches("outside", world.address, 30080)
    world.do(stop, ["casserole"])
    assert ":30080" not in str(world.host.states())


@both_hosts
def test_who_reaches_an_export_and_who_does_not(world: World) -> None:
    """The table of the record of a real host, row for row."""
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.do(create_private_bridge, BridgeRequest("grill", 4))
    world.create("casserole", "public-bridge")
    world.create("ragout", "public-bridge")
    world.create("kettle", "private-bridge", bridge="stove")
    world.create("pan", "private-bridge", bridge="stove")
    world.create("spit", "private-bridge", bridge="grill")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    world.do(export_ports, "kettle", ExportRequest(["80:31080"]))
    world.do(start, ["casserole", "ragout", "kettle", "pan", "spit"])
    host = world.address
    for port in (30080, 31080):
        for source in ("outside", "casserole", "ragout", "kettle", "pan", "spit"):
            assert world.reaches(source, host, port), (source, port)
        assert not world.reaches("host", host, port)
        assert not world.reaches("host", "127.0.0.1", port)
    address = {pot.name: str(pot.ipv4) for pot in world.records()["pots"]}
    groups = [{"casserole", "ragout"}, {"kettle", "pan"}, {"spit"}]
    for one in address:
        for other in set(address) - {one}:
            together = any({one, other} <= group for group in groups)
            assert world.reaches(one, address[other], 80) is together, (one, other)
        assert not world.reaches("outside", address[one], 80)
        assert world.reaches("host", address[one], 80)


@both_hosts
def test_pots_of_an_isolating_host_do_not_reach_their_neighbours(world: World) -> None:
    world.configure("[network]\nisolate = true\n")
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    world.do(start, ["casserole", "ragout"])
    assert not world.reaches("ragout", "10.192.0.3", 80)
    assert world.reaches("host", "10.192.0.3", 80)


def test_loopback_is_refused_until_the_host_is_prepared_for_it(world: World) -> None:
    world.create("casserole", "public-bridge")
    with pytest.raises(PotnetError, match="not prepared for exports"):
        world.do(export_ports, "casserole", ExportRequest(["80:30080"], True))
    report = world.do(init, True, True)
    assert report.loaded
    assert any("filters" in notice or "filter" in notice for notice in world.notices)
    world.do(export_ports, "casserole", ExportRequest(["80:30080"], True))
    world.do(start, ["casserole"])
    for source, address in (("host", "192.168.178.20"), ("host", "127.0.0.1"), ("outside", "192.168.178.20")):
        assert world.reaches(source, address, 30080)


def test_extra_interfaces_and_a_fixed_address(world: World) -> None:
    world.configure(
        '[network]\nexternal_address = "192.168.178.20"\n[network.extra_interfaces]\n'
        'em1 = ["172.16.0.0/12", "192.168.9.0/24"]\n'
    )
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    world.do(start, ["casserole"])
    rules = world.host.anchor("pot-rdr/casserole")
    assert any(r.startswith("rdr pass on em1 ") and "to (em1:0) port = 30080" in r for r in rules)
    assert any("to 192.168.178.20 port = 30080" in r for r in rules)
    nat = world.host.anchor("pot-nat")
    for behind in ("172.16.0.0/12", "192.168.9.0/24"):
        assert f"nat on em1 inet from 10.192.0.0/10 to {behind} -> (em1:0)" in nat
    assert "nat on em0 inet from 10.192.0.0/10 to any -> 192.168.178.20" in nat


@both_hosts
def test_a_full_range_of_ports_is_an_error(world: World) -> None:
    world.configure("[ports]\nfirst = 2000\nlast = 2001\n")
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["1", "2", "3"]))
    before, records = world.snapshot(), world.records()
    with pytest.raises(PotnetError, match="2000"):
        world.do(start, ["casserole"])
    assert world.snapshot() == before
    assert world.records() == records


def test_the_command_is_told_when_a_tool_is_missing(world: World) -> None:
    class Missing(type(world.executor)):  # type: ignore[misc]
        def run(self, command: Command):  # type: ignore[no-untyped-def]
            if command.argv[0] == "pfctl":
                from potnet.executors.base import CommandResult

                return CommandResult(127, "", "pfctl: not found")
            return super().run(command)

    world.create("casserole", "public-bridge")
    world.executor = Missing(world.host)
    with pytest.raises(PotnetError, match="pfctl: not found") as caught:
        world.do(start, ["casserole"])
    assert "FreeBSD" in str(caught.value.hint)


def test_changing_loopback_alone_ends_no_connection(world: World) -> None:
    world.do(init, True, True)
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    world.do(start, ["casserole"])
    assert world.reaches("outside", "192.168.178.20", 30080)
    before = [str(state) for state in world.host.states()]
    world.executor.commands.clear()
    world.do(export_ports, "casserole", ExportRequest(["80:30080"], True))
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    assert not [c for c in world.executor.changed if "-k" in c.split()]
    assert len(world.host.states()) == len(before)


@both_hosts
def test_a_port_that_was_chosen_may_be_given_to_another_export_of_the_pot(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ExportRequest(["443"]))
    world.do(start, ["casserole"])
    assert ports(world, "casserole") == [1024]
    world.do(export_ports, "casserole", ExportRequest(["80:1024", "443"]))
    assert ports(world, "casserole") == [1024, 1025]


@both_hosts
def test_exports_need_an_external_interface_that_is_there(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    world.configure('[network]\nexternal_interface = "em9"\n')
    before, records = world.snapshot(), world.records()
    with pytest.raises(PotnetError, match="no interface em9"):
        world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    assert (world.snapshot(), world.records()) == (before, records)
