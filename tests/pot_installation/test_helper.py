"""The commands that pot's scripts call, on made-up installations and on potnet's own store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up import Call, MadeUp, documented

TOPOLOGY = """\
Network topology:
	network : 10.192.0.0/10
	min addr: 10.192.0.0
	max addr: 10.255.255.255

Addresses already taken:
	10.192.0.0	
	10.192.0.1	default gateway
	10.192.0.2	dns
	10.192.0.10	casserole4
	10.192.0.16	stove bridge - network 
	10.192.0.17	stove bridge - gateway 
	10.192.0.18	stove bridge - allocated address
	10.192.0.19	casserole
	10.192.0.20	stove bridge - allocated address
	10.192.0.21	stove bridge - allocated address
	10.192.0.22	stove bridge - allocated address
	10.192.0.23	stove bridge - broadcast 
	10.255.255.255	
"""  # noqa: W291
STOVE = """\
	10.192.0.16	stove bridge - network 
	10.192.0.17	stove bridge - gateway 
	10.192.0.19	casserole
	10.192.0.23	stove bridge - broadcast 
"""  # noqa: W291

#: Call, exit code, stdout.
DOCUMENTED = [
    ("show", 0, TOPOLOGY),
    ("show -b stove", 0, STOVE),
    ("show --bridge-name stove", 0, STOVE),
    ("next", 0, "10.192.0.3\n"),
    ("-v next", 0, "10.192.0.3 available\n"),
    ("next -b stove", 0, "10.192.0.18\n"),
    ("next --bridge-name stove", 0, "10.192.0.18\n"),
    ("validate -H 10.192.0.3", 0, ""),
    ("validate --host 10.192.0.18 -b stove", 0, ""),
    ("validate -H 10.192.0.10", 1, ""),
    ("validate -H 10.192.0.18", 1, ""),
    ("validate -H 10.192.0.1", 1, ""),
    ("validate -H 10.192.0.19 -b stove", 1, ""),
    ("validate -H 10.192.0.17 -b stove", 1, ""),
    ("validate -H 10.192.0.3 -b stove", 1, ""),
    ("validate -H 192.168.0.3", 1, ""),
    ("validate -H 2001:db8::1", 1, ""),
    ("validate -H nonsense", 1, ""),
    ("new-net -s 2", 0, "net=10.192.0.24/29\ngateway=10.192.0.25\n"),
    ("new-net -s 5", 0, "net=10.192.0.24/29\ngateway=10.192.0.25\n"),
    ("new-net -s 6", 0, "net=10.192.0.32/28\ngateway=10.192.0.33\n"),
    ("new-net -s 1", 1, ""),
    ("new-net -s 0", 1, ""),
    ("new-net -s -1", 1, ""),
    ("new-net -s 65536", 1, ""),
    ("ip4check -H 10.0.0.1", 0, ""),
    ("ip4check --host 2001:db8::1", 1, ""),
    ("ip4check -H 10.0.0", 1, ""),
    ("ip6check -H 2001:db8::1", 0, ""),
    ("ip6check -H 10.0.0.1", 1, ""),
    ("ip6check -H fe80::1%em0", 1, ""),
    ("ipcheck -H 10.0.0.1", 0, ""),
    ("ipcheck -H ::", 0, ""),
    ("ipcheck -H 10.0.0.1/8", 1, ""),
    ("config-check", 0, ""),
    ("etc-hosts", 0, "10.192.0.10 casserole4\n"),
    ("etc-hosts -b stove", 0, "10.192.0.19 casserole\n"),
    ("next -b nowhere", 1, ""),
    ("show -b nowhere", 1, ""),
]


def test_bridges_have_their_names_in_any_case(tmp_path: Path, call: Call) -> None:
    made = documented(tmp_path)
    made.bridge("Oven", "10.192.0.32/29")
    for line, other in (
        ("show -b stove", "show -b STOVE"),
        ("next -b stove", "next -b Stove"),
        ("next -b Oven", "next -b oven"),
        ("etc-hosts -b stove", "etc-hosts -b sTOVE"),
        ("validate -H 10.192.0.18 -b stove", "validate -H 10.192.0.18 -b STOVE"),
    ):
        assert call(line, made.path) == call(other, made.path)
    # Pot itself tells names apart by case.
    made.bridge("OVEN", "10.192.0.40/29")
    assert call("next -b Oven", made.path).out == "10.192.0.34\n"
    assert call("next -b OVEN", made.path).out == "10.192.0.42\n"
    assert "bridge 'oven' not found" in call("next -b oven", made.path).err


@pytest.mark.parametrize(("line", "code", "out"), DOCUMENTED, ids=[line for line, _, _ in DOCUMENTED])
def test_answers_of_the_documented_installation(
    tmp_path: Path, call: Call, line: str, code: int, out: str
) -> None:
    made = documented(tmp_path)
    before = made.contents()
    found = call(line, made.path)
    assert (found.code, found.out) == (code, out)
    silent = code == 0 or line in ("ip4check --host 2001:db8::1", "ip6check -H 10.0.0.1")
    assert (found.err == "") == silent
    assert made.contents() == before
    assert not (tmp_path / "state").exists()


def test_every_refusal_says_why(tmp_path: Path, call: Call) -> None:
    path = documented(tmp_path).path
    for line, words in (
        ("validate -H 10.192.0.10", "in use by pot casserole4"),
        ("validate -H 10.192.0.18", "belongs to the private bridge stove"),
        ("validate -H 10.192.0.1", "default gateway"),
        ("validate -H 10.192.0.2", "DNS server, the pot dns"),
        ("validate -H 10.192.0.0", "network address"),
        ("validate -H 10.255.255.255", "broadcast address"),
        ("validate -H 10.192.0.30 -b stove", "outside bridge stove 10.192.0.16/29"),
        ("new-net -s 1", "a network with size 1 is too small"),
        ("next -b nowhere", "bridge 'nowhere' not found"),
        ("ip4check -H 10.0.0", "invalid address '10.0.0'"),
    ):
        assert words in call(line, path).err


def test_full_networks_fail_and_say_so(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path, "POT_DNS_IP=10.1.1.2", network="10.1.1.0/28")
    made.bridge("stove", "10.1.1.8/29")
    for number in range(3, 8):
        assert call("next", made.path).out == f"10.1.1.{number}\n"
        made.public(f"p{number}", f"10.1.1.{number}")
    for number in range(10, 15):
        made.private(f"p{number}", f"10.1.1.{number}", "stove")
    for line in ("next", "next -b stove", "new-net -s 2"):
        found = call(line, made.path)
        assert (found.code, found.out) == (1, "")
        assert "is full" in found.err or "no room" in found.err


def test_a_bridge_that_is_being_made_is_no_hindrance(tmp_path: Path, call: Call) -> None:
    made = documented(tmp_path)
    (made.root / "bridges" / "new").write_text("")
    assert call("new-net -s 2", made.path).out == "net=10.192.0.24/29\ngateway=10.192.0.25\n"
    (made.root / "bridges" / "new").write_text("net=10.192.0.24/29\ngateway=10.192.0.25\n")
    assert call("new-net -s 2", made.path).out == "net=10.192.0.32/29\ngateway=10.192.0.33\n"
    assert call("show -b new", made.path).out.startswith("\t10.192.0.24\tnew bridge - network \n")


def test_old_pots_count(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path)
    made.pot("old", "ip4=10.192.0.3", "vnet=true")
    made.pot("oldest", "ip4=10.192.0.4", "vnet=false")
    made.pot("host", "ip4=inherit", "vnet=false")
    (made.root / "jails" / "half").mkdir()
    assert call("next", made.path).out == "10.192.0.4\n"
    assert call("etc-hosts", made.path).out == "10.192.0.3 old\n"


def test_hosts_are_in_the_order_of_addresses(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path)
    for name, address in (("b", "10.192.0.100"), ("a", "10.192.1.3"), ("c", "10.192.0.9")):
        made.public(name, address)
    assert call("etc-hosts", made.path).out == "10.192.0.9 c\n10.192.0.100 b\n10.192.1.3 a\n"


def test_networks_of_ipv6(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path, "POT_DNS_IP=", network="fd00:10::/64")
    assert call("next", made.path).out == "fd00:10::2\n"
    made.public("one", "fd00:10::2")
    made.bridge("big", "fd00:10::1:0:0:0/80")
    assert call("next", made.path).out == "fd00:10::3\n"
    assert call("next -b big", made.path).out == "fd00:10::1:0:0:2\n"
    assert call("new-net -s 6", made.path).out == "net=fd00:10::10/124\ngateway=fd00:10::11\n"
    assert call("config-check", made.path).code == 0
    assert call("etc-hosts", made.path).out == "fd00:10::2 one\n"
    assert call("validate -H fd00:10::1:0:0:9", made.path).code == 1
    assert call("validate -H fd00:10::1:0:0:9 -b big", made.path).code == 0
    shown = call("show", made.path).out.splitlines()
    assert shown[1:4] == [
        "\tnetwork : fd00:10::/64",
        "\tmin addr: fd00:10::",
        "\tmax addr: fd00:10::ffff:ffff:ffff:ffff",
    ]
    assert shown[6:] == [
        "\tfd00:10::\t",
        "\tfd00:10::1\tdefault gateway",
        "\tfd00:10::2\tone",
        "\tfd00:10:0:0:1::\tbig bridge - network ",
        "\tfd00:10::1:0:0:1\tbig bridge - gateway ",
        "\tfd00:10::1:ffff:ffff:ffff\tbig bridge - broadcast ",
        "\tfd00:10::ffff:ffff:ffff:ffff\t",
    ]


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (["POT_GATEWAY=10.1.0.1"], 1, "the gateway 10.1.0.1 is outside the network 10.192.0.0/10"),
        (["POT_NETMASK=255.0.0.0"], 1, "the netmask 255.0.0.0 is not that of the network"),
        (["POT_DNS_IP=10.1.0.2"], 0, "the DNS address 10.1.0.2 is outside the network"),
        (["POT_NETWORK='10.0.0.0/8' # wider", 'POT_NETMASK="255.0.0.0"'], 0, ""),
        (["POT_NETWORK=172.16.0.0/12", "POT_NETMASK=255.240.0.0", "POT_GATEWAY=172.16.0.1"], 0, ""),
        (["export POT_NETWORK=10.0.0.0/33"], 1, "pot.conf: line 2 sets POT_NETWORK to '10.0.0.0/33'"),
        (["POT_NETWORK=$(cat /etc/net)"], 1, "pot.conf: line 2 sets POT_NETWORK to what only a shell"),
        (["POT_GATEWAY=`hostname`"], 1, "pot.conf: line 2 sets POT_GATEWAY to what only a shell"),
        (["POT_GATEWAY=10.192.0.1 rm"], 1, "line 2 sets POT_GATEWAY to what only a shell"),
        (["#" + "x" * 10000], 1, "pot.conf: line 2 is 10001 bytes long"),
        (["if true; then", "fi", "OTHER=$(x)"], 0, ""),
    ],
)
def test_the_configuration_is_checked(
    tmp_path: Path, call: Call, lines: list[str], code: int, words: str
) -> None:
    found = call("config-check", MadeUp.at(tmp_path, *lines).path)
    assert (found.code, found.out) == (code, "")
    assert words in found.err
    assert bool(words) == bool(found.err)


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/passwd")


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


BRIDGED = b"network_type=public-bridge\n"
Spoil = Callable[[Path], None] | bytes


def _spoilt(file: Path, spoil: Spoil) -> None:
    if isinstance(spoil, bytes):
        file.write_bytes(spoil)
    else:
        spoil(file)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_fifo, "is not a file"),
        (_link, "is a symbolic link"),
        (_directory, "cannot be read: Is a directory"),
        (b"x" * 70000, "is larger than 65536 bytes"),
        (b"a=b\n" + BRIDGED + b"ip=10.0.0\n", "line 3 has no address"),
        (b"network_type=other\n", "line 1 names no network type: b'other'"),
        (b"\n" + BRIDGED + b"ip=\xff\xfe\n", "line 3 has no address"),
        (BRIDGED + b"ip=" + b"1" * 10000, "line 2 has no address"),
    ],
)
def test_files_that_are_not_what_they_should_be(tmp_path: Path, call: Call, spoil: Spoil, words: str) -> None:
    made = documented(tmp_path)
    file = made.root / "jails" / "casserole4" / "conf" / "pot.conf"
    _spoilt(file, spoil)
    for line in ("next", "show", "etc-hosts", "validate -H 10.192.0.99"):
        found = call(line, made.path)
        assert (found.code, found.out) == (1, "")
        assert f"{file}: {words}" in found.err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (b"net=\xff\n", "line 1 has a byte that is not UTF-8 (0xff)"),
        (b"net=10.192.0.16/29\n", "does not appear to be an IPv4 or IPv6 address"),
        (b"net=x\ngateway=y\n", "does not appear to be an IPv4 or IPv6 network"),
        (b"net=10.192.0.16/29\ngateway=10.1.1.1\n", "line 2 has a gateway outside"),
        (b"x" * 70000, "is larger than 65536 bytes"),
    ],
)
def test_bridges_that_are_not_what_they_should_be(
    tmp_path: Path, call: Call, spoil: Spoil, words: str
) -> None:
    made = documented(tmp_path)
    file = made.root / "bridges" / "stove"
    _spoilt(file, spoil)
    for line in ("next", "next -b stove", "new-net -s 3"):
        found = call(line, made.path)
        assert (found.code, found.out) == (1, "")
        assert f"{file}: " in found.err
        assert words in found.err


def test_links_and_pipes_in_place_of_pots_and_bridges_are_passed_over(tmp_path: Path, call: Call) -> None:
    made = documented(tmp_path)
    os.mkfifo(made.root / "bridges" / "pipe")
    (made.root / "bridges" / "link").symlink_to("/dev/zero")
    (made.root / "jails" / "link").symlink_to(tmp_path)
    (made.root / "jails" / "file").write_text("")
    assert call("show", made.path).out == TOPOLOGY


def test_names_that_would_forge_lines_are_refused(tmp_path: Path, call: Call) -> None:
    made = documented(tmp_path)
    made.public("a\n10.192.0.1 b", "10.192.0.44")
    found = call("etc-hosts", made.path)
    assert (found.code, found.out) == (1, "")
    assert "an invalid pot name" in found.err


def test_which_installation(tmp_path: Path, call: Call) -> None:
    made = documented(tmp_path)
    elsewhere = tmp_path / "links"
    elsewhere.mkdir()
    (elsewhere / "pot").symlink_to(made.prefix / "bin" / "pot")
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    (other / "pot").write_text("")
    assert call("etc-hosts", str(elsewhere)).out == "10.192.0.10 casserole4\n"
    assert call("etc-hosts", f"{other}:{made.prefix}/bin").out == "10.192.0.10 casserole4\n"
    (other / "pot").chmod(0o755)
    # A script of that name without pot's configuration beside it hides no installation.
    assert call("etc-hosts", f"{other}:{made.prefix}/bin").out == "10.192.0.10 casserole4\n"
    assert call("etc-hosts", "relative:").out == ""
    file = tmp_path / "potnet.toml"
    file.write_text(f'[pot]\nprefix = "{made.prefix}"\n')
    assert call(f"--config {file} etc-hosts").out == "10.192.0.10 casserole4\n"
    file.write_text('[pot]\nprefix = "/nonexistent"\n')
    found = call(f"--config {file} etc-hosts")
    assert (found.code, found.out) == (1, "")
    assert "/nonexistent/etc/pot: pot.conf not found" in found.err


def test_without_pot_it_is_about_our_own_network(tmp_path: Path, call: Call) -> None:
    assert call("next").out == "10.192.0.3\n"
    assert call("new-net -s 5").out == "net=10.192.0.8/29\ngateway=10.192.0.9\n"
    assert not (tmp_path / "state").exists()
    for line in (
        "--host sim create -p one -N public-bridge",
        "--host sim create-private-bridge -B stove -S 4",
        "--host sim create -p two -N private-bridge -B stove",
    ):
        assert call(line).code == 0
    assert call("--host sim next").out == "10.192.0.4\n"
    assert call("--host sim next -b stove").out == "10.192.0.11\n"
    assert call("--host sim new-net -s 5").out == "net=10.192.0.16/29\ngateway=10.192.0.17\n"
    assert call("--host sim validate -H 10.192.0.4").code == 0
    for address in ("10.192.0.3", "10.192.0.2", "10.192.0.12", "10.0.0.1"):
        assert call(f"--host sim validate -H {address}").code == 1
    assert call("--host sim etc-hosts").out == "10.192.0.3 one\n"
    assert call("--host sim etc-hosts -b stove").out == "10.192.0.10 two\n"
    assert call("--host sim config-check").code == 0


def test_both_together(tmp_path: Path, call: Call) -> None:
    """Neither pot's scripts nor potnet's own commands are ever given what the other has."""
    made = documented(tmp_path)
    made.public("third", "10.192.0.3")
    assert call("--host sim create -p mine -N public-bridge", made.path).code == 0
    hosts = "10.192.0.3 third\n10.192.0.4 mine\n10.192.0.10 casserole4\n"
    assert call("--host sim etc-hosts", made.path).out == hosts
    assert call("--host sim next", made.path).out == "10.192.0.5\n"
    for number in range(5, 12):
        assert call(f"--host sim create -p mine{number} -N public-bridge", made.path).code == 0
    assert call("--host sim next", made.path).out == "10.192.0.13\n"
    assert call("--host sim create-private-bridge -B mine -S 4", made.path).code == 0
    assert "10.192.0.24\tmine bridge - network" in call("--host sim show", made.path).out
    assert call("--host sim new-net -s 5", made.path).out == "net=10.192.0.32/29\ngateway=10.192.0.33\n"
    assert call("--host sim next -b mine", made.path).out == "10.192.0.26\n"
    refused = call("--host sim create -p x -N public-bridge -i 10.192.0.10", made.path)
    assert (refused.code, "pot casserole4" in refused.err) == (1, True)
    refused = call("--host sim create -p x -N public-bridge -i 10.192.0.20", made.path)
    assert (refused.code, "bridge stove" in refused.err) == (1, True)


def test_a_pot_network_of_its_own(tmp_path: Path, call: Call) -> None:
    """Where potnet has another network than pot, pot's is answered for, and leases in it are respected."""
    file = tmp_path / "potnet.toml"
    file.write_text('[network]\npublic = "10.192.0.0/16"\n')
    made = documented(tmp_path)
    assert call(f"--config {file} --host sim create -p mine -N public-bridge", made.path).code == 0
    assert call(f"--config {file} --host sim next", made.path).out == "10.192.0.4\n"
    assert call(f"--config {file} --host sim validate -H 10.192.0.3", made.path).code == 1
    assert call(f"--config {file} --host sim validate -H 10.200.0.3", made.path).code == 0
