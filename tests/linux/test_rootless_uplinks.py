"""What each uplink carries, and what becomes of it when its driver ends."""

from __future__ import annotations

import sys

import pytest
from linux_world import HERE, HOST, OUTSIDE, SILENCE
from rootless_world import User, eventually, lend_bridge, numbers, patiently, serving

HOST6, OUTSIDE6 = "2001:db8:7::20", "2001:db8:7::1"
PASTA = pytest.mark.parametrize("cook", ["pasta"], indirect=True)


@pytest.fixture
def cook6(cook: User) -> User:
    """A user on a machine whose way out leads by its neighbour in IPv6, too.

    pasta takes the link-local address of its machine for itself, and is lost without one.
    """
    cook.world.run("ip", "addr", "replace", "fe80::1/64", "dev", "eth0", "nodad")
    cook.world.run("ip", "-6", "route", "replace", "default", "via", OUTSIDE6)
    return cook


@PASTA
def test_both_families_in_and_out(cook6: User) -> None:
    cook6.configure(uplink="pasta", ipv6=True)
    cook6.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    cook6.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove", "-S", "dual")
    cook6.potnet("export-ports", "-p", "kettle", "-e", "80:30080", "-e", "udp:80:30080", "--loopback")
    cook6.potnet("start", "kettle")
    cook6.serve("kettle", 80)
    cook6.world.serve("outside", 7001)
    assert patiently(cook6.world.ask, None, "tcp", "127.0.0.1", 30080) != SILENCE
    for protocol in ("tcp", "udp"):
        assert patiently(cook6.world.ask, "outside", protocol, HOST, 30080) == OUTSIDE
        assert patiently(cook6.world.ask, "outside", protocol, HOST6, 30080) == OUTSIDE6
        assert patiently(cook6.ask, "kettle", protocol, OUTSIDE, 7001) == HOST
        assert patiently(cook6.ask, "kettle", protocol, OUTSIDE6, 7001) == HOST6
    assert cook6.potnet("check") == ""
    assert len(cook6.facts("ports")) == 4


@PASTA
@pytest.mark.slow
def test_a_port_comes_and_goes_and_the_others_stay(cook: User) -> None:
    serving(cook, "80:30080", "udp:80:30080")
    before = cook.facts("rootless", "status")
    cook.potnet("rootless", "open", "tcp:4000", "tcp:127.0.0.1:4001")
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    after = cook.facts("rootless", "status")
    assert (after["state"], after["pid"] != before["pid"]) == ("running", True)
    refused = cook.try_potnet("rootless", "open", "tcp:4003", "tcp:80")
    assert "host port tcp 80 requires root" in refused.err
    assert cook.facts("rootless", "status") == after
    refused = cook.try_potnet("rootless", "open", "tcp:[::1]:4002")
    assert "tcp:[::1]:4002: this host has no IPv6" in refused.err
    cook.potnet("rootless", "close", "tcp:4000", "tcp:127.0.0.1:4001")
    assert patiently(cook.world.ask, "outside", "udp", HOST, 30080) != SILENCE
    assert sorted(cook.facts("rootless", "status")["ports"]) == ["tcp:30080", "udp:30080"]


@PASTA
@pytest.mark.slow
def test_a_killed_driver_comes_back(cook: User) -> None:
    serving(cook, "80:30080")
    # The driver, and then who ends it with its keeper.
    for words in (" pasta -f ", " -I -S "):
        driver = max(int(each.split()[0]) for each in cook.processes() if words in each)
        cook.world.run("kill", "-9", str(driver))
        assert eventually(lambda gone=driver: str(gone) not in str(cook.processes()))
        assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    cook.world.run("kill", "-9", str(cook.pid("potnet.rootless.host.keeper")))
    assert eventually(lambda: not cook.processes())


@PASTA
def test_a_host_ends_after_its_driver_was_killed(cook: User) -> None:
    cook.potnet("rootless", "start")
    facts = cook.facts("rootless", "status")
    cook.world.run("kill", "-9", str(facts["pid"]))
    assert eventually(lambda: cook.facts("rootless", "status")["pid"] not in (None, facts["pid"]))
    # The kernel lets an init end when all that was in its namespace has been waited for.
    cook.world.run("kill", str(facts["keeper"]))
    assert eventually(lambda: not cook.processes()), cook.processes()
    assert cook.potnet("rootless", "status") == "stopped\n"


@pytest.mark.slow
def test_the_wire_of_public_ipv6_outlives_the_driver(cook6: User) -> None:
    cook6.configure(uplink="slirp4netns", ipv6=True)
    cook6.potnet("create", "-p", "casserole", "-N", "public-bridge", "-S", "dual")
    cook6.potnet("start", "casserole")
    assert cook6.potnet("check") == ""
    before = cook6.potnet("rootless", "enter", "--", "ip", "-br", "link", "show", "dev", "tap0").split()
    gone = cook6.facts("rootless", "status")["pid"]
    cook6.world.run("kill", "-9", str(gone))
    assert eventually(lambda: cook6.facts("rootless", "status")["pid"] not in (None, gone))
    assert eventually(lambda: cook6.facts("rootless", "status")["state"] == "running")
    after = cook6.potnet("rootless", "enter", "--", "ip", "-br", "link", "show", "dev", "tap0").split()
    # The same interface, MAC address included.
    assert after[:3] == before[:3]
    assert cook6.potnet("check") == ""


@pytest.mark.slow
@pytest.mark.parametrize("cook", ["slirp4netns", "pasta", "vpnkit"], indirect=True)
def test_no_driver_is_left_when_its_keeper_and_its_guard_are_killed_at_once(cook: User) -> None:
    cook.potnet("rootless", "start")
    init = str(cook.facts("rootless", "status")["init"])
    words = ("potnet.rootless.host.keeper", "guard.py", "nsenter")
    gone = [each.split()[0] for each in cook.processes() if any(word in each for word in words)]
    cook.world.run("kill", "-9", *(each for each in gone if each != init))
    assert eventually(lambda: not cook.processes()), cook.processes()


@PASTA
@pytest.mark.slow
@pytest.mark.parametrize("mtu", [1500, 65520])
def test_options(cook: User, mtu: int) -> None:
    cook.configure(
        uplink="pasta", mtu=mtu, cidr="10.9.0.0/24", dns=False, mac="02:00:00:00:00:07", outbound=HOST,
        host_loopback=True,
    )  # fmt: skip
    serving(cook, "80:30080", "81:30081")
    link = cook.potnet("rootless", "enter", "--", "ip", "addr", "show", "dev", "tap0")
    assert f"mtu {mtu} " in link
    assert "02:00:00:00:00:07" in link
    assert "inet 10.9.0.100/24" in link
    cook.world.serve(None, 7200 + mtu % 7, only_tcp=True)
    assert patiently(cook.ask, "casserole", "tcp", "10.9.0.2", 7200 + mtu % 7) != SILENCE
    talk = (sys.executable, str(HERE / "talk.py"))
    cook.spawn("exec", "casserole", "--", *talk, "sink", "81")
    argv = cook.world.within("outside", *talk, "pour", HOST, "30081", "4000000")
    assert cook.world.run(*argv).out == "4000000\n"


@PASTA
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mtu": 65521}, "pasta takes 65520 at most"),
        ({"bridge": "br0"}, "pasta joins no bridge"),
        ({"sandbox": False}, "pasta is always in its sandbox"),
        ({"seccomp": False}, "pasta always gives up"),
    ],
)
def test_what_it_does_not_have_is_refused(cook: User, options: dict[str, object], words: str) -> None:
    cook.configure(uplink="pasta", **options)
    refused = cook.try_potnet("rootless", "start")
    assert (refused.code, words in refused.err) == (1, True), refused.err


@pytest.fixture
def guest(cook: User) -> User:
    """A user whom root has given interfaces on a bridge that leads outwards."""
    lend_bridge(cook)
    cook.configure(uplink="lxc-user-nic", mac="02:00:00:00:00:09")
    return cook


LXC = pytest.mark.parametrize("cook", ["lxc-user-nic"], indirect=True)


@LXC
def test_a_bridge_of_the_machine_carries_both_ways(guest: User) -> None:
    serving(guest, "80:30080", "udp:80:30080")
    guest.world.serve("outside", 7003)
    for protocol in ("tcp", "udp"):
        assert patiently(guest.world.ask, "outside", protocol, HOST, 30080) != SILENCE
        assert patiently(guest.world.ask, None, protocol, "127.0.0.1", 30080) != SILENCE
        assert patiently(guest.ask, "casserole", protocol, OUTSIDE, 7003) == HOST
    assert guest.potnet("check") == ""
    shown = guest.potnet("rootless", "enter", "--", "ip", "link", "show", "dev", "eth0")
    assert "02:00:00:00:00:09" in shown
    resolver = guest.potnet("rootless", "enter", "--", "cat", "/etc/resolv.conf")
    assert resolver == "nameserver 10.0.3.1\n"
    # The forwarder ends, and comes back; the interface is what it was.
    guest.world.run("kill", "-9", str(guest.pid("forwarder.py")))
    assert eventually(lambda: guest.world.ask("outside", "tcp", HOST, 30080) not in (SILENCE, ""))
    assert guest.potnet("rootless", "enter", "--", "ip", "link", "show", "dev", "eth0") == shown
    guest.potnet("rootless", "stop")
    assert eventually(lambda: guest.world.run("ip", "link", "show", "master", "lxcbr0").out == "")


@LXC
@pytest.mark.slow
def test_two_users_on_a_bridge_have_different_addresses(guest: User) -> None:
    guest.potnet("rootless", "start")
    taken = guest.facts("rootless", "status")["address"]
    other = User(guest.world, next(numbers))
    quota = f"{guest.name} veth lxcbr0 2\n{other.name} veth lxcbr0 1\n"
    guest.world.run("tee", "/etc/lxc/lxc-usernet", stdin=quota)
    other.configure(uplink="lxc-user-nic")
    # Somebody has the address that this user would have had.
    other.potnet("rootless", "start")
    wanted = other.facts("rootless", "status")["address"]
    assert wanted != taken
    other.potnet("rootless", "stop")
    guest.world.run("ip", "addr", "add", f"{wanted}/24", "dev", "lxcbr0")
    other.potnet("rootless", "start")
    assert other.facts("rootless", "status")["address"] not in (wanted, taken, "10.0.3.1")
    other.potnet("rootless", "stop")
    guest.world.run("ip", "addr", "del", f"{wanted}/24", "dev", "lxcbr0")


@LXC
@pytest.mark.slow
def test_without_a_bridge_or_a_quota_it_says_what_root_can_do(guest: User) -> None:
    guest.world.run("tee", "/etc/lxc/lxc-usernet", stdin="nobody veth lxcbr0 2\n")
    refused = guest.try_potnet("rootless", "start")
    assert f"`echo {guest.name} veth lxcbr0 10 >> /etc/lxc/lxc-usernet`" in refused.err
    guest.configure(uplink="lxc-user-nic", bridge="lxcbr7")
    assert "systemctl start lxc-net" in guest.try_potnet("rootless", "start").err
    for name, value in {"mtu": 1500, "cidr": "10.9.0.0/24", "ipv6": True, "seccomp": False}.items():
        guest.configure(uplink="lxc-user-nic", **{name: value})
        assert f"rootless.{name} = {value}: lxc-user-nic " in guest.try_potnet("rootless", "start").err


@pytest.mark.slow
@pytest.mark.parametrize("cook", ["host"], indirect=True)
def test_the_network_of_the_machine_is_shared_and_has_no_bridges(cook: User) -> None:
    before = cook.world.snapshot()
    cook.potnet("create", "-p", "spoon", "-N", "inherit", "-S", "dual")
    cook.potnet("start", "spoon")
    assert HOST in cook.potnet("exec", "spoon", "--", "ip", "-br", "addr")
    # It has its own files all the same.
    assert "spoon" in cook.potnet("exec", "spoon", "--", "cat", "/etc/hosts")
    cook.potnet("create", "-p", "casserole", "-N", "public-bridge")
    refused = cook.try_potnet("start", "casserole")
    assert "shares the machine's network, where only root can create bridges" in refused.err
    refused = cook.try_potnet("rootless", "open", "tcp:4000")
    assert "the uplink host has the network of the machine" in refused.err
    cook.potnet("rootless", "stop")
    assert cook.world.snapshot() == before


#: Connects namespaces that are given by their paths, and then disconnects them.
BY_PATH = """
import subprocess, sys
from pathlib import Path
from potnet.rootless.uplinks.choose import choose
from potnet.rootless.uplinks.options import Options
from potnet.rootless.ports.carried import Port
from potnet.rootless.uplinks.uplink import Target
uplink, pid = sys.argv[1:]
def show(*words):
    inside = ("nsenter", "--preserve-credentials", "-U", "-n", "-t", pid, "ip", "-br")
    print(subprocess.run([*inside, *words], capture_output=True, text=True).stdout)
driver = choose(Options(uplink=uplink, sandbox=uplink != "slirp4netns"), Path.cwd())
driver.start(Target(network=f"/proc/{pid}/ns/net", user=f"/proc/{pid}/ns/user"))
driver.add_port(Port("tcp", 4000))
show("addr", "show", "dev", "tap0")
print(driver.list_ports())
driver.stop()
show("link")
"""


@pytest.mark.slow
@pytest.mark.parametrize("cook", ["slirp4netns", "pasta"], indirect=True)
def test_namespaces_may_be_given_by_their_paths(cook: User, request: pytest.FixtureRequest) -> None:
    cook.run("sh", "-c", "setsid unshare -Urn sleep 3600 > /dev/null 2>&1 < /dev/null &")
    assert eventually(lambda: any(each.endswith(" sleep 3600 ") for each in cook.processes()))
    pid = str(cook.pid(" sleep 3600 "))
    assert eventually(lambda: "sleep" in cook.world.run("cat", f"/proc/{pid}/comm").out)
    done = cook.run(sys.executable, "-c", BY_PATH, request.node.callspec.params["cook"], pid)
    cook.world.run("kill", pid)
    assert done.code == 0, done.err
    address, _, rest = done.out.partition("(Port(protocol='tcp', number=4000, ")
    assert "10.0.2.100/24" in address
    assert "lo " in rest and "tap0" not in rest


@pytest.mark.slow
def test_no_sandbox_for_a_path_is_told(cook: User) -> None:
    script = BY_PATH.replace("sandbox=uplink", "sandbox=True or uplink")
    done = cook.run(sys.executable, "-c", script, "slirp4netns", "1")
    assert "slirp4netns has no sandbox for a user namespace that is given by its path" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("cook", ["slirp4netns", "pasta"], indirect=True)
def test_connections_leave_from_the_address_that_is_asked_for(
    cook: User, request: pytest.FixtureRequest
) -> None:
    uplink, own = request.node.callspec.params["cook"], "192.0.2.4"
    cook.world.run("ip", "addr", "replace", f"{own}/24", "dev", "eth0")
    port = {"slirp4netns": 7006, "pasta": 7007}[uplink]
    cook.world.serve("outside", port)
    cook.configure(uplink=uplink, outbound=own)
    serving(cook, "80:30080")
    for protocol in ("tcp", "udp"):
        assert patiently(cook.ask, "casserole", protocol, OUTSIDE, port) == own
    cook.world.run("ip", "addr", "del", f"{own}/24", "dev", "eth0")


@pytest.mark.slow
@pytest.mark.parametrize("shut", [True, False])
def test_slirp4netns_shuts_itself_off_where_it_is_told_to(cook: User, shut: bool) -> None:
    cook.configure(uplink="slirp4netns", sandbox=shut, seccomp=shut)
    cook.potnet("rootless", "start")
    status = cook.facts("rootless", "status")
    seccomp = cook.world.run("grep", "^Seccomp:", f"/proc/{status['pid']}/status").out.split()[1]
    assert seccomp == ("2" if shut else "0")
    mounts = [
        cook.world.run("readlink", f"/proc/{pid}/ns/mnt").out for pid in (status["pid"], status["keeper"])
    ]
    assert (mounts[0] != mounts[1]) == shut


@pytest.mark.slow
@pytest.mark.parametrize("cook", ["slirp4netns", "pasta"], indirect=True)
def test_a_driver_that_is_killed_while_it_carries_much(cook: User) -> None:
    serving(cook, "80:30080", "81:30081")
    talk = (sys.executable, str(HERE / "talk.py"))
    cook.spawn("exec", "casserole", "--", *talk, "sink", "81")
    pouring = cook.world.within("outside", *talk, "pour", HOST, "30081", "2000000000")
    driver = cook.facts("rootless", "status")["pid"]
    script = f'"$@" > /dev/null 2>&1 & kill -9 {driver}; wait'
    cook.world.run("sh", "-c", script, "sh", *pouring)
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) not in (SILENCE, "")
    assert cook.potnet("check") == ""
