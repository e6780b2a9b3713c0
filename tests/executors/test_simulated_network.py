"""Who reaches whom on the simulated host: the paths that were tried with real connections on FreeBSD."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import Connection, Refusal, SimulatedHost

Run = Callable[..., CommandResult]

HOST = "192.168.178.20"
FIRST = "rdr pass on em0 inet proto tcp from any to (em0) port 30080 -> 10.192.0.10 port 80\n"
SECOND = """\
nat on bridge10 inet proto tcp from 10.192.0.0/10 to 10.192.0.10 port 80 -> (bridge10:0)
rdr pass on { em0 bridge10 } inet proto tcp from any to (em0) port 30080 -> 10.192.0.10 port 80
"""
THIRD = """\
nat on bridge10 inet proto tcp from { 127.0.0.0/8 (em0) 10.192.0.0/10 } to 10.192.0.10 port 80 \\
    -> (bridge10:0)
rdr pass on { em0 bridge10 lo0 } inet proto tcp from any to { (em0) 127.0.0.1 } port 30080 \\
    -> 10.192.0.10 port 80
"""
GROUP = """\
nat on bridge10 inet proto tcp from 10.192.0.0/10 to 10.192.0.10 port 80 -> (bridge10:0)
rdr pass on { em0 potbridge } inet proto tcp from any to (em0) port 30080 -> 10.192.0.10 port 80
"""
#: The columns of the recorded table: outside, another pot, the pot itself, host to own, host to loopback.
PATHS = (
    ("outside", HOST),
    ("ragout", HOST),
    ("casserole", HOST),
    ("host", HOST),
    ("host", "127.0.0.1"),
)


def bridge(run: Run, unit: int, address: str) -> None:
    run(f"ifconfig bridge{unit} create descr x group potnet group potbridge up")
    run(f"ifconfig bridge{unit} inet {address}")


def pot(
    run: Run, name: str, bridge: int, unit: int, address: str, gateway: str, private: bool = False
) -> None:
    run(f"ifconfig epair{unit} create group potnet -txcsum -txcsum6 up")
    flags = f" private epair{unit}a" if private else ""
    run(f"ifconfig bridge{bridge} addm epair{unit}a{flags}")
    run(f"mkdir -p /jails/{name}/dev")
    text = f'"{name}" {{ path = "/jails/{name}"; persist; vnet; vnet.interface = "epair{unit}b"; }}'
    run(f"jail -i -f - -c {name}", stdin=text)
    run(f"ifconfig -j {name} lo0 inet 127.0.0.1/8 up")
    run(f"ifconfig -j {name} epair{unit}b inet {address} up")
    run(f"route -j {name} add default {gateway}")


@pytest.fixture
def pots(host: SimulatedHost, run: Run) -> SimulatedHost:
    """Two pots on the public bridge, NAT in force."""
    bridge(run, 10, "10.192.0.1/10")
    pot(run, "casserole", 10, 7, "10.192.0.10/10", "10.192.0.1")
    pot(run, "ragout", 10, 8, "10.192.0.11/10", "10.192.0.1")
    run("pfctl -a pot-nat -f -", stdin="nat on em0 inet from 10.192.0.0/10 to any -> (em0:0)\n")
    return host


def loopback(run: Run) -> None:
    run("sysctl net.pf.filter_local=1")
    run("pfctl -d")
    run("pfctl -e")


@pytest.mark.parametrize(
    ("rules", "local", "reached"),
    [
        (FIRST, False, (True, False, False, False, False)),
        (SECOND, False, (True, True, True, False, False)),
        (GROUP, False, (True, True, True, False, False)),
        (THIRD, True, (True, True, True, True, True)),
        (THIRD, False, (True, True, True, False, False)),
    ],
    ids=["rdr", "hairpin", "group", "loopback", "loopback-without-filter_local"],
)
def test_the_recorded_table(
    pots: SimulatedHost, run: Run, rules: str, local: bool, reached: tuple[bool, ...]
) -> None:
    if local:
        loopback(run)
    run("pfctl -a pot-rdr/casserole -f -", stdin=rules)
    answers = [pots.connect(source, address, 30080) for source, address in PATHS]
    assert tuple(answer.ok for answer in answers) == reached, answers
    assert all(a.server == "casserole" and a.port == 80 for a in answers if isinstance(a, Connection))


def test_skip_on_lo0_defeats_the_loopback(pots: SimulatedHost, run: Run) -> None:
    main = pots.anchor()
    run("pfctl -f -", stdin="set skip on lo0\n" + "\n".join(main) + "\n")
    loopback(run)
    run("pfctl -a pot-rdr/casserole -f -", stdin=THIRD)
    assert [pots.connect("host", a, 30080).ok for a in (HOST, "127.0.0.1")] == [False, False]


def test_filter_local_set_after_enabling_has_no_effect(pots: SimulatedHost, run: Run) -> None:
    run("sysctl net.pf.filter_local=1")
    run("pfctl -a pot-rdr/casserole -f -", stdin=THIRD)
    assert not pots.connect("host", HOST, 30080).ok


def test_client_addresses(pots: SimulatedHost, run: Run) -> None:
    run("pfctl -a pot-rdr/casserole -f -", stdin=GROUP)
    outside = pots.connect("outside", HOST, 30080, client="192.168.178.77")
    sibling = pots.connect("ragout", HOST, 30080)
    direct = pots.connect("ragout", "10.192.0.10", 80)
    seen = [answer.client for answer in (outside, sibling, direct) if isinstance(answer, Connection)]
    assert seen == ["192.168.178.77", "10.192.0.1", "10.192.0.11"]


def test_states_of_a_redirect_and_killing_them_by_id(pots: SimulatedHost, run: Run) -> None:
    run("pfctl -a pot-rdr/casserole -f -", stdin=GROUP)
    assert pots.connect("ragout", HOST, 30080).ok
    listing = run("pfctl -s states -vv").out
    assert re.search(r"all tcp 10\.192\.0\.10:80 \(192\.168\.178\.20:30080\) <- 10\.192\.0\.11:\d+ ", listing)
    assert re.search(r"all tcp 10\.192\.0\.1:\d+ \(10\.192\.0\.11:\d+\) -> 10\.192\.0\.10:80 ", listing)
    keys = re.findall(r"id: (\w+) creatorid: (\w+)", listing)
    for number, (identifier, creator) in enumerate(keys):
        killed = run(f"pfctl -k id -k {identifier}/{creator}")
        assert killed.err == "killed 1 states\n"
        assert len(pots.states()) == len(keys) - number - 1
    assert run(f"pfctl -k id -k {keys[0][0]}/{keys[0][1]}").err == "killed 0 states\n"


def test_rules_in_an_anchor_that_the_main_ruleset_does_not_name(pots: SimulatedHost, run: Run) -> None:
    run("pfctl -f -", stdin="pass\n")
    run("pfctl -a pot-rdr/casserole -f -", stdin=FIRST)
    assert not pots.connect("outside", HOST, 30080).ok
    assert pots.anchor("pot-rdr/casserole") != []


def test_out_through_nat_and_not_without(pots: SimulatedHost, run: Run) -> None:
    made = pots.connect("casserole", "192.168.178.1", 53, "udp")
    assert isinstance(made, Connection) and made.client == HOST
    run("pfctl -a pot-nat -f -", stdin="")
    assert not pots.connect("casserole", "192.168.178.1", 53, "udp").ok
    run("sysctl net.inet.ip.forwarding=0")
    refused = pots.connect("casserole", "192.168.178.1", 53)
    assert isinstance(refused, Refusal) and "forward" in refused.reason


def _private(run: Run) -> None:
    bridge(run, 20, "10.192.0.17/29")
    pot(run, "stew", 20, 20, "10.192.0.18/29", "10.192.0.17")
    pot(run, "soup", 20, 21, "10.192.0.19/29", "10.192.0.17")
    bridge(run, 21, "10.192.0.25/29")
    pot(run, "goulash", 21, 22, "10.192.0.26/29", "10.192.0.25")


APART = """\
table <others> const { 10.192.0.0/10, !10.192.0.16/29 }
block return in quick on bridge20 from any to <others>
block return out quick on bridge20 from <others> to any
"""


@pytest.mark.parametrize("main", ["", "block in all\npass out keep state\npass in on potbridge keep state\n"])
def test_private_bridges(pots: SimulatedHost, run: Run, main: str) -> None:
    _private(run)
    head = 'nat-anchor "pot-nat"\nnat-anchor "pot-rdr/*"\nrdr-anchor "pot-rdr/*"\nanchor "pot-filter/*"\n'
    run("pfctl -f -", stdin=head + main)
    assert pots.connect("goulash", "10.192.0.18", 80).ok, "not private by itself"
    run("pfctl -a pot-filter/bridge20 -f -", stdin=APART)
    run("pfctl -a pot-filter/ext -f -", stdin="block return in quick on em0 inet from any to 10.192.0.0/10\n")
    assert not pots.connect("goulash", "10.192.0.18", 80).ok
    assert not pots.connect("stew", "10.192.0.26", 80).ok
    assert not pots.connect("stew", "10.192.0.11", 80).ok
    assert not pots.connect("outside", "10.192.0.10", 80).ok
    assert pots.connect("stew", "10.192.0.19", 80).ok
    assert pots.connect("stew", "192.168.178.1", 80).ok
    assert pots.connect("host", "10.192.0.18", 80).ok
    assert run("jexec stew ping -c 1 -t 1 10.192.0.17").code == 0
    run("pfctl -a pot-rdr/casserole -f -", stdin=GROUP)
    for source in ("outside", "stew", "ragout", "casserole"):
        assert pots.connect(source, HOST, 30080).ok, source


def test_the_lan_reaches_every_pot_without_the_filter(pots: SimulatedHost) -> None:
    assert pots.connect("outside", "10.192.0.10", 22).ok


def test_private_members_do_not_reach_each_other(host: SimulatedHost, run: Run) -> None:
    bridge(run, 20, "10.192.0.17/29")
    pot(run, "a", 20, 1, "10.192.0.18/29", "10.192.0.17", private=True)
    pot(run, "b", 20, 2, "10.192.0.19/29", "10.192.0.17", private=True)
    assert not host.connect("a", "10.192.0.19", 80).ok
    assert host.connect("a", "10.192.0.17", 0, "icmp").ok
    assert host.interface("bridge20").private == ("epair1a", "epair2a")  # type: ignore[union-attr]


def test_a_range_maps_one_to_one(pots: SimulatedHost, run: Run) -> None:
    head = "rdr pass on em0 inet proto tcp from 192.168.178.0/25 to (em0)"
    rule = f"{head} port 30000:30009 -> 10.192.0.11 port 80:*\n"
    run("pfctl -a pot-rdr/ragout -f -", stdin=rule)
    made = pots.connect("outside", HOST, 30004, client="192.168.178.5")
    assert isinstance(made, Connection) and made.port == 84
    assert not pots.connect("outside", HOST, 30004, client="192.168.178.200").ok


def test_the_host_answers_where_something_listens(host: SimulatedHost) -> None:
    assert not host.connect("outside", HOST, 22).ok
    host.listen("tcp", 22, command="sshd")
    made = host.connect("outside", HOST, 22)
    assert isinstance(made, Connection) and made.server == "host"


def test_alias_jail_answers_on_its_address(host: SimulatedHost, run: Run) -> None:
    run("mkdir -p /jails/alias")
    text = 'alias { path = "/jails/alias"; persist; ip4.addr = "em0|192.168.178.200"; }'
    run("jail -f - -c alias", stdin=text)
    made = host.connect("outside", "192.168.178.200", 443)
    assert isinstance(made, Connection) and made.server == "alias"
    run("jail -f - -r alias", stdin=text)
    assert not host.connect("outside", "192.168.178.200", 443).ok
    assert host.interface("em0").addresses == ("192.168.178.20/24",)  # type: ignore[union-attr]


def _slaac(run: Run) -> None:
    run("ifconfig bridge16 create descr x group potnet group potbridge addm em0 up")
    run("ifconfig epair8 create group potnet up")
    run("ifconfig epair8b ether 02:11:22:33:44:66")
    run("ifconfig bridge16 addm epair8a")
    run("mkdir -p /jails/six")
    run("jail -f - -c six", stdin='six { path = "/jails/six"; persist; vnet; vnet.interface = "epair8b"; }')
    run("ifconfig -j six epair8b inet6 accept_rtadv auto_linklocal -ifdisabled up")


def test_an_advertisement_comes_on_the_next_look(host: SimulatedHost, run: Run) -> None:
    _slaac(run)
    assert "autoconf" not in run("ifconfig -j six epair8b").out
    assert "inet6 2001:db8:7:0:11:22ff:fe33:4466 prefixlen 64 autoconf" in run("ifconfig -j six epair8b").out
    assert "interface: epair8b" in run("route -j six -n get -inet6 default").out
    assert host.connect("outside", "2001:db8:7:0:11:22ff:fe33:4466", 80).ok
    assert host.connect("six", "2001:db8:7::1", 80).ok


def test_an_advertisement_comes_to_a_jail_that_calls(host: SimulatedHost, run: Run) -> None:
    _slaac(run)
    calls = [host.connect("six", "2001:db8:7::1", 80).ok for _ in range(2)]
    assert calls[-1]


def test_the_narrowest_pipe_each_way_tells_the_rate(pots: SimulatedHost, run: Run) -> None:
    run("kldload -n dummynet")
    for number, rate in ((1, 1_000_000), (2, 5_000_000), (3, 3_000_000)):
        run(f"dnctl pipe {number} config bw {rate}bit/s")
    run(
        "pfctl -a pot-filter/casserole -f -",
        stdin="match in on bridge10 inet from 10.192.0.10 to any dnpipe (1, 2)\n"
        "match out on bridge10 inet from any to 10.192.0.10 dnpipe (2, 1)\n"
        "match out on em0 inet all dnpipe (2, 3)\n",
    )

    def rates(source: str, address: str) -> tuple[int, int]:
        found = host.connect(source, address, 80)
        assert isinstance(found, Connection), found
        return found.rates

    host = pots
    assert rates("casserole", "198.51.100.7") == (1_000_000, 3_000_000)
    assert rates("host", "10.192.0.10") == (5_000_000, 1_000_000)
    # Neighbours on the bridge are no concern of pf.
    assert rates("ragout", "10.192.0.10") == (0, 0)


def test_no_advertisement_without_the_external_interface(host: SimulatedHost, run: Run) -> None:
    _slaac(run)
    run("ifconfig bridge16 deletem em0")
    for _ in range(3):
        assert "autoconf" not in run("ifconfig -j six epair8b").out


def test_probes_from_a_jail_without_a_base(pots: SimulatedHost, run: Run) -> None:
    first = run("jexec ragout nc -z 10.192.0.10 80")
    assert "simulated host answers" in first.err and "succeeded" in first.err
    assert "simulated host" not in run("jexec ragout ping -c 1 10.192.0.10").err
    assert run("jexec ragout nc -z 10.192.0.99 80", code=1).out == ""


def test_a_pf_that_is_off_does_nothing(pots: SimulatedHost, run: Run) -> None:
    run("pfctl -a pot-rdr/casserole -f -", stdin=FIRST)
    run("pfctl -d")
    assert not pots.connect("outside", HOST, 30080).ok
    assert pots.connect("ragout", "10.192.0.10", 80).ok


def test_ipv6_on_a_private_bridge(host: SimulatedHost, run: Run) -> None:
    bridge(run, 20, "10.192.0.17/29")
    run("ifconfig bridge20 inet6 fd00:192:0:20::1/64")
    pot(run, "a", 20, 1, "10.192.0.18/29", "10.192.0.17")
    run("ifconfig -j a epair1b inet6 fd00:192:0:20::2/64 -ifdisabled")
    run("route -j a add -inet6 default fd00:192:0:20::1")
    # Whether somebody else has an address is found out first (RFC 4862, 5.4).
    assert "fd00:192:0:20::2 prefixlen 64 tentative" in run("ifconfig -j a epair1b").out
    assert not host.connect("a", "fd00:192:0:20::1", 0, "ipv6-icmp").ok
    run("sleep 2")
    assert "tentative" not in run("ifconfig -j a epair1b").out
    assert host.connect("host", "fd00:192:0:20::2", 80).ok
    assert host.connect("a", "fd00:192:0:20::1", 0, "ipv6-icmp").ok
    # It is not, where nobody can have it.
    run("ifconfig -j a epair1b inet6 fd00:192:0:20::3/64 no_dad alias")
    shown = run("ifconfig -j a epair1b").out
    assert "tentative" not in shown and "nd6 options=121<PERFORMNUD,AUTO_LINKLOCAL,NO_DAD>" in shown
    assert host.connect("host", "fd00:192:0:20::3", 80).ok
    result = host.run(Command(("jexec", "a", "netstat", "-rn", "-f", "inet6")))
    assert "default                           fd00:192:0:20::1 " in result.out


def test_a_renamed_interface_keeps_its_unit_and_its_place(run: Run, host: SimulatedHost) -> None:
    bridge(run, 10, "10.192.0.1/10")
    pot(run, "casserole", 10, 3, "10.192.0.10/10", "10.192.0.1")
    assert run("ifconfig bridge10 name inner").out == "inner\n"
    assert run("ifconfig epair3a name left group x").out == "left\n"
    assert run("ifconfig -j casserole epair3b name right").out == "right\n"
    assert host.interfaces() == ["em0", "lo0", "inner", "left"]
    inner = host.interface("inner")
    assert inner is not None and inner.members == ("left",)
    assert "left" in run("ifconfig -g x").out and "inner" in run("ifconfig -g bridge").out
    assert any(line.startswith("default 10.192.0.1 right") for line in host.routes("casserole"))
    assert host.connect("host", "10.192.0.10", 80).ok
    for name in ("bridge10", "epair3", "epair3a", "epair3b"):
        refused = run(f"ifconfig {name} create", code=1)
        assert refused.err == f"ifconfig: interface {name} already exists\n"
    assert (
        run("ifconfig inner name left", code=1).err == "ifconfig: ioctl SIOCSIFNAME (set name): File exists\n"
    )
    run("jail -r casserole")
    assert "right" in host.interfaces()
    run("ifconfig right destroy")
    run("ifconfig inner destroy")
    assert host.interfaces() == ["em0", "lo0"]
    assert run("ifconfig epair3 create").out == "epair3a\n" and run("ifconfig bridge10 create").out == ""


def test_units_of_renamed_interfaces_are_passed_over(run: Run, host: SimulatedHost) -> None:
    assert run("ifconfig bridge create name one").out == "one\n"
    assert run("ifconfig epair create name two").out == "two\n"
    assert run("ifconfig bridge0 create", code=1).err == "ifconfig: interface bridge0 already exists\n"
    assert run("ifconfig epair0 create", code=1).err == "ifconfig: interface epair0 already exists\n"
    assert (
        run("ifconfig bridge create").out == "bridge1\n" and run("ifconfig epair create").out == "epair1a\n"
    )
    run("ifconfig one name epair2b")
    assert run("ifconfig epair2 create", code=1).err == "ifconfig: interface epair2 already exists\n"
    assert run("ifconfig epair create").out == "epair3a\n"


def test_an_epair_in_jails_keeps_its_unit(run: Run, host: SimulatedHost) -> None:
    run("ifconfig epair0 create")
    for name, end in (("one", "a"), ("two", "b")):
        run(f"jail -c name={name} path=/ persist vnet vnet.interface=epair0{end}")
    assert host.interfaces() == ["em0", "lo0"]
    for name in ("epair0", "epair0a", "epair0b"):
        refused = run(f"ifconfig {name} create", code=1)
        assert refused.err == f"ifconfig: interface {name} already exists\n"
    assert run("ifconfig epair create").out == "epair1a\n"


def test_names_that_meet_on_the_host(run: Run, host: SimulatedHost) -> None:
    run("ifconfig epair0 create")
    run("jail -c name=one path=/ persist vnet vnet.interface=epair0b")
    run("ifconfig -j one epair0b name taken")
    run("ifconfig epair0a name taken")
    assert run("ifconfig taken vnet one", code=1).err == "ifconfig: SIOCSIFVNET: File exists\n"
    run("jail -r one")
    assert host.interfaces() == ["em0", "lo0", "taken", "taken"]
    assert run("ifconfig taken").out.count("taken: flags=") == 2
    run("ifconfig taken destroy")
    assert host.interfaces() == ["em0", "lo0"]


def test_nat_catches_frames_at_a_filtered_member(host: SimulatedHost, run: Run) -> None:
    """Record 50: answers to a translated frame reach the host, and the jail waits in vain."""
    run("ifconfig bridge0 create up")
    run("ifconfig bridge0 addm em0")
    pot(run, "lan", 0, 7, "192.168.178.61/24", "192.168.178.1")
    run("pfctl -f -", stdin="nat on em0 inet from 192.168.178.0/24 to any -> (em0:0)\n")
    assert host.connect("lan", "192.168.178.1", 80).ok
    run("sysctl net.link.bridge.pfil_member=1")
    refused = host.connect("lan", "192.168.178.1", 80)
    assert isinstance(refused, Refusal) and "em0" in refused.reason
    # NAT for the networks of pots alone leaves it alone.
    run("pfctl -f -", stdin="nat on em0 inet from 10.192.0.0/10 to any -> (em0:0)\n")
    assert host.connect("lan", "192.168.178.1", 80).ok
