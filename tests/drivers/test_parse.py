"""The parsers, held to what a real FreeBSD printed, and to text that nobody should print."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from potnet.drivers.freebsd.facts import parse, parse_ifconfig, parse_netstat
from potnet.drivers.freebsd.facts.anchors import called
from potnet.drivers.freebsd.pf import parse_pf
from potnet.drivers.linux.facts import parse as linux_parse
from potnet.drivers.reading import UnreadableError
from potnet.errors import PotnetError
from potnet.host.ruleset import Redirection
from potnet.host.state import ExportTraffic, FileKind, JailState, Traffic
from potnet.model.ports import Transport

RECORDS = Path(__file__).parent.parent / "data" / "freebsd"


def recorded(*argv: str, session: str = "*") -> Iterator[str]:
    """What a real host printed for a command, each time that it was asked in one session, or in any."""
    for path in sorted(RECORDS.glob(f"{session}-*.json")):
        for entry in json.loads(path.read_text())["commands"]:
            if tuple(entry["argv"]) == argv and entry["code"] == 0:
                yield entry["stdout"]


def test_every_recorded_interface_is_read() -> None:
    texts = [
        text for name in ("vtnet0", "bridge10", "epair7a", "epair7b") for text in recorded("ifconfig", name)
    ]
    assert len(texts) > 15
    for text in texts:
        found = parse_ifconfig.interface(text)
        assert text.startswith(f"{found.name}: ")
        assert found.up == ("<UP," in text)
        assert len(found.addresses) == text.count("\tinet ") + text.count("\tinet6 ")
        assert len(found.members) == text.count("\tmember: ")


def test_every_recorded_listing_of_interfaces_is_read() -> None:
    texts = [*recorded("ifconfig", "-a")]
    assert len(texts) > 15
    for text in texts:
        blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
        names = [block.partition(": flags=")[0] for block in blocks]
        found = parse_ifconfig.interfaces(text, names)
        assert found == {
            name: parse_ifconfig.interface(block) for name, block in zip(names, blocks, strict=True)
        }


def test_a_listing_of_all_interfaces_in_both_address_formats() -> None:
    (plain,) = recorded("ifconfig", "-a", session="01")
    names = ("vtnet0", "lo0", "bridge10", "epair7a", "epair7b")
    found = parse_ifconfig.interfaces(plain, names)
    assert found is not None
    assert {*found} == {*names}
    assert found["bridge10"].members == ("epair7a",)
    assert found["bridge10"].groups == {"bridge", "potnet"}
    assert found["bridge10"].addresses[0].prefix == 24
    assert found["epair7a"].description == "potnet:casserole"
    assert found["lo0"].has(IPAddress("::1"))
    assert found["vtnet0"].mac == "52:54:00:12:34:56"


def test_jails_with_blanks_in_their_path() -> None:
    line = "jid=7 name=web path=/jails/my web dying=1/m nodying\n"
    assert parse.jail(line) == JailState(7, "web", "/jails/my web dying=1/m")
    assert parse.jail("jid=7 name=web path=/j\u2028\x85k dying\n") == JailState(
        7, "web", "/j\u2028\x85k", True
    )


def test_anchors_of_the_main_ruleset() -> None:
    texts = list(recorded("pfctl", "-sn", session="04"))
    assert called(parse_pf.main_rules(texts[-1]), "rdr-anchor") == {"pot-rdr/*"}
    assert called(parse_pf.main_rules('anchor "pot-filter/*" all\n'), "anchor") == {"pot-filter/*"}


def test_braces_hold_the_rules_of_an_anchor() -> None:
    text = "anchor in on em0 all {\n  pass quick all\n  anchor all {\n    block drop all\n  }\n}\npass all\n"
    outer, last = parse_pf.main_rules(text)
    assert (outer.direction, outer.interface, outer.conditional, last.inside) == ("in", "em0", False, None)
    assert outer.inside is not None and outer.inside[1].inside is not None
    assert [each.text for each in outer.inside] == ["pass quick all", "anchor all"]
    assert [each.text for each in outer.inside[1].inside] == ["block drop all"]
    with pytest.raises(UnreadableError):
        parse_pf.main_rules("anchor all {\n  pass quick all\n")


def test_routes_of_a_real_host() -> None:
    (text,) = recorded("netstat", "--libxo", "json", "-rn", "-f", "inet", session="03")
    routes = {str(route.destination): route.interface for route in parse_netstat.routes(text)}
    assert routes["0.0.0.0/0"] == "vtnet0"
    assert routes["10.192.0.0/10"] == "bridge10"
    assert routes["127.0.0.1/32"] == "lo0"


def test_every_recorded_listing_of_routes_is_read() -> None:
    texts = [*recorded("netstat", "--libxo", "json", "-rn", "-f", "inet")]
    assert len(texts) > 5
    for text in texts:
        found = parse_netstat.routes(text)
        assert len(found) == text.count('"destination"')
        interfaces = {str(route.destination): route.interface for route in found}
        assert interfaces["0.0.0.0/0"] in ("vtnet0", "em0")


def test_the_default_interface() -> None:
    assert [*map(parse.default_interface, recorded("route", "-n", "get", "default", session="03"))] == [
        "vtnet0"
    ]
    assert {*map(parse.default_interface, recorded("route", "-n", "get", "default"))} == {"vtnet0", "em0"}
    assert parse.default_interface("route: route has not been found\n") is None


def test_redirections_in_force() -> None:
    text, *_ = recorded("pfctl", "-a", "pot-rdr/casserole", "-sn", "-P", session="04")
    found = parse_pf.redirections(text)
    assert [(r.interface, r.protocol, r.host, r.port, r.pot_port) for r in found] == [
        ("vtnet0", Transport.TCP, "(vtnet0)", 30080, 80),
        ("vtnet0", Transport.UDP, "(vtnet0)", 30053, 53),
    ]


def test_counters_of_redirections() -> None:
    (text,) = recorded("pfctl", "-a", "pot-rdr/casserole", "-s", "nat", "-P", "-v", session="04")
    assert parse_pf.export_traffic(text) == (
        ExportTraffic(Transport.TCP, 30080, None, 0, 0, 0),
        ExportTraffic(Transport.UDP, 30053, None, 0, 0, 0),
    )
    large = text.replace("Packets: 0       ", "Packets: 123456789012").replace("Bytes: 0 ", "Bytes: 7 ")
    large = large.replace("Creations: 0", "Creations: 42")
    assert parse_pf.export_traffic(large)[1] == ExportTraffic(Transport.UDP, 30053, None, 42, 123456789012, 7)


def test_counters_of_interfaces() -> None:
    link = {
        "name": "epair12345a", "flags": "0x8942", "mtu": 1500, "network": "<Link#7>", "received-packets": 1,
        "received-errors": 2, "dropped-packets": 0, "received-bytes": 3, "sent-packets": 4, "send-errors": 5,
        "sent-bytes": 6, "collisions": 0,
    }  # fmt: skip
    address = {"name": "epair12345a", "network": "10.0.2.0/24", "received-packets": 9, "sent-packets": 9}
    text = json.dumps({"statistics": {"interface": [link, address]}})
    assert parse_netstat.traffic(text) == {
        "epair12345a": Traffic(
            received_bytes=3, received_packets=1, received_errors=2,
            sent_bytes=6, sent_packets=4, sent_errors=5,
        )
    }  # fmt: skip


def states() -> str:
    (text,) = recorded("pfctl", "-s", "states", "-vv", session="07")
    return text


def test_the_states_of_a_redirection_are_both_halves_of_its_connections() -> None:
    keys = parse_pf.redirected_states(
        states(), [Redirection(Transport.TCP, 30080, IPAddress("10.192.0.10"), 80)]
    )
    # One state is the host's own ping, all others came by the export.
    assert len(keys) == text_count(states(), "tcp")
    assert all("/" in key for key in keys)


def text_count(text: str, protocol: str) -> int:
    return sum(line.startswith(f"all {protocol} ") for line in text.splitlines())


@pytest.mark.parametrize(
    "other",
    [
        Redirection(Transport.TCP, 30081, IPAddress("10.192.0.10"), 80),
        Redirection(Transport.UDP, 30080, IPAddress("10.192.0.10"), 80),
        Redirection(Transport.TCP, 30080, IPAddress("10.192.0.1"), 80),
        Redirection(Transport.TCP, 30080, IPAddress("10.192.0.100"), 80),
        Redirection(Transport.TCP, 30080, IPAddress("10.192.0.10"), 8),
    ],
)
def test_the_states_of_another_redirection_are_left_alone(other: Redirection) -> None:
    assert parse_pf.redirected_states(states(), [other]) == ()


def test_of_two_exports_of_one_port_only_the_removed_one_loses_its_connections() -> None:
    text = "".join(
        f"all tcp {line}       ESTABLISHED:ESTABLISHED\n   id: {key} creatorid: aa\n"
        for key, line in (
            ("01", "10.192.0.10:80 (192.0.2.1:30080) <- 198.51.100.7:1000"),
            ("02", "198.51.100.7:1000 -> 10.192.0.10:80"),
            ("03", "10.192.0.10:80 (192.0.2.1:30081) <- 198.51.100.7:2000"),
            ("04", "198.51.100.7:2000 -> 10.192.0.10:80"),
            ("05", "10.192.0.1:5000 (10.192.0.11:3000) -> 10.192.0.10:80"),
            ("06", "10.192.0.10:80 (192.0.2.1:30081) <- 10.192.0.11:3000"),
        )
    )
    gone = [Redirection(Transport.TCP, 30081, IPAddress("10.192.0.10"), 80)]
    assert sorted(parse_pf.redirected_states(text, gone)) == ["03/aa", "04/aa", "05/aa", "06/aa"]


def test_listening_sockets() -> None:
    text = (
        "USER     COMMAND    PID   FD  PROTO  LOCAL ADDRESS         FOREIGN ADDRESS      \n"
        "root     sshd       812   3   tcp4   *:22                  *:*\n"
        "www      nginx      900   6   tcp6   ::1:8080              *:*\n"
        "?        ?          ?     ?   udp4   *:123                 *:*\n"
    )
    found = [(s.protocol, s.port, s.owner) for s in parse.listeners(text)]
    assert found == [
        (Transport.TCP, 22, "sshd (pid 812)"),
        (Transport.TCP, 8080, "nginx (pid 900)"),
        (Transport.UDP, 123, "? (pid ?)"),
    ]


def test_kinds_of_files() -> None:
    text = "Directory\t/j/etc\nSymbolic Link\t/j/etc/resolv.conf\nFifo File\t/j/etc/hosts\n"
    assert parse.file_kinds(text) == {
        "/j/etc": FileKind.DIRECTORY,
        "/j/etc/resolv.conf": FileKind.LINK,
        "/j/etc/hosts": FileKind.OTHER,
    }


def test_who_may_open_taps() -> None:
    assert parse.file_owners("alice\t/dev/tap0\n1234\t/dev/tap1\n") == {
        "/dev/tap0": "alice",
        "/dev/tap1": "1234",
    }
    assert parse.file_owners("") == {}
    with pytest.raises(PotnetError, match="unexpected output of stat"):
        parse.file_owners("alice /dev/tap0\n")
    links = [
        {"ifname": name, "linkinfo": {"info_kind": "tun", "info_data": {"type": kind} | user}}
        for name, kind, user in (
            ("tap0", "tap", {"user": "alice"}),
            ("tap1", "tap", {"user": 1234}),
            ("tap2", "tap", {}),
            ("tun0", "tun", {"user": "alice"}),
        )
    ]
    assert linux_parse.tap_owners([*links, {"ifname": "lo"}]) == {
        "tap0": "alice",
        "tap1": "1234",
        "tap2": None,
    }


def test_mount_points() -> None:
    """A device may hold " on ", and a path what ends a line elsewhere."""
    entries = [{"special": "a on /b (", "node": node} for node in ("/", "/d on /e", "/j\xe2\x80\xa8\tk")]
    text = json.dumps({"mount": {"mounted": entries}}, ensure_ascii=False)
    assert parse.mount_points(text) == ("/", "/d on /e", "/j\xe2\x80\xa8\tk", "/j\u2028\tk")
    assert parse.mount_points('{"mount": {}}') == ()


def test_the_digest_of_a_release() -> None:
    manifest = f'base-dbg.txz\t{"a" * 64}\t1\tbase\nbase.txz\t{"b" * 64}\t29000\tbase\t"Base system"\ton\n'
    assert parse.manifest_digest(manifest, "base.txz") == "b" * 64
    assert parse.manifest_digest("base.txz\tnot a digest\n", "base.txz") is None


READERS: list[Callable[[str], object]] = [
    parse_ifconfig.interface,
    lambda text: parse_ifconfig.interfaces(text, ("em0",)),
    parse_netstat.interfaces,
    parse_netstat.names,
    parse_netstat.gateways,
    parse.jails,
    parse.jail,
    parse_pf.redirections,
    parse_pf.export_traffic,
    parse_netstat.traffic,
    lambda text: parse_pf.redirected_states(text, [Redirection(Transport.TCP, 1, IPAddress("10.0.0.1"), 1)]),
    parse.listeners,
    parse_netstat.routes,
    parse.default_interface,
    parse.file_kinds,
    parse.mount_points,
    parse.memory_use,
    lambda text: parse.manifest_digest(text, "base.txz"),
]

LINES = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            [
                "em0: flags=8843<UP> metric 0 mtu 1500",
                "\tinet 300.1.1.1 netmask 0xffffff00",
                "\tinet 10.0.0.1",
                "\tinet6 fe80::1%em0 prefixlen 64",
                "\tinet6 :: prefixlen x",
                "\tether",
                "\tmember: x",
                "\tgroups:",
                "jid=1 name=a path=/ dying",
                "all tcp 1:1 (2:2) <- 3:3 A:B",
                "all tcp 300.0.0.1:1 (2.2.2.2:1) <- 3.3.3.3:3 A:B",
                "   id: 00 creatorid: 00",
                "root sshd 1 3 tcp4 *:x *:*",
                "rdr pass on em0 inet proto tcp from any to any port = 1 -> ::::: port 2",
                "rdr pass on em0 inet proto tcp from any to any port = 1 -> 10.0.0.1 port 2",
                "  [ Evaluations: 0         Packets: 0         Bytes: 0           States: 0     ]",
                '{"statistics": {}}',
                '{"statistics": {"interface": [{"name": "em0", "network": 7}]}}',
                '{"statistics": {"route-information": {"route-table": {"rt-family": [{"rt-entry": [{}]}]}}}}',
            ]
        ),
    ),
    max_size=6,
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@given(lines=LINES)
def test_text_that_no_tool_prints_is_an_answer_or_a_clear_error(
    reader: Callable[[str], object], lines: list[str]
) -> None:
    try:
        reader("\n".join(lines))
    except PotnetError as error:
        assert "unexpected output" in error.message


def test_a_network_of_a_route_is_never_guessed() -> None:
    with pytest.raises(PotnetError):
        parse_netstat.routes(
            json.dumps(
                {
                    "statistics": {
                        "route-information": {
                            "route-table": {
                                "rt-family": [
                                    {
                                        "address-family": "Internet",
                                        "rt-entry": [
                                            {"destination": "x", "gateway": "y", "interface-name": "z"}
                                        ],
                                    }
                                ]
                            }
                        }
                    }
                }
            )
        )
    assert IPNetwork("10.0.0.0/8")
