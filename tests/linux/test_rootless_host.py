"""A rootless host: pots of a user without root, real packets in and out, and nothing of it left behind."""

from __future__ import annotations

import sys

import pytest
from linux_world import HERE, HOST, OUTSIDE, PYTHON, SILENCE, Answer, World
from rootless_world import User, eventually, numbers, patiently, serving


def test_an_export_answers_and_a_pot_reaches_out(cook: User) -> None:
    serving(cook, "80:30080", "udp:80:30053")
    assert patiently(cook.world.ask, None, "tcp", "127.0.0.1", 30080) != SILENCE
    for protocol, port in (("tcp", 30080), ("udp", 30053)):
        assert patiently(cook.world.ask, None, protocol, HOST, port) != SILENCE
        assert patiently(cook.world.ask, "outside", protocol, HOST, port) != SILENCE
    cook.world.serve("outside", 7001)
    for protocol in ("tcp", "udp"):
        assert patiently(cook.ask, "casserole", protocol, OUTSIDE, 7001) == HOST
    # What is no export is not reached.
    assert cook.world.ask("outside", "tcp", HOST, 80) == SILENCE
    assert cook.potnet("check") == ""


def test_stop_ends_everything(cook: User) -> None:
    before = cook.world.snapshot()
    serving(cook, "80:30080")
    cook.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    cook.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove", "-S", "dual")
    cook.potnet("start", "kettle")
    assert len(cook.processes()) > 3
    assert cook.potnet("rootless", "stop") == "the rootless host is stopped\n"
    assert cook.processes() == []
    assert cook.world.snapshot() == before
    left = cook.run("ls", f"{cook.home}/.local/state/potnet/rootless/host").out
    assert left.split() == ["lock", "log"]
    assert cook.potnet("rootless", "status") == "stopped\n"
    assert cook.potnet("rootless", "stop") == "the rootless host is already stopped\n"
    assert {each["state"] for each in cook.facts("list")} == {"stopped"}


@pytest.mark.slow
def test_private_bridges_are_apart_here_too(cook: User) -> None:
    serving(cook, "80:30080")
    cook.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    cook.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove", "-S", "dual")
    cook.potnet("start", "kettle")
    address = cook.facts("info", "-p", "casserole")["addresses"][0]["address"]
    external = cook.facts("rootless", "status")["address"]
    assert cook.ask("kettle", "tcp", address, 80) == SILENCE
    assert patiently(cook.ask, "kettle", "tcp", external, 30080) != SILENCE


@pytest.mark.slow
def test_the_host_outlives_the_command_and_its_pots_are_root_of_nothing_else(cook: User) -> None:
    serving(cook, "80:30080")
    status = cook.facts("rootless", "status")
    assert status["state"] == "running"
    assert status["ids"] == [[0, cook.uid, 1], [1, 200000 + (cook.uid - 61001) * 65536, 65536]]
    assert cook.potnet("rootless", "enter", "--", "id", "-u") == "0\n"
    cook.potnet("exec", "casserole", "--", "touch", f"{cook.home}/mine")
    assert cook.world.run("stat", "-c", "%u", f"{cook.home}/mine").out == f"{cook.uid}\n"
    assert cook.try_potnet("exec", "casserole", "--", "touch", "/usr/mine").code != 0


@pytest.mark.slow
def test_without_subordinate_ids_the_user_alone_is_mapped(machine: World) -> None:
    user = User(machine, next(numbers), subordinate=False)
    serving(user, "80:30080")
    assert user.facts("rootless", "status")["ids"] == [[0, user.uid, 1]]
    assert patiently(machine.ask, "outside", "tcp", HOST, 30080) != SILENCE
    user.potnet("rootless", "stop")
    assert user.processes() == []


def test_a_driver_that_is_killed_comes_back_with_its_ports(cook: User) -> None:
    serving(cook, "80:30080")
    before = cook.facts("ports")
    cook.world.run("kill", "-9", str(cook.pid("slirp4netns")))
    assert eventually(lambda: cook.facts("rootless", "status")["state"] == "running")
    assert eventually(lambda: cook.facts("ports") == before)
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    assert cook.potnet("check") == ""


@pytest.mark.slow
def test_a_keeper_that_is_killed_takes_all_with_it_and_a_start_makes_it_anew(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.run("kill", "-9", str(cook.pid("potnet.rootless.host.keeper")))
    assert eventually(lambda: not cook.processes())
    # The PID file is still there, and its number may be anybody's.
    cook.world.run("sh", "-c", f"echo 1 > {cook.home}/.local/state/potnet/rootless/host/pid")
    assert cook.facts("list")[0]["state"] == "stopped"
    cook.potnet("start", "casserole")
    cook.serve("casserole", 80)
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    assert cook.potnet("check") == ""


@pytest.mark.slow
def test_a_namespace_that_ends_takes_its_driver_with_it(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.run("kill", "-9", str(cook.facts("rootless", "status")["init"]))
    assert eventually(lambda: not cook.processes())
    assert cook.potnet("rootless", "status") == "stopped\n"


@pytest.mark.slow
def test_two_users_at_once(cook: User) -> None:
    other = User(cook.world, next(numbers))
    for user, port in ((cook, 30080), (other, 30081)):
        serving(user, f"80:{port}", "443")
    chosen = [user.facts("info", "-p", "casserole")["exports"][1]["host_port"] for user in (cook, other)]
    assert chosen[0] != chosen[1]
    for port in (30080, 30081):
        assert patiently(cook.world.ask, "outside", "tcp", HOST, port) != SILENCE
    refused = other.try_potnet("export-ports", "-p", "casserole", "-e", "80:30080")
    assert refused.code == 1
    assert "host port tcp 30080 is in use by" in refused.err
    other.potnet("rootless", "stop")
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    assert cook.world.ask("outside", "tcp", HOST, 30081) == SILENCE


@pytest.mark.slow
def test_ports_are_those_of_the_driver(cook: User) -> None:
    serving(cook, "80:30080")
    row = {
        "pot": "casserole", "interface": "tap0", "protocol": "tcp", "address": "0.0.0.0", "port": 30080,
        "pot_address": "10.192.0.3", "pot_port": 80,
    }  # fmt: skip
    assert cook.facts("ports") == [row]
    cook.potnet("export-ports", "-p", "casserole", "-e", "80:30090")
    assert cook.facts("ports") == [row | {"port": 30090}]
    assert cook.world.ask("outside", "tcp", HOST, 30080) == SILENCE
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30090) != SILENCE
    # The driver has lost one, behind the back of potnet.
    cook.potnet("rootless", "close", "tcp:30090")
    lost = cook.try_potnet("check")
    assert (lost.code, "uplink tcp:30090" in lost.out) == (1, True)
    cook.potnet("repair")
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30090) != SILENCE
    cook.potnet("rootless", "open", "tcp:127.0.0.1:4000")
    nobody = {"pot": None, "interface": None, "pot_address": None, "pot_port": None}
    assert cook.facts("ports")[0] == {**nobody, "protocol": "tcp", "address": "127.0.0.1", "port": 4000}
    cook.potnet("stop", "casserole")
    assert [each["port"] for each in cook.facts("ports")] == [4000]


@pytest.mark.slow
@pytest.mark.parametrize("cook", ["slirp4netns", "pasta"], indirect=True)
def test_exports_with_all_that_they_may_have(cook: User) -> None:
    serving(cook, "80:30090")
    cook.potnet("export-ports", "-p", "casserole", "-e", "80-82:30080-30082", "-e", f"{HOST}@80:30090")
    assert [each["port"] for each in cook.facts("ports")] == [30080, 30090]
    wanted = ["tcp:192.0.2.1:30090", "tcp:30080", "tcp:30081", "tcp:30082"]
    assert sorted(cook.facts("rootless", "status")["ports"]) == wanted
    for port in (30080, 30090):
        assert patiently(cook.world.ask, "outside", "tcp", HOST, port) != SILENCE
    assert cook.world.ask(None, "tcp", "127.0.0.1", 30090) == SILENCE
    assert cook.potnet("check") == ""
    refused = cook.try_potnet("export-ports", "-p", "casserole", "-e", "192.0.2.77@80:30090")
    assert (refused.code, "192.0.2.77" in refused.err) == (1, True)
    cook.potnet("export-ports", "-p", "casserole", "-e", "80:30080", "--from", "192.0.2.9")
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    cook.potnet("export-ports", "-p", "casserole", "-e", "80:30080", "--from", "192.0.2.10")
    # The driver may take a call before the host refuses it.
    assert cook.world.ask("outside", "tcp", HOST, 30080) in (SILENCE, "")


def test_a_port_that_the_user_may_not_have(cook: User) -> None:
    serving(cook, "80:30080")
    refused = cook.try_potnet("export-ports", "-p", "casserole", "-e", "80:80")
    assert refused.code == 1
    assert "host port tcp 80 requires root" in refused.err
    assert "sysctl net.ipv4.ip_unprivileged_port_start=80" in refused.err
    assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) != SILENCE
    assert cook.potnet("check") == ""


@pytest.mark.slow
def test_a_port_that_another_program_takes_between_look_and_start(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.serve(None, 4567, "grill", only_tcp=True)
    refused = cook.try_potnet("export-ports", "-p", "casserole", "-e", "80:4567")
    assert "host port tcp 4567 is in use by" in refused.err
    refused = cook.try_potnet("rootless", "open", "tcp:4568", "tcp:4567")
    assert "host port tcp 4567 is in use on this machine" in refused.err
    assert [each["port"] for each in cook.facts("ports")] == [30080]


def test_a_port_above_65535_never_reaches_the_driver(cook: User) -> None:
    cook.potnet("rootless", "start")
    for text in ("tcp:70000", "tcp:0", "sctp:80", "tcp:1.2.3:80", "tcp:[::g]:80", "tcp", "tcp:-1"):
        assert cook.try_potnet("rootless", "open", text).code == 2, text
    assert cook.facts("ports") == []


@pytest.mark.slow
def test_a_dry_run_says_it_all_and_leaves_nothing(cook: User) -> None:
    assert cook.potnet("-n", "rootless", "start").startswith("slirp4netns --configure --mtu=65520 ")
    cook.potnet("create", "-p", "casserole", "-N", "public-bridge")
    cook.potnet("export-ports", "-p", "casserole", "-e", "80:30080")
    cook.potnet("rootless", "stop")
    shown = cook.potnet("-n", "start", "casserole")
    assert eventually(lambda: not cook.processes())
    assert shown.startswith("slirp4netns ")
    assert 'iifname "tap0" fib daddr . iif type local dnat ip to' in shown
    assert "potnet rootless open tcp:30080\n" in shown
    cook.potnet("start", "casserole")
    shown = cook.potnet("-n", "rootless", "stop")
    assert "potnet rootless close tcp:30080\n" in shown
    assert shown.splitlines()[-1] == f"kill {cook.facts('rootless', 'status')['keeper']}"


@pytest.mark.slow
def test_looking_starts_nothing(cook: User) -> None:
    for command in ("list", "check", "ports", "show", "rootless status"):
        cook.potnet(*command.split())
        # The empty host that was looked at ends with the command.
        assert eventually(lambda: not cook.processes())
    assert cook.world.run("test", "-e", f"{cook.home}/.local/state/potnet/rootless/host").code != 0


@pytest.mark.slow
def test_many_at_once_start_one_host(cook: User) -> None:
    words = 'for each in 1 2 3 4; do "$@" & done; wait'
    said = cook.run("sh", "-c", words, "sh", *_potnet("rootless", "start"))
    assert said.out.count("the rootless host is started") == 4
    assert sum("potnet.rootless.host.keeper" in each for each in cook.processes()) == 2


def _potnet(*argv: str) -> tuple[str, ...]:
    return sys.executable, "-m", "potnet", *argv


@pytest.mark.slow
def test_etc_and_run_are_the_users_own(cook: User) -> None:
    cook.potnet("rootless", "start")
    assert cook.potnet("rootless", "enter", "--", "cat", "/etc/resolv.conf") == "nameserver 10.0.2.3\n"
    passwd = cook.potnet("rootless", "enter", "--", "cat", "/etc/passwd")
    assert passwd == cook.world.run("cat", "/etc/passwd").out
    cook.potnet("rootless", "enter", "--", "touch", "/etc/mine", "/run/mine")
    assert cook.world.run("ls", "/etc/mine", "/run/mine").out == ""
    assert cook.run(*_potnet("rootless", "enter"), stdin="echo soup; exit 3\n") == Answer(3, "soup\n", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mtu": 65522}, "slirp4netns takes 65521 at most"),
        ({"bridge": "br0"}, "slirp4netns joins no bridge"),
    ],
)
def test_what_the_driver_does_not_have_is_refused(cook: User, options: dict[str, object], words: str) -> None:
    cook.configure(uplink="slirp4netns", **options)
    refused = cook.try_potnet("rootless", "start")
    assert (refused.code, words in refused.err) == (1, True), refused.err
    assert eventually(lambda: not cook.processes()), cook.processes()


@pytest.mark.slow
@pytest.mark.parametrize("mtu", [1500, 65520])
def test_options_of_the_driver(cook: User, mtu: int) -> None:
    cook.configure(
        uplink="slirp4netns", mtu=mtu, cidr="10.9.0.0/24", ipv6=True, dns=False, mac="02:00:00:00:00:07",
        outbound=HOST, host_loopback=True, sandbox=False, seccomp=False, copy_up=["/opt"],
    )  # fmt: skip
    serving(cook, "80:30080")
    link = cook.potnet("rootless", "enter", "--", "ip", "addr", "show", "dev", "tap0")
    assert f"mtu {mtu} " in link
    assert "02:00:00:00:00:07" in link
    assert "inet 10.9.0.100/24" in link
    assert eventually(
        lambda: "inet6 fd00::" in cook.potnet("rootless", "enter", "--", "ip", "addr", "show", "dev", "tap0")
    )
    assert cook.potnet("rootless", "enter", "--", "cat", "/etc/resolv.conf") == "nameserver 192.0.2.9\n"
    cook.potnet("rootless", "enter", "--", "touch", "/opt/mine")
    assert cook.world.run("ls", "/opt/mine").out == ""
    # The machine's own loopback is where it was asked for only.
    cook.world.serve(None, 7100 + mtu % 7, only_tcp=True)
    assert patiently(cook.ask, "casserole", "tcp", "10.9.0.2", 7100 + mtu % 7) != SILENCE
    _pour(cook, 40_000_000 if mtu > 1500 else 4_000_000)


def _pour(user: User, count: int) -> None:
    """Many bytes from the neighbour to the pot, and back."""
    talk = (sys.executable, str(HERE / "talk.py"))
    user.potnet("export-ports", "-p", "casserole", "-e", "80:30080", "-e", "81:30081")
    user.spawn("exec", "casserole", "--", *talk, "sink", "81")
    argv = user.world.within("outside", *talk, "pour", HOST, "30081", str(count))
    assert user.world.run(*argv).out == f"{count}\n"


@pytest.mark.slow
def test_the_loopback_of_the_machine_is_out_of_reach(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.serve(None, 7009, only_tcp=True)
    assert cook.ask("casserole", "tcp", "10.0.2.2", 7009) == SILENCE


@pytest.mark.slow
def test_ipv6_leads_out(cook: User) -> None:
    cook.configure(uplink="slirp4netns", ipv6=True)
    cook.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    cook.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove", "-S", "dual")
    cook.potnet("start", "kettle")
    cook.world.serve("outside", 7002)
    assert patiently(cook.ask, "kettle", "tcp", "2001:db8:7::1", 7002) != SILENCE


@pytest.mark.slow
def test_root_may_have_one_too(machine: World) -> None:
    before = machine.snapshot()
    assert "slirp4netns" in machine.potnet("--rootless", "-n", "rootless", "start")
    assert machine.potnet("--rootless", "rootless", "start") == "the rootless host is started\n"
    assert machine.potnet("--rootless", "rootless", "enter", "--", "ls", "/run/netns") == ""
    assert machine.potnet("--rootless", "rootless", "stop") == "the rootless host is stopped\n"
    assert machine.snapshot() == before


def test_an_ordinary_host_has_no_keeper(machine: World) -> None:
    refused = machine.try_potnet("rootless", "status")
    assert (refused.code, "this host is not rootless" in refused.err) == (2, True)


@pytest.mark.slow
def test_a_tap_of_a_rootless_host_is_opened_inside(cook: User) -> None:
    cook.potnet("create", "-p", "vm1", "--tap", "-N", "public-bridge")
    refused = cook.try_potnet("create", "-p", "vm2", "--tap", "-N", "public-bridge", "--owner", "nobody")
    assert refused.code == 1 and "rootless enter" in refused.err
    cook.potnet("export-ports", "-p", "vm1", "-e", "udp:53:30053")
    cook.potnet("start", "vm1")
    tap = cook.facts("info", "-p", "vm1")["taps"][0]
    address = tap["addresses"][0]["address"].split("/")[0]
    inside = ("rootless", "enter", "--", *PYTHON, str(HERE / "guest.py"))
    script = f"exec potnet {' '.join(inside)} 0 {tap['name']} {tap['mac']} {address} >$HOME/said 2>&1 &"
    assert cook.run("sh", "-c", script.replace("exec potnet", f"exec {sys.executable} -m potnet")).code == 0
    assert eventually(lambda: cook.world.run("cat", f"{cook.home}/said").out.startswith("ready"))
    assert cook.run(sys.executable, "-m", "potnet", *inside, "echo", address).out.strip() == address
    assert patiently(cook.world.ask, "outside", "udp", HOST, 30053) != SILENCE
    assert cook.potnet("check") == ""
    cook.potnet("stop", "vm1")
    assert eventually(lambda: cook.world.run("cat", f"{cook.home}/said").out == "ready\ngone\n")


@pytest.mark.slow
def test_a_port_leads_to_one_pot_whatever_address_is_called(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.run("ip", "addr", "replace", "192.0.2.3/24", "dev", "eth0")
    cook.potnet("export-ports", "-p", "casserole", "-e", f"{HOST}@80:30090", "-e", "192.0.2.3@80:30090")
    for address in (HOST, "192.0.2.3"):
        assert patiently(cook.world.ask, "outside", "tcp", address, 30090) != SILENCE
    cook.potnet("export-ports", "-p", "casserole", "-e", f"{HOST}@80:30090")
    cook.potnet("create", "-p", "kettle", "-N", "public-bridge")
    before = cook.facts("rootless", "status")["ports"]
    for start in (False, True):
        if start:
            cook.potnet("start", "kettle")
        refused = cook.try_potnet("export-ports", "-p", "kettle", "-e", "192.0.2.3@81:30090")
        assert refused.code == 1
        assert "host port tcp 30090 on 192.0.2.1 leads to port 80 of pot casserole" in refused.err
        assert cook.facts("info", "-p", "kettle")["exports"] == []
    same_pot = cook.try_potnet(
        "export-ports", "-p", "casserole", "-e", f"{HOST}@80:30090", "-e", "192.0.2.3@81:30090"
    )
    assert "of pot casserole; on this host" in same_pot.err
    # One that is chosen is not the same one, either.
    cook.potnet("export-ports", "-p", "casserole", "-e", f"{HOST}@80")
    cook.potnet("export-ports", "-p", "kettle", "-e", "192.0.2.3@80")
    chosen = [cook.facts("info", "-p", pot)["exports"][0]["host_port"] for pot in ("casserole", "kettle")]
    assert chosen[0] != chosen[1]
    assert cook.facts("rootless", "status")["ports"] != before
    assert patiently(cook.world.ask, "outside", "tcp", HOST, chosen[0]) != SILENCE
    assert cook.potnet("check") == ""
    cook.world.run("ip", "addr", "del", "192.0.2.3/24", "dev", "eth0")


#: Asks a keeper again and again and reads no answer; then connects without a word, as often as it is let.
DEAF = """
import socket, sys
def connected():
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(1)
    made.connect(sys.argv[1])
    return made
deaf, idle = connected(), []
try:
    for _ in range(20000):
        deaf.sendall(b'{"verb": "listeners"}\\n')
except OSError:
    print("left alone")
try:
    for _ in range(600):
        idle.append(connected())
except OSError:
    pass
print("many", flush=True)
"""


def test_who_reads_no_answer_of_the_keepers_stops_nobody(cook: User) -> None:
    cook.potnet("rootless", "start")
    control = f"{cook.home}/.local/state/potnet/rootless/host/control"
    assert cook.run("test", "-S", control).code == 0, cook.run("find", cook.home, "-type", "s").out
    done = cook.run("timeout", "60", sys.executable, "-I", "-S", "-c", DEAF, control)
    assert done.out.splitlines() == ["left alone", "many"], done
    assert cook.facts("rootless", "status")["state"] == "running"
    cook.potnet("rootless", "stop")
