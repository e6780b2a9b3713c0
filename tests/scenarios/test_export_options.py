"""Exports with options: ranges, host addresses, sources, limits, changes to the list, counters."""

from __future__ import annotations

import os
from itertools import product
from typing import Any

import pytest
from netaddr import IPAddress
from test_exports import ports
from world import FAILURE, Faulty, World, both_hosts, both_hosts_with

from potnet.errors import HostError, PotnetError, UsageError
from potnet.executors.base import Command, CommandResult
from potnet.host.findings import Kind
from potnet.model.ports import Export, Transport
from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.exports.export_text import parse_exports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.init import init
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.reports.metrics import metrics
from potnet.operations.reports.show import show_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

SECOND = "192.0.2.77"


def export(world: World, name: str, *exports: str, **options: Any) -> None:
    world.do(export_ports, name, ExportRequest(exports, options.pop("loopback", False), **options))


def texts(world: World, name: str) -> list[str]:
    return [str(e) for pot in world.records()["pots"] if pot.name == name for e in pot.exports]


def second(world: World) -> str:
    """Another address of the host."""
    address = f"{world.prefix}77"
    world.add_address(f"{address}/24")
    return address


@pytest.mark.parametrize(
    ("text", "export"),
    [
        ("80", Export(Transport.TCP, 80)),
        ("udp:53:5353", Export(Transport.UDP, 53, 5353)),
        ("tcp+udp:53", Export(Transport.BOTH, 53)),
        ("80-80:90", Export(Transport.TCP, 80, 90)),
        ("8000-8009:30000-30009", Export(Transport.TCP, 8000, 30000, count=10)),
        ("udp:1-65535", Export(Transport.UDP, 1, count=65535)),
        ("192.0.2.1@80:30080", Export(Transport.TCP, 80, 30080, host_address=IPAddress("192.0.2.1"))),
        (
            "2001:db8::1@tcp+udp:1-2:3-4",
            Export(Transport.BOTH, 1, 3, count=2, host_address=IPAddress("2001:db8::1")),
        ),
    ],
)
def test_what_is_typed(text: str, export: Export) -> None:
    assert parse_exports([text]) == (export,)
    assert parse_exports([str(export)]) == (export,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8000-8009:30000-30004", "10 ports of the pot and 5 ports of the host"),
        ("8000-8009:30000", "10 ports of the pot and 1 port of the host"),
        ("80:30000-30001", "1 port of the pot and 2 ports of the host"),
        ("90-80", "backwards"),
        ("80-65536", "invalid export .80-65536.: ports are"),
        ("0-5", "invalid export .0-5.: ports are"),
        ("80:999999", "invalid export .80:999999.: ports are"),
        ("udp+tcp:53", "invalid export"),
        ("192.0.2@80", "invalid address"),
        ("@80", "invalid address"),
        ("127.0.0.1@80:30080", "only the host itself can reach"),
        ("::1@80:30080", "only the host itself can reach"),
        ("0.0.0.0@80:30080", "ports cannot be exported on"),
        ("fe80::1@80:30080", "ports cannot be exported on"),
        ("80-:30080", "invalid export"),
        ("80:30080-", "invalid export"),
    ],
)
def test_what_is_no_export(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        parse_exports([text])
    assert refused.value.hint


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["192.0.2.0/33"], "prefix length out of range"),
        (["192.0.2.0/x"], "prefix length out of range"),
        (["192.0.2.0/-1"], "prefix length out of range"),
        (["192.0.2.1/24"], "inside a network"),
        (["pan"], "invalid network --from"),
        ([""], "invalid network --from"),
    ],
)
def test_what_is_no_source(sources: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        parse_exports(["80"], sources=sources)
    assert refused.value.hint


def test_sources_are_kept_without_those_inside_others() -> None:
    given = ["10.0.0.0/9", "192.0.2.7", "10.128.0.0/9", "10.1.0.0/16", "::/0"]
    (made,) = parse_exports(["80"], sources=given)
    assert [str(each) for each in made.sources] == ["10.0.0.0/8", "192.0.2.7/32", "::/0"]


@pytest.mark.parametrize("number", [0, -1, 65536])
def test_what_is_no_number_of_connections(number: int) -> None:
    with pytest.raises(UsageError, match="invalid --max-connections"):
        parse_exports(["80"], max_connections=number)


@both_hosts
def test_a_range_leads_port_to_port(world: World) -> None:
    world.create("casserole", "public-bridge")
    export(world, "casserole", "79-81:30079-30081", "440-445")
    world.do(start, ["casserole"])
    assert ports(world, "casserole") == [30079, 1024]
    for port in (30080, 1027):  # To 80 and 443, where the pots of a Linux world answer.
        assert world.reaches("outside", world.address, port)
    for port in (30078, 30082):
        assert not world.reaches("outside", world.address, port)
    assert world.do(check, [], None) == ()
    (first, *_) = world.do(show_pot, "casserole")["redirections"]
    assert (first["port"], first["pot_port"], first["count"]) == (30079, 79, 3)


@both_hosts
def test_a_chosen_range_is_the_lowest_that_is_free_as_a_whole(world: World) -> None:
    world.listen(1026, "nginx")
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    export(world, "casserole", "80-82", "90", "udp:90-92", "tcp+udp:53")
    export(world, "ragout", "80-81")
    world.do(start, ["casserole", "ragout"])
    assert ports(world, "casserole") == [1027, 1024, 1024, 1030]
    assert ports(world, "ragout") == [1031]


@both_hosts
def test_both_protocols_have_one_port(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    export(world, "casserole", "tcp+udp:53:5353")
    world.do(start, ["casserole"])
    assert world.redirections("casserole") == [("tcp", 5353), ("udp", 5353)]
    for taken in ("53:5353", "udp:53:5353", "tcp+udp:80:5353", "5300-5400:5300-5400"):
        with pytest.raises(PotnetError, match=r"5353 is exported by pot casserole"):
            export(world, "ragout", taken)


@both_hosts
def test_one_port_on_two_addresses_leads_to_two_pots(world: World) -> None:
    other = second(world)
    for name in ("casserole", "ragout", "kettle"):
        world.create(name, "public-bridge")
    export(world, "casserole", f"{world.address}@80:30080")
    export(world, "ragout", f"{other}@443:30080")
    world.do(start, ["casserole", "ragout"])
    assert world.do(check, [], None) == ()
    for source in ("outside", "casserole", "ragout"):
        for address in (world.address, other):
            assert world.reaches(source, address, 30080)
    with pytest.raises(PotnetError, match=r"tcp 30080 on .* is exported by pot casserole"):
        export(world, "kettle", "80:30080")
    world.do(stop, ["casserole"])
    assert not world.reaches("outside", world.address, 30080)
    assert world.reaches("outside", other, 30080)
    shown = world.do(show_pot, "ragout")["redirections"]
    assert [(each["address"], each["port"]) for each in shown] == [(other, 30080)]


@both_hosts
def test_an_address_that_the_host_does_not_have_is_refused(world: World) -> None:
    other = f"{world.prefix}77"
    world.create("casserole", "public-bridge")
    with pytest.raises(HostError, match=f"on {other}, which this host does not have"):
        export(world, "casserole", f"{other}@80:30080")
    assert texts(world, "casserole") == []
    second(world)
    export(world, "casserole", f"{other}@80:30080")
    world.remove_address(world.external, f"{other}/24")
    world.do(start, ["casserole"])
    assert any(f"on {other}, which this host does not have" in notice for notice in world.notices)
    assert [found.kind for found in world.do(check, [], None)] == [Kind.EXPORT_ADDRESS_GONE]
    second(world)
    if world.kind == "linux":
        # Exports without an address would answer there until the rules know of it.
        assert [found.kind for found in world.do(check, [], None)] == [Kind.RULES_DIFFER]
        world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    assert world.reaches("outside", other, 30080)


@both_hosts
def test_an_address_of_a_family_that_the_pot_lacks_is_refused(world: World) -> None:
    world.create("casserole", "public-bridge")
    with pytest.raises(HostError, match="has no IPv6 address"):
        export(world, "casserole", "2001:db8:7::20@80:30080")
    with pytest.raises(HostError, match="none of which can reach it"):
        export(world, "casserole", "80:30080", sources=["2001:db8::/32"])


@both_hosts
def test_only_sources_that_are_named_reach_an_export(world: World) -> None:
    for name in ("casserole", "ragout", "kettle"):
        world.create(name, "public-bridge")
    world.do(start, ["casserole", "ragout", "kettle"])
    ragout = next(str(pot.ipv4) for pot in world.records()["pots"] if pot.name == "ragout")
    export(world, "casserole", "80:30080", sources=["198.51.100.0/24", ragout])
    export(world, "casserole", "443:30443", sources=[f"{world.prefix}0/24"], change=Change.ADD)
    assert world.reaches("ragout", world.address, 30080)
    assert not world.reaches("kettle", world.address, 30080)
    assert not world.reaches("outside", world.address, 30080)
    assert world.reaches("outside", world.address, 30443)
    assert not world.reaches("ragout", world.address, 30443)
    assert world.do(check, [], None) == ()
    shown = world.do(show_pot, "casserole")["redirections"]
    assert {each["port"]: each["sources"] for each in shown} == {
        30080: [f"{ragout}/32", "198.51.100.0/24"] if ragout < "198" else [],
        30443: [f"{world.prefix}0/24"],
    }
    # The host itself is let in by --loopback, or it is not.
    export(world, "casserole", "80:30080", "443:30443")
    assert world.reaches("outside", world.address, 30080)


@both_hosts
def test_the_host_itself_is_asked_for_no_source(world: World) -> None:
    if world.kind == "sim":
        world.do(init, True, True)
    world.create("casserole", "public-bridge")
    export(world, "casserole", "80:30080", sources=["198.51.100.0/24"], max_connections=1, loopback=True)
    world.do(start, ["casserole"])
    for _ in range(3):
        assert world.reaches("host", "127.0.0.1", 30080)
        assert world.reaches("host", world.address, 30080)
    assert not world.reaches("outside", world.address, 30080)
    other = second(world)
    export(world, "casserole", f"{other}@80:30080", loopback=True)
    assert world.reaches("host", other, 30080)
    assert not world.reaches("host", "127.0.0.1", 30080)
    assert world.do(check, [], None) == ()


@both_hosts
@pytest.mark.parametrize("guarded", [False, True], ids=["open", "guarded"])
@pytest.mark.parametrize("limit", [None, 2])
def test_loopback_is_for_the_host_beside_the_sources(world: World, guarded: bool, limit: int | None) -> None:
    world.configure(f"network.antispoof = {str(guarded).lower()}\n")
    if world.kind == "sim":
        world.do(init, True, True)
    world.create("casserole", "public-bridge")
    world.create("ragout", "public-bridge")
    world.do(start, ["casserole", "ragout"])
    export(world, "casserole", "80:30080", sources=["198.51.100.0/24"], loopback=True, max_connections=limit)
    for _ in range(4):
        # The host is no source: neither kept out, nor counted.
        assert world.reaches("host", "127.0.0.1", 30080)
        assert world.reaches("host", world.address, 30080)
    assert not world.reaches("outside", world.address, 30080)
    assert not world.reaches("ragout", world.address, 30080)
    assert world.do(check, [], None) == ()
    export(world, "casserole", "80:30080", sources=["198.51.100.0/24"], max_connections=limit)
    assert not world.reaches("host", "127.0.0.1", 30080)
    assert not world.reaches("host", world.address, 30080)


def test_the_limit_of_a_source_is_its_own(world: World) -> None:
    for name in ("casserole", "ragout", "kettle"):
        world.create(name, "public-bridge")
    export(world, "casserole", "80:30080", max_connections=2)
    world.do(start, ["casserole", "ragout", "kettle"])
    for source in ("outside", "ragout", "kettle"):
        reached = [world.reaches(source, world.address, 30080) for _ in range(4)]
        assert reached == [True, True, False, False], source
    # What is not redirected is let in by no rule of the limit.
    address = next(str(pot.ipv4) for pot in world.records()["pots"] if pot.name == "casserole")
    assert not world.reaches("outside", address, 80)
    export(world, "casserole", "80:30080")
    assert world.reaches("outside", world.address, 30080)
    assert world.host.anchor("pot-filter/-casserole") == []


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_limit_by_udp_is_exact_for_each_export(world: World, most: int) -> None:
    """FreeBSD 14 lets in one state less than pf.conf says, and 15 counts those of all exports together."""
    world.create("casserole", "public-bridge")
    export(world, "casserole", "udp:53:5353", "udp:123:5123", max_connections=most)
    world.do(start, ["casserole"])
    for port in (5353, 5123):
        reached = [world.host.connect("outside", world.address, port, "udp").ok for _ in range(most + 2)]
        assert reached == [True] * most + [False] * 2, port
    assert not world.do(check, [], None)


def test_a_limit_needs_the_anchor_that_it_is_in(world: World) -> None:
    world.create("casserole", "public-bridge")
    main = 'nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\n'
    world.do_there("pfctl", "-f", "-", stdin=main)
    with pytest.raises(HostError, match=r'lacks anchor "pot-filter/\*"') as refused:
        export(world, "casserole", "80:30080", max_connections=2)
    assert "init" in str(refused.value.hint)


@both_hosts
def test_nothing_is_left_of_any_option(world: World) -> None:
    other = second(world)
    world.do(create_private_bridge, BridgeRequest("stove", 4, "fd00:7::/64"))
    world.create("kettle", "private-bridge", "dual", bridge="stove")
    world.create("casserole", "public-bridge")
    before = world.snapshot()
    export(world, "kettle", f"{other}@tcp+udp:80-82:30080-30082", "79", max_connections=3)
    export(
        world, "kettle", "443:30443", "2001:db8:7::20@443:30444" if world.kind == "sim" else "444",
        sources=["192.0.2.0/24", "2001:db8::/32"], change=Change.ADD,
    )  # fmt: skip
    world.do(start, ["casserole", "kettle"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["kettle"])
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@both_hosts
def test_what_other_hands_took_is_put_back(world: World) -> None:
    other = second(world)
    world.create("casserole", "public-bridge")
    export(world, "casserole", f"{other}@80-81:30080-30081", "443:30443", max_connections=9)
    export(world, "casserole", "22:30022", sources=["192.0.2.0/24"], change=Change.ADD)
    world.do(start, ["casserole"])
    kept = world.lasting()
    world.flush_rules()
    assert {str(finding.kind) for finding in world.do(check, [], None)} >= {"rules-missing"}
    world.do(repair, [], None)
    assert world.lasting() == kept
    assert world.do(check, [], None) == ()
    assert world.reaches("outside", other, 30080)
    assert world.reaches("outside", world.address, 30443)


@both_hosts
def test_the_list_is_added_to_and_taken_from(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    world.do(start, ["casserole"])
    export(world, "casserole", "80:30080", change=Change.ADD)
    export(world, "casserole", "443", "udp:53", change=Change.ADD)
    assert texts(world, "casserole") == ["80:30080", "443:1024", "udp:53:1024"]
    # Again the same, whether its port was given or chosen, is no second one.
    export(world, "casserole", "443", "80:30080", change=Change.ADD)
    assert texts(world, "casserole") == ["80:30080", "443:1024", "udp:53:1024"]
    export(world, "casserole", "80:30080", sources=["198.51.100.0/24"], change=Change.ADD)
    assert not world.reaches("outside", world.address, 30080)
    assert world.reaches("outside", world.address, 1024)
    export(world, "casserole", "80", "udp:53:1024", change=Change.REMOVE)
    assert texts(world, "casserole") == ["443:1024"]
    assert world.redirections("casserole") == [("tcp", 1024)]
    export(world, "casserole", "81", change=Change.REMOVE)
    assert any("does not export 81" in notice for notice in world.notices)
    with pytest.raises(PotnetError, match="tcp 1024 is already exported by this pot"):
        export(world, "casserole", "80:1024", change=Change.ADD)
    with pytest.raises(PotnetError, match="tcp 1024 is exported by pot casserole"):
        export(world, "ragout", "80:1024", change=Change.ADD)
    export(world, "casserole")
    assert world.redirections("casserole") == []


def test_a_change_ends_the_connections_of_what_it_changes_alone(world: World) -> None:
    other = second(world)
    world.create("casserole", "public-bridge")
    ranges = [f"{address}@80-89:30080-30089" for address in (world.address, other)]
    export(world, "casserole", *ranges, "443:30443")
    world.do(start, ["casserole"])
    ends = [(world.address, 30085), (other, 30085), (world.address, 30443)]

    def called() -> set[str]:
        states = str(world.host.states())
        return {f"{address}:{port}" for address, port in ends if f"'{address}:{port}'" in states}

    for address, port in ends:
        assert world.reaches("outside", address, port)
    whole = called()
    assert len(whole) == 3
    export(world, "casserole", f"{world.address}@80-89", change=Change.REMOVE)
    assert called() == {f"{other}:30085", f"{world.address}:30443"}
    # More may use it now, and fewer then.
    export(world, "casserole", "443:30443", max_connections=5, change=Change.ADD)
    assert f"{world.address}:30443" in called()
    export(world, "casserole", "443:30443", sources=["192.168.178.0/24"], change=Change.ADD)
    assert called() == {f"{other}:30085"}


@both_hosts
def test_sockets_of_the_host_are_honoured_where_they_are(world: World) -> None:
    other = second(world)
    world.create("casserole", "public-bridge")
    world.listen(30080, "nginx")
    for taken in ("80:30080", f"{other}@80:30080", "79-81:30079-30081"):
        with pytest.raises(PotnetError, match=r"30080.* is in use by nginx"):
            export(world, "casserole", taken)


def test_a_socket_on_one_address_leaves_the_others(world: World) -> None:
    other = second(world)
    world.create("casserole", "public-bridge")
    world.host.listen("tcp", 30080, address=other, command="nginx")
    export(world, "casserole", f"{world.address}@80:30080")
    for taken in ("80:30080", f"{other}@80:30080"):
        with pytest.raises(PotnetError, match=r"30080.* is in use by nginx"):
            export(world, "casserole", taken)


def test_a_port_is_taken_in_both_families(world: World) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4, "fd00:7::/64"))
    world.create("kettle", "private-bridge", "ipv6", bridge="stove")
    world.create("casserole", "public-bridge")
    export(world, "casserole", "80:30080")
    with pytest.raises(PotnetError, match="exported by pot casserole"):
        export(world, "kettle", "80:30080")
    with pytest.raises(HostError, match="by IPv6 only"):
        world.do(init, True, True)
        export(world, "kettle", "80:30081", loopback=True)


@both_hosts
def test_what_went_through_is_counted_by_export(world: World) -> None:
    other = second(world)
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge")
    export(world, "casserole", "80:30090", f"{other}@79-81:30079-30081", "22:30022")
    export(world, "ragout", f"{world.address}@80:30079", max_connections=8)
    world.do(start, ["casserole", "ragout"])
    for address, port, times in ((world.address, 30090, 3), (other, 30080, 2), (world.address, 30079, 1)):
        for _ in range(times):
            assert world.reaches("outside", address, port)
    shown = world.do(show_pot, "casserole")["traffic"]
    assert {each["export"]: each["connections"] for each in shown} == {
        "80:30090": 3,
        f"{other}@79-81:30079-30081": 2,
        "22:30022": 0,
    }
    assert all((each["packets"] > each["connections"]) == (each["connections"] > 0) for each in shown)
    assert all((each["bytes"] > each["packets"]) == (each["packets"] > 0) for each in shown)
    found = {metric["name"]: metric["samples"] for metric in world.do(metrics)}
    connections = found["potnet_export_connections_total"]
    assert {(s["labels"]["pot"], s["labels"]["host_port"]): s["value"] for s in connections} == {
        ("casserole", "30090"): 3,
        ("casserole", "30079-30081"): 2,
        ("casserole", "30022"): 0,
        ("ragout", "30079"): 1,
    }


def killed(world: World, after: bool, *exports: str, **options: Any) -> None:
    """A change of exports whose process ends with its first command that changes the host, or before that."""
    child = os.fork()
    if child == 0:
        whole = type(world.executor).run

        def run(self: Faulty, command: Command) -> CommandResult:
            if not command.changes_host:
                return whole(self, command)
            if after:
                whole(self, command)
            os._exit(9)

        try:
            type(world.executor).run = run  # type: ignore[method-assign]
            export(world, "casserole", *exports, **options)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@both_hosts_with(
    ("how", "after"),
    [*product(("again", "back", "repair", "stop"), (False, True))],
    [("again", True), ("back", False), ("repair", True), ("stop", False)],
)
def test_what_was_cut_off_does_not_stay_in_force(world: World, how: str, after: bool) -> None:
    for name in ("ragout", "casserole"):
        world.create(name, "public-bridge")
    world.do(start, ["ragout"])
    stopped = world.snapshot()
    world.do(start, ["casserole"])
    first, second = ("80:30080", "90-92:30090-30092"), ("81:30080", "443:30443")
    export(world, "casserole", *second)
    wanted = world.lasting()
    export(world, "casserole", *first, max_connections=9)
    before = world.lasting()
    killed(world, after, *second)
    match how:
        case "again":
            export(world, "casserole", *second)
        case "back":
            export(world, "casserole", *first, max_connections=9)
            wanted = before
        case "repair":
            assert "command-cut-off" in {str(finding.kind) for finding in world.do(check, [], None)}
            world.do(repair, [], None)
        case "stop":
            world.do(stop, ["casserole"])
            assert world.snapshot() == stopped
            return
    assert world.lasting() == wanted
    assert world.do(check, [], None) == ()
    assert all(run.leaving == () for run in world.records()["runs"])


@both_hosts
@pytest.mark.parametrize("change", [Change.ADD, Change.REMOVE])
def test_the_next_command_loads_everything_after_a_cut(world: World, change: Change) -> None:
    """A change that only adds, or only removes, is marked as begun: no later one takes it for done."""
    cut, other = ["81:30081", "udp:90-92:30090-30092"], "443:30443"
    first, last = ["80:30080"], ["80:30080", *cut]
    first, last = (first, last) if change is Change.ADD else (last, first)
    world.create("casserole", "public-bridge")
    stopped = world.snapshot()
    world.do(start, ["casserole"])
    export(world, "casserole", *last)
    wanted = world.lasting()
    ways = {
        "again": lambda: export(world, "casserole", *cut, change=change),
        "another": lambda: export(world, "casserole", other, change=Change.ADD),
        "repair": lambda: world.do(repair, [], None),
        "start": lambda: world.do(start, ["casserole"]),
    }
    for how, after in [*((how, False) for how in ways), ("another", True)]:
        export(world, "casserole", *first)
        killed(world, after, *cut, change=change)
        assert [run.pot.name for run in world.records()["runs"] if run.changing] == ["casserole"]
        if how == "repair":
            assert "command-cut-off" in {str(finding.kind) for finding in world.do(check, [], None)}
        ways[how]()
        assert not any(run.changing or run.leaving for run in world.records()["runs"])
        if how == "another":
            export(world, "casserole", other, change=Change.REMOVE)
        assert world.lasting() == wanted, (how, after)
    assert world.do(check, [], None) == ()
    export(world, "casserole", *first)
    killed(world, False, *cut, change=change)
    world.do(stop, ["casserole"])
    assert world.snapshot() == stopped


@pytest.mark.parametrize("world", ["linux"], indirect=True)
def test_many_exports_of_a_change_that_was_cut_off_go_in_a_few_commands(world: World) -> None:
    world.create("casserole", "public-bridge")
    stopped = world.snapshot()
    world.do(start, ["casserole"])
    export(world, "casserole", "80:30080", max_connections=3)
    killed(world, False, *(f"{port}:{20000 + port}" for port in range(1, 301)), max_connections=5)
    world.executor.commands.clear()
    world.do(stop, ["casserole"])
    assert world.snapshot() == stopped
    assert len(world.executor.commands) < 30


@both_hosts
def test_a_change_that_cannot_be_undone_is_finished_by_repair(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    export(world, "casserole", "80:30080", max_connections=3)
    before = world.lasting()

    class Broken(Faulty):
        """From the second change of the host on nothing works."""

        def run(self, command: Command) -> CommandResult:
            broken = command.changes_host and self.changes > 0
            return FAILURE if broken else super().run(command)

    world.executor = Broken(world.host)
    with pytest.raises(PotnetError):
        export(world, "casserole", "443:30443", max_connections=5)
    world.executor = Faulty(world.host)
    world.do(repair, [], None)
    assert world.lasting() == before
    assert world.do(check, [], None) == ()
    assert texts(world, "casserole") == ["80:30080"]
